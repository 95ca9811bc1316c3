import SocketIOWire

/// How many events of each type there were on this node, and how many lately.
struct EventCounters: Sendable {
    /// What can be told of them.
    struct Reading: Sendable {
        var total: Int
        /// In the order of the types' bytes.
        var byType: [(type: UTF8Text, count: Int)]
        /// Unix time in seconds.
        var lastReset: Double
        /// Over the last minute, or since the last reset if that is shorter.
        var perSecond: Double
    }

    /// How many types are told apart.
    ///
    /// The application names types, so there may be many.
    static let maximumTypes = 64
    static let otherTypes: UTF8Text = "other"
    private static let seconds = 60

    private var total = 0
    private var byType: [UTF8Text: Int] = [:]
    private var lastReset: Double
    /// How many events each of the last seconds had; that of second `n` is at `n % 60`.
    private var buckets = [Int](repeating: 0, count: Self.seconds)
    /// The last second that has a bucket.
    private var newest: Int

    init(now: Double) {
        self.lastReset = now
        self.newest = Self.second(now)
    }

    mutating func count(_ type: UTF8Text, at now: Double) {
        self.advance(to: Self.second(now))
        self.buckets[self.newest % Self.seconds] += 1
        self.total += 1
        let isKnown = self.byType[type] != nil || self.byType.count < Self.maximumTypes
        self.byType[isKnown ? type : Self.otherTypes, default: 0] += 1
    }

    mutating func reset(at now: Double) { self = EventCounters(now: now) }

    mutating func reading(at now: Double) -> Reading {
        self.advance(to: Self.second(now))
        let span = min(Double(Self.seconds), max(1, now - self.lastReset))
        return Reading(
            total: self.total,
            byType: self.byType.map { (type: $0.key, count: $0.value) }.sorted { $0.type < $1.type },
            lastReset: self.lastReset,
            perSecond: Double(self.buckets.reduce(0, +)) / span
        )
    }

    /// Empties the buckets of the seconds that have passed; a clock that goes back changes nothing.
    private mutating func advance(to second: Int) {
        guard second > self.newest else { return }
        for passed in 1...min(Self.seconds, second - self.newest) {
            self.buckets[(self.newest + passed) % Self.seconds] = 0
        }
        // More than a minute: all are empty.
        if second - self.newest > Self.seconds { self.buckets = [Int](repeating: 0, count: Self.seconds) }
        self.newest = second
    }

    private static func second(_ now: Double) -> Int { Int(max(0, min(now, 9e15))) }
}
