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

/// The nodes that are there to answer a question.
package struct ClusterRoll: Sendable {
    /// How many other nodes there are.
    package var others: Int
    /// Those of them that are known by name.
    package var peers: [ClusterPeer]
    /// How many of the others have not answered for a while: they are asked, and not waited for.
    package var silent: Int

    package init(others: Int, peers: [ClusterPeer] = [], silent: Int = 0) {
        self.others = others
        self.peers = peers
        self.silent = silent
    }
}
