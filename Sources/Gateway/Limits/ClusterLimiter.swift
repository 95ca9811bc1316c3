import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// Limits what clients do, together with the other nodes.
///
/// A wish is granted or refused by what this node knows; it never waits for the other nodes. Once in a second the node
/// reports what was spent.
final class ClusterLimiter: Sendable {
    /// How often the node reports.
    static let period = TimeAmount.seconds(1)
    /// The least time between two reports.
    static let urgentPeriod = TimeAmount.milliseconds(100)
    /// How long a node with nothing to report may say nothing.
    static let silence = TimeAmount.seconds(5)
    /// The most buckets of one report.
    static let reportSize = 1024
    /// The most buckets that this node keeps.
    static let capacity = 65_536
    private static let shardCount = 8

    private struct Exchange {
        var isUnderWay = false
        var isScheduled = false
        var last: NIODeadline?
    }

    /// Each has a part of the buckets, so that loops seldom wait for each other.
    private let shards: [NIOLockedValueBox<LimitShares>]
    private let exchange = NIOLockedValueBox(Exchange())
    private let node: String
    private let ledger: any ClusterLimits
    private let eventLoop: any EventLoop
    private let incidents: IncidentLog

    init(ledger: any ClusterLimits, eventLoop: any EventLoop, incidents: IncidentLog) {
        self.shards = (0..<Self.shardCount).map { _ in
            NIOLockedValueBox(LimitShares(capacity: Self.capacity / Self.shardCount))
        }
        self.node = String(UInt64.random(in: .min ... .max), radix: 36)
        self.ledger = ledger
        self.eventLoop = eventLoop
        self.incidents = incidents
    }

    /// Begins to report.
    ///
    /// It ends when nobody has the limiter any more, or with the loop.
    func start() {
        self.report()
        self.eventLoop.scheduleRepeatedTask(initialDelay: Self.period, delay: Self.period) { [weak self] task in
            guard let self else { return task.cancel() }
            self.tick()
        }
    }

    // MARK: Wishes

    /// Takes what a wish costs out of the buckets of everybody to whom it counts, or out of none.
    ///
    /// - Returns: The milliseconds to wait if it is refused; `nil` if it is granted.
    func take(
        _ action: LimitedAction,
        _ count: Int = 1,
        of subjects: LimitSubjects,
        _ rates: ClusterRates,
        at now: NIODeadline
    ) -> Int? {
        var isUrgent = false
        var taken: [(LimitKey, LimitRate)] = []
        defer { if isUrgent { self.hurry() } }
        for scope in LimitScope.allCases {
            guard let rate = rates.rate(scope, action), let subject = subjects.subject(scope, action) else { continue }
            let key = LimitKey(scope: scope, action: action, subject: subject)
            switch self.shard(of: key).withLockedValue({ $0.take(key, rate, count, at: now) }) {
            case .taken(let soon):
                isUrgent = isUrgent || soon
                taken.append((key, rate))
            case .refused(let milliseconds):
                for (key, rate) in taken { self.shard(of: key).withLockedValue { $0.giveBack(key, rate, count) } }
                return milliseconds
            }
        }
        return nil
    }

    private func shard(of key: LimitKey) -> NIOLockedValueBox<LimitShares> {
        self.shards[Int(UInt(bitPattern: key.hashValue) % UInt(Self.shardCount))]
    }

    /// How many buckets this node keeps.
    var count: Int { self.shards.reduce(0) { $0 + $1.withLockedValue { $0.count } } }

    // MARK: Reports

    private func hurry() {
        let delay: TimeAmount? = self.exchange.withLockedValue { exchange in
            guard !exchange.isScheduled, !exchange.isUnderWay else { return nil }
            exchange.isScheduled = true
            let next = (exchange.last ?? self.eventLoop.now) + Self.urgentPeriod
            return max(next - self.eventLoop.now, .zero)
        }
        guard let delay else { return }
        self.eventLoop.scheduleTask(in: delay) { [weak self] in
            self?.exchange.withLockedValue { $0.isScheduled = false }
            self?.report()
        }
    }

    private func tick() {
        let now = self.eventLoop.now
        guard self.exchange.withLockedValue({ $0.isUnderWay }) else { return self.report() }
        // No answer in a whole period: the node keeps its shares until there is one.
        for shard in self.shards { shard.withLockedValue { $0.goOnAlone(at: now) } }
    }

    private func report() {
        guard let report = self.nextReport() else { return }
        Task { await self.send(report) }
    }

    /// Reports now, and returns when the answer has come.
    func exchangeNow() async {
        guard let report = self.nextReport() else { return }
        await self.send(report)
    }

    /// What is to be reported; `nil` if a report is under way, or if there is nothing to say.
    ///
    /// ``send(_:)`` has to follow.
    private func nextReport() -> LimitReport? {
        let now = self.eventLoop.now
        let isFree = self.exchange.withLockedValue { exchange in
            defer { exchange.isUnderWay = true }
            return !exchange.isUnderWay
        }
        guard isFree else { return nil }
        var buckets: [LimitReport.Bucket] = []
        for shard in self.shards {
            buckets += shard.withLockedValue { $0.report(atMost: Self.reportSize / Self.shardCount, at: now) }
        }
        let isSilent = self.exchange.withLockedValue { exchange in
            if buckets.isEmpty, let last = exchange.last, now - last < Self.silence {
                exchange.isUnderWay = false
                return true
            }
            exchange.last = now
            return false
        }
        return isSilent ? nil : LimitReport(node: self.node, buckets: buckets)
    }

    private func send(_ report: LimitReport) async {
        do {
            let answer = try await self.ledger.exchange(report)
            self.answered(answer)
        } catch {
            let now = self.eventLoop.now
            for shard in self.shards { shard.withLockedValue { $0.failed(at: now) } }
            self.incidents.record(
                "The limits of the cluster could not be exchanged; this node goes on with its last shares",
                reason: "exchange",
                pace: .failures,
                details: ["error": "\(error)"]
            )
        }
        self.exchange.withLockedValue { $0.isUnderWay = false }
    }

    private func answered(_ answer: LimitAnswer) {
        let now = self.eventLoop.now
        var rest = answer.buckets[...]
        for shard in self.shards {
            shard.withLockedValue { shares in
                let count = shares.askedCount
                shares.answered(rest.prefix(count), nodes: answer.nodes, at: now)
                rest = rest.dropFirst(count)
            }
        }
    }
}
