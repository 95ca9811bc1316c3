import NIOCore

/// Counts how many packets without data a client sends in a second: pings, pongs, and others that cost the server time
/// and carry nothing.
struct ControlRate {
    private var second: UInt32 = 0
    private var count: UInt32 = 0

    /// Counts some more.
    ///
    /// - Returns: Whether this second has more of them than the limit.
    mutating func exceeds(_ limit: Int, adding number: Int, at now: NIODeadline) -> Bool {
        let second = UInt32(truncatingIfNeeded: now.uptimeNanoseconds / 1_000_000_000)
        if second != self.second {
            self.second = second
            self.count = 0
        }
        self.count = UInt32(clamping: Int(self.count) + number)
        return Int(self.count) > limit
    }
}
