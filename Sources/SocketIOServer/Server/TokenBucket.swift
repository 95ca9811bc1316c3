package import NIOCore

/// How much of a ``RateLimit`` is used up: eight bytes, no timer.
package struct TokenBucket: Sendable {
    /// When the bucket will be full again, in nanoseconds of the loop's clock.
    private var fullAt: UInt64 = 0

    package init() {}

    package enum Answer: Equatable, Sendable {
        case taken
        /// Too few tokens; there will be enough after that many milliseconds.
        case refused(milliseconds: Int)
    }

    /// Takes tokens if there are enough.
    package mutating func take(_ count: Int, of rate: RateLimit, at now: NIODeadline) -> Answer {
        let now = now.uptimeNanoseconds
        let next = max(self.fullAt, now) &+ Self.duration(count, rate)
        let latest = now &+ Self.duration(rate.burst, rate)
        guard next > latest else {
            self.fullAt = next
            return .taken
        }
        return .refused(milliseconds: Int((next &- latest) / 1_000_000) + 1)
    }

    /// Takes tokens that are spent already, be they there or not: what is missing is a debt.
    mutating func spend(_ count: Int, of rate: RateLimit, at now: NIODeadline) {
        let now = now.uptimeNanoseconds
        self.fullAt = min(max(self.fullAt, now) &+ Self.duration(count, rate), now &+ Self.longest)
    }

    /// The time until no debt is left; `nil` if there is none.
    func debt(of rate: RateLimit, at now: NIODeadline) -> TimeAmount? {
        var copy = self
        guard case .refused(let milliseconds) = copy.take(0, of: rate, at: now) else { return nil }
        return .milliseconds(Int64(milliseconds))
    }

    /// A hundred years in nanoseconds: sums of a few of these don't overflow.
    private static let longest: UInt64 = 3_000_000_000_000_000_000

    /// The time in which so many tokens come.
    private static func duration(_ count: Int, _ rate: RateLimit) -> UInt64 {
        let seconds = min(Double(count) / Double(rate.perSecond), 3.0e9)
        return UInt64(seconds * 1e9)
    }
}
