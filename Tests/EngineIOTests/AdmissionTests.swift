import Logging
import Metrics
import MetricsTestKit
import NIOCore
import NIOEmbedded
import SocketIOWire
import Synchronization
import Testing

@testable import EngineIO

/// How many connections and sessions there may be, in total and for one address.
@Suite(.timeLimit(.minutes(1))) struct AdmissionTests {
    private static let poll = "GET /engine.io/?EIO=4&transport=polling"

    /// A server on one loop, to which anybody connects from anywhere.
    private final class Fixture {
        let loop = EmbeddedEventLoop()
        let metrics = TestMetrics()
        let server: EngineServer

        init(
            trustedProxies: [AddressRange] = [],
            _ limits: (inout EngineLimits) -> Void = { _ in },
            refusesSessions: (@Sendable () -> Bool)? = nil
        ) {
            var configuration = EngineConfiguration()
            configuration.refusesSessions = refusesSessions
            limits(&configuration.limits)
            configuration.trustedProxies = trustedProxies
            configuration.routes = { method, target in
                method == "GET" && target == "/healthz" ? .text("alive") : nil
            }
            self.server = EngineServer(
                configuration: configuration,
                eventLoopGroup: self.loop,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                metricsFactory: self.metrics
            ) { _ in nil }
        }

        func connect(from address: String = "192.0.2.1") throws -> EmbeddedChannel {
            let channel = EmbeddedChannel(loop: self.loop)
            try self.server.configure(channel)
            // An embedded channel takes the address that it connects to for its peer's.
            try channel.connect(to: SocketAddress(ipAddress: address, port: 1)).wait()
            return channel
        }

        @discardableResult
        func request(_ request: String, on channel: EmbeddedChannel, header: String = "") throws -> String {
            try channel.writeInbound(ByteBuffer(string: "\(request) HTTP/1.1\r\nHost: x\r\n\(header)\r\n"))
            return try self.output(of: channel)
        }

        func output(of channel: EmbeddedChannel) throws -> String {
            self.loop.run()
            var text = ""
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
            return text
        }

        func rejections(_ reason: String) throws -> Int64 {
            try self.metrics.expectCounter("socketio_handshake_rejected_total", [("reason", reason)]).totalValue
        }
    }

    private static let tooMany = """
        HTTP/1.1 429 Too Many Requests\r
        Content-Type: application/json\r
        Content-Length: 43\r
        Connection: close\r
        \r
        {"code":7,"message":"Too many connections"}
        """

    @Test func connectionsOfAnAddress() throws {
        let fixture = Fixture { $0.maxConnectionsPerAddress = 2 }
        let first = try fixture.connect()
        let second = try fixture.connect()
        let third = try fixture.connect()
        #expect(try fixture.request(Self.poll, on: third) == Self.tooMany)
        // What else it sends is not read, and it has a second to read the answer.
        #expect(try fixture.request(Self.poll, on: third).isEmpty)
        #expect(third.isActive)
        fixture.loop.advanceTime(by: .milliseconds(1100))
        #expect(!third.isActive)
        #expect(fixture.server.sessionCount == 0)
        #expect(try fixture.rejections("too_many_connections") == 1)
        // Others are let in, and the same again when one has gone.
        #expect(try fixture.request(Self.poll, on: fixture.connect(from: "192.0.2.2")).hasPrefix("HTTP/1.1 200"))
        try first.close().wait()
        fixture.loop.run()
        #expect(try fixture.request(Self.poll, on: fixture.connect()).hasPrefix("HTTP/1.1 200"))
        #expect(try fixture.request(Self.poll, on: second).hasPrefix("HTTP/1.1 200"))
    }

    @Test func networksOfIPv6CountAsOne() throws {
        let fixture = Fixture { $0.maxConnectionsPerAddress = 1 }
        let first = try fixture.connect(from: "2001:db8:0:1::1")
        #expect(try fixture.request(Self.poll, on: fixture.connect(from: "2001:db8:0:1:ffff::2")) == Self.tooMany)
        #expect(try fixture.output(of: fixture.connect(from: "2001:db8:0:2::1")).isEmpty)
        // The same host, whichever way its address is written.
        #expect(try fixture.output(of: fixture.connect(from: "192.0.2.1")).isEmpty)
        #expect(try fixture.request(Self.poll, on: fixture.connect(from: "::ffff:192.0.2.1")) == Self.tooMany)
        #expect(first.isActive)
    }

    @Test func connectionsInTotal() throws {
        let fixture = Fixture { $0.maxConnections = 2 }
        let first = try fixture.connect(from: "192.0.2.1")
        let second = try fixture.connect(from: "192.0.2.2")
        let third = try fixture.connect(from: "192.0.2.3")
        #expect(try fixture.request(Self.poll, on: third).contains(#"{"code":6,"message":"Server is full"}"#))
        try second.close().wait()
        fixture.loop.run()
        // The third is still being told, and holds a descriptor as others do.
        let fourth = try fixture.connect(from: "192.0.2.4")
        #expect(try fixture.request(Self.poll, on: fourth).contains("Server is full"))
        fixture.loop.advanceTime(by: .milliseconds(1100))
        #expect(!third.isActive && !fourth.isActive)
        #expect(try fixture.output(of: fixture.connect(from: "192.0.2.3")).isEmpty)
        #expect(first.isActive)
        #expect(try fixture.rejections("server_full") == 2)
    }

    /// Connections are half-open until they have brought one whole request.
    @Test func halfOpenConnections() throws {
        let fixture = Fixture { $0.maxHalfOpenPerAddress = 2 }
        let first = try fixture.connect()
        try first.writeInbound(ByteBuffer(string: Self.poll))
        let second = try fixture.connect()
        #expect(try fixture.request(Self.poll, on: fixture.connect()) == Self.tooMany)
        #expect(try fixture.request("", on: first).hasPrefix("HTTP/1.1 200"))
        let fourth = try fixture.connect()
        #expect(try fixture.output(of: fourth).isEmpty)
        try fourth.writeInbound(ByteBuffer(string: EchoServer.upgrade()))
        #expect(try fixture.output(of: fourth).hasPrefix("HTTP/1.1 101"))
        let fifth = try fixture.connect()
        #expect(try fixture.output(of: fifth).isEmpty)
        #expect(try fixture.request(Self.poll, on: fixture.connect()) == Self.tooMany)
        for channel in [first, second, fourth, fifth] { try channel.close().wait() }
        fixture.loop.run()
        // The polling session counts on; the connections have left nothing behind.
        #expect(fixture.server.admission.addressCount == 1)
        #expect(try fixture.output(of: fixture.connect()).isEmpty)
    }

    @Test func sessionsOfAnAddress() throws {
        let fixture = Fixture { $0.maxSessionsPerAddress = 2 }
        // One connection is enough for any number of polling sessions.
        let channel = try fixture.connect()
        #expect(try fixture.request(Self.poll, on: channel).hasPrefix("HTTP/1.1 200"))
        let webSocket = try fixture.connect()
        try webSocket.writeInbound(ByteBuffer(string: EchoServer.upgrade()))
        #expect(try fixture.output(of: webSocket).hasPrefix("HTTP/1.1 101"))
        let refused = try fixture.request(Self.poll, on: channel)
        #expect(refused.hasPrefix("HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"))
        #expect(refused.hasSuffix(#"{"code":7,"message":"Too many connections"}"#))
        let upgrade = try fixture.connect()
        try upgrade.writeInbound(ByteBuffer(string: EchoServer.upgrade()))
        #expect(try fixture.output(of: upgrade) == Self.tooMany)
        #expect(fixture.server.sessionCount == 2)
        // The connection goes on, and a place becomes free when a session ends.
        try webSocket.close().wait()
        fixture.loop.run()
        #expect(try fixture.request(Self.poll, on: channel).hasPrefix("HTTP/1.1 200"))
        #expect(try fixture.rejections("too_many_connections") == 2)
    }

    @Test func sessionsInTotal() throws {
        let fixture = Fixture { $0.maxSessions = 1 }
        #expect(try fixture.request(Self.poll, on: fixture.connect()).hasPrefix("HTTP/1.1 200"))
        let refused = try fixture.request(Self.poll, on: fixture.connect(from: "192.0.2.2"))
        #expect(refused.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(refused.hasSuffix(#"{"code":6,"message":"Server is full"}"#))
    }

    /// New clients of both transports are refused before a session exists; those that are there go on.
    @Test func noNewSessionsForNow() throws {
        let isRefusing = Atomic(false)
        let fixture = Fixture(refusesSessions: { isRefusing.load(ordering: .relaxed) })
        let channel = try fixture.connect()
        let opened = try fixture.request(Self.poll, on: channel)
        let rest = try #require(opened.split(separator: #""sid":""#).last)
        let id = try #require(rest.split(separator: "\"").first)
        isRefusing.store(true, ordering: .relaxed)
        let refused = try fixture.request(Self.poll, on: fixture.connect())
        #expect(refused.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(refused.hasSuffix(#"{"code":8,"message":"Server is unavailable"}"#))
        let upgrade = try fixture.connect()
        try upgrade.writeInbound(ByteBuffer(string: EchoServer.upgrade()))
        #expect(try fixture.output(of: upgrade).hasPrefix("HTTP/1.1 503 "))
        #expect(fixture.server.sessionCount == 1)
        #expect(try fixture.rejections("unavailable") == 2)
        // The session that exists changes its transport.
        let change = try fixture.connect()
        try change.writeInbound(ByteBuffer(string: EchoServer.upgrade("&sid=\(id)")))
        #expect(try fixture.output(of: change).hasPrefix("HTTP/1.1 101 "))
        isRefusing.store(false, ordering: .relaxed)
        #expect(try fixture.request(Self.poll, on: fixture.connect()).hasPrefix("HTTP/1.1 200"))
    }

    /// Behind a proxy it is the client's address that counts, as far as it can be known.
    @Test func clientsBehindTrustedProxies() throws {
        let fixture = Fixture(trustedProxies: [try #require(AddressRange("10.0.0.0/8"))]) { limits in
            limits.maxConnectionsPerAddress = 1
            limits.maxHalfOpenPerAddress = 1
            limits.maxSessionsPerAddress = 1
        }
        func open(_ forwarded: String, from peer: String) throws -> Bool {
            let header = "X-Forwarded-For: \(forwarded)\r\n"
            return try fixture.request(Self.poll, on: fixture.connect(from: peer), header: header)
                .hasPrefix("HTTP/1.1 200")
        }
        // The proxy may have any number of connections.
        #expect(try open("192.0.2.1", from: "10.0.0.1"))
        #expect(try open("192.0.2.2", from: "10.0.0.1"))
        #expect(try !open("192.0.2.1", from: "10.0.0.2"))
        // What the client invents stands on the left.
        #expect(try !open("6.6.6.6, 192.0.2.1", from: "10.0.0.1"))
        #expect(try !open("6.6.6.6\r\nX-Forwarded-For: 192.0.2.2, 10.0.0.9", from: "10.0.0.1"))
        // Ports are nobody's, and there is no proxy to hide behind.
        #expect(try !open("192.0.2.1:4711", from: "10.0.0.1"))
        #expect(try !open("\"[::ffff:192.0.2.1]:4711\"", from: "10.0.0.1"))
        #expect(try open("nonsense", from: "10.0.0.1"))
        #expect(try !open("unknown", from: "10.0.0.3"))
        // From elsewhere the header says nothing.
        #expect(try open("7.7.7.7", from: "203.0.113.1"))
        #expect(try !open("8.8.8.8", from: "203.0.113.1"))
    }

    /// Whoever asks whether the node is alive gets an answer, however many connections there are.
    @Test func healthChecksAreNeverTurnedAway() throws {
        let fixture = Fixture {
            $0.maxConnections = 1
            $0.maxConnectionsPerAddress = 1
            $0.maxHalfOpenPerAddress = 1
        }
        let first = try fixture.connect()
        for _ in 0..<1000 {
            // Before, behind and between those that ask for sessions or say nothing.
            _ = try fixture.connect()
            #expect(try fixture.request(Self.poll, on: fixture.connect()).hasPrefix("HTTP/1.1 503 "))
            let check = try fixture.connect()
            let answer = try fixture.request("GET /healthz", on: check)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("alive"))
            #expect(answer.contains("Connection: close\r\n"))
            #expect(!check.isActive)
        }
        #expect(try fixture.request("GET /nothing", on: fixture.connect()).hasPrefix("HTTP/1.1 503 "))
        #expect(first.isActive)
    }

    /// A turned away connection that asks for nothing is told why after a second.
    @Test func silenceIsAnsweredToo() throws {
        let fixture = Fixture { $0.maxConnections = 0 }
        let channel = try fixture.connect()
        #expect(try fixture.output(of: channel).isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(1100))
        #expect(try fixture.output(of: channel).hasPrefix("HTTP/1.1 503 "))
        #expect(!channel.isActive)
        #expect(try fixture.rejections("server_full") == 1)
    }

    /// However many are turned away at once, they cost one answer and one second each, and not more than so many.
    @Test func crowdsAreTurnedAway() throws {
        let fixture = Fixture { $0.maxConnections = 1000 }
        let first = try fixture.connect()
        let others = try (1..<1000).map { _ in try fixture.connect() }
        var crowd: [EmbeddedChannel] = []
        for _ in 0..<1000 { crowd.append(try fixture.connect()) }
        // An eighth of what is allowed.
        #expect(crowd.count { $0.isActive } == 125)
        fixture.loop.advanceTime(by: .seconds(2))
        #expect(crowd.count { $0.isActive } == 0)
        #expect(first.isActive)
        // Nobody is remembered who is not there.
        for channel in [first] + others { try channel.close().wait() }
        fixture.loop.run()
        #expect(fixture.server.admission.addressCount == 0)
        #expect(try fixture.output(of: fixture.connect()).isEmpty)
    }

    /// A process that has only its reserve of descriptors left says so to whoever connects, with or without limits.
    @Test func processesWithoutDescriptorsAreFull() throws {
        let fixture = Fixture { _ in }
        fixture.server.acceptState.isFull.store(true, ordering: .relaxed)
        let refused = try fixture.connect()
        #expect(try fixture.request(Self.poll, on: refused).contains(#"{"code":6,"message":"Server is full"}"#))
        fixture.server.acceptState.isFull.store(false, ordering: .relaxed)
        #expect(try fixture.output(of: fixture.connect()).isEmpty)
        #expect(try fixture.rejections("server_full") == 1)
    }

    @Test func nothingIsCountedWithoutLimits() throws {
        let fixture = Fixture { _ in }
        _ = try fixture.connect()
        #expect(!fixture.server.admission.isLimited)
        #expect(fixture.server.admission.addressCount == 0)
    }
}
