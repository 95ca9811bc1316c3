import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// What waits behind a message is limited, not the message: the same for both transports.
@Suite(.timeLimit(.minutes(1))) struct BigMessageTests {
    private static let limit = 1_000_000

    private static func message(_ count: Int) -> EncodedPacket {
        EncodedPacket(.message, data: ByteBuffer(repeating: 0x78, count: count))
    }

    private func run(
        _ transport: TransportName,
        _ body: (EchoServer, RawConnection, String) async throws -> Void
    ) async throws {
        var configuration = EngineConfiguration()
        configuration.limits.maxQueuedBytes = Self.limit
        try await EchoServer.run(configuration) { server in
            switch transport {
            case .polling:
                let id = try await server.handshake()
                let connection = try await server.connect()
                try await body(server, connection, id)
                await connection.close()
            case .websocket:
                let connection = try await server.webSocket()
                let id = try #require(try await connection.frame().text.sessionID)
                try await body(server, connection, id)
                await connection.close()
            }
        }
    }

    private func receive(_ transport: TransportName, _ connection: RawConnection, _ id: String) async throws -> Int {
        guard transport == .polling else { return try await connection.frame().payload.count }
        let target = "/engine.io/?EIO=4&transport=polling&sid=\(id)"
        try await connection.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
        return try await connection.response().body.count
    }

    /// Far beyond what the kernel's buffers hold, so that it has to wait over WebSocket, too.
    @Test(arguments: TransportName.allCases, [1, 16]) func oneMessageMayHaveAnySize(
        transport: TransportName,
        times: Int
    ) async throws {
        try await self.run(transport) { server, connection, id in
            let size = Self.limit * times + 1
            for _ in 0..<3 {
                try await server.wait(for: id) { session in
                    session.send(Self.message(size))
                    session.send(Self.message(Self.limit / 2))
                    return true
                }
                #expect(try await self.receive(transport, connection, id) == size + 1)
                #expect(try await self.receive(transport, connection, id) == Self.limit / 2 + 1)
            }
            #expect(server.events.isEmpty)
        }
    }

    @Test(arguments: TransportName.allCases) func whatWaitsBehindItIsLimited(transport: TransportName) async throws {
        try await self.run(transport) { server, connection, id in
            try await connection.setReading(false)
            try await server.wait(for: id) { session in
                session.send(Self.message(Self.limit * 16))
                session.send(Self.message(Self.limit + 1))
                return true
            }
            try await server.wait { !server.events.isEmpty }
            #expect(server.events == [.close("transport error", description: "slow reader")])
        }
    }
}
