import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// When a client that is away may come back, and what is left of its old socket by then.
@Suite(.timeLimit(.minutes(1))) struct RecoveryOrderTests {
    /// Its successor has the same id: had the old socket still to leave the namespace's index, it would take the new one's
    /// entry with it, and nobody could find that.
    @Test func nobodyComesBackBeforeTheOldSocketHasLeft() async throws {
        var configuration = SocketServerConfiguration()
        configuration.connectionStateRecovery = ConnectionStateRecovery()
        let claims = Recorder<String>()
        let disconnects = Recorder<Void>()
        try await TestServer(
            configuration: configuration,
            setUp: { io in
                let namespace = io.sockets
                namespace.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
                namespace.on("ticket") { (socket: Socket) in
                    let id = socket.ticket?.id
                    namespace.onRoomChange { change in
                        guard case .left = change, let id, let recovery = namespace.recovery else { return }
                        switch recovery.claim(id) {
                        case .away: claims.record("away")
                        case .owned: claims.record("owned")
                        case .unknown: claims.record("unknown")
                        }
                    }
                }
                namespace.onDisconnect { _, _ in disconnects.record(()) }
            }
        ).run { io, address in
            let client = try await TestClient.join(at: address)
            for event in ["[\"join\",\"r\"]", "[\"ticket\"]"] {
                try await client.send("420\(event)")
                #expect(await client.nextText() == "430[]")
            }
            await client.close()
            _ = await disconnects.next()
            // When it left the room, and when it left its own.
            #expect(await claims.next() == "owned")
            #expect(await claims.next() == "owned")
        }
    }
}
