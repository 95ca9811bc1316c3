import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import SocketIOServer
import SocketIOTestSupport
import Testing

@testable import Gateway

/// What a node writes to a log that is slow, or away.
@Suite(.timeLimit(.minutes(1))) struct LogWriterTests {
    private struct Away: Error {}

    /// A log that answers when it is told to.
    private final class SlowLog: SharedLog {
        private struct State {
            var written: [[ByteBuffer]] = []
            var waiting: [CheckedContinuation<Void, any Error>] = []
        }

        private let state = NIOLockedValueBox(State())
        private let (calls, called) = AsyncStream.makeStream(of: Int.self)

        var written: [[ByteBuffer]] { self.state.withLockedValue { $0.written } }

        func append(_ entries: [ByteBuffer], keeping limit: Int) async throws {
            try await withCheckedThrowingContinuation { continuation in
                self.state.withLockedValue { $0.waiting.append(continuation) }
                self.called.yield(entries.count)
            }
            self.state.withLockedValue { $0.written.append(entries) }
        }

        /// How many entries the next call has.
        func nextCall() async -> Int? {
            for await count in self.calls { return count }
            return nil
        }

        func answer(_ result: Result<Void, any Error>) {
            self.state.withLockedValue { $0.waiting.removeFirst() }.resume(with: result)
        }

        func last(_ count: Int, before id: LogEntryID?) async throws -> [SharedLogEntry] { [] }

        func entries(after id: LogEntryID, count: Int) async throws -> SharedLogPage {
            SharedLogPage(entries: [], isWhole: true, newest: nil)
        }

        func onChange(_ handler: @escaping @Sendable () -> Void) -> SignalSubscription { SignalSubscription {} }
    }

    private func writer(
        _ log: SlowLog,
        _ failure: LogWriter.Failure,
        _ lines: LogLines = LogLines(),
        loop: NIOAsyncTestingEventLoop = NIOAsyncTestingEventLoop()
    ) -> LogWriter {
        LogWriter(
            log,
            name: "log",
            failure: failure,
            eventLoop: loop,
            incidents: IncidentLog(logger: lines.logger(.info), source: "Test", eventLoop: loop)
        )
    }

    private func entry(_ number: Int) -> ByteBuffer { ByteBuffer(string: "\(number)") }

    /// What comes while an entry is being written is written together, in order.
    @Test func entriesAreWrittenTogether() async {
        let log = SlowLog()
        let writer = self.writer(log, .drop)
        writer.append(self.entry(0), keeping: 10)
        #expect(await log.nextCall() == 1)
        for number in 1..<4 { writer.append(self.entry(number), keeping: 10) }
        log.answer(.success(()))
        #expect(await log.nextCall() == 3)
        log.answer(.success(()))
        writer.append(self.entry(4), keeping: 10)
        #expect(await log.nextCall() == 1)
        #expect(log.written == [[self.entry(0)], (1..<4).map(self.entry)])
        log.answer(.success(()))
    }

    @Test func whatWaitsIsBounded() async {
        let (log, lines) = (SlowLog(), LogLines())
        let writer = self.writer(log, .drop, lines)
        writer.append(self.entry(0), keeping: 10)
        #expect(await log.nextCall() == 1)
        for number in 0..<(LogWriter.maximumEntries + 5) { writer.append(self.entry(number), keeping: 10) }
        var written = 0
        while written < LogWriter.maximumEntries {
            log.answer(.success(()))
            written += await log.nextCall() ?? LogWriter.maximumEntries
        }
        log.answer(.success(()))
        #expect(written == LogWriter.maximumEntries)
        #expect(lines.all.contains { $0.contains("Entries of a shared log were dropped") })
        // Bytes are bounded, too.
        let long = ByteBuffer(repeating: 0, count: LogWriter.maximumBytes)
        let second = self.writer(log, .drop)
        second.append(self.entry(0), keeping: 10)
        #expect(await log.nextCall() == 1)
        second.append(long, keeping: 10)
        second.append(self.entry(1), keeping: 10)
        log.answer(.success(()))
        #expect(await log.nextCall() == 1)
        log.answer(.success(()))
    }

    @Test func whatIsLostIsCountedIfItIsNoAudit() async {
        let (log, lines) = (SlowLog(), LogLines())
        let writer = self.writer(log, .drop, lines)
        writer.append(self.entry(0), keeping: 10)
        #expect(await log.nextCall() == 1)
        writer.append(self.entry(1), keeping: 10)
        log.answer(.failure(Away()))
        #expect(await log.nextCall() == 1)
        log.answer(.success(()))
        #expect(lines.all.contains { $0.contains("Entries of a shared log were dropped") && $0.contains("Away") })
    }

    /// Changes are written when the log is back, in their order.
    @Test func auditsAreWrittenLater() async {
        let (log, loop) = (SlowLog(), NIOAsyncTestingEventLoop())
        let writer = self.writer(log, .retry(after: .seconds(1)), loop: loop)
        writer.append(self.entry(0), keeping: 10)
        #expect(await log.nextCall() == 1)
        writer.append(self.entry(1), keeping: 10)
        log.answer(.failure(Away()))
        // The timer is set at some moment behind that.
        let moved = Task {
            while !Task.isCancelled {
                await loop.advanceTime(by: .seconds(1))
                await Task.yield()
            }
        }
        #expect(await log.nextCall() == 2)
        moved.cancel()
        log.answer(.success(()))
        writer.append(self.entry(2), keeping: 10)
        #expect(await log.nextCall() == 1)
        #expect(log.written == [[self.entry(0), self.entry(1)]])
        log.answer(.success(()))
    }

    /// A log that has come to its end is not tried for ever.
    @Test func nothingIsTriedForEver() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (log, lines) = (SlowLog(), LogLines())
        let writer = LogWriter(
            log,
            name: "log",
            failure: .retry(after: .minutes(10)),
            eventLoop: group.next(),
            incidents: IncidentLog(
                logger: lines.logger(.info),
                source: "Test",
                eventLoop: MultiThreadedEventLoopGroup.singleton.next()
            )
        )
        writer.append(self.entry(0), keeping: 10)
        #expect(await log.nextCall() == 1)
        writer.append(self.entry(1), keeping: 10)
        log.answer(.failure(ClusterError(code: .closed, message: "no")))
        while lines.all.isEmpty, !Task.isCancelled { await Task.yield() }
        #expect(lines.all.contains { $0.contains("Entries of a shared log were dropped") && $0.contains("count=2") })
        // What comes later is tried again.
        writer.append(self.entry(2), keeping: 10)
        #expect(await log.nextCall() == 1)
        log.answer(.success(()))
        try await group.shutdownGracefully()
    }

    @Test(arguments: [0, 1, 2, 5, 63, 64, 65, 1000])
    func theSmallestAreFound(count: Int) {
        var generator = SeededGenerator(seed: 7)
        for size in [0, 1, 10, 500, 3000] {
            let numbers = (0..<size).map { _ in Int.random(in: 0..<100, using: &generator) }
            #expect(numbers.smallest(count, by: <) == Array(numbers.sorted().prefix(count)))
        }
    }
}
