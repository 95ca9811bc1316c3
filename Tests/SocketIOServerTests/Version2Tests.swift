import EngineIO
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Clients of Socket.IO 2, behind `allowEIO3`.
@Suite(.timeLimit(.minutes(1))) struct Version2Tests {
    private func run(
        _ setUp: @escaping (SocketServer) -> Void = { _ in },
        _ body: (SocketServer, SocketAddress) async throws -> Void
    ) async throws {
        var configuration = SocketServerConfiguration()
        configuration.engine.allowEIO3 = true
        try await TestServer(configuration: configuration, setUp: setUp).run { io, address in
            try await body(io, address)
        }
    }

    private func connect(to address: SocketAddress) async throws -> TestClient {
        // Of repeated parameters the last one counts.
        try await TestClient.connect(to: address, query: "&EIO=3")
    }

    @Test func mainNamespaceIsJoinedForThem() async throws {
        try await self.run { io in
            io.use { socket in
                guard socket.handshake.auth == [:] else { throw ConnectError("auth") }
            }
            io.on("echo") { (_: Socket, value: JSONValue) in value }
            io.onConnection { socket in socket.emit("welcome") }
        } _: { io, address in
            let client = try await self.connect(to: address)
            #expect(await client.next() == .text("40"))
            #expect(await client.next() == .text("42[\"welcome\"]"))
            try await client.send("420[\"echo\",{\"a\":1}]")
            #expect(await client.next() == .text("430[{\"a\":1}]"))
            #expect(io.sockets.localSocketCount == 1)
            try await client.send("41")
            // The client pings.
            try await client.send("2")
            #expect(await client.next() == .text("3"))
            #expect(io.sockets.localSocketCount == 0)
        }
    }

    @Test func queriesOfNamespacesAreTheirAuth() async throws {
        let seen = Recorder<JSONValue>()
        try await self.run { io in
            io.of("/admin").use { socket in
                seen.record(socket.handshake.auth)
                guard socket.handshake.auth["token"] == "a b" else { throw ConnectError("no", data: ["code": 1]) }
            }
        } _: { io, address in
            let client = try await self.connect(to: address)
            #expect(await client.next() == .text("40"))
            try await client.send("40/admin?token=a%20b&x=1,")
            #expect(await client.next() == .text("40/admin,"))
            #expect(await seen.next() == ["token": "a b", "x": "1"])
            io.of("/admin").emit("x")
            #expect(await client.next() == .text("42/admin,[\"x\"]"))
            let other = try await self.connect(to: address)
            #expect(await other.next() == .text("40"))
            try await other.send("40/admin,")
            #expect(await other.next() == .text("44/admin,{\"code\":1}"))
            try await other.send("40/nowhere?x=1,")
            #expect(await other.next() == .text("44/nowhere,{\"message\":\"Invalid namespace\"}"))
        }
    }

    /// An accent behind the question mark makes one character of both, and takes nothing of the name.
    @Test func namesOfNamespacesEndAtAByte() async throws {
        try await self.run { io in
            io.of("/admin").use { _ in }
        } _: { _, address in
            let client = try await self.connect(to: address)
            #expect(await client.next() == .text("40"))
            try await client.send("40/admin?\u{301}x=1,")
            #expect(await client.next() == .text("40/admin,"))
        }
    }

    @Test func refusalOfTheMainNamespaceIsAText() async throws {
        try await self.run { io in
            io.use { _ in throw ConnectError("not you") }
        } _: { _, address in
            let client = try await self.connect(to: address)
            #expect(await client.next() == .text("44\"not you\""))
        }
    }

    @Test func pollingIsTheSame() async throws {
        try await self.run { _, address in
            let open = try await exchange("GET", "/socket.io/?EIO=3&transport=polling", with: address).body
            let id = open.split(separator: "\"")[3]
            let target = "/socket.io/?EIO=3&transport=polling&sid=\(id)"
            // With the open packet, or in the next answer.
            let rest = open.hasSuffix("2:40") ? "2:40" : try await exchange("GET", target, with: address).body
            #expect(rest == "2:40")
        }
    }

    @Test func withoutPermissionTheyAreRefused() async throws {
        try await TestServer().run { _, address in
            await #expect(throws: TestClient.HandshakeFailed.self) { try await self.connect(to: address) }
        }
    }
}
