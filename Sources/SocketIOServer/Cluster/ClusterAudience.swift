/// The other nodes to which a broadcast with acknowledgements has gone.
public struct ClusterAudience: Sendable, Hashable {
    /// How many there are; each reports to how many clients it has sent the event.
    public var nodes: Int
    /// Those of them that have not answered for some time, so that the caller should not wait for their reports.
    public var silent: [ClusterNode]

    /// So many nodes.
    public init(nodes: Int, silent: [ClusterNode] = []) {
        self.nodes = nodes
        self.silent = silent
    }

    init(_ roll: ClusterRoll) {
        let named = roll.peers.filter(\.isSilent).map(\.node)
        let silent = named + Array(repeating: ClusterNode(), count: min(roll.silent, 1_000))
        // The nodes are counted behind the broadcast: whoever has lost its connection between has got it.
        self.init(nodes: roll.others + roll.absent.count, silent: silent)
    }
}
