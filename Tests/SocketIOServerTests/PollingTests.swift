import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Socket.IO over long-polling: the same packets in HTTP bodies.
@Suite(.timeLimit(.minutes(1))) struct PollingTests {
    private func open(_ address: SocketAddress) async throws -> String {
        let (status, body) = try await exchange("GET", "/socket.io/?EIO=4&transport=polling", with: address)
        #expect(status == 200)
        return "/socket.io/?EIO=4&transport=polling&sid=\(body.dropFirst("0{\"sid\":\"".count).prefix(20))"
    }

    @Test func binaryIsBase64InTheBody() async throws {
        try await TestServer(setUp: { io in
            io.sockets.onRaw("ack") { event in event.acknowledge(values: try event.arguments.values()) }
            io.sockets.on("three") { (socket: Socket) in
                socket.emit("one", 1)
                socket.emit("two", ByteBuffer(bytes: [2]), ByteBuffer(bytes: [3]))
                socket.emit("three", 3)
            }
        }).run { _, address in
            let session = try await self.open(address)
            try await #expect(exchange("POST", session, body: "40", with: address).body == "ok")
            try await #expect(exchange("GET", session, with: address).body.hasPrefix("40{\"sid\":\""))
            let ack = "451-7[\"ack\",{\"_placeholder\":true,\"num\":0}]\u{1E}bAQID"
            try await #expect(exchange("POST", session, body: ack, with: address).body == "ok")
            try await #expect(
                exchange("GET", session, with: address).body
                    == "461-7[{\"_placeholder\":true,\"num\":0}]\u{1E}bAQID"
            )
            _ = try await exchange("POST", session, body: "42[\"three\"]", with: address)
            try await #expect(
                exchange("GET", session, with: address).body
                    == "42[\"one\",1]\u{1E}"
                    + "452-[\"two\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]\u{1E}"
                    + "bAg==\u{1E}bAw==\u{1E}42[\"three\",3]"
            )
        }
    }

    @Test func malformedPacketEndsTheSession() async throws {
        try await TestServer().run { _, address in
            let session = try await self.open(address)
            try await #expect(exchange("POST", session, body: "49", with: address).body == "ok")
            let (_, body) = try await exchange("GET", session, with: address)
            #expect(body.contains("1") || body.contains("Session ID unknown"))
            let after = try await exchange("GET", session, with: address)
            #expect(after.status == 400)
            #expect(after.body == "{\"code\":1,\"message\":\"Session ID unknown\"}")
        }
    }

    @Test func serverDisconnectsAndCloses() async throws {
        let reasons = Recorder<DisconnectReason>()
        try await TestServer(setUp: { io in
            io.sockets.on("bye-close") { (socket: Socket) in socket.disconnect(closingConnection: true) }
            io.sockets.onDisconnect { _, reason in reasons.record(reason) }
        }).run { _, address in
            let session = try await self.open(address)
            _ = try await exchange("POST", session, body: "40\u{1E}42[\"bye-close\"]", with: address)
            let (status, body) = try await exchange("GET", session, with: address)
            #expect(status == 200)
            #expect(body.hasPrefix("40{") && body.contains("\u{1E}41"))
            #expect(await reasons.next() == .serverNamespaceDisconnect)
        }
    }

    @Test func clientFilesAreNotServed() async throws {
        try await TestServer().run { _, address in
            try await #expect(exchange("GET", "/socket.io/socket.io.js", with: address).status == 400)
            try await #expect(exchange("GET", "/", with: address).status == 404)
        }
    }
}
