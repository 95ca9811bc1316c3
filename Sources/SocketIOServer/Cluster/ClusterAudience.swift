/// The other nodes that a broadcast has gone to whose clients acknowledge it.
public struct ClusterAudience: Sendable, Hashable {
    /// How many there are; each reports how many clients it has sent the event to.
    public var nodes: Int
    /// Those of them that have not answered for some time, so that nobody should wait for their reports.
    public var silent: [ClusterNode]

    /// So many nodes.
    public init(nodes: Int, silent: [ClusterNode] = []) {
        self.nodes = nodes
        self.silent = silent
    }

    init(_ roll: ClusterRoll) {
        let named = roll.peers.filter(\.isSilent).map(\.node)
        let silent = named + Array(repeating: ClusterNode(), count: min(roll.silent, 1_000))
        // Whoever says that it lives will report, whatever was counted: Redis does not count this node while its
        // subscriptions are gone, and this node may not know that yet.
        let nodes = max(roll.others, roll.peers.count { !$0.isSilent })
        self.init(nodes: nodes, silent: Array(silent.prefix(max(0, nodes))))
    }
}
