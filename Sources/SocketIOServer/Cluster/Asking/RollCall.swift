import SocketIOWire

/// Which nodes have answered a question, which are waited for, and which are missing.
///
/// Nodes that are known by name are told apart: each is waited for until it has answered, has gone, or has been silent for
/// long. Of the others only how many there are is known. That fewer of them are there than before says nothing of who has
/// gone: it may be one that has answered. So such a question is in doubt, and no count ever completes it.
struct RollCall {
    /// The nodes that are waited for by name.
    private var peers: [UTF8Text: ClusterPeer]
    /// All that were ever known by name: what they answer stands for nobody else's answer.
    private var known: Set<UTF8Text>
    /// How many others are to answer, silent ones included, and how many of those are silent.
    private var nameless: Int
    private let silent: Int
    /// Those that have answered and have said who they are.
    private var heard: Set<UTF8Text> = []
    /// Of the nodes that are waited for by name, how many have answered.
    private var heardPeers = 0
    /// How many nodes have answered whose names were not known, and how many answers had no name.
    private var heardStrangers = 0
    private var heardAnonymous = 0
    /// Whether it is certain that those have heard the question who were counted.
    private(set) var isConfirmed: Bool
    /// Whether it can't be told any more whose answers are missing: somebody has come or gone of whom no name is known.
    private(set) var isInDoubt = false

    /// Who is to answer.
    ///
    /// - Parameters:
    ///   - roll: Who was there when the nodes were counted.
    ///   - wasAsked: Whether they were asked before that. Then those have got the question whose connections were gone by
    ///     the time of the count, and the count needs no confirmation.
    init(_ roll: ClusterRoll, wasAsked: Bool = false) {
        let peers = wasAsked ? roll.peers + roll.absent : roll.peers
        self.peers = Dictionary(peers.map { ($0.nodeID, $0) }, uniquingKeysWith: { $1 })
        self.known = Set((roll.peers + roll.absent).map(\.nodeID))
        self.nameless = roll.nameless
        self.silent = roll.silent
        self.isConfirmed = wasAsked || roll.nameless == 0
    }

    // MARK: Answers

    /// Whether a node of that name has answered.
    func hasHeard(_ node: UTF8Text?) -> Bool { node.map { self.heard.contains($0) } ?? false }

    /// An answer came.
    mutating func heard(_ node: UTF8Text?) {
        guard let node else {
            self.heardAnonymous += 1
            return
        }
        guard self.heard.insert(node).inserted else { return }
        if self.peers[node] != nil {
            self.heardPeers += 1
        } else if !self.known.contains(node) {
            self.heardStrangers += 1
        }
    }

    /// How many nodes are to answer, silent ones included.
    var expected: Int { self.peers.count + self.nameless }
    /// How many have answered.
    var received: Int { self.received(with: 0) }

    /// How many have answered if so many more answers without a name counted.
    private func received(with more: Int) -> Int {
        let anonymous = self.heardAnonymous + more
        let places = min(self.nameless, self.heardStrangers + anonymous)
        // A node that does not know yet that this one has a name for it does not say who it is.
        let spare = max(0, anonymous - max(0, self.nameless - self.heardStrangers))
        return self.heardPeers + places + min(spare, self.peers.count - self.heardPeers)
    }

    // MARK: The end

    /// Whether every node has answered.
    var isComplete: Bool { self.isConfirmed && self.received >= self.expected }
    /// Whether nothing more is waited for: every node has answered that is not silent.
    var isOver: Bool { self.isOver(with: 0) }

    /// Whether nothing more is waited for.
    ///
    /// - Parameters:
    ///   - more: So many more answers without a name count.
    ///   - waitsForSilent: Whether nodes without a name are waited for that are silent.
    /// - Returns: Whether only nodes have not answered that are not waited for.
    func isOver(with more: Int, waitsForSilent: Bool = false) -> Bool {
        guard self.isConfirmed else { return false }
        let count = self.received(with: more)
        if count >= self.expected { return true }
        var silent = waitsForSilent ? 0 : self.silent
        for (id, peer) in self.peers where !self.heard.contains(id) {
            guard peer.isSilent else { return false }
            silent += 1
        }
        return count >= self.expected - silent
    }

    /// Those that have not answered: by name where they have one.
    ///
    /// If all have answered that were counted, but it is not certain that those were all, somebody without a name may be
    /// missing.
    var missing: [ClusterNode] {
        let count = self.expected - self.received
        guard count > 0 else { return self.isConfirmed ? [] : [ClusterNode()] }
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

    /// The nodes were counted again, behind the question: nobody has come or gone between, or that is in doubt.
    mutating func confirmed(_ roll: ClusterRoll) {
        self.isConfirmed = true
        let count = self.strangers(in: roll)
        self.isInDoubt = self.isInDoubt || count != self.nameless
        // Somebody who has come may have heard the question: its answer must not stand for another one.
        self.nameless = max(self.nameless, count)
    }

    /// These nodes are there now.
    ///
    /// Named nodes that have gone are not waited for any more. How many of the others have gone is no reason to stop
    /// waiting: only to doubt.
    ///
    /// - Parameters:
    ///   - roll: Who is there.
    ///   - provisional: How many answers without a name may yet count.
    mutating func looked(_ roll: ClusterRoll, provisional: Int = 0) {
        let now = Dictionary(roll.peers.map { ($0.nodeID, $0) }, uniquingKeysWith: { $1 })
        let absent = Set(roll.absent.map(\.nodeID))
        for (id, peer) in self.peers where !self.heard.contains(id) && !roll.unknown.contains(id) {
            if let found = now[id] {
                self.peers[id]?.isSilent = found.isSilent
            } else if absent.contains(id) || !peer.isSilent {
                // Its connection is gone, or it has said goodbye.
                self.peers[id] = nil
            }
        }
        let answered = self.heardStrangers + self.heardAnonymous + provisional
        if answered < self.nameless, self.strangers(in: roll) < self.nameless { self.isInDoubt = true }
    }

    /// How many nodes are there that had no name when the question was asked.
    private func strangers(in roll: ClusterRoll) -> Int {
        roll.nameless + roll.peers.count { !self.known.contains($0.nodeID) }
    }
}
