import NIOConcurrencyHelpers
package import NIOCore
package import SocketIOWire

/// Tells the other nodes that this one lives, and knows which of them do, for all namespaces of a server's adapters.
///
/// It may be called on any thread. It beats on a loop, from the first namespace that joins to the last that leaves.
package final class LeaseKeeper: Sendable {
    private struct State {
        var table: NodeTable
        var namespaces: [UTF8Text: UTF8Text] = [:]
        var version = 0
        /// The closures that hear of changes, by namespace.
        var observers: [UTF8Text: @Sendable () -> Void] = [:]
        var beat: Scheduled<Void>?
        var lastBeat: NIODeadline?
        /// When the others were last told in full, and whether the next beat tells them.
        var lastFull: NIODeadline?
        var owesFull = false
        var owesHello = false
        var address: String?
    }

    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private let send: @Sendable (ByteBuffer) -> Void
    /// What this node calls itself, for all namespaces.
    package let node: UTF8Text
    private let state: NIOLockedValueBox<State>

    /// Makes a keeper.
    ///
    /// - Parameters:
    ///   - node: What this node calls itself, and no other node does.
    ///   - address: Where this node listens, if that is known.
    ///   - configuration: How often it beats, and when other nodes count as silent.
    ///   - eventLoop: Where it beats.
    ///   - send: Publishes a lease to all nodes; a lost lease is not sent again.
    package init(
        node: UTF8Text,
        address: String?,
        configuration: ClusterConfiguration,
        eventLoop: any EventLoop,
        send: @escaping @Sendable (ByteBuffer) -> Void
    ) {
        self.node = node
        self.eventLoop = eventLoop
        self.interval = configuration.leaseInterval
        self.send = send
        var state = State(table: NodeTable(own: node, duration: configuration.leaseDuration))
        state.address = address
        self.state = NIOLockedValueBox(state)
    }

    /// Tells the others that a namespace joins the cluster, and asks who they are.
    ///
    /// - Parameters:
    ///   - namespace: Its name.
    ///   - id: What this node calls itself in its messages.
    ///   - onChange: Called when a node comes, goes, falls silent or speaks again.
    package func join(_ namespace: UTF8Text, as id: UTF8Text, onChange: @escaping @Sendable () -> Void) {
        let lease = self.state.withLockedValue { state in
            state.namespaces[namespace] = id
            state.observers[namespace] = onChange
            state.version += 1
            var lease = Self.lease(state, self.node, isFull: true)
            lease.isHello = true
            return lease
        }
        self.send(lease.message)
        self.beatLater()
    }

    /// Tells the others that a namespace leaves.
    package func leave(_ namespace: UTF8Text) {
        let (lease, beat) = self.state.withLockedValue { state -> (Lease?, Scheduled<Void>?) in
            guard state.namespaces.removeValue(forKey: namespace) != nil else { return (nil, nil) }
            state.observers[namespace] = nil
            state.version += 1
            var lease = Self.lease(state, self.node, isFull: true)
            lease.isGoodbye = state.namespaces.isEmpty
            guard lease.isGoodbye else { return (lease, nil) }
            defer { state.beat = nil }
            return (lease, state.beat)
        }
        beat?.cancel()
        if let lease { self.send(lease.message) }
    }

    /// The other nodes that serve a namespace and say so.
    package func peers(of namespace: UTF8Text) -> [ClusterPeer] {
        self.state.withLockedValue { $0.table.peers(of: namespace) }
    }

    /// A message on the leases' channel.
    ///
    /// - Returns: Whether it is a lease, for which there is room.
    package func received(_ message: ByteBuffer) -> Bool {
        guard let lease = Lease(parsing: message) else { return false }
        guard lease.node != self.node else { return true }
        let now = self.eventLoop.now
        var hasRoom = true
        let (observers, answer) = self.state.withLockedValue { state -> ([@Sendable () -> Void], Lease?) in
            let change = state.table.heard(lease, at: now)
            hasRoom = !change.isTooMuch
            let observers = change.isVisible ? Array(state.observers.values) : []
            guard change.isAsked || change.isUnknown, !state.namespaces.isEmpty else { return (observers, nil) }
            state.owesFull = true
            state.owesHello = state.owesHello || change.isUnknown
            // Everybody who may publish may ask, as often as they like. So this node answers at once now and then, and
            // otherwise with the next beat.
            if let last = state.lastFull, now - last < self.interval { return (observers, nil) }
            return (observers, Self.nextLease(&state, self.node, at: now))
        }
        if let answer { self.send(answer.message) }
        for observer in observers { observer() }
        return hasRoom
    }

    private func beatLater() {
        let timer = self.eventLoop.scheduleTask(in: self.interval) { [weak self] in self?.beat() ?? () }
        let isNeedless = self.state.withLockedValue { state in
            guard state.beat == nil, !state.namespaces.isEmpty else { return true }
            state.beat = timer
            return false
        }
        if isNeedless { timer.cancel() }
    }

    private func beat() {
        let now = self.eventLoop.now
        let (lease, observers) = self.state.withLockedValue { state -> (Lease?, [@Sendable () -> Void]) in
            state.beat = nil
            guard !state.namespaces.isEmpty else { return (nil, []) }
            // If this node was frozen, it has heard no node, so none of them counts as silent for that.
            if let last = state.lastBeat, now - last > .nanoseconds(self.interval.nanoseconds * 2) {
                state.table.excuse(at: now)
            }
            state.lastBeat = now
            let observers = state.table.look(at: now) ? Array(state.observers.values) : []
            return (Self.nextLease(&state, self.node, at: now), observers)
        }
        if let lease { self.send(lease.message) }
        for observer in observers { observer() }
        self.beatLater()
    }

    /// A full lease if this node was asked; it also asks the others if it does not know one of them.
    private static func nextLease(_ state: inout State, _ node: UTF8Text, at now: NIODeadline) -> Lease {
        var lease = Self.lease(state, node, isFull: state.owesFull)
        lease.isHello = state.owesHello
        if state.owesFull { state.lastFull = now }
        state.owesFull = false
        state.owesHello = false
        return lease
    }

    private static func lease(_ state: State, _ node: UTF8Text, isFull: Bool) -> Lease {
        Lease(
            node: node,
            address: state.address,
            version: state.version,
            namespaces: isFull ? state.namespaces : nil
        )
    }
}
