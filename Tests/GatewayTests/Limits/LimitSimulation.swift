import NIOCore
import SocketIOWire

@testable import Gateway

/// Nodes that share one bucket, in a time that is not real.
struct LimitSimulation {
    /// What one node wants in a second, at a second.
    typealias Load = (_ node: Int, _ second: Int) -> Double

    private struct Node {
        var shares = LimitShares(capacity: 100)
        var wanted = 0.0
        var nextTick: Int
        /// When an answer arrives, in milliseconds; `nil` if none is under way.
        var answer: (at: Int, answer: LimitAnswer)?
        var isUrgent = false
        var lastReport = -1000
    }

    let rate: LimitRate
    let key = LimitKey(scope: .user, action: .joins, subject: "1")
    private var nodes: [Node]
    private var pool = LimitPool()
    private var random: SeededGenerator
    private(set) var wanted = 0
    private(set) var granted = 0
    /// What each node has granted.
    private(set) var grants: [Int]

    init(nodes count: Int, rate: LimitRate, seed: UInt64) {
        self.rate = rate
        self.random = SeededGenerator(seed: seed)
        self.grants = Array(repeating: 0, count: count)
        var random = self.random
        self.nodes = (0..<count).map { _ in Node(nextTick: Int.random(in: 0..<1000, using: &random)) }
        self.random = random
        // Every node has said that it is there.
        for _ in 0..<2 {
            for index in 0..<count {
                let answer = self.pool.exchange(LimitReport(node: "\(index)"), at: 0)
                self.nodes[index].shares.answered(answer.buckets, nodes: answer.nodes, at: Self.time(0))
            }
        }
    }

    private static func time(_ milliseconds: Int) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000_000 + UInt64(milliseconds) * 1_000_000)
    }

    /// Runs for some seconds, in some of which nothing reaches the buckets.
    mutating func run(seconds: Int, outage: Range<Int> = 0..<0, load: Load) {
        for step in 0..<(seconds * 100) {
            let now = step * 10
            let isOut = outage.contains(now / 1000)
            for index in self.nodes.indices {
                self.exchange(index, at: now, isOut: isOut)
                let luck = Double.random(in: 0...2, using: &self.random)
                self.nodes[index].wanted += load(index, now / 1000) / 100 * luck
                while self.nodes[index].wanted >= 1 {
                    self.nodes[index].wanted -= 1
                    self.ask(index, at: now)
                }
            }
        }
    }

    private mutating func ask(_ index: Int, at now: Int) {
        self.wanted += 1
        let answer = self.nodes[index].shares.take(self.key, self.rate, 1, at: Self.time(now))
        guard case .taken(let isUrgent) = answer else { return }
        self.granted += 1
        self.grants[index] += 1
        if isUrgent { self.nodes[index].isUrgent = true }
    }

    private mutating func exchange(_ index: Int, at now: Int, isOut: Bool) {
        if let answer = self.nodes[index].answer, answer.at <= now {
            self.nodes[index].shares.answered(answer.answer.buckets, nodes: answer.answer.nodes, at: Self.time(now))
            self.nodes[index].answer = nil
        }
        let isTick = now >= self.nodes[index].nextTick
        if isTick { self.nodes[index].nextTick += 1000 }
        let isSoon = self.nodes[index].isUrgent && now - self.nodes[index].lastReport >= 100
        guard isTick || isSoon, self.nodes[index].answer == nil else { return }
        self.nodes[index].isUrgent = false
        self.nodes[index].lastReport = now
        let buckets = self.nodes[index].shares.report(atMost: 100, at: Self.time(now))
        if isOut {
            self.nodes[index].shares.failed(at: Self.time(now))
        } else {
            let report = LimitReport(node: "\(index)", buckets: buckets)
            self.nodes[index].answer = (now + 20, self.pool.exchange(report, at: Double(now) / 1000))
        }
    }
}
