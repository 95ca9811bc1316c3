import NIOCore
import SocketIOWire

/// Which configurations the live nodes of the cluster go by, as far as they have told.
///
/// It knows no clock and sends nothing. A node is live for some time after it has said something. While this node does not
/// hear even itself, it knows nothing new of anybody, so nobody's time runs.
struct ClusterConfigurations: Sendable {
    /// A live node.
    struct Node: Sendable, Hashable {
        var announcement: ConfigurationAnnouncement
        var heardAt: NIODeadline
    }

    /// What is to be done because of something that was heard.
    struct Reaction: Sendable, Hashable {
        /// Ask the others what is private to them.
        var asks = false
        /// Tell the others what is private here.
        var tells = false
        /// What is private to others is something else than before.
        var privacyChanged = false
        /// A node goes by another revision of the settings.
        var revisionDiffers = false
    }

    /// The most nodes that are remembered.
    static let capacity = 1024

    let own: UTF8Text
    /// How long a node is live after it has said something.
    let lease: TimeAmount
    private(set) var ownDigest: UTF8Text
    private(set) var nodes: [UTF8Text: Node] = [:]
    /// What is private, by the digest of a configuration.
    private var privacies: [UTF8Text: Privacy] = [:]
    /// Since when this node hears itself without a gap, and when it did so last.
    private var hearing: (since: NIODeadline, last: NIODeadline)?
    private var lastPrivacies: [Privacy] = []

    init(own: UTF8Text, digest: UTF8Text, lease: TimeAmount) {
        self.own = own
        self.ownDigest = digest
        self.lease = lease
    }

    /// The configuration of this node is another one now.
    mutating func changed(_ digest: UTF8Text) -> Reaction {
        self.ownDigest = digest
        return Reaction(asks: self.lacksPrivacy, privacyChanged: self.updatePrivacies())
    }

    /// A node has said something.
    mutating func heard(_ announcement: ConfigurationAnnouncement, at now: NIODeadline) -> Reaction {
        if announcement.node == self.own {
            if let hearing = self.hearing, now - hearing.last <= self.lease {
                self.hearing = (hearing.since, now)
            } else {
                self.hearing = (now, now)
            }
            return Reaction()
        }
        var reaction = Reaction(tells: announcement.asks)
        if announcement.isLeaving {
            self.nodes[announcement.node] = nil
        } else {
            guard self.nodes[announcement.node] != nil || self.nodes.count < Self.capacity else { return reaction }
            if let privacy = announcement.privacy { self.privacies[announcement.digest] = privacy }
            var known = announcement
            known.privacy = nil
            self.nodes[announcement.node] = Node(announcement: known, heardAt: now)
            reaction.revisionDiffers = announcement.revision != nil
            reaction.asks = announcement.digest != self.ownDigest && self.privacies[announcement.digest] == nil
        }
        reaction.privacyChanged = self.updatePrivacies()
        return reaction
    }

    /// Time has passed.
    mutating func tick(at now: NIODeadline) -> Reaction {
        if let hearing = self.hearing, now - hearing.last <= self.lease {
            self.nodes = self.nodes.filter { now - max($0.value.heardAt, hearing.since) <= self.lease }
        }
        return Reaction(asks: self.lacksPrivacy, privacyChanged: self.updatePrivacies())
    }

    private var lacksPrivacy: Bool {
        self.nodes.values.contains { node in
            node.announcement.digest != self.ownDigest && self.privacies[node.announcement.digest] == nil
        }
    }

    /// What is private to nodes whose configuration is another one, in an order that is always the same.
    var others: [Privacy] { self.lastPrivacies }

    private mutating func updatePrivacies() -> Bool {
        let live = Set(self.nodes.values.map(\.announcement.digest))
        self.privacies = self.privacies.filter { live.contains($0.key) }
        let others = live.subtracting([self.ownDigest]).sorted().compactMap { self.privacies[$0] }
        guard others != self.lastPrivacies else { return false }
        self.lastPrivacies = others
        return true
    }

    /// How many nodes go by the same configuration as this one, itself included, and how many by another one.
    var counts: (same: Int, different: Int) {
        let different = self.nodes.values.count { $0.announcement.digest != self.ownDigest }
        return (self.nodes.count - different + 1, different)
    }
}
