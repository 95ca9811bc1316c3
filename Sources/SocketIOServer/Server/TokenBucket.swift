import NIOCore

/// How much of a ``RateLimit`` is used up: eight bytes, no timer.
struct TokenBucket {
    /// When the bucket will be full again, in nanoseconds of the loop's clock.
    private var fullAt: UInt64 = 0

    enum Answer: Equatable {
        case taken
        /// Too few tokens; there will be enough after that many milliseconds.
        case refused(milliseconds: Int)
    }

    /// Takes tokens if there are enough.
    mutating func take(_ count: Int, of rate: RateLimit, at now: NIODeadline) -> Answer {
        let now = now.uptimeNanoseconds
        let next = max(self.fullAt, now) &+ Self.duration(count, rate)
        let latest = now &+ Self.duration(rate.burst, rate)
        guard next > latest else {
            self.fullAt = next
            return .taken
        }
        return .refused(milliseconds: Int((next &- latest) / 1_000_000) + 1)
    }

    /// Takes tokens that are spent already; the debt is never more than another burst.
    mutating func spend(_ count: Int, of rate: RateLimit, at now: NIODeadline) {
        let now = now.uptimeNanoseconds
        let burst = Self.duration(rate.burst, rate)
        self.fullAt = min(max(self.fullAt, now) &+ Self.duration(count, rate), now &+ 2 &* burst)
    }

    /// Whether more is spent than the rate allows, and for how long still.
    func answer(of rate: RateLimit, at now: NIODeadline) -> Answer {
        var copy = self
        return copy.take(0, of: rate, at: now)
    }

    /// The time in which so many tokens come.
    private static func duration(_ count: Int, _ rate: RateLimit) -> UInt64 {
        // A hundred years at most: sums of a few of these don't overflow.
        let seconds = min(Double(count) / Double(rate.perSecond), 3.0e9)
        return UInt64(seconds * 1e9)
    }
}
