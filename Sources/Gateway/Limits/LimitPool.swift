import SocketIOWire

/// The token buckets of a cluster, in memory.
///
/// The script of the module `RedisGateway` calculates the same.
struct LimitPool: Sendable {
    /// How long a node's demand counts.
    static let demandLife = 3.0
    /// How long a node that says nothing counts as a node.
    static let nodeLife = 12.0
    /// The most buckets that are kept.
    static let capacity = 100_000

    private struct Bucket: Sendable {
        var rate: LimitRate
        var level: Double
        /// Seconds.
        var time: Double
        /// What each node has wanted in a second, and when it said so.
        var demands: [UTF8Text: (demand: Double, time: Double)] = [:]

        func level(at now: Double) -> Double {
            min(self.rate.capacity, self.level + self.rate.perSecond * max(0, now - self.time))
        }
    }

    private var buckets: [UTF8Text: Bucket] = [:]
    private var nodes: [UTF8Text: Double] = [:]

    /// How many buckets are kept.
    var count: Int { self.buckets.count }

    /// Handles a report that has come at a time in seconds.
    mutating func exchange(_ report: LimitReport, at now: Double) -> LimitAnswer {
        let node = UTF8Text(report.node)
        self.nodes[node] = now
        self.nodes = self.nodes.filter { $0.value > now - Self.nodeLife }
        if self.buckets.count + report.buckets.count > Self.capacity { self.prune(at: now) }
        let answers = report.buckets.map { self.exchange($0, of: node, at: now) }
        return LimitAnswer(nodes: self.nodes.count, buckets: answers)
    }

    private mutating func exchange(
        _ part: LimitReport.Bucket,
        of node: UTF8Text,
        at now: Double
    ) -> LimitAnswer.Bucket {
        let name = UTF8Text(part.name)
        var bucket = self.buckets[name] ?? Bucket(rate: part.rate, level: part.rate.capacity, time: now)
        bucket.rate = part.rate
        // Each node may have taken one too many.
        let debt = part.rate.capacity + Double(self.nodes.count)
        bucket.level = max(bucket.level(at: now) - part.spent, -debt)
        bucket.time = now
        let before = bucket.demands[node].flatMap { $0.time > now - Self.demandLife ? $0.demand : nil }
        let demand = before.map { ($0 + part.demand) / 2 } ?? part.demand
        bucket.demands = bucket.demands.filter { $0.value.time > now - Self.demandLife }
        bucket.demands[node] = (demand, now)
        let all = bucket.demands.values.reduce(0) { $0 + $1.demand }
        self.buckets[name] = bucket
        return LimitAnswer.Bucket(level: bucket.level, weight: all > 0 ? demand / all : 1)
    }

    /// Forgets full buckets, and then those that are fullest.
    private mutating func prune(at now: Double) {
        self.buckets = self.buckets.filter { $0.value.level(at: now) < $0.value.rate.capacity }
        guard self.buckets.count > Self.capacity / 2 else { return }
        func fullness(_ bucket: Bucket) -> Double { bucket.level(at: now) / bucket.rate.capacity }
        let middle = self.buckets.values.map(fullness).sorted()[self.buckets.count / 2]
        self.buckets = self.buckets.filter { fullness($0.value) < middle }
    }
}
