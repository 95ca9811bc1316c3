import RESP
import RedisAdapters
import SocketIOServer

/// How the nodes of a cluster reach each other.
extension SettingTable {
    static let adapter = SettingDeclaration<NodeConfiguration>.record(
        "adapter",
        "How the nodes of a cluster reach each other.",
        [
            .choice(
                "type",
                \.adapter.type,
                .restart,
                """
                memory: this node alone. redis: all nodes on one Redis, Node.js servers (createAdapter) and emitters \
                included. sharded: the same over sharded channels of Redis 7 (createShardedAdapter). streams: over a stream, \
                from which a node that lost Redis for a while reads what it has missed (redis-streams-adapter). All nodes \
                have the same type.
                """
            ),
            Self.redis,
            .record(
                "sharded",
                "Used with `type: sharded`.",
                [
                    .choice(
                        "subscriptionMode",
                        \.adapter.shardedAdapter.subscriptionMode,
                        .restart,
                        """
                        Which rooms have a channel of their own, so that only nodes that somebody is in that room on get its \
                        broadcasts; must be the same on every node. static: none. dynamic: all but those of sockets' ids. \
                        dynamic-private: all.
                        """
                    )
                ]
            ),
            Self.streams,
        ]
    )

    private static let redis = SettingDeclaration<NodeConfiguration>.record(
        "redis",
        "Used with every type but `memory`.",
        [
            .secret(
                "url",
                \.adapter.url,
                .redisURL,
                .restart,
                """
                Where Redis is: redis://[[user]:password@]host[:port][/database], rediss:// for TLS, or \
                unix://[[user]:password@]/path.
                """,
                example: "url: redis://127.0.0.1:6379"
            ),
            Self.redisTLS,
            .text(
                "key",
                \.adapter.classic.key,
                .nonEmpty,
                .restart,
                "The channels' prefix; must be the same on every node and in every emitter."
            ),
            .choice(
                "subscriptions",
                \.adapter.classic.subscriptions,
                .restart,
                """
                With `type: redis`. pattern: this node gets the broadcasts for all rooms, as Node.js servers do. rooms: it \
                gets those for everybody, for several rooms, and for single rooms that it has somebody in. Nodes may differ \
                in this.
                """
            ),
            .optionalText(
                "address",
                \.adapter.cluster.address,
                .nodeAddress,
                .restart,
                """
                Where this node is, for the errors of other nodes that miss its answer; from listen.host and listen.port, if \
                not set.
                """,
                example: "address: node-1.internal:3000"
            ),
            .duration(
                "requestsTimeout",
                \.adapter.cluster.requestsTimeout,
                10...600_000,
                .restart,
                "How long a question to the other nodes waits for their answers."
            ),
            .duration(
                "readinessGrace",
                \.adapter.readinessGrace,
                0...3_600_000,
                .restart,
                """
                How long Redis may be away, or take no messages, before /readyz says no. Clients that are connected stay, and \
                are served. The node sees by messages to itself whether messages arrive.
                """
            ),
            .choice(
                "whenLost",
                \.adapter.whenLost,
                .restart,
                """
                What happens when Redis has been away for whenLostGrace. serveLocal: nothing more; clients are served and new \
                ones accepted. notReady: /readyz says no, if readinessGrace is not over yet. stopAccepting: besides, new \
                clients get status 503 until Redis is back; those that are connected are served.
                """
            ),
            .duration(
                "whenLostGrace",
                \.adapter.whenLostGrace,
                0...3_600_000,
                .restart,
                "How long Redis may be away, or take no messages, before whenLost counts."
            ),
            .bytes(
                "keptBytes",
                \.adapter.queue.maximumBytes,
                65_536...17_179_869_184,
                .restart,
                "How many bytes of messages are kept for a Redis that is away. A message that does not fit is refused."
            ),
            .duration(
                "keptFor",
                \.adapter.queue.maximumAge,
                100...3_600_000,
                .restart,
                "How long a message is kept for a Redis that is away. Then it is dropped, and counted."
            ),
            .bool(
                "publishOnSpecificResponseChannel",
                \.adapter.classic.publishOnSpecificResponseChannel,
                .restart,
                """
                With `type: redis`: whether answers go only to the node that asked. Every node must listen there (Node \
                adapter 7.1 or later).
                """
            ),
        ]
    )

    private static let redisTLS = SettingDeclaration<NodeConfiguration>.record(
        "tls",
        "Used with a URL of rediss://. Files are PEM, and read again at each connection.",
        [
            .optionalText(
                "caFile",
                \.adapter.tls.caFile,
                .nonEmpty,
                .restart,
                "The certificates of those who may vouch for Redis; those that the system trusts, if not set."
            ),
            .optionalText(
                "certificateFile",
                \.adapter.tls.certificateFile,
                .nonEmpty,
                .restart,
                "This node's certificate, where Redis wants one."
            ),
            .optionalText(
                "keyFile",
                \.adapter.tls.keyFile,
                .nonEmpty,
                .restart,
                "The private key of this node's certificate."
            ),
            .optionalText(
                "serverName",
                \.adapter.tls.serverName,
                .nonEmpty,
                .restart,
                "The name in Redis's certificate, where it is not the host of the URL."
            ),
            .bool(
                "insecurelySkipVerification",
                \.adapter.tls.insecurelySkipsVerification,
                .restart,
                "Talk to whoever answers: they can read and change everything, the password included. For tests only."
            ),
        ]
    )

    private static let streams = SettingDeclaration<NodeConfiguration>.record(
        "streams",
        "Used with `type: streams`; the same on every node.",
        [
            .text(
                "name",
                \.adapter.streamsAdapter.streamName,
                .nonEmpty,
                .restart,
                "The key of the stream (streamName); with several streams what their keys begin with."
            ),
            .integer(
                "count",
                \.adapter.streamsAdapter.streamCount,
                1...1000,
                .restart,
                "How many streams the namespaces are spread over (streamCount)."
            ),
            .integer(
                "maximumLength",
                \.adapter.streamsAdapter.maximumLength,
                1...1_000_000_000,
                .restart,
                "About how many events a stream keeps (maxLen)."
            ),
            .integer(
                "readCount",
                \.adapter.streamsAdapter.readCount,
                1...100_000,
                .restart,
                "How many events the node reads of a stream at once (readCount)."
            ),
            .bool(
                "shardedPubSub",
                \.adapter.streamsAdapter.usesShardedPubSub,
                .restart,
                "Whether questions and answers travel on sharded channels of Redis 7 (useShardedPubSub)."
            ),
            .bool(
                "onlyPlaintext",
                \.adapter.streamsAdapter.onlyPlaintext,
                .restart,
                "Whether bytes are written as JSON, so that clients get an object instead of bytes (onlyPlaintext)."
            ),
        ]
    )
}
