import Logging
import Metrics
import MetricsTestKit
import NIOCore
import NIOEmbedded
import NIOPosix
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// What all clients together may make the server keep.
@Suite(.timeLimit(.minutes(1))) struct ByteBudgetTests {
    // MARK: Sent and not taken

    /// Polling sessions whose clients do not poll: what waits is known to the byte.
    private func pollers(_ count: Int, of server: EmbeddedServer) throws -> [EngineSession] {
        for _ in 0..<count { _ = try server.request("GET", "EIO=4&transport=polling", on: server.connect()) }
        return server.sessions
    }

    private func send(_ count: Int, to session: EngineSession) {
        session.send(binary: ByteBuffer(repeating: 1, count: count))
    }

    @Test(arguments: [[600, 300, 200], [200, 600, 300], [300, 200, 600]]) func whoeverHoldsMostGoes(
        sizes: [Int]
    ) throws {
        let server = EmbeddedServer { $0.limits.maxTotalQueuedBytes = 1_000_000 }
        let sessions = try self.pollers(3, of: server)
        for (session, size) in zip(sessions, sizes) { self.send(size * 1000, to: session) }
        server.loop.run()
        #expect(sessions.map { $0.state == .open } == sizes.map { $0 < 600 })
        #expect(server.delegate.closed == ["transport error"])
        let loop = try #require(server.server.loops.first)
        #expect((500_000..<501_000).contains(loop.queued.bytes))
    }

    @Test func manyThatHoldLittleGoUntilTheRestFits() throws {
        let server = EmbeddedServer { $0.limits.maxTotalQueuedBytes = 1_000_000 }
        let sessions = try self.pollers(300, of: server)
        for session in sessions { self.send(10_000, to: session) }
        server.loop.run()
        let open = sessions.filter { $0.state == .open }.count
        #expect((90...100).contains(open), "\(open)")
        // Whoever stays loses nothing.
        #expect(sessions.allSatisfy { $0.state == .closed || $0.queuedBytes > 10_000 })
    }

    @Test func whatIsTakenCountsNoMore() throws {
        let server = EmbeddedServer { $0.limits.maxTotalQueuedBytes = 1_000_000 }
        let session = try #require(try self.pollers(1, of: server).first)
        let loop = try #require(server.server.loops.first)
        let channel = try server.connect()
        for _ in 0..<10 {
            self.send(400_000, to: session)
            self.send(400_000, to: session)
            server.loop.run()
            #expect(loop.queued.bytes > 800_000)
            let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
            while loop.queued.bytes > 0 { _ = try server.request("GET", query, on: channel) }
        }
        #expect(session.state == .open)
    }

    /// Two loops, real sockets: those who do not read cost no more than the budget, and those who read notice nothing.
    @Test func clientsThatDoNotReadAreBoundedTogether() async throws {
        var configuration = EngineConfiguration()
        configuration.limits.maxTotalQueuedBytes = 20_000_000
        try await EchoServer.run(configuration) { server in
            var ids: [String] = []
            var connections: [RawConnection] = []
            for _ in 0..<8 {
                let connection = try await server.webSocket()
                ids.append(try #require(try await connection.frame().text.sessionID))
                try await connection.setReading(false)
                connections.append(connection)
            }
            let reader = try await server.webSocket()
            _ = try await reader.frame()
            let packet = EncodedPacket(.message, data: ByteBuffer(repeating: 0x78, count: 100_000))
            for _ in 0..<150 {
                for id in ids {
                    try await server.wait(for: id) { session in
                        session.send(packet)
                        return true
                    }
                }
            }
            // What was decided is done when each loop has had its turns.
            try await server.wait { !server.events.isEmpty }
            var waiting = 0
            for loop in server.server.loops { waiting += try await loop.eventLoop.submit { loop.queued.bytes }.get() }
            #expect(waiting <= 20_000_000 + 2_000_000)
            #expect(Set(server.events) == [.close("transport error", description: "slow reader")])
            #expect(server.events.count < ids.count)
            try await reader.send(frame: "4still here")
            #expect(try await reader.frame() == .text("4still here"))
            for connection in connections { await connection.close() }
            await reader.close()
        }
    }

    // MARK: Come in part

    @Test func theLongestHalfSentPostIsRefused() throws {
        let server = EmbeddedServer { $0.limits.maxTotalRequestBytes = 100_000 }
        let sessions = try self.pollers(3, of: server)
        let sizes = [30_000, 50_000, 40_000]
        var channels: [EmbeddedChannel] = []
        for (session, size) in zip(sessions, sizes) {
            let channel = try server.connect()
            let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
            let head = "POST /engine.io/?\(query) HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
            var part = ByteBuffer(string: head + "4")
            part.writeRepeatingByte(0x61, count: size - 1)
            try channel.writeInbound(part)
            channels.append(channel)
        }
        server.loop.run()
        #expect(server.text(of: channels[1]).hasPrefix("HTTP/1.1 503 Service Unavailable"))
        #expect(sessions.map { $0.state == .open } == [true, false, true])
        for index in [0, 2] {
            let rest = String(repeating: "a", count: 60_000 - sizes[index])
            #expect(try server.exchange(rest, on: channels[index]).hasPrefix("HTTP/1.1 200 OK"))
        }
        #expect(server.delegate.messages.map(\.utf8.count) == [59_999, 59_999])
        #expect(server.server.loops.first?.requests.bytes == 0)
    }

    /// The same where NIO's decoder reads.
    @Test func theLongestHalfSentChunkedPostIsRefused() throws {
        let server = EmbeddedServer { $0.limits.maxTotalRequestBytes = 100_000 }
        let sessions = try self.pollers(2, of: server)
        var channels: [EmbeddedChannel] = []
        for (session, size) in zip(sessions, [49_000, 52_000]) {
            let channel = try server.connect()
            let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
            let chunk = "4" + String(repeating: "a", count: size - 1)
            try channel.writeInbound(
                ByteBuffer(
                    string: "POST /engine.io/?\(query) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + "\(String(size, radix: 16))\r\n\(chunk)\r\n"
                )
            )
            channels.append(channel)
        }
        server.loop.run()
        #expect(server.text(of: channels[1]).hasPrefix("HTTP/1.1 503 Service Unavailable"))
        #expect(try server.exchange("0\r\n\r\n", on: channels[0]).hasPrefix("HTTP/1.1 200 OK"))
        #expect(server.server.loops.first?.requests.bytes == 0)
    }

    @Test func theLongestHalfSentMessageIsRefused() throws {
        let server = EmbeddedServer { $0.limits.maxTotalRequestBytes = 100_000 }
        let sizes = [30_000, 50_000, 40_000]
        let channels = try sizes.map { size in
            let channel = try server.webSocket()
            var frame = ByteBuffer()
            frame.writeMaskedWebSocketFrame(
                .text,
                payload: ByteBuffer(repeating: 0x34, count: 60_000),
                mask: WebSocketMask(3)
            )
            server.send(frame.getSlice(at: 0, length: size) ?? ByteBuffer(), to: channel)
            return channel
        }
        server.loop.run()
        let ends = try channels.map { try server.frames(of: $0).filter { $0.opcode == .close }.map(\.payload) }
        #expect(ends == [[], [[0x03, 0xF5]], []])
        #expect(server.sessions.map { $0.state == .open } == [true, false, true])
        #expect(server.delegate.closed == ["transport error"])
    }

    @Test func messagesInPartsCountUntilTheyAreWhole() throws {
        let server = EmbeddedServer { $0.limits.maxTotalRequestBytes = 100_000 }
        let channel = try server.webSocket()
        let session = try #require(server.sessions.first)
        let loop = try #require(server.server.loops.first)
        session.keeps(partialBytes: 60_000)
        #expect(loop.requests.bytes == 60_000)
        session.keeps(partialBytes: 0)
        #expect(loop.requests.bytes == 0)
        session.keeps(partialBytes: 200_000)
        server.loop.run()
        #expect(session.state == .closed)
        #expect(loop.requests.bytes == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// A client that comes and goes leaves nothing behind.
    @Test func whoeverGoesCountsNoMore() throws {
        let server = EmbeddedServer()
        let loop = try #require(server.server.loops.first)
        let session = try #require(try self.pollers(1, of: server).first)
        self.send(1000, to: session)
        let channel = try server.connect()
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        try channel.writeInbound(
            ByteBuffer(string: "POST /engine.io/?\(query) HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4half")
        )
        server.loop.run()
        #expect(loop.queued.bytes > 0 && loop.requests.bytes == 5)
        _ = try channel.finish(acceptAlreadyClosed: true)
        server.loop.run()
        #expect(session.state == .closed)
        #expect(loop.queued.bytes == 0 && loop.requests.bytes == 0)
    }

    @Test func metricsSayHowManyWereGivenUp() throws {
        let metrics = TestMetrics()
        let loop = EmbeddedEventLoop()
        var configuration = EngineConfiguration()
        configuration.limits.maxTotalQueuedBytes = 1000
        let server = EngineServer(
            configuration: configuration,
            eventLoopGroup: loop,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: metrics
        ) { session in
            session.send(binary: ByteBuffer(repeating: 1, count: 2000))
            return nil
        }
        let channel = EmbeddedChannel(loop: loop)
        try server.configure(channel)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let handshake = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: handshake))
        loop.run()
        #expect(server.sessionCount == 0)
        let dimensions = [("action", "closed_for_all")]
        #expect(try metrics.expectCounter("socketio_slow_consumers_total", dimensions).totalValue == 1)
    }
}

/// How much memory the process may use.
@Suite struct ProcessMemoryTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var physical: Int? = 8_000_000_000
        var resources: [Int] = []
        var groups: String?
        var files: [String: String] = [:]
        var limit: Int
    }

    @Test(arguments: [
        Case(testDescription: "the machine's", limit: 8_000_000_000),
        Case(testDescription: "nothing known", physical: nil, limit: 1_073_741_824),
        Case(testDescription: "a resource limit", resources: [2_000_000_000, 3_000_000_000], limit: 2_000_000_000),
        Case(
            testDescription: "a container's own group",
            groups: "0::/\n",
            files: ["/sys/fs/cgroup/memory.max": "268435456\n", "/sys/fs/cgroup/memory.high": "max\n"],
            limit: 268_435_456
        ),
        Case(
            testDescription: "a parent's",
            groups: "0::/system.slice/node.service\n",
            files: [
                "/sys/fs/cgroup/system.slice/node.service/memory.max": "max\n",
                "/sys/fs/cgroup/system.slice/memory.max": "500000000\n",
            ],
            limit: 500_000_000
        ),
        Case(
            testDescription: "version 1",
            groups: "5:cpu,cpuacct:/a\n4:memory:/docker/x\n",
            files: [
                "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "300000000\n",
            ],
            limit: 300_000_000
        ),
        Case(
            testDescription: "nonsense",
            groups: "\u{FF}::\n:::\n0::/a\n",
            files: ["/sys/fs/cgroup/a/memory.max": "99999999999999999999\n", "/sys/fs/cgroup/memory.max": "-1\n"],
            limit: 8_000_000_000
        ),
    ])
    func theLeastCounts(sample: Case) {
        let limit = ProcessMemory.limit(
            physical: sample.physical,
            resourceLimits: sample.resources,
            controlGroups: sample.groups.map { Array($0.utf8) },
            reading: { sample.files[$0].map { Array($0.utf8) } }
        )
        #expect(limit == sample.limit)
    }

    @Test func thisProcessHasSome() {
        #expect(ProcessMemory.limit > 50_000_000)
        #expect(EngineLimits().maxTotalQueuedBytes == ProcessMemory.limit / 4)
        #expect(EngineLimits().maxTotalRequestBytes == ProcessMemory.limit / 8)
    }
}
