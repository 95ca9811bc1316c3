import NIOCore

/// Gives an endpoint a rest that fails again and again, and asks it again with a single request.
///
/// It decides only. Time and chance come in as arguments.
struct CircuitBreaker: Sendable {
    /// When it acts.
    struct Settings: Sendable, Hashable {
        /// After how many failures in a row the endpoint gets a rest.
        var failures = 5
        /// How long the first rest is; each further one is twice as long, up to ``longestPause``.
        var pause = TimeAmount.seconds(10)
        /// The longest rest.
        var longestPause = TimeAmount.minutes(5)
    }

    private enum State: Sendable, Hashable {
        /// All is well, but for so many failures in a row.
        case closed(failures: Int)
        /// The endpoint rests.
        ///
        /// `openings` counts the rests since it was well.
        case open(until: NIODeadline, openings: Int)
        /// One request finds out whether the endpoint is well again.
        case probing(openings: Int)
    }

    /// How many requests may be begun.
    enum Permission: Sendable, Hashable {
        case any
        /// One, to find out.
        case one
        /// None, until then; `nil` if a request under way decides.
        case none(until: NIODeadline?)
    }

    /// What a result changes for those who watch.
    enum Change: Sendable, Hashable { case opened, closed, none }

    private var state = State.closed(failures: 0)

    /// How many requests may be begun now.
    func permission(at now: NIODeadline) -> Permission {
        switch self.state {
        case .closed: .any
        case .open(let until, _): now < until ? .none(until: until) : .one
        case .probing: .none(until: nil)
        }
    }

    /// How long events that cannot wait are refused; `nil` if they are not.
    func rest(at now: NIODeadline) -> TimeAmount? {
        guard case .open(let until, _) = self.state, now < until else { return nil }
        return until - now
    }

    var isClosed: Bool { if case .closed = self.state { true } else { false } }

    /// A request begins that was permitted.
    mutating func began() {
        guard case .open(_, let openings) = self.state else { return }
        self.state = .probing(openings: openings)
    }

    /// The endpoint has answered.
    mutating func succeeded() -> Change {
        let wasClosed = self.isClosed
        self.state = .closed(failures: 0)
        return wasClosed ? .none : .closed
    }

    /// The endpoint has failed.
    ///
    /// - Parameters:
    ///   - now: The time.
    ///   - chance: A random number from 0 to 1, so that not all nodes ask again in the same moment.
    ///   - settings: When to act.
    /// - Returns: Whether the rest begins.
    mutating func failed(at now: NIODeadline, chance: Double, _ settings: Settings) -> Change {
        switch self.state {
        case .closed(let failures) where failures + 1 < settings.failures:
            self.state = .closed(failures: failures + 1)
            return .none
        case .closed:
            self.open(0, at: now, chance: chance, settings)
            return .opened
        case .probing(let openings):
            self.open(openings, at: now, chance: chance, settings)
            return .none
        case .open:
            // A request that was under way when the rest began.
            return .none
        }
    }

    private mutating func open(_ openings: Int, at now: NIODeadline, chance: Double, _ settings: Settings) {
        let delay = Backoff(first: settings.pause, longest: settings.longestPause).delay(openings, chance: chance)
        self.state = .open(until: now + delay, openings: openings + 1)
    }
}

/// Delays that double, with a share of chance.
struct Backoff: Sendable, Hashable {
    var first: TimeAmount
    var longest: TimeAmount

    /// The delay after so many earlier ones: from half of what doubling gives up to the whole.
    func delay(_ earlier: Int, chance: Double) -> TimeAmount {
        // More doublings than this are beyond every `longest`.
        let factor = Double(UInt64(1) << UInt64(min(max(earlier, 0), 40)))
        let whole = min(Double(self.first.nanoseconds) * factor, Double(self.longest.nanoseconds))
        return .nanoseconds(Int64(whole * (0.5 + 0.5 * min(max(chance, 0), 1))))
    }
}
