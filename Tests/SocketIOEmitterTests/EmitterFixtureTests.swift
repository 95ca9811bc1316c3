import Foundation
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import RESP
import SocketIOWire
import Testing

@testable import SocketIOEmitter

/// One call of the official emitter, and what it published.
struct EmitterRecord: Sendable, CustomTestStringConvertible {
    var session: String
    var id: String
    var api: String
    var error: String?
    var commands: [JSONValue]
    var testDescription: String { "\(self.session): \(self.id)" }

    static let all: [EmitterRecord] = {
        guard
            let url = Bundle.module.url(forResource: "redis-emitter", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url),
            let file = try? JSONValue(parsing: ByteBuffer(bytes: data))
        else { return [] }
        return (file["sessions"]?.arrayValue ?? []).flatMap { session in
            (session["records"]?.arrayValue ?? []).map { record in
                EmitterRecord(
                    session: session["title"]?.stringValue ?? "",
                    id: record["id"]?.stringValue ?? "",
                    api: record["api"]?.stringValue ?? "",
                    error: record["error"]?.stringValue,
                    commands: record["commands"]?.arrayValue ?? []
                )
            }
        }
    }()

    var isOfDate: Bool { self.api.contains("new Date") }

    /// The channel and the bytes of each command, in hexadecimal.
    var published: [String] {
        self.commands.map { "\($0["channel"]?.stringValue ?? "?") \($0["payloadHex"]?.stringValue ?? "?")" }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct EmitterFixtureTests {
    @Test func fixtureIsRead() {
        #expect(EmitterRecord.all.count == 43)
    }

    @Test(arguments: EmitterRecord.all.filter { !$0.isOfDate })
    func record(_ record: EmitterRecord) throws {
        let published = NIOLockedValueBox<[String]>([])
        let emitter = Emitter(
            transport: .pubSub(key: record.session == "option key" ? "custom-prefix" : "socket.io"),
            namespace: record.session.contains("/direct") ? "/direct" : "/"
        ) { command in
            guard case .publish(let channel, let message) = command else { return .queued }
            published.withLockedValue { $0.append("\(channel) \(Self.hexadecimal(message))") }
            return .sent
        }
        let call = try #require(Self.calls[record.api], "no call for \(record.api)")
        // A closure as an argument, for an answer that emitters can't get, is nothing that Swift could be given.
        guard record.error != "Acknowledgements are not supported" else { return }
        let socketID = Room(record.commands.first?["decoded"]?[2]?["rooms"]?[0]?.stringValue ?? "")
        if let error = record.error {
            let thrown = #expect(throws: EmitterError.self) { try call(emitter, socketID) }
            #expect(thrown?.message == error)
        } else {
            try call(emitter, socketID)
        }
        #expect(published.withLockedValue { $0 } == record.published)
    }

    /// A Date of Swift becomes the text that clients get in the end anyway; the official emitter has a type for it.
    @Test(arguments: EmitterRecord.all.filter(\.isOfDate))
    func date(_ record: EmitterRecord) {
        let key = record.session == "option key" ? "custom-prefix" : "socket.io"
        let message = ClassicEncoder(namespace: "/")
            .broadcast(uid: "emitter", options: BroadcastOptions(), order: .emitter) { buffer in
                buffer.writeMessagePackArrayHeader(count: 2)
                buffer.writeMessagePack("date")
                buffer.writeMessagePack(MessagePackTimestamp(milliseconds: 1_704_164_645_678))
            }
        #expect(record.published == ["\(key)#/# \(Self.hexadecimal(message))"])
    }

    private static func hexadecimal(_ bytes: ByteBuffer) -> String {
        bytes.readableBytesView.map { String(hexadecimal: $0) }.joined()
    }

    private typealias Call = @Sendable (Emitter, Room) throws -> Void

    /// The same calls in Swift.
    private static let calls: [String: Call] = [
        "emitter.emit('hello')": { emitter, _ in try emitter.emit("hello") },
        "emitter.emit('hello', 1, 'two', 3.5, true, null, [], {}, { a: [1] })": { emitter, _ in
            try emitter.emit(
                "hello",
                1,
                "two",
                3.5,
                true,
                JSONValue.null,
                [Int](),
                [String: Int](),
                ["a": [1]]
            )
        },
        // What JavaScript calls undefined is null as an argument, and absent as a member.
        "emitter.emit('undef', undefined, { a: undefined, b: 1 })": { emitter, _ in
            try emitter.emit("undef", Int?.none, ["b": 1])
        },
        "emitter.emit('bin', Buffer.from([1, 2]), { n: new Uint8Array([3]) }, new Uint8Array([4]).buffer)": {
            emitter,
            _ in
            let values: [JSONValue] = [
                .binary(ByteBuffer(bytes: [1, 2])), ["n": .binary(ByteBuffer(bytes: [3]))],
            ]
            try emitter.emit("bin", values[0], values[1], ByteBuffer(bytes: [4]))
        },
        "emitter.to('r1').emit('hello', 1)": { emitter, _ in try emitter.to("r1").emit("hello", 1) },
        "emitter.in('r1').emit('hello', 1)": { emitter, _ in try emitter.in("r1").emit("hello", 1) },
        "emitter.to(['r1', 'r2']).emit('hello', 1)": { emitter, _ in try emitter.to(["r1", "r2"]).emit("hello", 1) },
        "emitter.to('r1').to('r2').emit('hello', 1)": { emitter, _ in
            try emitter.to("r1").to("r2", "r1").emit("hello", 1)
        },
        "emitter.to(['r1']).emit('hello', 1)": { emitter, _ in try emitter.to(["r1"]).emit("hello", 1) },
        "emitter.to(<socket id>).emit('hello', 1)": { emitter, socketID in try emitter.to(socketID).emit("hello", 1) },
        "emitter.except('r1').emit('hello', 1)": { emitter, _ in try emitter.except("r1").emit("hello", 1) },
        "emitter.except(['r1', 'r2']).emit('hello', 1)": { emitter, _ in
            try emitter.except(["r1", "r2"]).emit("hello", 1)
        },
        "emitter.to('r1').except('r2').emit('hello', 1)": { emitter, _ in
            try emitter.to("r1").except("r2").emit("hello", 1)
        },
        "emitter.volatile.emit('hello', 1)": { emitter, _ in try emitter.volatile.emit("hello", 1) },
        "emitter.compress(false).emit('hello', 1)": { emitter, _ in try emitter.compress(false).emit("hello", 1) },
        "emitter.volatile.compress(true).to('r1').emit('hello', 1)": { emitter, _ in
            try emitter.volatile.compress(true).to("r1").emit("hello", 1)
        },
        "emitter.of('/admin').emit('hello', 1)": { emitter, _ in try emitter.of("/admin").emit("hello", 1) },
        "emitter.of('admin').emit('hello', 1)": { emitter, _ in try emitter.of("admin").emit("hello", 1) },
        "emitter.of('/admin').to('r1').except('r9').emit('hello', 1)": { emitter, _ in
            try emitter.of("/admin").to("r1").except("r9").emit("hello", 1)
        },
        "emitter.emit('disconnect')": { emitter, _ in try emitter.emit("disconnect") },
        "emitter.socketsJoin('j1')": { emitter, _ in try emitter.socketsJoin("j1") },
        "emitter.in('r1').socketsJoin(['j1', 'j2'])": { emitter, _ in try emitter.in("r1").socketsJoin(["j1", "j2"]) },
        "emitter.in('r1').except('r2').socketsJoin('j3')": { emitter, _ in
            try emitter.in("r1").except("r2").socketsJoin("j3")
        },
        "emitter.of('/admin').socketsJoin('j1')": { emitter, _ in try emitter.of("/admin").socketsJoin("j1") },
        "emitter.socketsLeave('j1')": { emitter, _ in try emitter.socketsLeave("j1") },
        "emitter.in('r1').socketsLeave(['j1', 'j2'])": { emitter, _ in
            try emitter.in("r1").socketsLeave(["j1", "j2"])
        },
        "emitter.serverSideEmit('sse', 1, 'two', { a: 'b' })": { emitter, _ in
            try emitter.serverSideEmit("sse", 1, "two", ["a": "b"])
        },
        "emitter.serverSideEmit('sse', Buffer.from([1]))": { emitter, _ in
            try emitter.serverSideEmit("sse", ByteBuffer(bytes: [1]))
        },
        "emitter.of('/admin').serverSideEmit('sse')": { emitter, _ in try emitter.of("/admin").serverSideEmit("sse") },
        "emitter.serverSideEmit('sse', cb)": { _, _ in },
        "emitter.in('r2').disconnectSockets()": { emitter, _ in try emitter.in("r2").disconnectSockets() },
        "emitter.in('r1').disconnectSockets(true)": { emitter, _ in
            try emitter.in("r1").disconnectSockets(closingConnection: true)
        },
        "emitter.disconnectSockets()": { emitter, _ in try emitter.disconnectSockets() },
        "emitter.of('/admin').disconnectSockets(true)": { emitter, _ in
            try emitter.of("/admin").disconnectSockets(closingConnection: true)
        },
    ]
}

extension String {
    init(hexadecimal byte: UInt8) {
        let text = String(byte, radix: 16)
        self = byte < 16 ? "0" + text : text
    }
}
