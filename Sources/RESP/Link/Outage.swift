import NIOCore

/// A time without Redis: when and why it began, and what was lost.
///
/// The log gets two lines from it, one at the beginning and one at the end.
struct Outage {
    let since: NIODeadline
    /// What was published since then may be lost to our subscriptions; not later than ``since``, as Redis may have thrown
    /// away what it had not sent yet.
    let missingSince: NIODeadline
    private(set) var reason: RESPError
    /// The reasons that have been told, in Redis's words.
    private var told: [RESPError] = []
    private var dropped: [(reason: RESPMetrics.DropReason, count: Int)] = []
    private var released = 0

    /// - Parameters:
    ///   - since: When it began.
    ///   - heardAllBefore: What was published before that has arrived; `nil` if nobody looked.
    ///   - reason: Why it began.
    init(since: NIODeadline, heardAllBefore: NIODeadline? = nil, reason: RESPError) {
        self.since = since
        self.missingSince = min(since, heardAllBefore ?? since)
        self.reason = reason
        self.told = [reason]
    }

    /// The outage continues, now for this reason.
    ///
    /// - Returns: Whether the reason is new: words of Redis that have not been told yet. There are few kinds of them.
    mutating func goesOn(_ reason: RESPError) -> Bool {
        self.reason = reason
        guard reason.serverCode != nil || reason.code == .unsuitable, self.told.count < 8 else { return false }
        let isKnown = self.told.contains {
            $0.code == reason.code
                && ($0.serverCode ?? "").utf8.elementsEqual((reason.serverCode ?? "").utf8)
        }
        guard !isKnown else { return false }
        self.told.append(reason)
        return true
    }

    mutating func dropped(_ count: Int, _ reason: RESPMetrics.DropReason) {
        if let index = self.dropped.firstIndex(where: { $0.reason == reason }) {
            self.dropped[index].count += count
        } else {
            self.dropped.append((reason, count))
        }
    }

    mutating func released(_ count: Int) {
        self.released += count
    }

    /// The summary of the outage.
    ///
    /// - Parameters:
    ///   - end: When Redis was back.
    ///   - missing: How many of the others were not back when the kept messages were sent.
    ///   - hasSubscriptions: Whether this client would have received anything.
    /// - Returns: Names and values, for the log.
    func summary(end: NIODeadline, missing: Int, hasSubscriptions: Bool) -> [(key: String, value: String)] {
        let tenths = max(0, (end - self.since).nanoseconds) / 100_000_000
        let all = self.dropped.reduce(0) { $0 + $1.count }
        var summary = [
            ("outage.seconds", "\(tenths / 10).\(tenths % 10)"), ("outage.reason", self.reason.brief),
            ("publishes.kept", "\(self.released)"), ("publishes.dropped", "\(all)"),
        ]
        if !self.dropped.isEmpty {
            let reasons = self.dropped.map { "\($0.reason.rawValue): \($0.count)" }
            summary.append(("publishes.dropped.reasons", reasons.joined(separator: ", ")))
        }
        if hasSubscriptions {
            // Rounded up: better too much than too little.
            let missed = (max(0, (end - self.missingSince).nanoseconds) + 99_999_999) / 100_000_000
            let seconds = "\(missed / 10).\(missed % 10)"
            summary.append(("missed", "what others published in the last \(seconds) s may not have arrived here"))
        }
        if missing > 0 {
            summary.append(
                ("peers.missing", "\(missing) of the nodes before may not have heard what was kept")
            )
        }
        return summary
    }
}
