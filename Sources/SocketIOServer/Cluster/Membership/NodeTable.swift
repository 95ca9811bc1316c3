import NIOCore
package import SocketIOWire

/// The other nodes that say that they live.
///
/// It is a value, which takes leases and the time, and tells which nodes are there.
package struct NodeTable: Sendable {
    /// What a lease, or the time, has changed.
    package struct Change: Equatable, Sendable {
        /// A node has come, gone, fallen silent, or speaks again.
        package var isVisible = false
        /// This node should say at once who it is.
        package var isAsked = false
        /// The other node should say what it calls itself: its version is not the one that is known.
        package var isUnknown = false
        /// There is no room for the node, or for its namespaces.
        package var isTooMuch = false
    }

    private struct Entry {
        var node: ClusterNode
        var lastHeard: NIODeadline
        var isSilent = false
        var version: Int
        var namespaces: [UTF8Text: UTF8Text]
        var isComplete: Bool
    }

    /// This node.
    private let own: UTF8Text
    /// For how long a node that says nothing counts as alive.
    private let duration: TimeAmount
    private var entries: [UTF8Text: Entry] = [:]
    /// How many namespaces all of them name.
    private var namespaceCount = 0

    /// More nodes and namespaces than there are, because everybody who may publish may claim anything.
    private static let mostNodes = 10_000
    private static let mostNamespaces = 50_000

    package init(own: UTF8Text, duration: TimeAmount) {
        self.own = own
        self.duration = duration
    }

    /// Takes a node's lease.
    package mutating func heard(_ lease: Lease, at now: NIODeadline) -> Change {
        var change = Change(isAsked: lease.isHello)
        guard lease.node != self.own else { return Change() }
        guard !lease.isGoodbye else {
            change.isVisible = self.forget(lease.node)
            return change
        }
        var entry: Entry
        if let known = self.entries[lease.node] {
            entry = known
            change.isVisible = known.isSilent
        } else {
            guard self.entries.count < Self.mostNodes else {
                change.isTooMuch = true
                return change
            }
            entry = Entry(
                node: ClusterNode(id: lease.node.string, address: lease.address),
                lastHeard: now,
                version: lease.version,
                namespaces: [:],
                isComplete: false
            )
            change.isVisible = true
        }
        entry.lastHeard = now
        entry.isSilent = false
        if let address = lease.address { entry.node.address = address }
        if let namespaces = lease.namespaces,
            self.namespaceCount - entry.namespaces.count + namespaces.count <= Self.mostNamespaces
        {
            self.namespaceCount += namespaces.count - entry.namespaces.count
            change.isVisible = change.isVisible || entry.namespaces != namespaces
            entry.namespaces = namespaces
            entry.version = lease.version
            entry.isComplete = true
        } else if lease.namespaces != nil {
            change.isTooMuch = true
        } else if entry.version != lease.version || !entry.isComplete {
            change.isUnknown = true
        }
        self.entries[lease.node] = entry
        return change
    }

    /// Finds the nodes that have fallen silent, and forgets those that have been silent for long.
    ///
    /// - Returns: Whether there was one.
    package mutating func look(at now: NIODeadline) -> Bool {
        var hasChanged = false
        for (id, entry) in self.entries {
            if entry.lastHeard + .nanoseconds(self.duration.nanoseconds * 20) < now {
                hasChanged = self.forget(id) || hasChanged
            } else if !entry.isSilent, entry.lastHeard + self.duration < now {
                self.entries[id]?.isSilent = true
                hasChanged = true
            }
        }
        return hasChanged
    }

    /// - Returns: Whether it was known.
    private mutating func forget(_ node: UTF8Text) -> Bool {
        guard let entry = self.entries.removeValue(forKey: node) else { return false }
        self.namespaceCount -= entry.namespaces.count
        return true
    }

    /// Lets no node count as silent, because this node has not listened for a while.
    package mutating func excuse(at now: NIODeadline) {
        for id in self.entries.keys { self.entries[id]?.lastHeard = now }
    }

    /// Those that serve a namespace.
    package func peers(of namespace: UTF8Text) -> [ClusterPeer] {
        self.entries.values.compactMap { entry in
            entry.namespaces[namespace].map { ClusterPeer(nodeID: $0, node: entry.node, isSilent: entry.isSilent) }
        }
    }

    /// All of them.
    package var nodes: [ClusterNode] { self.entries.values.map(\.node) }
}
