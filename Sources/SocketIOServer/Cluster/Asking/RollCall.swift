import SocketIOWire

/// Which nodes have answered a question, which are waited for, and which are missing.
///
/// Nodes that are known by name are told apart. Of the others only how many there are is known.
struct RollCall {
    /// How many other nodes are to answer, silent ones included.
    private(set) var expected: Int
    /// How many have answered.
    private(set) var received = 0
    private var peers: [UTF8Text: ClusterPeer]
    private var silent: Int
    /// Those that have answered and have said who they are.
    private var heard: Set<UTF8Text> = []
    /// Whether anything came since the last look after the nodes.
    private var heardSinceLook = true

    init(_ roll: ClusterRoll) {
        self.peers = Dictionary(roll.peers.map { ($0.nodeID, $0) }, uniquingKeysWith: { $1 })
        // A node that says that it lives counts, even if Redis has counted fewer.
        self.expected = max(roll.others, roll.peers.count { !$0.isSilent })
        self.silent = roll.silent
    }

    /// Whether a node of that name has answered.
    func hasHeard(_ node: UTF8Text?) -> Bool { node.map { self.heard.contains($0) } ?? false }

    /// An answer came.
    mutating func heard(_ node: UTF8Text?) {
        self.received += 1
        self.heardSinceLook = true
        if let node { self.heard.insert(node) }
    }

    /// Something came that may become an answer.
    mutating func heardSomething() { self.heardSinceLook = true }

    // MARK: The end

    /// Whether every node has answered.
    var isComplete: Bool { self.received >= self.expected }
    /// Whether nothing more is waited for: every node has answered that is not silent.
    var isOver: Bool { self.isOver(with: 0) }

    /// Whether nothing more is waited for, if so many more answers counted.
    func isOver(with more: Int) -> Bool {
        let count = self.received + more
        if count >= self.expected { return true }
        var silent = self.silent
        for (id, peer) in self.peers where !self.heard.contains(id) {
            guard peer.isSilent else { return false }
            silent += 1
        }
        return count >= self.expected - silent
    }

    /// Those that have not answered: by name where they have one.
    var missing: [ClusterNode] {
        let count = self.expected - self.received
        guard count > 0 else { return [] }
        var missing: [ClusterNode] = []
        let unheard = self.peers.filter { !self.heard.contains($0.key) }.values
        for peer in unheard.sorted(by: { ($0.isSilent ? 1 : 0, $0.nodeID) < ($1.isSilent ? 1 : 0, $1.nodeID) })
        where missing.count < count { missing.append(peer.node) }
        while missing.count < min(count, Self.mostNamed) { missing.append(ClusterNode()) }
        return missing
    }

    /// How many of the nodes without a name have not answered.
    var missingWithoutName: Int {
        let unheard = self.peers.keys.count { !self.heard.contains($0) }
        return max(0, self.expected - self.received - unheard)
    }

    private static let mostNamed = 1_000

    // MARK: While it waits

    /// Takes note of how many other nodes are alive now, and which of them are known by name.
    ///
    /// A node that has gone will not answer. But it may have answered before it went, and an answer without a name does
    /// not tell. So the question is over only when there are as many answers as living nodes, and none has come since
    /// the last look. Nodes with a name that have fallen silent are not waited for any more.
    mutating func looked(_ roll: ClusterRoll, provisional: Int = 0) {
        defer { self.heardSinceLook = false }
        let now = Dictionary(roll.peers.map { ($0.nodeID, $0) }, uniquingKeysWith: { $1 })
        for (id, peer) in self.peers where !self.heard.contains(id) {
            if let found = now[id] {
                self.peers[id]?.isSilent = found.isSilent
            } else if roll.others < self.expected {
                // It has said goodbye, or its time is up, and Redis counts one less.
                self.peers[id] = nil
                self.expected -= 1
            } else if !peer.isSilent {
                self.peers[id]?.isSilent = true
            }
        }
        guard roll.others < self.expected, self.received + provisional >= roll.others, !self.heardSinceLook else {
            return
        }
        self.expected = self.received
    }
}
