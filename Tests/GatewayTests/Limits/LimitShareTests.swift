import NIOCore
import SocketIOWire
import Testing

@testable import Gateway

/// What nodes grant together, by a clock that the tests turn.
@Suite(.timeLimit(.minutes(1)))
struct LimitShareTests {
    enum Skew: String, CaseIterable {
        case even
        case mostOnOne
        case allOnOne
        case moving
        case twoAndTwo

        /// The part of the whole that a node has.
        func part(_ node: Int, _ second: Int) -> Double {
            switch self {
            case .even: 0.25
            case .mostOnOne: node == 0 ? 0.91 : 0.03
            case .allOnOne: node == 2 ? 1 : 0
            case .moving: (second / 5) % 4 == node ? 0.97 : 0.01
            case .twoAndTwo: node < 2 ? 0.45 : 0.05
            }
        }
    }

    /// Within a tenth of what the bucket holds and what comes in the time.
    private func expectWithin(
        _ simulation: LimitSimulation,
        seconds: Int,
        _ comment: String,
        at place: SourceLocation = #_sourceLocation
    ) {
        let allowed = simulation.rate.capacity + simulation.rate.perSecond * Double(seconds)
        let got = Double(simulation.granted) / allowed
        #expect((0.9...1.1).contains(got), "\(comment): \(simulation.granted) of \(allowed)", sourceLocation: place)
    }

    @Test(arguments: Skew.allCases, [2.0, 20, 300])
    func fourNodesTogetherKeepTheLimit(_ skew: Skew, perSecond: Double) {
        for seed in 1...4 as ClosedRange<UInt64> {
            let rate = LimitRate(perSecond: perSecond, capacity: perSecond * 10)
            var simulation = LimitSimulation(nodes: 4, rate: rate, seed: seed)
            simulation.run(seconds: 60) { perSecond * 3 * skew.part($0, $1) }
            self.expectWithin(simulation, seconds: 60, "\(skew) \(perSecond)/s, seed \(seed)")
        }
    }

    /// Buckets that hold less than the nodes are.
    @Test(arguments: Skew.allCases)
    func slowLimitsAreKeptToo(_ skew: Skew) {
        for seed in 1...4 as ClosedRange<UInt64> {
            var simulation = LimitSimulation(nodes: 4, rate: LimitRate(perSecond: 0.2, capacity: 2), seed: seed)
            simulation.run(seconds: 600) { 4 * skew.part($0, $1) }
            self.expectWithin(simulation, seconds: 600, "\(skew), seed \(seed)")
        }
    }

    @Test(arguments: Skew.allCases)
    func whoStaysWithinTheLimitIsNotRefused(_ skew: Skew) {
        for seed in 1...4 as ClosedRange<UInt64> {
            let rate = LimitRate(perSecond: 100, capacity: 1000)
            var simulation = LimitSimulation(nodes: 4, rate: rate, seed: seed)
            simulation.run(seconds: 60) { 80 * skew.part($0, $1) }
            #expect(Double(simulation.granted) >= 0.995 * Double(simulation.wanted), "\(skew), seed \(seed)")
        }
    }

    /// With the buckets away each node goes on with its last share, and all together still keep the limit.
    @Test(arguments: [Skew.even, .mostOnOne, .allOnOne, .twoAndTwo])
    func nodesGoOnWithTheirLastShares(_ skew: Skew) {
        for seed in 1...4 as ClosedRange<UInt64> {
            let rate = LimitRate(perSecond: 50, capacity: 500)
            var simulation = LimitSimulation(nodes: 4, rate: rate, seed: seed)
            simulation.run(seconds: 90, outage: 20..<60) { 150 * skew.part($0, $1) }
            self.expectWithin(simulation, seconds: 90, "\(skew), seed \(seed)")
            var before = LimitSimulation(nodes: 4, rate: rate, seed: seed)
            before.run(seconds: 20) { 150 * skew.part($0, $1) }
            #expect(simulation.granted - before.granted > 2500, "clients are served during the outage")
        }
    }

    /// Who has more clients gets more.
    @Test func sharesFollowDemand() {
        var simulation = LimitSimulation(nodes: 4, rate: LimitRate(perSecond: 100, capacity: 100), seed: 7)
        simulation.run(seconds: 60) { 400 * Skew.mostOnOne.part($0, $1) }
        #expect(simulation.grants[0] > 4 * simulation.grants[1])
        #expect(simulation.grants[1...].allSatisfy { $0 > 0 }, "\(simulation.grants)")
    }

    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// What is said of the time to wait is true: then the wish is granted.
    @Test(arguments: [1, 3, 10, 1000])
    func theTimeToWaitIsRight(_ cost: Int) {
        var shares = LimitShares(capacity: 10)
        let rate = LimitRate(perSecond: 2, capacity: 10)
        let key = LimitKey(scope: .user, action: .bytes, subject: "1")
        var now = Self.start
        var refusals = 0
        for _ in 0..<20 {
            guard case .refused(let wait) = shares.take(key, rate, cost, at: now) else { continue }
            refusals += 1
            #expect(wait <= 5001)
            let before = now + .milliseconds(Int64(max(wait - 2, 0)))
            #expect(shares.take(key, rate, cost, at: before) != .taken(isUrgent: false))
            now = now + .milliseconds(Int64(wait))
            #expect(shares.take(key, rate, cost, at: now) == .taken(isUrgent: false))
        }
        #expect(refusals > 0)
    }

    @Test func aWishThatIsGivenBackCostsNothing() {
        var shares = LimitShares(capacity: 10)
        let rate = LimitRate(perSecond: 1, capacity: 2)
        let key = LimitKey(scope: .tenant, action: .joins, subject: "t")
        for _ in 0..<5 {
            #expect(shares.take(key, rate, 2, at: Self.start) == .taken(isUrgent: false))
            shares.giveBack(key, rate, 2)
        }
        #expect(shares.report(atMost: 10, at: Self.start).map(\.spent) == [0])
    }

    /// A hostile peer makes as many keys as it likes.
    @Test func memoryIsBounded() {
        var shares = LimitShares(capacity: 1000)
        var now = Self.start
        let rate = LimitRate(perSecond: 0.1, capacity: 10)
        for index in 0..<20_000 {
            let key = LimitKey(scope: .address, action: .connections, subject: UTF8Text("\(index)"))
            _ = shares.take(key, rate, 1 + index % 9, at: now)
            #expect(shares.count <= 1000)
            guard index.isMultiple(of: 700) else { continue }
            let report = shares.report(atMost: 100, at: now)
            #expect(report.count <= 100)
            if index.isMultiple(of: 1400) { shares.failed(at: now) } else { shares.goOnAlone(at: now) }
            now = now + .seconds(1)
        }
        var pool = LimitPool()
        for index in 0..<150 {
            let buckets = (0..<1000).map {
                LimitReport.Bucket(name: "\(index)/\($0)", rate: rate, spent: Double($0 % 7), demand: 1)
            }
            let answer = pool.exchange(LimitReport(node: "\(index)", buckets: buckets), at: Double(index) / 100)
            #expect(answer.buckets.count == 1000)
            #expect(pool.count <= LimitPool.capacity)
        }
    }

    /// Buckets that are full again are forgotten first, and the others keep what they know.
    @Test func spentBucketsOutliveFullOnes() {
        var shares = LimitShares(capacity: 4)
        let rate = LimitRate(perSecond: 1, capacity: 10)
        func key(_ name: String) -> LimitKey { LimitKey(scope: .user, action: .joins, subject: UTF8Text(name)) }
        #expect(shares.take(key("greedy"), rate, 10, at: Self.start) == .taken(isUrgent: false))
        for name in ["a", "b", "c"] { _ = shares.take(key(name), rate, 1, at: Self.start) }
        _ = shares.report(atMost: 10, at: Self.start)
        shares.failed(at: Self.start)
        let later = Self.start + .seconds(2)
        for name in ["d", "e"] { _ = shares.take(key(name), rate, 1, at: later) }
        guard case .refused = shares.take(key("greedy"), rate, 10, at: later) else {
            Issue.record("the bucket of who has spent everything was forgotten")
            return
        }
    }
}
