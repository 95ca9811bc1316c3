import NIOCore

/// Decides when to ask Redis whether it is still there and still a primary, and when it counts as dead.
///
/// TCP alone does not tell. A frozen process or a cut cable looks like a peer that has nothing to say. The question is
/// also asked on a busy connection, because a Redis that has become a replica still answers.
///
/// A process that was frozen has heard nothing because it did not listen. When it wakes, everything that Redis sent
/// meanwhile waits to be read; it must not be thrown away with the connection.
struct KeepAlive {
    enum Action: Equatable {
        case none
        /// Send the question.
        case ask
        case dead
    }

    private let interval: TimeAmount
    private(set) var lastHeard: NIODeadline
    private var lastAsked: NIODeadline
    private var isAsking = false
    private var excusedUntil: NIODeadline

    init(interval: TimeAmount, now: NIODeadline) {
        self.interval = interval
        self.lastHeard = now
        self.lastAsked = now
        self.excusedUntil = now
    }

    mutating func heard(at now: NIODeadline) {
        self.lastHeard = now
        self.isAsking = false
    }

    /// When to call ``timerFired(at:isExcused:)`` next.
    var wakeAt: NIODeadline {
        guard self.isAsking else { return self.lastAsked + self.interval }
        return max(self.lastHeard + self.interval + self.interval, self.lastAsked + self.interval, self.excusedUntil)
    }

    /// The time is ``wakeAt``, or later.
    ///
    /// - Parameters:
    ///   - now: The time.
    ///   - isExcused: Whether something else shows that Redis is alive and only slow to execute commands (`CLIENT
    ///     PAUSE`). This counts for six intervals.
    /// - Returns: What to do.
    mutating func timerFired(at now: NIODeadline, isExcused: Bool = false) -> Action {
        guard now >= self.wakeAt else { return .none }
        guard self.isAsking else {
            self.isAsking = true
            self.lastAsked = now
            return .ask
        }
        // Who looks that late was frozen himself, and looks again when he has read what came.
        guard now < self.wakeAt + self.interval else {
            self.excusedUntil = now + self.interval
            return .none
        }
        guard isExcused, now - self.lastHeard < .nanoseconds(self.interval.nanoseconds * 6) else { return .dead }
        self.excusedUntil = now + self.interval
        return .none
    }
}
