import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisTestSupport
import SocketIOWire
import Testing

@testable import SocketIOEmitter

@Suite(.timeLimit(.minutes(1)))
struct EmitterTests {
    private struct Unencodable: Encodable, Sendable {
        func encode(to encoder: any Encoder) throws {
            throw EncodingError.invalidValue(self, .init(codingPath: [], debugDescription: "never"))
        }
    }

    private let emitter = Emitter(transport: .pubSub(), namespace: "/") { _ in .sent }

    @Test(arguments: ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"])
    func reservedNames(_ event: String) {
        let error = #expect(throws: EmitterError.self) { try self.emitter.to("r").emit(event) }
        #expect(error?.code == .reservedEvent)
    }

    @Test(arguments: ["connect", "connection", "new_namespace"])
    func reservedNamesOfServers(_ event: String) {
        #expect(throws: EmitterError.self) { try self.emitter.serverSideEmit(event) }
    }

    @Test func argumentThatCannotBeEncoded() {
        let error = #expect(throws: EmitterError.self) { try self.emitter.emit("e", 1, Unencodable()) }
        #expect(error?.code == .notEncodable)
        #expect(error?.message.contains("argument 1 of \"e\"") == true)
    }

    @Test func refusalOfRedisIsAnError() {
        let emitter = Emitter(transport: .pubSub(), namespace: "/") { _ throws(RESPError) in
            throw RESPError(code: .queueFull, message: "9 commands are waiting")
        }
        let error = #expect(throws: EmitterError.self) { try emitter.emit("e") }
        #expect(error?.code == .notPublished)
        #expect(error?.redis?.code == .queueFull)
        #expect(error?.message == "not emitted: 9 commands are waiting")
    }

    /// With a real Redis: what is emitted arrives, in order; and what nobody got is told.
    @Test func realRedis() async throws {
        let server = try await RedisServer.start()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        var configuration = try RESPConfiguration(url: server.url)
        configuration.queue.maximumCount = 3
        let client = RESPClient(configuration: configuration, logger: logger)
        let listener = RESPClient(configuration: try RESPConfiguration(url: server.url), logger: logger)
        try await client.connect()
        try await listener.connect()
        let (messages, continuation) = AsyncStream<ClassicBroadcast>.makeStream()
        let subscription = try await listener.subscribe(patterns: ["socket.io#/#*"]) { message in
            if let broadcast = try? ClassicBroadcast(parsing: message.payload) { continuation.yield(broadcast) }
        }
        let emitter = Emitter(client)
        #expect(try emitter.to("a").emit("one") == .sent)
        try await emitter.flush()
        #expect(try emitter.to("b").emit("two") == .sent)
        try await emitter.flush()
        var rooms: [String] = []
        for await message in messages {
            rooms += (message.options?.rooms ?? []).map(\.name)
            if rooms.count == 2 { break }
        }
        #expect(rooms == ["a", "b"])

        let (states, stateContinuation) = AsyncStream<RESPClientState>.makeStream()
        client.onStateChange { stateContinuation.yield($0) }
        server.stop()
        for await state in states { if case .disconnected = state { break } }
        #expect(try emitter.emit("kept") == .queued)
        await #expect(throws: RESPError.self) { try await emitter.flush(timeout: .milliseconds(50)) }
        #expect(try emitter.emit("kept") == .queued)
        let error = #expect(throws: EmitterError.self) { try emitter.emit("too much") }
        #expect(error?.redis?.code == .queueFull)
        await subscription.cancel()
        await listener.close()
        await client.close()
    }
}
