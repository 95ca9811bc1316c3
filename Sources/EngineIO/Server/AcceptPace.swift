import NIOCore

/// Decides when a listener accepts again, so that the loop serves several connections at a time if many arrive.
///
/// A connection that arrives alone wakes the loop three times, and each time the code and data for it have left the
/// processor's caches. So connections wait for each other while many arrive, for a moment that no client notices. If few
/// arrive, the listener accepts each at once. A client that opens one connection after the other is one of few.
struct AcceptPace {
    /// The longest time that a connection waits for others.
    static let wait = TimeAmount.milliseconds(2)
    /// How many connections have to arrive in that time before the next ones wait.
    static let crowd = 3
    /// How long no connection waits after one has waited for others that did not come.
    static let respite = TimeAmount.milliseconds(100)

    private var countsUntil = NIODeadline.uptimeNanoseconds(0)
    private var restsUntil = NIODeadline.uptimeNanoseconds(0)
    /// How many connections were accepted since the count began.
    private var count = 0
    /// Whether the connections that are accepted now have waited for each other.
    private var haveWaited = false

    /// Says how long the next connections wait, now that some were accepted.
    ///
    /// - Parameters:
    ///   - accepted: How many were accepted.
    ///   - most: How many one read can accept. If it accepted that many, more may be there already.
    ///   - now: The time.
    /// - Returns: `nil` if the listener accepts the next ones at once.
    mutating func wait(after accepted: Int, of most: Int, at now: NIODeadline) -> TimeAmount? {
        guard accepted > 0 else { return nil }
        if !self.haveWaited, now >= self.countsUntil {
            self.countsUntil = now + Self.wait
            self.count = 0
        }
        self.count += accepted
        guard accepted < most, now >= self.restsUntil else { return nil }
        let isCrowd = self.count >= (self.haveWaited ? 2 : Self.crowd)
        if self.haveWaited {
            self.count = 0
            if !isCrowd { self.restsUntil = now + Self.respite }
        } else if isCrowd {
            self.count = 0
        }
        self.haveWaited = isCrowd
        return isCrowd ? Self.wait : nil
    }
}
