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
    /// The events on their way to the loop's sockets, counted up with the log's lock held, and down on the loop.
    let inFlight = Atomic<Int>(0)

    init(eventLoop: any EventLoop) { self.state = LoopBound(State(), eventLoop: eventLoop) }

    /// The number of the last event handled on the loop.
    var last: Int {
        get { self.state.value.last }
        set { self.state.value.last = newValue }
    }

    /// How many things that the loop has asked itself for wait behind events of other threads.
    var deferred: Int {
        @inline(__always)
        get { self.state.value.deferred }
        set { self.state.value.deferred = newValue }
    }

    /// Begins to deal with an event at once on the loop on which it was sent; call it with the log's lock held.
    ///
    /// - Returns: Whether that is possible, because no earlier event is on its way.
    func begin() -> Bool {
        guard self.deferred == 0, self.inFlight.load(ordering: .relaxed) == 0 else { return false }
        self.inFlight.store(1, ordering: .relaxed)
        return true
    }

    /// Takes note that an event has been dealt with on the loop.
    func end(_ event: LoggedEvent) {
        self.last = event.number
        self.inFlight.wrappingSubtract(1, ordering: .relaxed)
    }
}
