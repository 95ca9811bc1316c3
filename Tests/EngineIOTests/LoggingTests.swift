import Logging
import Metrics
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// What an operator can read in the log.
@Suite(.timeLimit(.minutes(1))) struct LoggingTests {
    private final class Fixture {
        let loop = EmbeddedEventLoop()
        let lines = LogLines()
        let server: EngineServer

        init(level: Logger.Level, _ configuration: EngineConfiguration = EngineConfiguration()) {
            self.server = EngineServer(
                configuration: configuration,
                eventLoopGroup: self.loop,
                logger: self.lines.logger(level),
                metricsFactory: NOOPMetricsHandler.instance
            ) { session in
                session.send(binary: ByteBuffer(repeating: 1, count: 2000))
                return nil
            }
        }

        func exchange(_ target: String) throws -> String {
            let channel = EmbeddedChannel(loop: self.loop)
            try self.server.configure(channel)
            try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
            try channel.writeInbound(ByteBuffer(string: "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n"))
            self.loop.run()
            var text = ""
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
            return text
        }

        func take() -> [String] { self.lines.take() }
    }

    /// At debug a session has a name and an address, but its id is for its client alone.
    @Test func sessionsAreNamed() async throws {
        let fixture = Fixture(level: .debug)
        let answer = try fixture.exchange("/engine.io/?EIO=4&transport=polling")
        let id = try #require(answer.firstRange(of: "\"sid\":\"").map { answer[$0.upperBound...].prefix(20) })
        let opened = try #require(fixture.take().first { $0.contains("Opened a session") })
        #expect(opened.contains("address=192.0.2.1"))
        #expect(opened.contains("sio.session.id=…\(id.suffix(4))"))
        #expect(!opened.contains(id.prefix(16)))
    }

    @Test func refusalsNameAnAddress() throws {
        let fixture = Fixture(level: .debug)
        _ = try fixture.exchange("/engine.io/?EIO=4&transport=none")
        #expect(fixture.take().contains { $0.contains("Refused a request") && $0.contains("address=192.0.2.1") })
    }

    /// At info refusals are a line, and not one each.
    @Test func refusalsAreCountedInTheLog() throws {
        let fixture = Fixture(level: .info)
        for _ in 0..<100 { _ = try fixture.exchange("/engine.io/?EIO=4&transport=none") }
        #expect(fixture.take() == ["info Requests were refused count=1 reason=transport_unknown"])
        fixture.loop.advanceTime(by: .seconds(60))
        #expect(fixture.take() == ["info Requests were refused count=99 reason=transport_unknown seconds=60"])
    }

    /// The node is in need: that is a warning, and one a minute is enough.
    @Test func clientsGivenUpForAllAreAWarning() throws {
        var configuration = EngineConfiguration()
        configuration.limits.maxTotalQueuedBytes = 1000
        let fixture = Fixture(level: .info, configuration)
        for _ in 0..<10 { _ = try fixture.exchange("/engine.io/?EIO=4&transport=polling") }
        let message = "warning All clients together have too many unsent bytes; those with most were disconnected"
        #expect(fixture.take() == ["\(message) count=1 limit=1000 reason=queued_bytes"])
        fixture.loop.advanceTime(by: .seconds(60))
        #expect(fixture.take() == ["\(message) count=9 limit=1000 reason=queued_bytes seconds=60"])
    }
}
