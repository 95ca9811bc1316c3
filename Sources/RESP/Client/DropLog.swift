import NIOCore

/// Decides when to log that publishes are dropped: once a minute for each reason, with the number since the last time.
struct DropLog {
    private var untold: [RESPMetrics.DropReason: (count: Int, toldAt: NIODeadline)] = [:]

    /// Counts so many more.
    ///
    /// - Returns: How many to tell now, if any.
    mutating func add(_ count: Int, _ reason: RESPMetrics.DropReason, at now: NIODeadline) -> Int? {
        guard let before = self.untold[reason] else {
            self.untold[reason] = (0, now)
            return count
        }
        let all = before.count + count
        guard now - before.toldAt >= .minutes(1) else {
            self.untold[reason] = (all, before.toldAt)
            return nil
        }
        self.untold[reason] = (0, now)
        return all
    }
}
