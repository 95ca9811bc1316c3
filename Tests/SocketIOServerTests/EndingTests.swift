import EngineIO
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// How connections end, which reasons the server's application hears, and what the client gets.
@Suite(.timeLimit(.minutes(1))) struct EndingTests {
    private func run(
        _ change: (inout SocketServerConfiguration) -> Void = { _ in },
        _ body: (SocketServer, SocketAddress, Recorder<DisconnectReason>) async throws -> Void
    ) async throws {
        var configuration = SocketServerConfiguration()
        change(&configuration)
        let reasons = Recorder<DisconnectReason>()
        try await TestServer(
            configuration: configuration,
            setUp: { io in
                io.sockets.onDisconnect { _, reason in reasons.record(reason) }
                io.sockets.on("burst") { (socket: Socket, count: Int, length: Int) in
                    let text = String(repeating: "x", count: length)
                    for _ in 0..<count { socket.emit("x", text) }
                }
            }
        ).run { io, address in try await body(io, address, reasons) }
    }

    /// Opens a polling session whose client has joined the main namespace, and reads the answer.
    private func poll(_ address: SocketAddress) async throws -> String {
        let open = try await exchange("GET", "/socket.io/?EIO=4&transport=polling", with: address).body
        let id = open.dropFirst("0{\"sid\":\"".count).prefix(20)
        let target = "/socket.io/?EIO=4&transport=polling&sid=\(id)"
        _ = try await exchange("POST", target, body: "40", with: address)
        _ = try await exchange("GET", target, with: address)
        return target
    }

    @Test func undecodableEnginePacketIsAParseError() async throws {
        try await self.run { _, address, reasons in
            let client = try await TestClient.join(at: address)
            try await client.send("x")
            #expect(await client.next() == .close)
            #expect(await reasons.next() == .parseError)
            let target = try await self.poll(address)
            try await #expect(exchange("POST", target, body: "x", with: address).body == "ok")
            #expect(await reasons.next() == .parseError)
        }
    }

    /// A client may not ping, since protocol 4.
    @Test func wrongHeartbeatIsATransportError() async throws {
        try await self.run { _, address, reasons in
            let client = try await TestClient.join(at: address)
            try await client.send("2")
            #expect(await client.next() == .close)
            let reason = await reasons.next()
            #expect(reason == .transportError)
            #expect(reason?.details == "invalid heartbeat direction")
        }
    }

    /// Known failure 3: whoever sends too much is not left without a reason.
    @Test func messageThatIsTooLongHasItsReason() async throws {
        try await self.run {
            $0.engine.maxHTTPBufferSize = 1_000
        } _: { _, address, reasons in
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"x\",\"\(String(repeating: "x", count: 1_000))\"]")
            #expect(await client.next() == .close)
            let reason = await reasons.next()
            #expect(reason == .transportError)
            #expect(reason?.details == "Max payload size exceeded")
        }
    }

    @Test func silentClientHasAPingTimeout() async throws {
        try await self.run { io, address, reasons in
            let target = try await self.poll(address)
            // The ping, and the end of the wait for its answer.
            for _ in 0..<2 { await io.advanceTime(by: .seconds(26)) }
            #expect(await reasons.next() == .pingTimeout)
            try await #expect(exchange("GET", target, with: address).status == 400)
        }
    }

    @Test func closePacketIsATransportClose() async throws {
        try await self.run { _, address, reasons in
            let target = try await self.poll(address)
            try await #expect(exchange("POST", target, body: "1", with: address).body == "ok")
            #expect(await reasons.next() == .transportClose)
            let client = try await TestClient.join(at: address)
            try await client.reset()
            #expect(await reasons.next() == .transportClose)
        }
    }

    /// Known failure 20: the same fault has the same reason over every transport.
    @Test(arguments: ["40", "44{}", "42/other,[\"x\"]", "42[]", "451-[\"x\",{\"_placeholder\":true,\"num\":7}]"])
    func brokenProtocolIsAForcedCloseOverEveryTransport(_ packet: String) async throws {
        try await self.run { _, address, reasons in
            let client = try await TestClient.join(at: address)
            try await client.send(packet)
            if packet.hasPrefix("451") { try await client.send(binary: [1]) }
            #expect(await client.next() == .close)
            #expect(await reasons.next() == .forcedClose)

            let target = try await self.poll(address)
            let body = packet.hasPrefix("451") ? packet + "\u{1E}bAQ==" : packet
            try await #expect(exchange("POST", target, body: body, with: address).body == "ok")
            #expect(await reasons.next() == .forcedClose)
        }
    }

    /// A handler of the end that asks for the end once more is not asked again.
    @Test func endingWhileEndingChangesNothing() async throws {
        try await self.run { io, address, reasons in
            let told = Recorder<DisconnectReason>()
            io.onConnection { socket in
                socket.onDisconnecting { reason in
                    told.record(reason)
                    socket.disconnect()
                    io.in(socket.id.room).disconnectSockets()
                }
            }
            let client = try await TestClient.join(at: address)
            try await client.reset()
            #expect(await reasons.next() == .transportClose)
            #expect(await told.next() == .transportClose)
            told.record(.serverShuttingDown)
            #expect(await told.next() == .serverShuttingDown)
        }
    }

    /// Known failure 1: what waits for a client that does not read is bounded, and the application hears why it went.
    @Test func slowReaderIsCutOff() async throws {
        try await self.run {
            $0.engine.limits.maxQueuedBytes = 1_000_000
        } _: { io, address, reasons in
            let client = try await TestClient.join(at: address)
            try await client.setReading(false)
            let other = try await TestClient.join(at: address)
            try await client.send("42[\"burst\",64,1000000]")
            let reason = await reasons.next()
            #expect(reason == .transportError)
            #expect(reason?.details == "slow reader")
            // Nobody else is concerned.
            io.emit("x")
            #expect(await other.next() == .text("42[\"x\"]"))
        }
    }

    /// Known failure 2: volatile is a matter of what waits, not of the moment.
    @Test func volatileEventsOfOneTickAllArrive() async throws {
        try await TestServer(setUp: { io in
            io.sockets.on("go") { (socket: Socket) in
                socket.emit("first")
                for number in 0..<5 { socket.volatile.emit("v", number) }
                io.volatile.emit("all", ByteBuffer(bytes: [1]))
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"go\"]")
            #expect(await client.next() == .text("42[\"first\"]"))
            for number in 0..<5 { #expect(await client.next() == .text("42[\"v\",\(number)]")) }
            #expect(await client.next() == .text("451-[\"all\",{\"_placeholder\":true,\"num\":0}]"))
            #expect(await client.next() == .binary([1]))
        }
    }

    /// A packet and its attachments are dropped together, and only for the client that is behind.
    @Test func volatileEventsAreDroppedBehindQueuedBytes() async throws {
        // Far more than the threshold: the kernel may take some of it any time.
        let limit = EngineLimits().volatileThreshold + 8_000_000
        try await TestServer(setUp: { io in
            io.sockets.on("go") { (socket: Socket) in
                let text = String(repeating: "x", count: 500_000)
                while socket.queuedBytes <= limit { socket.emit("x", text) }
                socket.volatile.emit("dropped", ByteBuffer(bytes: [1]))
                io.volatile.emit("news", ByteBuffer(bytes: [2]))
                socket.emit("end")
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            let other = try await TestClient.join(at: address)
            try await client.setReading(false)
            try await client.send("42[\"go\"]")
            #expect(await other.next() == .text("451-[\"news\",{\"_placeholder\":true,\"num\":0}]"))
            #expect(await other.next() == .binary([2]))
            try await client.setReading(true)
            var last = await client.nextText()
            while let text = last, text.hasPrefix("42[\"x\"") { last = await client.nextText() }
            #expect(last == "42[\"end\"]")
        }
    }

    @Test func clientThatLeftAllNamespacesMayStay() async throws {
        try await self.run {
            $0.engine.pingInterval = .hours(1)
        } _: { io, address, reasons in
            let client = try await TestClient.join(at: address)
            try await client.send("41")
            #expect(await reasons.next() == .clientNamespaceDisconnect)
            // The timeout is over when others are cut off by it.
            let other = try await TestClient.connect(to: address)
            await io.advanceTime(by: .seconds(46))
            #expect(await other.next() == .close)
            try await client.join()
        }
    }

    /// A refusal is no join.
    @Test func refusedClientRunsIntoTheConnectTimeout() async throws {
        var configuration = SocketServerConfiguration()
        configuration.engine.pingInterval = .hours(1)
        try await TestServer(
            configuration: configuration,
            setUp: { io in io.sockets.use { _ in throw ConnectError("no") } }
        ).run { io, address in
            let client = try await TestClient.connect(to: address)
            try await #expect(client.connect() == "44{\"message\":\"no\"}")
            await io.advanceTime(by: .seconds(46))
            #expect(await client.next() == .close)
        }
    }
}
