import EngineIO
import NIOCore
import Synchronization

/// How far one loop is with a namespace's logged events, which every loop handles in their order.
final class LogPosition: Sendable {
    private struct State {
        var last = 0
        var deferred = 0
    }

    private let state: LoopBound<State>
    /// Events on their way to the loop's sockets: counted up by whoever holds the log, down on the loop.
    let inFlight = Atomic<Int>(0)

    init(eventLoop: any EventLoop) { self.state = LoopBound(State(), eventLoop: eventLoop) }

    /// The number of the last event handled on the loop.
    var last: Int {
        get { self.state.value.last }
        set { self.state.value.last = newValue }
    }

    /// What the loop has asked itself for that waits behind events of other threads.
    var deferred: Int {
        @inline(__always)
        get { self.state.value.deferred }
        set { self.state.value.deferred = newValue }
    }

    /// An event that was sent on the loop is about to be dealt with there at once; for whoever holds the log.
    ///
    /// - Returns: Whether that is possible: nothing is on its way that comes before it.
    func begin() -> Bool {
        guard self.deferred == 0, self.inFlight.load(ordering: .relaxed) == 0 else { return false }
        self.inFlight.store(1, ordering: .relaxed)
        return true
    }

    /// An event has been dealt with on the loop.
    func end(_ event: LoggedEvent) {
        self.last = event.number
        self.inFlight.wrappingSubtract(1, ordering: .relaxed)
    }
}
