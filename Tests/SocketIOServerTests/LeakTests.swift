import EngineIO
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Known failure 11: nothing is left in memory of clients that have gone, however they went and whatever they had.
@Suite(.timeLimit(.minutes(1))) struct LeakTests {
    private final class Weak: Sendable {
        private weak let socket: Socket?
        init(_ socket: Socket) { self.socket = socket }
        var isGone: Bool { self.socket == nil }
    }

    @Test(arguments: [false, true]) func nothingIsLeftOfClientsThatHaveGone(_ recovery: Bool) async throws {
        var configuration = SocketServerConfiguration()
        if recovery {
            configuration.connectionStateRecovery = ConnectionStateRecovery()
            configuration.connectionStateRecovery?.maximumSessions = 0
        }
        let sockets = NIOLockedValueBox<[Weak]>([])
        let gate = Gate()
        try await TestServer(
            configuration: configuration,
            setUp: { io in
                io.use { _ in await Task.yield() }
                io.onConnection { socket in
                    sockets.withLockedValue { $0.append(Weak(socket)) }
                    // Handlers that hold their own socket, rooms, questions nobody answers, work that waits.
                    socket.on("x") { socket.emit("y") }
                    socket.onAny { _, _ in _ = socket.id }
                    socket.onDisconnect { _ in _ = socket.id }
                    socket.use { _ in _ = socket.id }
                    socket.join("a", "b")
                    Task { try? await socket.emitWithAck("q", returning: Int.self) }
                    Task { try? await io.to(socket.id.room).timeout(.hours(1)).emitWithAck("q", returning: Int.self) }
                }
                io.on("wait") { (_: Socket) async in await gate.wait() }
            }
        ).run { io, address in
            for number in 0..<40 {
                let client = try await TestClient.join(at: address)
                try await client.send("42[\"x\"]")
                switch number % 4 {
                case 0: await client.close()
                case 1: try await client.reset()
                case 2: try await client.send("41")
                default: try await client.send("49")
                }
            }
            let deadline = ContinuousClock.now + .seconds(30)
            while io.sockets.localSocketCount > 0 || !sockets.withLockedValue({ $0.allSatisfy(\.isGone) }),
                ContinuousClock.now < deadline
            {
                await Task.yield()
            }
            #expect(sockets.withLockedValue { $0.count } == 40)
            #expect(sockets.withLockedValue { $0.count { !$0.isGone } } == 0)
            #expect(try await io.sockets.allRooms().isEmpty)
        }
    }
}
