import EngineIO
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    @Test func clientJoinsTheMainNamespace() async throws {
        try await TestServer().run { _, address in
            let client = try await TestClient.connect(to: address)
            #expect(client.open.hasPrefix("0{\"sid\":\""))
            try await client.send("40")
            let answer = try #require(await client.nextText())
            #expect(answer.hasPrefix("40{\"sid\":\""))
            #expect(SocketID(answer.dropFirst("40{\"sid\":\"".count).prefix(20)) != nil)
        }
    }

    @Test func unknownNamespaceIsRefusedAndTheConnectionGoesOn() async throws {
        try await TestServer().run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40/nowhere,")
            #expect(await client.next() == .text("44/nowhere,{\"message\":\"Invalid namespace\"}"))
            try await client.join()
        }
    }

    @Test func middlewareSeesAuthAndRefusesWithData() async throws {
        try await TestServer(setUp: { io in
            io.of("/secret").use { socket in
                guard socket.handshake.auth["token"] == "ok" else {
                    throw ConnectError("not authorized", data: ["retry": false])
                }
            }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40/secret,{\"token\":\"bad\"}")
            #expect(
                await client.next()
                    == .text("44/secret,{\"message\":\"not authorized\",\"data\":{\"retry\":false}}")
            )
            try await client.join("/secret", auth: ["token": "ok"])
        }
    }

    @Test func otherErrorsOfMiddlewaresStayInternal() async throws {
        struct DatabaseDown: Error {}
        try await TestServer(setUp: { io in io.sockets.use { _ in throw DatabaseDown() } }).run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40")
            #expect(await client.next() == .text("44{\"message\":\"Internal server error\"}"))
        }
    }

    @Test func secondConnectDuringAMiddlewareMakesNoSecondSocket() async throws {
        let gate = Gate()
        try await TestServer(setUp: { io in io.sockets.use { _ in await gate.wait() } }).run { server, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40")
            try await client.send("40")
            // This is answered before the gate opens, so both CONNECTs have arrived by then.
            try await client.send("40/nowhere")
            #expect(await client.next() == .text("44/nowhere,{\"message\":\"Invalid namespace\"}"))
            gate.open()
            #expect(await client.nextText()?.hasPrefix("40{") == true)
            // The next thing that arrives is the answer to this, not a second CONNECT reply.
            try await client.send("40/nowhere")
            #expect(await client.next() == .text("44/nowhere,{\"message\":\"Invalid namespace\"}"))
            #expect(server.sockets.localSocketCount == 1)
        }
    }

    @Test(arguments: [
        "42[\"before connect\"]", "43", "41", "44{\"message\":\"x\"}", "42/other,[\"x\"]", "4", "49", "42[]", "42{}",
        "40{", "452-[\"x\"]x", "451-[\"x\",{\"_placeholder\":true,\"num\":\"splice\"}]",
    ])
    func brokenProtocolClosesTheConnection(_ packet: String) async throws {
        try await TestServer().run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send(packet)
            // Text where attachments are announced is an error as well, so this closes every variant; most are closed
            // already.
            try? await client.send("41")
            #expect(await client.next() == .close)
        }
    }

    /// As by the official server, but with a sentence before it.
    @Test(
        arguments: ["\"text\"", "[]", "[{\"token\":\"x\"}]", "true", "null"],
        [("", ""), ("/admin,", "/admin,"), ("/b\u{FC}cher,", "/b\u{FC}cher,")]
    )
    func authThatIsNoObjectClosesTheConnection(auth: String, namespace: (String, String)) async throws {
        try await TestServer().run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40\(namespace.0)\(auth)")
            let answer = try #require(await client.nextText())
            #expect(answer.hasPrefix("44\(namespace.1){\"message\":\"auth must be an object, such as "))
            #expect(await client.next() == .close)
        }
    }

    @Test func connectTwiceClosesTheConnection() async throws {
        let reasons = Recorder<DisconnectReason>()
        try await TestServer(setUp: { io in io.sockets.onDisconnect { _, reason in reasons.record(reason) } }).run {
            _,
            address in
            let client = try await TestClient.join(at: address)
            try await client.send("40")
            #expect(await client.next() == .close)
            #expect(await reasons.next() == .forcedClose)
        }
    }

    @Test func connectionWithoutNamespaceIsClosed() async throws {
        var configuration = SocketServerConfiguration()
        configuration.engine.pingInterval = .hours(4)
        configuration.connectTimeout = .hours(1)
        try await TestServer(configuration: configuration).run { server, address in
            let client = try await TestClient.connect(to: address)
            await server.advanceTime(by: .minutes(59))
            try await client.settle()
            await server.advanceTime(by: .minutes(2))
            #expect(await client.next() == .close)
        }
    }

    @Test func disconnectReasons() async throws {
        let reasons = Recorder<DisconnectReason>()
        try await TestServer(setUp: { io in
            io.sockets.onDisconnect { _, reason in reasons.record(reason) }
            io.sockets.on("bye") { socket in socket.disconnect() }
            io.sockets.on("bye-close") { socket in socket.disconnect(closingConnection: true) }
        }).run { server, address in
            let leaving = try await TestClient.join(at: address)
            try await leaving.send("41")
            #expect(await reasons.next() == .clientNamespaceDisconnect)

            let dropped = try await TestClient.join(at: address)
            await dropped.close()
            #expect(await reasons.next() == .transportClose)

            let sent = try await TestClient.join(at: address)
            try await sent.send("42[\"bye\"]")
            #expect(await sent.next() == .text("41"))
            #expect(await reasons.next() == .serverNamespaceDisconnect)
            // The connection is still there: the client may join again.
            try await sent.join()
            try await sent.send("42[\"bye-close\"]")
            #expect(await sent.next() == .text("41"))
            #expect(await sent.next() == .close)
            #expect(await reasons.next() == .serverNamespaceDisconnect)

            _ = try await TestClient.join(at: address)
            await server.close()
            #expect(await reasons.next() == .serverShuttingDown)
        }
    }

    @Test func socketKnowsItsRoomsUntilItHasDisconnected() async throws {
        let rooms = Recorder<Set<Room>>()
        try await TestServer(setUp: { io in
            io.sockets.onConnection { socket in
                socket.join("a", "b")
                socket.leave("b")
                socket.onDisconnecting { _ in rooms.record(socket.rooms) }
                socket.onDisconnect { _ in rooms.record(socket.rooms) }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("41")
            #expect(await rooms.next() == [Room(client.id), "a"])
            #expect(await rooms.next() == [])
        }
    }

    @Test func whoRunsAServerLearnsWhenItListens() async throws {
        let addresses = Recorder<SocketAddress>()
        let server = SocketServer(configuration: .init(port: 0))
        async let running: Void = server.run { for address in $0 { addresses.record(address) } }
        let address = try #require(await addresses.next())
        let client = try await TestClient.join(at: address)
        #expect(!client.id.description.isEmpty)
        await server.close()
        try await running
    }

    @Test func anAddressThatIsTakenIsNamed() async throws {
        try await TestServer().run { _, address in
            let port = try #require(address.port)
            let error = await #expect(throws: ListenError.self) {
                try await SocketServer().listen(host: "127.0.0.1", port: port)
            }
            #expect(error?.description == "can't listen on 127.0.0.1:\(port): Address already in use")
        }
    }
}
