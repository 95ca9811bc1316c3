import NIOCore
import SocketIOWire

/// Broadcasts of this node that clients of other nodes acknowledge, and the nodes that still have to report.
struct AcknowledgementBook {
    /// What is to be done.
    enum Action {
        /// A node has sent the event to that many clients.
        case report(UTF8Text, clients: Int)
        /// A client has answered.
        case acknowledge(UTF8Text, JSONValue?)
        /// So many bytes of answers are not kept any more.
        case release(Int)
        /// Nothing more will come.
        case forget(UTF8Text)
    }

    private struct Pending {
        /// `nil` until the nodes are counted.
        var roll: RollCall?
        /// The reports of before that.
        var early: [(count: Int, node: UTF8Text?)] = []
        /// The clients that were reported.
        var clients = 0
        var acknowledgements = 0
        /// What is counted in the budget.
        var bytes = 0

        /// Whether nothing more will come.
        var isOver: Bool { self.hasAllReports && self.acknowledgements >= self.clients }
        var hasAllReports: Bool { self.roll?.isComplete ?? false }
    }

    /// More nodes than there are, and more clients than one node has: other nodes may claim anything.
    private static let mostEarlyReports = 10_000
    private static let mostClients = 1 << 32

    private var pending: [UTF8Text: Pending] = [:]
    private var timers = DeadlineQueue<UTF8Text>()

    /// Whether no node's report is awaited.
    var isIdle: Bool { self.pending.values.allSatisfy { $0.roll == nil || $0.hasAllReports } }
    /// When something is to happen next.
    var next: NIODeadline? { self.timers.next }

    /// A broadcast was sent.
    mutating func sent(_ id: UTF8Text, until deadline: NIODeadline) {
        self.pending[id] = Pending()
        self.timers.add(id, at: deadline)
    }

    /// Whether that is a broadcast of ours whose clients are waited for.
    func isAwaited(_ id: UTF8Text) -> Bool { self.pending[id] != nil }

    /// Takes note of the nodes, which are counted after the broadcast was sent.
    mutating func counted(_ id: UTF8Text, _ roll: ClusterRoll, _ actions: inout [Action]) {
        guard var broadcast = self.pending.removeValue(forKey: id) else { return }
        broadcast.roll = RollCall(roll, wasAsked: true)
        let early = broadcast.early
        broadcast.early = []
        self.pending[id] = broadcast
        for report in early { self.reported(id, report.count, from: report.node, &actions) }
        self.forgetIfOver(id, &actions)
    }

    /// A node says how many clients it has sent the event to.
    mutating func reported(_ id: UTF8Text, _ count: Int, from node: UTF8Text?, _ actions: inout [Action]) {
        guard var broadcast = self.pending.removeValue(forKey: id) else { return }
        defer {
            self.pending[id] = broadcast
            self.forgetIfOver(id, &actions)
        }
        guard broadcast.roll != nil else {
            if broadcast.early.count < Self.mostEarlyReports { broadcast.early.append((count, node)) }
            return
        }
        // Nothing if there are not so many nodes, or it said so before.
        guard let before = broadcast.roll?.received, !broadcast.hasAllReports else { return }
        broadcast.roll?.heard(node)
        guard broadcast.roll?.received ?? 0 > before else { return }
        broadcast.clients += min(max(count, 0), Self.mostClients)
        actions.append(.report(id, clients: count))
    }

    /// A client has answered; the budget has taken its bytes.
    mutating func acknowledged(_ id: UTF8Text, _ value: JSONValue?, bytes: Int, _ actions: inout [Action]) {
        guard self.pending[id] != nil else {
            actions.append(.release(bytes))
            return
        }
        self.pending[id]?.bytes += bytes
        self.pending[id]?.acknowledgements += 1
        actions.append(.acknowledge(id, value))
        self.forgetIfOver(id, &actions)
    }

    /// The report of a node that has gone need not be waited for, if it is known which one that is.
    mutating func looked(_ roll: ClusterRoll, _ actions: inout [Action]) {
        for id in self.pending.keys.sorted() {
            guard let before = self.pending[id]?.roll, !before.isComplete else { continue }
            self.pending[id]?.roll?.looked(roll)
            let after = self.pending[id]?.roll?.expected ?? 0
            for _ in after..<max(after, before.expected) { actions.append(.report(id, clients: 0)) }
            self.forgetIfOver(id, &actions)
        }
    }

    /// Forgets what nobody waits for any more.
    mutating func tick(at now: NIODeadline, _ actions: inout [Action]) {
        while let id = self.timers.popDue(at: now) { self.forget(id, &actions) }
    }

    mutating func forget(_ id: UTF8Text, _ actions: inout [Action]) {
        guard let broadcast = self.pending.removeValue(forKey: id) else { return }
        if broadcast.bytes > 0 { actions.append(.release(broadcast.bytes)) }
        actions.append(.forget(id))
    }

    private mutating func forgetIfOver(_ id: UTF8Text, _ actions: inout [Action]) {
        if self.pending[id]?.isOver ?? false { self.forget(id, &actions) }
    }

    mutating func close(_ actions: inout [Action]) {
        for id in self.pending.keys.sorted() { self.forget(id, &actions) }
        self.timers.removeAll()
    }
}
