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
        try client.send(long, "420[\"now\"]", long, "421[\"now\"]")
        #expect(try client.received() == ["430[1]"])
        #expect(try fixture.pauses("waiting_events") == 1)
        // One is still more than half of what there may be.
        try fixture.endOne()
        #expect(try client.received().isEmpty)
        try fixture.endOne()
        #expect(try client.received() == ["431[1]"])
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
        // What is worked at counts as well.
        for _ in 0..<2 { try fixture.endOne() }
        #expect(try client.received().isEmpty)
        try fixture.endOne()
        #expect(try client.received() == ["433[1]"])
        try client.close()
    }

    /// What the sockets of one client keep is one client's.
    @Test func bytesOfAllNamespacesCount() throws {
        let fixture = Fixture { $0.waitingBytes = 1_000 }
        let client = try fixture.server.join()
        try client.send("40/other,")
        #expect(try client.received().count == 1)
        let text = String(repeating: "x", count: 590)
        try client.send("42[\"wait\",\"\(text)\"]", "420[\"now\"]", "42/other,[\"wait\",\"\(text)\"]", "421[\"now\"]")
        #expect(try client.received() == ["430[1]"])
        for _ in 0..<2 { try fixture.endOne() }
        #expect(try client.received() == ["431[1]"])
        try client.close()
    }

    /// A handler may wait for the client that it serves, however much waits for the handler.
    @Test func whoOwesAnAnswerIsHeard() throws {
        let fixture = Fixture { $0.waitingEvents = 2 }
        let answers = Mutex<[Int]>([])
        fixture.server.io.sockets.on("ask") { (socket: Socket) async throws in
            let answer = try await socket.emitWithAck("q", returning: Int.self)
            answers.withLock { $0.append(answer) }
        }
        let client = try fixture.server.join()
        try client.send(["42[\"ask\"]", "42[\"ask\"]", "42[\"ask\"]"])
        try client.send(["42[\"ask\"]", "42[\"ask\"]", "42[\"ask\"]"])
        for number in 1...6 {
            let question = try #require(try client.received().first)
            try client.send(["43\(question.dropFirst(2).prefix { $0.isNumber })[\(number)]"])
            fixture.haveTurn()
        }
        #expect(answers.withLock { $0 } == [1, 2, 3, 4, 5, 6])
        try client.close()
    }

    /// Patience ends, and who waits is told.
    @Test func whoSendsFarTooMuchIsNotHeard() throws {
        let fixture = Fixture { $0.waitingEvents = 2 }
        let errors = Mutex<[AcknowledgementError.Code]>([])
        fixture.server.io.sockets.on("ask") { (socket: Socket) async in
            do throws(any Error) {
                _ = try await socket.emitWithAck("q", returning: Int.self)
            } catch {
                errors.withLock { $0.append((error as? AcknowledgementError)?.code ?? .timeout) }
            }
        }
        let client = try fixture.server.join()
        try client.send(["42[\"ask\"]"])
        let question = try #require(try client.received().first)
        try client.send((0..<20).map { _ in "42[\"ask\"]" } + ["43\(question.dropFirst(2).prefix { $0.isNumber })[1]"])
        fixture.haveTurn()
        #expect(errors.withLock { $0.first } == .notRead)
        #expect(try fixture.pauses("waiting_events") >= 1)
        // Then it goes on: the next handlers' questions reach the client.
        fixture.haveTurn()
        #expect(try !client.received().isEmpty)
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
