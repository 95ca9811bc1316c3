package import SocketIOWire

/// A node of the cluster, as far as it is known.
public struct ClusterNode: Sendable, Hashable, CustomStringConvertible {
    /// What the node calls itself; `nil` for a node that is only counted, as Node.js nodes are.
    public var id: String?
    /// Where it listens, such as `10.0.0.7:3000`, if it said so.
    public var address: String?

    /// A node.
    public init(id: String? = nil, address: String? = nil) {
        self.id = id
        self.address = address
    }

    /// Such as `a1b2c3 at 10.0.0.7:3000`.
    public var description: String {
        switch (self.id, self.address) {
        case (let id?, let address?): "\(id) at \(address)"
        case (let id?, nil): id
        case (nil, let address?): "a node at \(address)"
        case (nil, nil): "a node without a name"
        }
    }
}

/// Another node that serves a namespace and is known by name, because it says from time to time that it lives.
package struct ClusterPeer: Sendable, Hashable {
    /// What it calls itself in the namespace's messages.
    package var nodeID: UTF8Text
    package var node: ClusterNode
    /// Whether it has not said for a while that it lives: then it is asked, but not waited for.
    package var isSilent: Bool

    package init(nodeID: UTF8Text, node: ClusterNode, isSilent: Bool) {
        self.nodeID = nodeID
        self.node = node
        self.isSilent = isSilent
    }
}

/// What the broker knows of the nodes that serve a namespace, all at one moment.
package struct ClusterCount: Sendable {
    /// How many there are, this one included.
    package var nodes: Int
    /// How many connections, with which it hears the others, each of the nodes has that were asked for by name.
    ///
    /// `nil` where the broker can't tell.
    package var connections: [UTF8Text: Int]?

    package init(nodes: Int, connections: [UTF8Text: Int]? = nil) {
        self.nodes = nodes
        self.connections = connections
    }
}

/// Who is there to answer a question.
package struct ClusterRoll: Sendable {
    /// The other nodes that are known by name, and hear what is asked.
    package var peers: [ClusterPeer]
    /// Those that are known by name, and hear nothing: their connection is gone, and their time is not up yet.
    package var absent: [ClusterPeer]
    /// Those that are known by name of which the broker was not asked.
    package var unknown: Set<UTF8Text>
    /// How many others there are of which no name is known.
    package var nameless: Int
    /// How many of those have not answered for a while: they are asked, and not waited for.
    package var silent: Int

    /// How many other nodes there are.
    package var others: Int { self.peers.count + self.nameless }

    package init(nameless: Int = 0, peers: [ClusterPeer] = [], absent: [ClusterPeer] = [], silent: Int = 0) {
        self.peers = peers
        self.absent = absent
        self.unknown = []
        self.nameless = nameless
        self.silent = min(silent, nameless)
    }

    /// Who is there besides this node, by a count and by what nodes say of themselves.
    package init(_ count: ClusterCount, peers: [ClusterPeer], silent: Int) {
        let connections = count.connections ?? [:]
        // Of those that were not asked for, the count knows only that there is one more.
        let asked = peers.filter { connections[$0.nodeID] != nil }
        let present = asked.filter { connections[$0.nodeID] ?? 0 > 0 }
        let named = present.reduce(0) { $0 + (connections[$1.nodeID] ?? 0) }
        self.init(
            nameless: max(0, count.nodes - 1 - named),
            peers: present,
            absent: asked.filter { connections[$0.nodeID] == 0 },
            silent: silent
        )
        for peer in peers where connections[peer.nodeID] == nil { self.unknown.insert(peer.nodeID) }
    }
}
