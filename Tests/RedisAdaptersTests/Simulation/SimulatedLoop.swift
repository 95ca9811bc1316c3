import Dispatch
import NIOCore

/// A node's event loop in a simulated world.
final class SimulatedLoop: EventLoop {
    let world: SimulatedWorld
    let place: SimulatedWorld.Place

    init(_ world: SimulatedWorld, node: Int) {
        self.world = world
        self.place = .node(node)
    }

    /// Everything happens in one thread.
    var inEventLoop: Bool { true }
    var now: NIODeadline { .uptimeNanoseconds(UInt64(self.world.now)) }

    func execute(_ task: @escaping @Sendable () -> Void) { self.world.schedule(self.place, at: self.world.now, task) }

    func scheduleTask<T>(deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        let promise = self.makePromise(of: T.self)
        let number = self.world.schedule(self.place, at: Int64(deadline.uptimeNanoseconds)) {
            do { promise.assumeIsolated().succeed(try task()) } catch { promise.fail(error) }
        }
        return Scheduled(promise: promise) { [world] in world.cancel(number) }
    }

    func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        self.scheduleTask(deadline: self.now + delay, task)
    }

    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        queue.async { callback(nil) }
    }
}

/// Runs a node's tasks when the simulated world comes to them.
final class SimulatedExecutor: TaskExecutor {
    private let world: SimulatedWorld
    private let place: SimulatedWorld.Place

    init(_ loop: SimulatedLoop) {
        self.world = loop.world
        self.place = loop.place
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.world.schedule(self.place, at: self.world.now) {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
