/// A point in time in the extension type −1.
package struct MessagePackTimestamp: Hashable, Sendable {
    /// Seconds since 1970, rounded down.
    package var seconds: Int64
    /// Nanoseconds to add to them.
    ///
    /// They are more than a second only if a peer wrote it so.
    package var nanoseconds: UInt32

    package init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    package init(milliseconds: Int64) {
        let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        self.seconds = remainder < 0 ? quotient - 1 : quotient
        self.nanoseconds = UInt32(remainder < 0 ? remainder + 1000 : remainder) * 1_000_000
    }

    /// Milliseconds since 1970, rounded towards 1970 as in JavaScript; `nil` if they do not fit.
    package var milliseconds: Int64? {
        let (whole, overflow) = self.seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return nil }
        let (part, rest) = self.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let (sum, sumOverflow) = whole.addingReportingOverflow(Int64(part))
        guard !sumOverflow else { return nil }
        return sum < 0 && rest > 0 ? sum + 1 : sum
    }

    /// The text that JavaScript's `Date` writes (`1970-01-01T00:00:00.000Z`); `nil` if JavaScript has no such date.
    package var iso8601: String? {
        self.milliseconds.flatMap { Int(exactly: $0) }.flatMap { ISO8601.string(milliseconds: $0) }
    }
}

extension MessagePackTimestamp: CustomStringConvertible {
    package var description: String { self.iso8601 ?? "Invalid Date" }
}
