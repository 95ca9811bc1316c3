/// When a key set that lies elsewhere is fetched.
///
/// Times are seconds of a clock that may be set back.
struct KeySetSchedule: Sendable, Hashable {
    enum Decision: Sendable, Hashable {
        /// What is known is good enough.
        case nothing
        /// Fetch, and wait for it.
        case fetch
        /// Fetch, and go on with what is known.
        case fetchMeanwhile
    }

    /// The least time between two attempts.
    static let interval = 60.0
    /// The same as long as there are no keys at all.
    static let firstInterval = 5.0
    /// For how long keys are good if their server says nothing.
    static let usualAge = 600.0
    /// The shortest and the longest time for which keys are good, whatever their server says.
    static let ages = 60.0...86_400.0

    private var hasKeys = false
    private var lastAttempt: Double?
    private var freshUntil = -Double.infinity

    /// A token has arrived.
    mutating func tokenArrived(at now: Double) -> Decision {
        if self.hasKeys, now < self.freshUntil, now >= self.freshUntil - Self.ages.upperBound { return .nothing }
        guard self.begin(at: now) else { return .nothing }
        return self.hasKeys ? .fetchMeanwhile : .fetch
    }

    /// A token names a key that is not among those that are known.
    mutating func keyIsUnknown(at now: Double) -> Decision { self.begin(at: now) ? .fetch : .nothing }

    /// The keys were fetched.
    mutating func succeeded(maximumAge: Double?, at now: Double) {
        self.hasKeys = true
        let age = maximumAge ?? Self.usualAge
        self.freshUntil = now + min(max(age, Self.ages.lowerBound), Self.ages.upperBound)
    }

    private mutating func begin(at now: Double) -> Bool {
        if let last = self.lastAttempt {
            let wait = self.hasKeys ? Self.interval : Self.firstInterval
            guard now >= last + wait || now < last else { return false }
        }
        self.lastAttempt = now
        return true
    }
}
