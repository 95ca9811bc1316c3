public import NIOCore

extension RESPConfiguration {
    /// The pauses between attempts to connect.
    ///
    /// They begin with `minimum` and double each time, up to `maximum`. Chance makes each pause up to a half shorter.
    public struct Backoff: Sendable, Hashable {
        /// The longest pause after the first failure.
        public var minimum: TimeAmount = .milliseconds(50)
        /// The longest pause of all.
        public var maximum: TimeAmount = .seconds(2)

        /// Makes pauses from 50 ms to 2 s.
        public init() {}

        /// The pause before attempt number `attempt` (0: the first one after a loss); `random` is from 0 up to 1.
        package func delay(attempt: Int, random: Double) -> TimeAmount {
            let doubled =
                Double(self.minimum.nanoseconds)
                * Double(sign: .plus, exponent: min(max(attempt, 0), 40), significand: 1)
            let ceiling = min(doubled, Double(self.maximum.nanoseconds))
            return .nanoseconds(Int64(ceiling * (1 - random / 2)))
        }
    }
}
