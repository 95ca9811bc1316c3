import NIOConcurrencyHelpers
import NIOCore

/// Measures how late an event loop is: once a second, how long after its time a task is run.
///
/// A loop that is late keeps all its clients waiting that long.
final class LoopLag: Sendable {
    static let interval = TimeAmount.seconds(1)

    private struct State {
        var timer: Scheduled<Void>?
        var isStopped = false
    }

    private let eventLoop: any EventLoop
    private let report: @Sendable (TimeAmount) -> Void
    private let state = NIOLockedValueBox(State())

    init(_ eventLoop: any EventLoop, report: @escaping @Sendable (TimeAmount) -> Void) {
        self.eventLoop = eventLoop
        self.report = report
    }

    func start() {
        let deadline = self.eventLoop.now + Self.interval
        self.state.withLockedValue { state in
            guard !state.isStopped else { return }
            state.timer = self.eventLoop.scheduleTask(deadline: deadline) { [weak self] in
                guard let self else { return }
                self.report(max(.zero, self.eventLoop.now - deadline))
                self.start()
            }
        }
    }

    func stop() {
        self.state.withLockedValue { state in
            state.isStopped = true
            defer { state.timer = nil }
            return state.timer
        }?.cancel()
    }
}
