package import NIOCore

/// Something that a node must be allowed to do on Redis.
package struct ClusterRight: Sendable, Hashable {
    /// The action.
    package enum Action: Sendable, Hashable {
        /// With a message that means nothing to any node, to try it.
        case publish(ByteBuffer)
        case subscribe
        case subscribePattern
        case count
        /// The same for channels that live in one slot of a Redis Cluster.
        case publishSharded(ByteBuffer)
        case subscribeSharded
        case countSharded
        /// A command that changes nothing when it is tried; the right's name says what it is.
        case other([String])
    }

    /// The action.
    package var action: Action
    /// The channel or pattern.
    package var name: String

    /// A right.
    package init(_ action: Action, _ name: String) {
        self.action = action
        self.name = name
    }

    /// The right to use a command, which changes nothing when it is tried.
    package init(trying words: [String], _ name: String) { self.init(.other(words), name) }

    /// Such as `PUBLISH to socket.io-request#/#`.
    package var description: String {
        switch self.action {
        case .publish: "PUBLISH to \(self.name)"
        case .subscribe: "SUBSCRIBE to \(self.name)"
        case .subscribePattern: "PSUBSCRIBE to \(self.name)"
        case .count: "PUBSUB NUMSUB \(self.name)"
        case .publishSharded: "SPUBLISH to \(self.name)"
        case .subscribeSharded: "SSUBSCRIBE to \(self.name)"
        case .countSharded: "PUBSUB SHARDNUMSUB \(self.name)"
        case .other: self.name
        }
    }

    /// The command that needs it.
    var words: [String] {
        switch self.action {
        case .publish: ["PUBLISH", self.name, ""]
        case .subscribe: ["SUBSCRIBE", self.name]
        case .subscribePattern: ["PSUBSCRIBE", self.name]
        case .count: ["PUBSUB", "NUMSUB", self.name]
        case .publishSharded: ["SPUBLISH", self.name, ""]
        case .subscribeSharded: ["SSUBSCRIBE", self.name]
        case .countSharded: ["PUBSUB", "SHARDNUMSUB", self.name]
        case .other(let words): words
        }
    }
}
