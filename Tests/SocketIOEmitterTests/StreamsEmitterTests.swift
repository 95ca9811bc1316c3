import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisTestSupport
import SocketIOWire
import Testing

@testable import SocketIOEmitter

/// One call of the official streams emitter, and what it added.
struct StreamsEmitterRecord: Sendable, CustomTestStringConvertible {
    var id: String
    var api: String
    /// The arguments of each `XADD`.
    var commands: [[String]]
    var testDescription: String { self.id }

    static let all: [StreamsEmitterRecord] = {
        guard
            let url = Bundle.module.url(
                forResource: "redis-streams-emitter",
                withExtension: "json",
                subdirectory: "Fixtures"
            ),
            let data = try? Data(contentsOf: url),
            let file = try? JSONValue(parsing: ByteBuffer(bytes: data))
        else { return [] }
        return (file["emitter"]?.arrayValue ?? []).map { record in
            StreamsEmitterRecord(
                id: record["id"]?.stringValue ?? "",
                api: record["api"]?.stringValue ?? "",
                commands: (record["commands"]?.arrayValue ?? []).map { command in
                    (command["args"]?.arrayValue ?? []).compactMap(\.stringValue)
                }
            )
        }
    }()
}

@Suite(.timeLimit(.minutes(1)))
struct StreamsEmitterTests {
    /// What an emitter hands over.
    private final class Commands: Sendable {
        private let box = NIOLockedValueBox<[EmitterCommand]>([])
        var all: [EmitterCommand] { self.box.withLockedValue { $0 } }

        func emitter(_ transport: Emitter.Transport) -> Emitter {
            Emitter(transport: transport, namespace: "/") { command in
                self.box.withLockedValue { $0.append(command) }
                return .sent
            }
        }

        /// The arguments of each `XADD`.
        var added: [[String]] {
            self.all.compactMap { command in
                guard case .add(let stream, let maximumLength, let fields) = command else { return nil }
                return EmitterCommand.add(stream, maximumLength, fields).words.dropFirst().map { word in
                    switch word {
                    case .string(let text): text
                    case .bytes(let bytes): String(buffer: bytes)
                    case .int(let number): String(number)
                    }
                }
            }
        }
    }

    private typealias Call = @Sendable (Emitter) throws -> Void

    /// The same calls in Swift.
    private static let calls: [String: Call] = [
        "emitter.emit('hello', 1, { a: 'b' })": { try $0.emit("hello", 1, ["a": "b"]) },
        "emitter.to('r1').emit('hello')": { try $0.to("r1").emit("hello") },
        "emitter.to(['r1', 'r2']).except('r3').emit('hello')": { try $0.to("r1", "r2").except("r3").emit("hello") },
        "emitter.of('/admin').emit('hello')": { try $0.of("/admin").emit("hello") },
        "emitter.of('admin').emit('hello')": { try $0.of("admin").emit("hello") },
        "emitter.emit('bin', Buffer.from([1, 2]))": { try $0.emit("bin", ByteBuffer(bytes: [1, 2])) },
        "emitter.volatile.emit('v')": { try $0.volatile.emit("v") },
        "emitter.compress(false).emit('v')": { try $0.compress(false).emit("v") },
        "emitter.in('r1').socketsJoin(['a', 'b'])": { try $0.in("r1").socketsJoin("a", "b") },
        "emitter.in('r1').socketsLeave('a')": { try $0.in("r1").socketsLeave("a") },
        "emitter.in('r1').disconnectSockets(true)": { try $0.in("r1").disconnectSockets(closingConnection: true) },
        "emitter.serverSideEmit('sse', 1)": { try $0.serverSideEmit("sse", 1) },
    ]

    @Test func fixtureIsRead() {
        #expect(StreamsEmitterRecord.all.count == 12)
        #expect(StreamsEmitterRecord.all.allSatisfy { $0.commands.count == 1 })
    }

    @Test(arguments: StreamsEmitterRecord.all)
    func record(_ record: StreamsEmitterRecord) throws {
        let commands = Commands()
        let call = try #require(Self.calls[record.api], "no call for \(record.api)")
        try call(commands.emitter(.streams()))
        var expected = record.commands
        // No server has a namespace without a slash: the official emitter's event reaches nobody, this one's does.
        if record.id == "of-no-slash" {
            expected = expected.map { command in
                command.map { $0 == "admin" ? "/admin" : $0.replacingOccurrences(of: "\"admin\"", with: "\"/admin\"") }
            }
        }
        #expect(commands.added == expected)
    }

    @Test func options() throws {
        let commands = Commands()
        let emitter = commands.emitter(
            .streams(streamName: "s", streamCount: 4, maximumLength: 7, onlyPlaintext: true)
        )
        try emitter.of("/b").emit("bin", ByteBuffer(bytes: [1, 2]))
        let stream = StreamName("s", count: 4).stream(of: "/b")
        #expect(stream.hasPrefix("s-"))
        let data =
            #"{"packet":{"type":2,"data":["bin",{"type":"Buffer","data":[1,2]}],"nsp":"/b"},"#
            + #""opts":{"rooms":[],"flags":{},"except":[]}}"#
        #expect(
            commands.added == [
                [stream, "MAXLEN", "~", "7", "*", "uid", "emitter", "nsp", "/b", "type", "3", "data", data]
            ]
        )
        // Redis takes no negative length.
        #expect(Emitter.Transport.streams(maximumLength: -1) == .streams(maximumLength: 0))
    }

    /// With a real Redis: entries are added in order, and the stream is trimmed.
    @Test func realRedis() async throws {
        let server = try await RedisServer.start()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let client = RESPClient(configuration: try RESPConfiguration(url: server.url), logger: logger)
        try await client.connect()
        let transport = Emitter.Transport.streams(streamName: "events", maximumLength: 100)
        let emitter = Emitter(client, transport: transport)
        #expect(try emitter.to("a").emit("one", ByteBuffer(bytes: [1])) == .sent)
        try await emitter.flush()
        #expect(try emitter.of("/x").socketsJoin("r") == .sent)
        try await emitter.flush()
        guard case .array(let entries) = try await client.send("XRANGE", "events", "-", "+") else {
            Issue.record("no entries")
            return
        }
        let read = try entries.map { entry in
            guard case .array(let parts) = entry, case .array(let fields)? = parts.last else {
                throw ClusterProtocolError(.unexpectedShape, "\(entry)")
            }
            return try StreamEntry(
                fields: fields.compactMap { if case .bulkString(let bytes) = $0 { bytes } else { nil } }
            )
        }
        #expect(read.map(\.type) == [.broadcast, .join])
        #expect(read.map(\.namespace) == ["/", "/x"])
        #expect(read.map(\.uid) == ["emitter", "emitter"])
        for _ in 0..<1_000 { try emitter.emit("many") }
        try await emitter.flush()
        guard case .integer(let length) = try await client.send("XLEN", "events") else {
            Issue.record("no length")
            return
        }
        #expect((100..<300).contains(length))
        await client.close()
        server.stop()
    }

    /// What nobody will get is told as it is over publish/subscribe.
    @Test func redisIsAway() async throws {
        let server = try await RedisServer.start()
        var configuration = try RESPConfiguration(url: server.url)
        configuration.queue.maximumCount = 2
        let client = RESPClient(
            configuration: configuration,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await client.connect()
        let emitter = Emitter(client, transport: .streams())
        let (states, continuation) = AsyncStream<RESPClientState>.makeStream()
        client.onStateChange { continuation.yield($0) }
        server.stop()
        for await state in states { if case .disconnected = state { break } }
        #expect(try emitter.emit("kept") == .queued)
        #expect(try emitter.emit("kept") == .queued)
        let error = #expect(throws: EmitterError.self) { try emitter.emit("too much") }
        #expect(error?.code == .notPublished)
        #expect(error?.redis?.code == .queueFull)
        await client.close()
    }

    /// An entry that Redis refuses is lost as a publish is: the client's handler hears of it, and the next flush throws.
    @Test func refusalIsTold() async throws {
        let server = try await RedisServer.start()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let client = RESPClient(configuration: try RESPConfiguration(url: server.url), logger: logger)
        try await client.connect()
        let (losses, continuation) = AsyncStream<Int>.makeStream()
        client.onPublishesDropped { count, _ in continuation.yield(count) }
        _ = try await client.send("SET", "socket.io", "no stream")
        let emitter = Emitter(client, transport: .streams())
        #expect(try emitter.emit("lost") == .sent)
        await #expect(throws: RESPError.self) { try await emitter.flush() }
        var iterator = losses.makeAsyncIterator()
        #expect(await iterator.next(isolation: #isolation) == 1)
        await client.close()
        server.stop()
    }
}
