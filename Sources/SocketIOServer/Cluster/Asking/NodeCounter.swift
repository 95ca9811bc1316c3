import NIOCore
import SocketIOWire

/// Counts the nodes that serve a namespace, and knows when the count is uncertain; on the namespace's loop.
///
/// Those who ask while the broker is asked share the next count: the one under way may be older than what they know.
final class NodeCounter {
    typealias Counted = Result<ClusterCount, ClusterError>

    private struct Waiter {
        let deadline: NIODeadline
        let isConfirmation: Bool
        let done: (Counted) -> Void
    }

    private let transport: any ClusterTransport
    private let eventLoop: any EventLoop
    /// For how long after a loss of the broker counts are uncertain.
    private let grace: TimeAmount
    /// Those whom the count under way is for, and those who wait for the next one.
    private var waiters: [Waiter] = []
    private var later: [Waiter] = []
    /// Those who wait for a better count.
    private var doubting: [Waiter] = []
    private var isAsking = false
    /// The last count that was certain.
    private var lastCount: Int?
    private var isAvailable = true
    /// Until when counts are uncertain.
    private var unstableUntil: NIODeadline?
    /// How many nodes without a name have not answered for a while.
    private(set) var silent = 0

    /// No more nodes are asked for by name at once: others may say of themselves what they like.
    private static let mostNamed = 256

    init(transport: any ClusterTransport, eventLoop: any EventLoop, grace: TimeAmount) {
        self.transport = transport
        self.eventLoop = eventLoop
        self.grace = grace
    }

    /// How many wait for a count.
    var waiting: Int { self.waiters.count + self.later.count + self.doubting.count }

    /// The broker was lost, or is back.
    func availabilityChanged(_ isAvailable: Bool) {
        if isAvailable && !self.isAvailable { self.unstableUntil = self.eventLoop.now + self.grace }
        self.isAvailable = isAvailable
    }

    /// Takes note that so many nodes without a name have not answered; `nil`: one of them has after all.
    func silent(_ count: Int?) { self.silent = count ?? max(0, self.silent - 1) }

    /// Who is there besides this node.
    func roll(of count: ClusterCount) -> ClusterRoll {
        ClusterRoll(count, peers: self.transport.peers, silent: self.silent)
    }

    /// The nodes, this one included.
    ///
    /// After a loss of the broker, nodes that are late in coming back would be overlooked: so it waits for as many as there
    /// were, as long as that is likely.
    func count(until deadline: NIODeadline, _ done: @escaping (Counted) -> Void) {
        self.count(Waiter(deadline: deadline, isConfirmation: false, done: done))
    }

    /// The count of now, without a wait for anybody: behind what this node has sent.
    func confirm(_ done: @escaping (Counted) -> Void) {
        self.count(Waiter(deadline: self.eventLoop.now, isConfirmation: true, done: done))
    }

    private func count(_ waiter: Waiter) {
        // This node would not hear the others while its own subscriptions are away.
        guard self.isAvailable else { return waiter.done(.failure(Self.restoring)) }
        self.later.append(waiter)
        self.ask()
    }

    /// The count, if it tells which nodes have gone; `nil` while it doesn't.
    func reliableCount(_ done: @escaping (ClusterCount?) -> Void) {
        // A broker that is away tells nothing about the nodes. And the count is doubted for a while after that.
        guard self.isAvailable, self.unstableUntil.map({ self.eventLoop.now >= $0 }) ?? true else { return done(nil) }
        self.confirm { done(try? $0.get()) }
    }

    private func ask() {
        guard !self.isAsking, !self.later.isEmpty else { return }
        self.isAsking = true
        self.waiters = self.later
        self.later = []
        let named = self.transport.peers.map(\.nodeID).sorted().prefix(Self.mostNamed)
        self.transport.countNodes(Array(named), isConfirmation: self.waiters.allSatisfy(\.isConfirmation))
            .hop(to: self.eventLoop).assumeIsolated().whenComplete { self.counted($0) }
    }

    private func counted(_ result: Result<ClusterCount, any Error>) {
        self.isAsking = false
        let waiters = self.waiters
        self.waiters = []
        defer { self.ask() }
        let count: ClusterCount
        switch result {
        case .success(let number): count = number
        case .failure(let error):
            let failure =
                error as? ClusterError
                ?? ClusterError(code: .unreachable, message: "the nodes of the cluster can't be counted: \(error)")
            for waiter in waiters { waiter.done(.failure(failure)) }
            return
        }
        let now = self.eventLoop.now
        if let unstableUntil = self.unstableUntil, now < unstableUntil, count.nodes < self.lastCount ?? .max {
            return self.doubt(waiters, count, until: unstableUntil)
        }
        self.unstableUntil = nil
        self.lastCount = count.nodes
        for waiter in waiters { waiter.done(.success(count)) }
    }

    /// Counts again a moment later for those who can wait.
    private func doubt(_ waiters: [Waiter], _ count: ClusterCount, until unstableUntil: NIODeadline) {
        let now = self.eventLoop.now
        self.doubting += waiters.filter { $0.deadline > now }
        for waiter in waiters where waiter.deadline <= now { waiter.done(.success(count)) }
        guard let first = self.doubting.map(\.deadline).min() else { return }
        let pause = min(.milliseconds(100), unstableUntil - now, first - now)
        self.eventLoop.assumeIsolated().scheduleTask(in: pause) { self.countAgain() }
    }

    private func countAgain() {
        let waiters = self.doubting
        self.doubting = []
        guard self.isAvailable else {
            for waiter in waiters { waiter.done(.failure(Self.restoring)) }
            return
        }
        self.later += waiters
        self.ask()
    }

    private static var restoring: ClusterError {
        ClusterError(code: .unreachable, message: "the connection to Redis is being restored")
    }
}
