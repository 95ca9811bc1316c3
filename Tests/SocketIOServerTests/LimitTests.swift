import EngineIO
import MetricsTestKit
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// What one client may do and keep, how it is told, and what is counted.
@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    private func run(
        _ change: (inout SocketLimits) -> Void,
        setUp: @escaping (SocketServer) -> Void = { _ in },
        _ body: (SocketServer, SocketAddress, TestMetrics) async throws -> Void
    ) async throws {
        var configuration = SocketServerConfiguration()
        change(&configuration.limits)
        let metrics = TestMetrics()
        try await TestServer(configuration: configuration, metrics: metrics, setUp: setUp).run { io, address in
            try await body(io, address, metrics)
        }
    }

    private func rejected(_ metrics: TestMetrics, _ reason: String) throws -> Int64 {
        try metrics.expectCounter("socketio_rejected_total", [("reason", reason)]).totalValue
    }

    @Test func packetsBeyondTheRateAreRefused() async throws {
        let errors = Recorder<LimitExceeded.Code>()
        try await self.run {
            $0.packetRate = RateLimit(perSecond: 1, burst: 3)
        } setUp: { io in
            io.sockets.on("echo") { (_: Socket, number: Int) in number }
            io.sockets.onConnection { socket in
                socket.onError { error in
                    if let limit = error as? LimitExceeded { errors.record(limit.code) }
                }
            }
        } _: { _, address, metrics in
            let client = try await TestClient.connect(to: address)
            // CONNECT is the first of three.
            try await client.send(
                together: [
                    .text("40"), .text("420[\"echo\",0]"), .text("421[\"echo\",1]"), .text("42[\"echo\",2]"),
                    .text("423[\"echo\",3]"),
                ]
            )
            #expect(await client.nextText()?.hasPrefix("40") == true)
            for number in 0..<2 { #expect(await client.next() == .text("43\(number)[\(number)]")) }
            // Who waits for no answer hears of it by an event.
            let news = try #require(await client.nextText())
            #expect(news.hasPrefix("42[\"limit_exceeded\",{\"code\":\"packet_rate\",\"limit\":1,\"retryAfter\":"))
            let refusal = try #require(await client.nextText())
            let error = "{\"error\":\"Too many packets\",\"data\":{\"code\":\"packet_rate\",\"limit\":1,\"retryAfter\":"
            #expect(refusal.hasPrefix("433[" + error))
            #expect(await errors.next() == .packetRate)
            #expect(try self.rejected(metrics, "packet_rate") == 2)
        }
    }

    @Test func clientHearsOnceOfALimitAndOfAnAttackItIsCutOff() async throws {
        let reasons = Recorder<DisconnectReason>()
        let errors = Recorder<LimitExceeded.Code>()
        try await self.run {
            $0.packetRate = RateLimit(perSecond: 1, burst: 5)
        } setUp: { io in
            io.sockets.onDisconnect { _, reason in reasons.record(reason) }
            io.sockets.onConnection { socket in
                socket.onError { error in
                    if let limit = error as? LimitExceeded { errors.record(limit.code) }
                }
            }
        } _: { _, address, metrics in
            let client = try await TestClient.connect(to: address)
            try await client.send(together: [.text("40")] + Array(repeating: .text("42[\"x\"]"), count: 40))
            #expect(await client.nextText()?.hasPrefix("40") == true)
            // Four were accepted, five more refused: the first of them is news, then it is over.
            #expect(await client.nextText()?.hasPrefix("42[\"limit_exceeded\",{\"code\":\"packet_rate\",") == true)
            #expect(await client.nextText()?.hasPrefix("42[\"limit_exceeded\",{\"code\":\"packet_rate\",") == true)
            #expect(await client.next() == .text("41"))
            #expect(await client.next() == .close)
            #expect(await reasons.next() == .rateLimitExceeded)
            #expect(await errors.next() == .packetRate)
            #expect(try self.rejected(metrics, "packet_rate") == 6)
        }
    }

    /// A server whose clients may send 100 bytes a second, and 1,000 at once.
    private func slowServer(_ metrics: TestMetrics) -> StillServer {
        var configuration = SocketServerConfiguration()
        configuration.limits.byteRate = RateLimit(perSecond: 100, burst: 1_000)
        let server = StillServer(configuration: configuration, metrics: metrics)
        server.io.sockets.on("size") { (_: Socket, text: String) in text.utf8.count }
        server.io.sockets.on("bytes") { (_: Socket, bytes: ByteBuffer, more: ByteBuffer) in
            bytes.readableBytes + more.readableBytes
        }
        return server
    }

    private func pauses(_ metrics: TestMetrics, _ reason: String) throws -> Int64 {
        try metrics.expectCounter("socketio_reading_paused_total", [("reason", reason)]).totalValue
    }

    @Test func bytesBeyondTheRateWait() throws {
        let metrics = TestMetrics()
        let server = self.slowServer(metrics)
        let client = try server.join()
        let text = String(repeating: "x", count: 600)
        let events = (0..<3).map { "42\($0)[\"size\",\"\(text)\"]" }
        try client.send(events[0], events[1], events[2], "no packet")
        // The second one makes a debt of 200 bytes and some; what is behind it is not even looked at.
        #expect(try client.received() == ["430[600]", "431[600]"])
        #expect(try self.pauses(metrics, "byte_rate") == 1)
        server.loop.advanceTime(by: .milliseconds(2_200))
        #expect(try client.received().isEmpty)
        server.loop.advanceTime(by: .milliseconds(300))
        // One more, and the rate is used up again.
        #expect(try client.received() == ["432[600]"])
        #expect(server.io.engine.sessionCount == 1)
        server.loop.advanceTime(by: .seconds(7))
        #expect(server.io.engine.sessionCount == 0)
        #expect(try self.pauses(metrics, "byte_rate") == 2)
        try client.close()
    }

    @Test func attachmentsCountAsBytes() throws {
        let metrics = TestMetrics()
        let server = self.slowServer(metrics)
        let client = try server.join()
        let placeholders = "{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}"
        let bytes = Array(repeating: UInt8(1), count: 1_500)
        let event = Array("452-0[\"bytes\",\(placeholders)]".utf8)
        try client.send([(.text, event), (.binary, bytes), (.binary, bytes)])
        #expect(try client.received().isEmpty)
        // That is a wait without an end to it, but nobody has stopped sending.
        for _ in 0..<5 { server.loop.advanceTime(by: .seconds(1)) }
        #expect(try client.received().isEmpty)
        for _ in 0..<2 { server.loop.advanceTime(by: .seconds(1)) }
        #expect(try client.received() == ["430[3000]"])
        #expect(try self.pauses(metrics, "byte_rate") == 2)
        // Who goes while others wait for the rate leaves nothing behind.
        try client.close()
        #expect(server.io.engine.sessionCount == 0)
    }

    @Test func namespacesOfOneConnectionAreBounded() async throws {
        try await self.run {
            $0.namespacesPerConnection = 2
        } setUp: { io in
            for name in ["/a", "/b", "/c"] { _ = io.of(name) }
        } _: { _, address, metrics in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/a")
            _ = try await client.join("/b")
            let refusal =
                "44/c,{\"message\":\"Too many namespaces\",\"data\":{\"code\":\"namespaces_per_connection\",\"limit\":2}}"
            try await #expect(client.connect("/c") == refusal)
            #expect(try self.rejected(metrics, "namespaces_per_connection") == 1)
            try await client.send("41/a,")
            _ = try await client.join("/c")
        }
    }

    @Test func pendingNamespacesCountToo() async throws {
        let gate = Gate()
        try await self.run {
            $0.namespacesPerConnection = 2
        } setUp: { io in
            _ = io.of { _, _ in
                await gate.wait()
                return true
            }
        } _: { _, address, _ in
            let client = try await TestClient.connect(to: address)
            try await client.send("40/a,")
            try await client.send("40/b,")
            try await #expect(client.connect("/c")?.hasPrefix("44/c,{\"message\":\"Too many namespaces\"") == true)
            for _ in 0..<2 { gate.open() }
            for _ in 0..<2 { #expect(await client.nextText()?.contains("\"sid\"") == true) }
        }
    }

    @Test func authIsBounded() async throws {
        try await self.run {
            $0.authBytes = 100
        } setUp: { io in
            io.sockets.use { socket in
                if socket.handshake.auth["a"]?.stringValue == nil { throw ConnectError("no auth") }
            }
        } _: { _, address, metrics in
            let client = try await TestClient.connect(to: address)
            let long = String(repeating: "x", count: 100)
            try await #expect(
                client.connect(auth: "{\"a\":\"\(long)\"}")
                    == "44{\"message\":\"Auth too large\",\"data\":{\"code\":\"auth_bytes\",\"limit\":100}}"
            )
            #expect(try self.rejected(metrics, "auth_bytes") == 1)
            _ = try await client.join(auth: ["a": "short"])
        }
        #expect(SocketLimits().authBytes == 65_536)
    }

    @Test func roomsOfOneSocketAreBounded() async throws {
        let errors = Recorder<LimitExceeded>()
        try await self.run {
            $0.roomsPerSocket = 2
        } setUp: { io in
            io.sockets.onConnection { socket in
                socket.onError { error in
                    if let limit = error as? LimitExceeded { errors.record(limit) }
                }
            }
            io.sockets.on("join") { (socket: Socket, rooms: [String]) in
                socket.join(rooms.map { Room($0) })
                return socket.rooms.count
            }
        } _: { io, address, metrics in
            let client = try await TestClient.join(at: address)
            let id = client.id
            try await client.send("420[\"join\",[\"a\",\"b\",\"a\",\"\(id)\"]]")
            #expect(await client.next() == .text("430[3]"))
            try await client.send("421[\"join\",[\"c\",\"d\"]]")
            #expect(await client.next() == .text("42[\"limit_exceeded\",{\"code\":\"rooms_per_socket\",\"limit\":2}]"))
            #expect(await client.next() == .text("431[3]"))
            #expect(await errors.next()?.code == .roomsPerSocket)
            io.socketsJoin(["e"])
            #expect(await client.next() == .text("42[\"limit_exceeded\",{\"code\":\"rooms_per_socket\",\"limit\":2}]"))
            #expect(try self.rejected(metrics, "rooms_per_socket") == 2)
        }
    }

    @Test func pendingAcknowledgementsAreBounded() async throws {
        try await self.run {
            $0.pendingAcknowledgements = 2
        } _: { io, address, metrics in
            let client = try await TestClient.join(at: address)
            let id = client.id
            let socketID = try #require(SocketID(id))
            let socket = try #require(await io.sockets.socket(socketID))
            async let first = socket.emitWithAck("q", returning: Int.self)
            async let second = socket.emitWithAck("q", returning: Int.self)
            for _ in 0..<2 { _ = await client.nextText() }
            await #expect {
                try await socket.emitWithAck("q", returning: Int.self)
            } throws: { error in
                (error as? AcknowledgementError)?.code == .tooManyPending
            }
            #expect(try self.rejected(metrics, "pending_acknowledgements") == 1)
            try await client.send("430[1]")
            try await client.send("431[1]")
            try await #expect(first + second == 2)
            try await #expect(client.hasNothingMore())
        }
    }

    /// Another node can't make this one wait for long, or for many.
    @Test func broadcastsOfOtherNodesAreBounded() async throws {
        var configuration = SocketServerConfiguration()
        configuration.limits.remoteAcknowledgements = 2
        configuration.engine.pingInterval = .hours(1)
        let hosts = HostRecorder()
        let metrics = TestMetrics()
        try await TestServer(configuration: configuration, adapter: hosts, metrics: metrics).run { io, address in
            let host = try #require(await hosts.hosts.next())
            let client = try await TestClient.join(at: address)
            let counts = Recorder<Int>()
            let answers = Recorder<JSONValue?>()
            func ask() {
                host.deliverWithAck(
                    arguments: ["q"],
                    options: BroadcastOptions(),
                    timeout: .hours(24),
                    onClientCount: { counts.record($0) },
                    onAcknowledgement: { answers.record($0) }
                )
            }
            for _ in 0..<2 { ask() }
            var questions: [String] = []
            for _ in 0..<2 {
                #expect(await counts.next() == 1)
                questions.append(try #require(await client.nextText()))
            }
            // The third is not even delivered.
            ask()
            try await #expect(client.hasNothingMore())
            let refused = try metrics.expectCounter(
                "socketio_remote_acknowledgements_refused_total",
                [("namespace", "/")]
            )
            #expect(refused.totalValue == 1)
            try await client.send("43\(questions[0].dropFirst(2).prefix { $0.isNumber })[1]")
            #expect(await answers.next() == .some(.some(1)))
            // When that packet has been handled, one place is free again; after the timeout so is the other.
            try await #expect(client.hasNothingMore())
            ask()
            #expect(await client.nextText()?.hasPrefix("42") == true)
            ask()
            try await #expect(client.hasNothingMore())
            await io.advanceTime(by: .minutes(6))
            ask()
            #expect(await client.nextText()?.hasPrefix("42") == true)
        }
    }

    @Test func tokensComeBackWithTime() throws {
        #expect(RateLimit(perSecond: 10).burst == 20)
        #expect(RateLimit(perSecond: -1, burst: 0) == RateLimit(perSecond: 1, burst: 1))
        #expect(RateLimit(perSecond: .max).burst == .max)
    }
}

/// Adapters that hand out what they may ask of their namespaces.
struct HostRecorder: AdapterFactory {
    let hosts = Recorder<any AdapterHost>()

    func makeAdapter(for host: any AdapterHost) -> any Adapter {
        self.hosts.record(host)
        return InMemoryAdapterFactory().makeAdapter(for: host)
    }
}
