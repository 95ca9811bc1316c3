import NIOCore

/// Counts the nodes that serve a namespace, and knows when the count is uncertain; on the namespace's loop.
///
/// If several callers ask for the count at the same time, the broker is asked once.
final class NodeCounter {
    private struct Waiter {
        let deadline: NIODeadline
        let done: (Result<Int, ClusterError>) -> Void
    }

    private let transport: any ClusterTransport
    private let eventLoop: any EventLoop
    /// For how long after a loss of the broker counts are uncertain.
    private let grace: TimeAmount
    private var waiters: [Waiter] = []
    private var isAsking = false
    /// The last count that was certain.
    private var lastCount: Int?
    private var isAvailable = true
    /// Until when counts are uncertain.
    private var unstableUntil: NIODeadline?
    /// How many nodes without a name have not answered for a while.
    private(set) var silent = 0

    init(transport: any ClusterTransport, eventLoop: any EventLoop, grace: TimeAmount) {
        self.transport = transport
        self.eventLoop = eventLoop
        self.grace = grace
    }

    /// How many callers wait for a count.
    var waiting: Int { self.waiters.count }

    /// The broker was lost, or is back.
    func availabilityChanged(_ isAvailable: Bool) {
        if isAvailable && !self.isAvailable { self.unstableUntil = self.eventLoop.now + self.grace }
        self.isAvailable = isAvailable
    }

    /// Takes note that so many nodes without a name have not answered; `nil`: one of them has after all.
    func silent(_ count: Int?) { self.silent = count ?? max(0, self.silent - 1) }

    /// The other nodes.
    func roll(of count: Int) -> ClusterRoll {
        ClusterRoll(others: max(0, count - 1), peers: self.transport.peers, silent: self.silent)
    }

    /// The nodes, this one included.
    ///
    /// After a loss of the broker, a count would overlook nodes that come back late. So it waits until as many are
    /// there as before, or until the grace is over.
    func count(until deadline: NIODeadline, _ done: @escaping (Result<Int, ClusterError>) -> Void) {
        // The broker may answer while this node's own subscriptions are away. Then this node is not counted, and would
        // not hear the others.
        guard self.isAvailable else {
            return done(
                .failure(ClusterError(code: .unreachable, message: "the connection to Redis is being restored"))
            )
        }
        self.waiters.append(Waiter(deadline: deadline, done: done))
        self.ask()
    }

    /// The count, if it is certain; otherwise `nil`.
    func reliableCount(_ done: @escaping (Int?) -> Void) {
        // A broker that is away tells nothing about the nodes, and the count is uncertain for a while after that.
        guard self.isAvailable, self.unstableUntil.map({ self.eventLoop.now >= $0 }) ?? true else { return done(nil) }
        self.count(until: self.eventLoop.now) { done(try? $0.get()) }
    }

    private func ask() {
        guard !self.isAsking else { return }
        self.isAsking = true
        self.transport.countNodes().hop(to: self.eventLoop).assumeIsolated().whenComplete { self.counted($0) }
    }

    private func counted(_ result: Result<Int, any Error>) {
        self.isAsking = false
        let waiters = self.waiters
        self.waiters = []
        let count: Int
        switch result {
        case .success(let number): count = max(1, number)
        case .failure(let error):
            let failure =
                error as? ClusterError
                ?? ClusterError(code: .unreachable, message: "the nodes of the cluster can't be counted: \(error)")
            for waiter in waiters { waiter.done(.failure(failure)) }
            return
        }
        let now = self.eventLoop.now
        if let unstableUntil = self.unstableUntil, now < unstableUntil, count < self.lastCount ?? .max {
            return self.doubt(waiters, count, until: unstableUntil)
        }
        self.unstableUntil = nil
        self.lastCount = count
        for waiter in waiters { waiter.done(.success(count)) }
    }

    /// Counts again a moment later for the callers that can wait.
    private func doubt(_ waiters: [Waiter], _ count: Int, until unstableUntil: NIODeadline) {
        let now = self.eventLoop.now
        self.waiters = waiters.filter { $0.deadline > now } + self.waiters
        for waiter in waiters where waiter.deadline <= now { waiter.done(.success(count)) }
        guard let first = self.waiters.map(\.deadline).min() else { return }
        let pause = min(.milliseconds(100), unstableUntil - now, first - now)
        self.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            if self.isAvailable {
                if !self.waiters.isEmpty { self.ask() }
            } else {
                self.counted(.failure(Self.restoring))
            }
        }
    }

    private static var restoring: ClusterError {
        ClusterError(code: .unreachable, message: "the connection to Redis is being restored")
    }
}
