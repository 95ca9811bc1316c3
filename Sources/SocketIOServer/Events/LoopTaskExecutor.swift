import NIOCore

/// Runs tasks on an event loop, so that an asynchronous handler that does not suspend never leaves it.
///
/// A task that is started on the loop runs at once, inside the caller; one that is resumed while another of this
/// executor's jobs runs waits its turn, so the stack stays flat.
final class LoopTaskExecutor: TaskExecutor, @unchecked Sendable {
    // Invariant behind `@unchecked`: `isRunning` is touched on `eventLoop` only.

    let eventLoop: any EventLoop
    private var isRunning = false

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.eventLoop.inEventLoop, !self.isRunning {
            self.run(job)
        } else {
            self.eventLoop.execute { self.run(job) }
        }
    }

    private func run(_ job: UnownedJob) {
        self.isRunning = true
        job.runSynchronously(on: self.asUnownedTaskExecutor())
        self.isRunning = false
    }
}
