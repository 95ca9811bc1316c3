import NIOCore

/// What a name of a subscription stands for.
public enum RESPSubscriptionKind: Sendable, Hashable, CaseIterable {
    /// A glob, subscribed with `PSUBSCRIBE`.
    case pattern
    /// A channel, subscribed with `SUBSCRIBE`.
    case channel
    /// A channel that lives in one slot of a Redis Cluster, subscribed with `SSUBSCRIBE` (Redis 7 or later).
    ///
    /// It is another channel than the one of the same name that `SUBSCRIBE` knows.
    case shardedChannel

    var subscribeCommand: String {
        switch self {
        case .pattern: "PSUBSCRIBE"
        case .channel: "SUBSCRIBE"
        case .shardedChannel: "SSUBSCRIBE"
        }
    }

    var unsubscribeCommand: String {
        switch self {
        case .pattern: "PUNSUBSCRIBE"
        case .channel: "UNSUBSCRIBE"
        case .shardedChannel: "SUNSUBSCRIBE"
        }
    }
}

/// A value for each kind of subscription.
struct PerKind<Value> {
    var pattern: Value
    var channel: Value
    var shardedChannel: Value

    subscript(kind: RESPSubscriptionKind) -> Value {
        get {
            switch kind {
            case .pattern: self.pattern
            case .channel: self.channel
            case .shardedChannel: self.shardedChannel
            }
        }
        _modify {
            switch kind {
            case .pattern: yield &self.pattern
            case .channel: yield &self.channel
            case .shardedChannel: yield &self.shardedChannel
            }
        }
    }
}

extension PerKind: Sendable where Value: Sendable {}

/// What Redis says of subscriptions, by the first word of a push.
enum SubscriptionPush {
    case message(RESPSubscriptionKind)
    case subscribed
    case unsubscribed(RESPSubscriptionKind)
    case pong

    init?(_ word: ByteBuffer) {
        guard let push = Self.words.first(where: { $0.word == word })?.push else { return nil }
        self = push
    }

    /// The frequent ones first.
    private static let words: [(word: ByteBuffer, push: SubscriptionPush)] = [
        ("message", .message(.channel)), ("pmessage", .message(.pattern)), ("smessage", .message(.shardedChannel)),
        ("subscribe", .subscribed), ("psubscribe", .subscribed), ("ssubscribe", .subscribed),
        ("unsubscribe", .unsubscribed(.channel)), ("punsubscribe", .unsubscribed(.pattern)),
        ("sunsubscribe", .unsubscribed(.shardedChannel)), ("pong", .pong),
    ].map { (ByteBuffer(string: $0), $1) }
}
