import NIOCore

/// When to ask a silent Redis whether it is still there, and when to take it for dead.
///
/// TCP alone tells nothing: to a frozen process or a cut cable it looks like a peer that has nothing to say.
struct KeepAlive {
    enum Action: Equatable {
        case none
        case ping
        case dead
    }

    private let interval: TimeAmount
    private var lastHeard: NIODeadline
    private var isPinging = false

    init(interval: TimeAmount, now: NIODeadline) {
        self.interval = interval
        self.lastHeard = now
    }

    mutating func heard(at now: NIODeadline) {
        self.lastHeard = now
        self.isPinging = false
    }

    /// When to call ``timerFired(at:)`` next.
    var wakeAt: NIODeadline {
        self.isPinging ? self.lastHeard + self.interval + self.interval : self.lastHeard + self.interval
    }

    mutating func timerFired(at now: NIODeadline) -> Action {
        guard now >= self.wakeAt else { return .none }
        if self.isPinging { return .dead }
        self.isPinging = true
        return .ping
    }
}
