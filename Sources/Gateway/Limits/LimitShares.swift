import DequeModule
import NIOCore

/// What one node may grant out of the cluster's buckets, and what it has granted.
///
/// It decides by what the node has heard last. A bucket's level rises by itself, and what was spent here goes off. The node
/// takes its weight's part of the level. The weights of all nodes make one, so together they take no more than there is. The
/// first wish since a report may take the whole level, because a part of a small bucket is often less than one wish. What is
/// taken too much so is a debt of the bucket.
///
/// If no answer comes, the node goes on as if all others spent in proportion: it keeps its last share.
struct LimitShares: Sendable {
    /// What a wish gets.
    enum Answer: Equatable, Sendable {
        /// Granted; `isUrgent` if the node should report soon, because the greater part of its share is gone.
        case taken(isUrgent: Bool)
        case refused(milliseconds: Int)
    }

    private struct Share: Sendable {
        var rate: LimitRate
        /// How much the cluster had at `time`, less what this node has spent.
        var level: Double
        var time: NIODeadline
        var weight: Double
        /// Since the last answer, and what of it is reported and not answered yet.
        var spent = 0.0
        var reported = 0.0
        /// What was spent while no report arrived, as far as the bucket can have noticed.
        var owed = 0.0
        var wanted = 0.0
        /// When `wanted` was zero.
        var wantedSince: NIODeadline
        /// Whether it is to be reported.
        var isDirty = false

        /// How much the cluster has, by what this node knows.
        func level(at now: NIODeadline) -> Double {
            let seconds = max(0, LimitShares.seconds(from: self.time, to: now))
            return min(self.rate.capacity, self.level + self.rate.perSecond * seconds)
        }

        /// Lets come what has come since.
        mutating func fill(at now: NIODeadline) {
            self.level = self.level(at: now)
            self.time = max(self.time, now)
        }

        /// How full it is if nobody else spends: 1 is full.
        func fullness(at now: NIODeadline) -> Double { self.level(at: now) / self.rate.capacity }
    }

    /// The most buckets that are kept.
    private let capacity: Int
    /// How many nodes there are, as far as is known.
    private var nodes = 1.0
    private var shares: [LimitKey: Share] = [:]
    /// What is to be reported, in the order in which it changed.
    private var dirty: Deque<LimitKey> = []
    /// What the report that is under way is about.
    private var asked: [LimitKey] = []

    init(capacity: Int) { self.capacity = max(2, capacity) }

    /// How many buckets are kept.
    var count: Int { self.shares.count }

    static func seconds(from start: NIODeadline, to end: NIODeadline) -> Double {
        Double((end - start).nanoseconds) / 1e9
    }

    // MARK: Wishes

    /// Takes out of a bucket what a wish costs.
    mutating func take(_ key: LimitKey, _ rate: LimitRate, _ count: Int, at now: NIODeadline) -> Answer {
        // What costs more than the bucket holds can be had when the bucket is full.
        let cost = min(Double(count), rate.capacity)
        var share = self.share(key, rate, at: now)
        share.wanted += cost
        if !share.isDirty {
            share.isDirty = true
            self.dirty.append(key)
        }
        defer { self.shares[key] = share }
        let whole = share.level + share.spent
        let part = share.weight * whole
        guard part - share.spent >= cost || (share.spent == 0 && whole >= cost) else {
            // The first wish of a period may take the whole.
            let needed = share.spent == 0 ? cost : (cost + share.spent) / share.weight
            let seconds = max(needed - whole, 0) / rate.perSecond
            return .refused(milliseconds: Int(min(seconds, 3600) * 1000) + 1)
        }
        share.spent += cost
        share.level -= cost
        return .taken(isUrgent: share.spent * 2 > part && whole * 4 > rate.capacity && share.weight < 1)
    }

    /// Undoes ``take(_:_:_:at:)``, because another bucket has refused the wish.
    mutating func giveBack(_ key: LimitKey, _ rate: LimitRate, _ count: Int) {
        guard var share = self.shares[key] else { return }
        let cost = min(Double(count), rate.capacity)
        share.spent = max(0, share.spent - cost)
        share.level = min(share.level + cost, share.rate.capacity)
        self.shares[key] = share
    }

    private mutating func share(_ key: LimitKey, _ rate: LimitRate, at now: NIODeadline) -> Share {
        if var share = self.shares[key] {
            // What nobody has wanted for a while has no shares any more.
            if !share.isDirty {
                let silence = Self.seconds(from: share.wantedSince, to: now)
                if silence > LimitPool.demandLife { share.weight = 1 / self.nodes }
                if silence > 1 { share.wantedSince = now }
            }
            share.fill(at: now)
            share.rate = rate
            share.level = min(share.level, rate.capacity)
            return share
        }
        if self.shares.count >= self.capacity { self.prune(at: now) }
        return Share(rate: rate, level: rate.capacity, time: now, weight: 1 / self.nodes, wantedSince: now)
    }

    // MARK: Reports

    /// What is to be reported; the rest waits for the next report.
    ///
    /// Each report is followed by ``answered(_:at:)`` or ``failed(at:)``.
    mutating func report(atMost limit: Int, at now: NIODeadline) -> [LimitReport.Bucket] {
        var buckets: [LimitReport.Bucket] = []
        while buckets.count < limit, let key = self.dirty.popFirst() {
            guard var share = self.shares[key], share.isDirty else { continue }
            // One wish is no flood, so it counts as if it had taken a while.
            let seconds = max(Self.seconds(from: share.wantedSince, to: now), 0.1)
            buckets.append(
                LimitReport.Bucket(
                    name: key.name,
                    rate: share.rate,
                    spent: share.spent + share.owed,
                    demand: share.wanted / seconds
                )
            )
            self.asked.append(key)
            share.reported = share.spent
            share.wanted = 0
            share.wantedSince = now
            share.isDirty = false
            self.shares[key] = share
        }
        return buckets
    }

    /// How many buckets the report that is under way is about.
    var askedCount: Int { self.asked.count }

    /// The answers to what was reported, in its order.
    mutating func answered(_ answers: some Collection<LimitAnswer.Bucket>, nodes: Int, at now: NIODeadline) {
        self.nodes = Double(max(1, nodes))
        for (key, answer) in zip(self.asked, answers) {
            guard var share = self.shares[key] else { continue }
            share.weight = min(max(answer.weight, 1e-6), 1)
            share.spent = max(0, share.spent - share.reported)
            share.reported = 0
            share.owed = 0
            share.level = min(answer.level, share.rate.capacity) - share.spent
            share.time = now
            self.shares[key] = share
        }
        self.asked.removeAll(keepingCapacity: true)
    }

    /// What was reported did not arrive, or nobody knows whether it did.
    mutating func failed(at now: NIODeadline) {
        for key in self.asked { self.goOnAlone(key, at: now) }
        self.asked.removeAll(keepingCapacity: true)
    }

    /// The report that is under way takes too long; what was wanted meanwhile is treated as if it had failed.
    mutating func goOnAlone(at now: NIODeadline) {
        while let key = self.dirty.popFirst() {
            self.shares[key]?.isDirty = false
            self.shares[key]?.wanted = 0
            self.goOnAlone(key, at: now)
        }
    }

    /// Assumes that the others have spent as much in proportion.
    private mutating func goOnAlone(_ key: LimitKey, at now: NIODeadline) {
        guard var share = self.shares[key] else { return }
        share.fill(at: now)
        let others = share.spent / share.weight - share.spent
        share.level = max(share.level - others, -share.rate.capacity - self.nodes)
        share.owed = min(share.owed + share.spent, share.weight * share.rate.capacity)
        share.spent = 0
        share.reported = 0
        self.shares[key] = share
    }

    /// Forgets buckets that are full by now, and those that are fullest if these are too few.
    mutating func prune(at now: NIODeadline) {
        self.shares = self.shares.filter { $0.value.isDirty || $0.value.reported > 0 || $0.value.fullness(at: now) < 1 }
        if self.shares.count >= self.capacity {
            // This is an attack from many addresses. Many are forgotten at once, so that it happens seldom.
            let middle = self.shares.values.map { $0.fullness(at: now) }.sorted()[self.shares.count / 2]
            self.shares = self.shares.filter { $0.value.fullness(at: now) < middle }
        }
        self.dirty.removeAll { self.shares[$0] == nil }
    }
}
