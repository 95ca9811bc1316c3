import DequeModule
import EngineIO
package import NIOCore

/// Runs tasks on an event loop, so that an asynchronous handler that does not suspend never leaves it.
///
/// A task that is started on the loop runs at once, inside the caller; one that is resumed while another of this
/// executor's jobs runs waits its turn, so the stack stays flat.
package final class LoopTaskExecutor: TaskExecutor {
    private struct State {
        var isRunning = false
        /// Tasks whose turn is over, in the order of their next ones.
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
        var isTurnScheduled = false
    }

    package let eventLoop: any EventLoop
    private let state: LoopBound<State>

    /// How long a task with much to do keeps the loop from its connections.
    static let longestTurn = TimeAmount.microseconds(500)
    /// How long the turns between two looks at the connections may take together.
    private static let longestRound = TimeAmount.milliseconds(5)
    /// A loop runs all tasks that are due, also those that became due meanwhile, before it looks at its connections.
    ///
    /// Hence turns are not due at once.
    private static let pause = TimeAmount.microseconds(100)

    package init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.state = LoopBound(State(), eventLoop: eventLoop)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.eventLoop.inEventLoop, !self.state.value.isRunning {
            self.run(job)
        } else {
            self.eventLoop.execute { self.run(job) }
        }
    }

    private func run(_ job: UnownedJob) {
        self.state.value.isRunning = true
        job.runSynchronously(on: self.asUnownedTaskExecutor())
        self.state.value.isRunning = false
    }

    // MARK: Turns

    /// Ends the turn of a task of this executor: it goes on when the loop has served its connections.
    func nextTurn() async {
        await withCheckedContinuation { continuation in
            self.eventLoop.preconditionInEventLoop()
            self.state.value.waiting.append(continuation)
            if !self.state.value.isTurnScheduled { self.scheduleTurns() }
        }
    }

    private func scheduleTurns() {
        self.state.value.isTurnScheduled = true
        // Also called if the loop is shut down, so that nobody waits for ever.
        self.eventLoop.scheduleTask(in: Self.pause) {}.futureResult.whenComplete { _ in self.giveTurns() }
    }

    /// One timer for all who wait: with one each, the turns of some would make those of the others due, without end.
    private func giveTurns() {
        let roundEnd = self.eventLoop.now + Self.longestRound
        // Who works on after its turn queues up behind the others, and is not served twice in a round.
        for _ in 0..<self.state.value.waiting.count {
            self.state.value.waiting.popFirst()?.resume()
            if self.eventLoop.now >= roundEnd { break }
        }
        self.state.value.isTurnScheduled = false
        if !self.state.value.waiting.isEmpty { self.scheduleTurns() }
    }
}
