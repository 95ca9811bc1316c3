import EngineIO
import MetricsTestKit
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire
import Synchronization
import Testing

/// When a client is not read from because its sockets have enough to do.
@Suite(.timeLimit(.minutes(1))) struct PauseTests {
    /// Handlers that are at work until they are told to end, on the thread that tells them.
    private final class Workers: Sendable {
        private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])

        func work() async {
            await withCheckedContinuation { continuation in self.waiting.withLock { $0.append(continuation) } }
        }

        func endOne() throws {
            try #require(self.waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }).resume()
        }
    }

    /// A server whose handler of `wait` is at work until it is told to end, while `now` is answered at once.
    private struct Fixture {
        let server: StillServer
        let metrics = TestMetrics()
        let workers = Workers()

        init(_ change: (inout SocketLimits) -> Void) {
            var configuration = SocketServerConfiguration()
            change(&configuration.limits)
            self.server = StillServer(configuration: configuration, metrics: self.metrics)
            let workers = self.workers
            for namespace in [self.server.io.sockets, self.server.io.of("/other")] {
                namespace.on("wait") { (_: Socket, _: String?) async in await workers.work() }
                namespace.on("now") { (_: Socket) in 1 }
            }
        }

        func endOne() throws {
            try self.workers.endOne()
            self.haveTurn()
        }

        /// Handlers that were at work for long let others have a turn before the next one is.
        func haveTurn() { self.server.loop.advanceTime(by: .milliseconds(1)) }

        func pauses(_ reason: String) throws -> Int64 {
            try self.metrics.expectCounter("socketio_reading_paused_total", [("reason", reason)]).totalValue
        }
    }

    @Test func aFullMailboxHoldsTheRestOfARead() throws {
        let fixture = Fixture { $0.waitingEvents = 2 }
        let client = try fixture.server.join()
        try client.send(
            "420[\"now\"]",
            "42[\"wait\"]",
            "42[\"wait\"]",
            "42[\"wait\"]",
            "421[\"now\"]"
        )
        // One is at work, two wait.
        #expect(try client.received() == ["430[1]"])
        #expect(try fixture.pauses("waiting_events") == 1)
        try fixture.endOne()
        #expect(try client.received() == ["431[1]"])
        for _ in 0..<2 { try fixture.endOne() }
        try client.close()
    }

    /// A hundred events of a megabyte each are no hundred small ones.
    @Test func bytesFillAMailboxToo() throws {
        let fixture = Fixture { $0.waitingBytes = 1_000 }
        let client = try fixture.server.join()
        let text = String(repeating: "x", count: 590)
        let long = "42[\"wait\",\"\(text)\"]"
        try client.send(long, long, "420[\"now\"]", long, "421[\"now\"]")
        #expect(try client.received() == ["430[1]"])
        #expect(try fixture.pauses("waiting_events") == 1)
        // One is still more than half of what may wait.
        try fixture.endOne()
        #expect(try client.received().isEmpty)
        try fixture.endOne()
        #expect(try client.received() == ["431[1]"])
        try fixture.endOne()
        // Attachments count.
        let bytes = [UInt8](repeating: 1, count: 400)
        let placeholders = "{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}"
        let event = Array("452-[\"wait\",null,\(placeholders)]".utf8)
        try client.send([(.text, Array("42[\"wait\"]".utf8)), (.text, event), (.binary, bytes), (.binary, bytes)])
        try client.send("422[\"now\"]")
        #expect(try client.received() == ["432[1]"])
        fixture.haveTurn()
        try client.send([(.text, event), (.binary, bytes), (.binary, bytes), (.text, Array("423[\"now\"]".utf8))])
        #expect(try client.received().isEmpty)
        for _ in 0..<2 { try fixture.endOne() }
        #expect(try client.received() == ["433[1]"])
        try fixture.endOne()
        try client.close()
    }

    /// A reason that is gone does not make the connection read on while there is another.
    @Test func everyReasonToPauseCounts() throws {
        let fixture = Fixture {
            $0.waitingEvents = 2
            $0.byteRate = RateLimit(perSecond: 10, burst: 30)
        }
        let client = try fixture.server.join()
        let long = "42[\"wait\",\"\(String(repeating: "x", count: 20))\"]"
        try client.send("42[\"wait\"]", "42[\"wait\"]", long, "421[\"now\"]")
        #expect(try fixture.pauses("waiting_events") == 1)
        #expect(try fixture.pauses("byte_rate") == 1)
        fixture.server.loop.advanceTime(by: .seconds(5))
        #expect(try client.received().isEmpty)
        try fixture.endOne()
        #expect(try client.received() == ["431[1]"])
        // The other way about.
        try client.send(long, "422[\"now\"]")
        #expect(try fixture.pauses("waiting_events") == 2)
        #expect(try fixture.pauses("byte_rate") == 2)
        try fixture.endOne()
        #expect(try client.received().isEmpty)
        fixture.server.loop.advanceTime(by: .seconds(5))
        #expect(try client.received() == ["432[1]"])
        for _ in 0..<2 { try fixture.endOne() }
        try client.close()
    }
}
