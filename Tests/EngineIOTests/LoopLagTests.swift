import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import EngineIO

/// How late an event loop is.
@Suite(.timeLimit(.minutes(1))) struct LoopLagTests {
    @Test func itIsMeasuredOnceASecondUntilItIsStopped() {
        let loop = EmbeddedEventLoop()
        let lags = NIOLockedValueBox<[TimeAmount]>([])
        let watch = LoopLag(loop) { lag in lags.withLockedValue { $0.append(lag) } }
        watch.start()
        loop.advanceTime(by: .milliseconds(999))
        #expect(lags.withLockedValue { $0 } == [])
        loop.advanceTime(by: .milliseconds(1))
        #expect(lags.withLockedValue { $0 } == [.zero])
        loop.advanceTime(by: .seconds(3))
        #expect(lags.withLockedValue { $0.count } == 4)
        watch.stop()
        loop.advanceTime(by: .seconds(3))
        #expect(lags.withLockedValue { $0.count } == 4)
        watch.start()
        loop.advanceTime(by: .seconds(3))
        #expect(lags.withLockedValue { $0.count } == 4)
    }

    /// A real loop that is kept busy is late by that.
    @Test func aBusyLoopIsLate() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let (lags, lag) = AsyncStream.makeStream(of: TimeAmount.self)
        let watch = LoopLag(loop) { lag.yield($0) }
        watch.start()
        // The loop does nothing else until the time of the measurement is over by a tenth of a second.
        let end = NIODeadline.now() + .milliseconds(1100)
        loop.execute { while NIODeadline.now() < end {} }
        var iterator = lags.makeAsyncIterator()
        let measured = try #require(await iterator.next())
        #expect(measured >= .milliseconds(90))
        watch.stop()
        try await group.shutdownGracefully()
    }
}
