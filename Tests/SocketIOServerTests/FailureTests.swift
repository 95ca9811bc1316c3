import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// What an application and its log are told of handlers and middlewares that fail.
@Suite(.timeLimit(.minutes(1))) struct FailureTests {
    struct Order: Codable, Sendable {
        struct Item: Codable, Sendable { var count: Int }
        var items: [Item]
    }

    struct Broken: Error {}

    struct Unwritable: Encodable, Sendable {
        func encode(to encoder: any Encoder) throws { throw Broken() }
    }

    /// Handlers of every kind that fail, and what the log then says.
    struct Failure: Sendable, CustomTestStringConvertible {
        let event: String
        let arguments: String
        let index: String?
        let path: String?
        let error: String

        var testDescription: String { "\(self.event)\(self.arguments)" }
    }

    static let failures = [
        Failure(
            event: "order",
            arguments: "",
            index: "0",
            path: nil,
            error: "ArgumentError: argument 0 of type Order is missing"
        ),
        Failure(
            event: "order",
            arguments: ",{}",
            index: "0",
            path: "items",
            error: "ArgumentError: argument 0 is no Order: items: the key is missing"
        ),
        Failure(
            event: "order",
            arguments: ",{\"items\":[{\"count\":1},{}]}",
            index: "0",
            path: "items[1].count",
            error: "ArgumentError: argument 0 is no Order: items[1].count: the key is missing"
        ),
        Failure(
            event: "second",
            arguments: ",\"a\",{\"items\":[{\"count\":\"x\"}]}",
            index: "1",
            path: "items[0].count",
            error: "ArgumentError: argument 1 is no Order: items[0].count: Expected Int but found a string."
        ),
        Failure(
            event: "own",
            arguments: ",true",
            index: "0",
            path: nil,
            error: "ArgumentError: argument 0 is no Int: Expected Int but found a boolean."
        ),
        Failure(
            event: "later",
            arguments: ",1,2",
            index: "1",
            path: nil,
            error: "ArgumentError: argument 1 is no String: Expected String but found a number."
        ),
        Failure(event: "broken", arguments: "", index: nil, path: nil, error: "Broken: Broken()"),
        Failure(
            event: "middleware",
            arguments: "",
            index: nil,
            path: "items",
            error: "DecodingError: items: the key is missing"
        ),
    ]

    private func setUp(_ io: SocketServer) {
        let shop = io.of("/shop")
        shop.on("order") { (_: Socket, _: Order) in }
        shop.on("second") { (_: Socket, _: String, _: Order) in }
        shop.on("later") { (_: Socket, _: Int, _: String) async in await Task.yield() }
        shop.on("broken") { (_: Socket) in throw Broken() }
        shop.onConnection { socket in
            socket.on("own") { (_: Int) in }
            socket.use { event in
                if event.name == "middleware" { _ = try ([:] as JSONValue).decode(Order.self) }
            }
        }
    }

    @Test(arguments: Self.failures) func failuresAreWarnings(_ failure: Failure) async throws {
        let log = LogRecorder()
        try await TestServer(logger: log.logger(), setUp: self.setUp).run { _, address in
            let client = try await TestClient.join("/shop", at: address)
            try await client.send("42/shop,[\"\(failure.event)\"\(failure.arguments)]")
            let entry = try #require(await log.entries.next())
            #expect(entry.level == .warning)
            #expect(entry.metadata["sio.event"] == failure.event)
            #expect(entry.metadata["sio.namespace"] == "/shop")
            #expect(entry.metadata["sio.socket.id"] == client.id)
            #expect(entry.metadata["sio.argument"] == failure.index)
            #expect(entry.metadata["sio.path"] == failure.path)
            #expect(entry.metadata["error"] == failure.error)
        }
    }

    /// Who listens is told which event it was, and the log keeps out of it.
    @Test(arguments: [false, true]) func listenersAreToldTheEvent(onSocket: Bool) async throws {
        let log = LogRecorder()
        let seen = Recorder<String>()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in
                self.setUp(io)
                if onSocket {
                    io.of("/shop").onConnection { socket in
                        socket.onError { error, event in seen.record("\(type(of: error)) \(event?.name ?? "none")") }
                    }
                } else {
                    io.of("/shop").onError { socket, error, event in
                        seen.record("\(type(of: error)) \(event?.name ?? "none")")
                        if event == nil { #expect(socket.namespace.name == "/shop") }
                    }
                }
            }
        ).run { _, address in
            let client = try await TestClient.join("/shop", at: address)
            for failure in Self.failures {
                try await client.send("42/shop,[\"\(failure.event)\"\(failure.arguments)]")
                let type = failure.error.prefix { $0 != ":" }
                #expect(await seen.next() == "\(type) \(failure.event)")
            }
            #expect(log.all.isEmpty)
            // What is no event at all.
            try await client.send("42/shop,[")
            #expect(await seen.next() == "PacketError none")
        }
    }

    @Test func refusalsAreNoFailures() async throws {
        let log = LogRecorder()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in io.on("buy") { (_: Socket) in throw RejectedEvent("too late") } }
        ).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("421[\"buy\"]")
            #expect(await client.next() == .text("431[{\"error\":\"too late\"}]"))
            #expect(log.all.isEmpty)
        }
    }

    @Test func middlewaresOfConnectionsAreToldInFull() async throws {
        let log = LogRecorder()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in io.use { socket in _ = try socket.handshake.auth.decode(Order.self) } }
        ).run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40{\"items\":[{}]}")
            #expect(await client.next() == .text("44{\"message\":\"Internal server error\"}"))
            let entry = try #require(await log.entries.next())
            #expect(entry.level == .warning)
            #expect(entry.metadata["error"] == "DecodingError: items[0].count: the key is missing")
        }
    }

    /// A name that a client made up.
    struct Name: Sendable, CustomTestStringConvertible {
        let text: String

        var testDescription: String { "\(self.text.utf8.count) bytes" }
    }

    /// It takes no more of the log than any other.
    @Test(arguments: [
        Name(text: String(repeating: "n", count: 100_000)), Name(text: String(repeating: "a\u{301}", count: 30_000)),
        Name(text: "x\n2026 error forged"), Name(text: "\u{202E}backwards\u{2028}"),
    ])
    func namesInTheLogAreBounded(_ name: Name) async throws {
        let log = LogRecorder()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in io.onConnection { socket in socket.use { _ in throw Broken() } } }
        ).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("42" + JSONValue.array([.string(name.text)]).description)
            let entry = try #require(await log.entries.next())
            let told = try #require(entry.metadata["sio.event"])
            #expect(told.utf8.count < 200)
            #expect(!told.unicodeScalars.contains { $0.properties.generalCategory == .control || $0 == "\u{202E}" })
            #expect(!told.unicodeScalars.contains("\u{2028}"))
        }
    }

    /// Clients can't fill the log, whatever the events are called.
    @Test func manyFailuresAreFewWarnings() async throws {
        let log = LogRecorder()
        try await TestServer(logger: log.logger(), setUp: self.setUp).run { _, address in
            let client = try await TestClient.join("/shop", at: address)
            let start = NIODeadline.now()
            for number in 0..<200 { try await client.send("42/shop,\(number)[\"own\",true]") }
            for number in 0..<200 {
                #expect(await client.next() == .text("43/shop,\(number)[{\"error\":\"invalid arguments\"}]"))
            }
            let seconds = Int((NIODeadline.now() - start).nanoseconds / 1_000_000_000)
            #expect((20...20 + seconds).contains(log.all.count))
        }
    }

    /// A reply that turns out not to be encodable.
    @Test func unencodableRepliesAreAnswered() async throws {
        let log = LogRecorder()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in
                io.on("now") { (_: Socket) in Unwritable() }
                io.on("later") { (_: Socket) async in
                    await Task.yield()
                    return [Unwritable()]
                }
                io.onRaw("raw") { event in event.acknowledge(1, Unwritable()) }
            }
        ).run { _, address in
            let client = try await TestClient.join(at: address)
            for (id, event) in ["now", "later", "raw"].enumerated() {
                try await client.send("42\(id)[\"\(event)\"]")
                #expect(await client.next() == .text("43\(id)[{\"error\":\"internal error\"}]"))
                let entry = try #require(await log.entries.next())
                #expect(entry.level == .warning)
                #expect(entry.metadata["sio.event"] == event)
            }
        }
    }
}
