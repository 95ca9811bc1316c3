import SocketIOWire

extension Emitter {
    /// How an emitter's messages get to the nodes: the adapter that the cluster has, with the options of that adapter.
    ///
    /// The nodes of a cluster all have one adapter. An emitter that uses another one, or other options, reaches nobody.
    public struct Transport: Sendable, Hashable {
        enum Kind: Sendable, Hashable {
            case pubSub(key: String, writesNumericRooms: Bool)
            case sharded(channelPrefix: String, SubscriptionMode)
            case streams(StreamName, maximumLength: Int, onlyPlaintext: Bool)
        }

        let kind: Kind

        /// Publish/subscribe, for clusters with the classic adapter (`createAdapter`, `PubSubAdapterFactory`).
        ///
        /// The messages are those of the official `@socket.io/redis-emitter`.
        ///
        /// - Parameters:
        ///   - key: The prefix of the cluster's channels: the adapter's `key`.
        ///   - writesNumericRooms: Whether a room named like an integer stands for Node's numeric room
        ///     (`socket.join(42)`) instead of the one of that name.
        /// - Returns: The transport.
        public static func pubSub(key: String = "socket.io", writesNumericRooms: Bool = false) -> Transport {
            Transport(kind: .pubSub(key: key, writesNumericRooms: writesNumericRooms))
        }

        /// Sharded publish/subscribe of Redis 7, for clusters with the sharded adapter (`createShardedAdapter`,
        /// `ShardedAdapterFactory`).
        ///
        /// There is no official emitter for these. Official nodes understand this one.
        ///
        /// A node listens to a room of its own only a moment after somebody has joined it. What is emitted to a room right
        /// after ``Emitter/socketsJoin(_:)-(Room...)`` may pass the new members by.
        ///
        /// - Parameters:
        ///   - channelPrefix: The prefix of the cluster's channels: the adapter's `channelPrefix`.
        ///   - subscriptionMode: Which rooms have a channel of their own: the adapter's `subscriptionMode`.
        /// - Returns: The transport.
        public static func sharded(
            channelPrefix: String = "socket.io",
            subscriptionMode: SubscriptionMode = .dynamic
        ) -> Transport {
            Transport(kind: .sharded(channelPrefix: channelPrefix, subscriptionMode))
        }

        /// Streams, for clusters with the streams adapter (`@socket.io/redis-streams-adapter`, `StreamsAdapterFactory`).
        ///
        /// The messages are those of the official `@socket.io/redis-streams-emitter`. Clients that are away for a moment get
        /// what was emitted meanwhile if the nodes have recovery on.
        ///
        /// - Parameters:
        ///   - streamName: The key of the stream: the adapter's `streamName`.
        ///   - streamCount: How many streams the namespaces are spread over: the adapter's `streamCount`.
        ///   - maximumLength: About how many entries the stream keeps: the adapter's `maxLen`.
        ///   - onlyPlaintext: Whether bytes are written as JSON, as Node's `Buffer` shows itself there, so that clients get
        ///     an object instead of bytes: the adapter's `onlyPlaintext`.
        /// - Returns: The transport.
        public static func streams(
            streamName: String = "socket.io",
            streamCount: Int = 1,
            maximumLength: Int = 10_000,
            onlyPlaintext: Bool = false
        ) -> Transport {
            let name = StreamName(streamName, count: streamCount)
            return Transport(
                kind: .streams(name, maximumLength: max(0, maximumLength), onlyPlaintext: onlyPlaintext)
            )
        }
    }

    /// Which rooms have a channel of their own in a cluster with the sharded adapter; the same as on its nodes.
    public enum SubscriptionMode: String, Sendable, Hashable, CaseIterable {
        /// None: every node hears every event.
        case `static`
        /// Those that sockets join, not those of sockets' ids.
        case dynamic
        /// All, also those of sockets' ids.
        case dynamicPrivate = "dynamic-private"

        var mode: ShardedSubscriptionMode {
            switch self {
            case .static: .static
            case .dynamic: .dynamic
            case .dynamicPrivate: .dynamicPrivate
            }
        }
    }
}
