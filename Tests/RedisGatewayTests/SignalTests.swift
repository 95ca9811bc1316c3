import Gateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisGateway
import RedisTestSupport
import SocketIOServer
import SocketIOTestSupport
import Testing

/// Signals between gateways.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct SignalTests {
    /// What a handler heard.
    private final class Heard: Sendable {
        private let stream: AsyncStream<Signal>
        private let continuation: AsyncStream<Signal>.Continuation

        init() { (self.stream, self.continuation) = AsyncStream.makeStream() }

        @Sendable func hear(_ signal: Signal) { self.continuation.yield(signal) }

        /// The next signals, in order.
        func next(_ count: Int) async -> [Signal] {
            var signals: [Signal] = []
            for await signal in self.stream {
                signals.append(signal)
                if signals.count == count { break }
            }
            return signals
        }
    }

    private static func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    @Test func signalsWithinAProcessComeInOrderAlsoIfAHandlerSends() async {
        let signals = InMemorySignals()
        let heard = Heard()
        let topic = SignalTopic("t")
        _ = signals.receive(topic) { signal in
            heard.hear(signal)
            if signal == .message(Self.bytes("1")) { signals.post(topic, Self.bytes("2")) }
        }
        let second = Heard()
        let subscription = signals.receive(topic, second.hear)
        await signals.send(topic, Self.bytes("1"))
        await signals.send(SignalTopic("other"), Self.bytes("x"))
        await subscription.cancel()
        await signals.send(topic, Self.bytes("3"))
        let expected: [Signal] = [.gap, .message(Self.bytes("1")), .message(Self.bytes("2"))]
        #expect(await heard.next(4) == expected + [.message(Self.bytes("3"))])
        #expect(await second.next(3) == expected)
    }

    private func client(_ server: RedisServer) async throws -> RESPClient {
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await client.connect()
        return client
    }

    @Test func allNodesHearASignalAndOneThatIsCutOffHearsOfAGap() async throws {
        let server = try await RedisServer.start()
        let clients = [try await self.client(server), try await self.client(server)]
        let nodes = clients.map { RedisSharing(client: $0, prefix: "app").sharing.signals }
        let heard = [Heard(), Heard()]
        let topic = SignalTopic("settings")
        for (node, heard) in zip(nodes, heard) { _ = node.receive(topic, heard.hear) }
        for heard in heard { #expect(await heard.next(1) == [.gap]) }
        for text in ["1", "2"] { try await nodes[0].send(topic, Self.bytes(text)) }
        for heard in heard {
            #expect(await heard.next(2) == [.message(Self.bytes("1")), .message(Self.bytes("2"))])
        }
        // A program of another kind sends one, too: the name of the channel is fixed.
        _ = try await clients[1].send("PUBLISH", "app-gateway#settings", "3")
        for heard in heard { #expect(await heard.next(1) == [.message(Self.bytes("3"))]) }

        _ = try await clients[1].send("CLIENT", "KILL", "TYPE", "pubsub")
        for heard in heard { #expect(await heard.next(1) == [.gap]) }
        for client in clients { await client.close() }
        server.stop()
    }

    @Test func aSignalThatRedisDidNotTakeIsTold() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let signals = RedisSharing(client: client).sharing.signals
        server.stop()
        await #expect(throws: ClusterError.self) { try await signals.send(SignalTopic("t"), Self.bytes("1")) }
        await client.close()
    }
}
