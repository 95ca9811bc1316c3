import RedisAdapters

extension SettingTable {
    static let adapter: [SettingField] = [
        SettingField(
            "type",
            .choice(NodeConfiguration.AdapterType.allCases.map(\.rawValue)),
            default: "memory",
            """
            memory: this node alone. redis: all nodes on one Redis, Node.js servers (createAdapter) and emitters included. \
            sharded: the same over sharded channels of Redis 7 (createShardedAdapter). streams: over a stream, from which a node \
            that lost Redis for a while reads what it has missed (redis-streams-adapter). All nodes have the same type.
            """
        ),
        SettingField("redis", .record(Self.redis), "Used with every type but `memory`."),
        SettingField("sharded", .record(Self.sharded), "Used with `type: sharded`."),
        SettingField("streams", .record(Self.streams), "Used with `type: streams`; the same on every node."),
    ]

    private static let redis: [SettingField] = [
        SettingField(
            "url",
            .secret(.nonEmpty),
            """
            Where Redis is: redis://[[user]:password@]host[:port][/database], rediss:// for TLS, or \
            unix://[[user]:password@]/path.
            """,
            example: "url: redis://127.0.0.1:6379"
        ),
        SettingField(
            "tls",
            .record(Self.redisTLS),
            "Used with a URL of rediss://. Files are PEM, and read again at each connection."
        ),
        SettingField(
            "key",
            .text(.nonEmpty),
            default: "socket.io",
            "The channels' prefix; must be the same on every node and in every emitter."
        ),
        SettingField(
            "subscriptions",
            .choice(PubSubAdapterConfiguration.Subscriptions.allCases.map(\.rawValue)),
            default: "pattern",
            """
            With `type: redis`. pattern: this node gets the broadcasts for all rooms, as Node.js servers do. rooms: it gets those \
            for everybody, for several rooms, and for single rooms that it has somebody in. Nodes may differ in this.
            """
        ),
        SettingField(
            "address",
            .text(.nodeAddress),
            "Where this node is, for the errors of other nodes that miss its answer; from listen.host and listen.port, if not set.",
            example: "address: node-1.internal:3000"
        ),
        SettingField(
            "requestsTimeout",
            .duration(10...600_000),
            default: "5s",
            "How long a question to the other nodes waits for their answers."
        ),
        SettingField(
            "readinessGrace",
            .duration(0...3_600_000),
            default: "5s",
            """
            How long Redis may be away, or take no messages, before /readyz says no. Clients that are connected stay, and are \
            served. The node sees by messages to itself whether messages arrive.
            """
        ),
        SettingField(
            "whenLost",
            .choice(NodeConfiguration.WhenLost.allCases.map(\.rawValue)),
            default: "serveLocal",
            """
            What happens when Redis has been away for whenLostGrace. serveLocal: nothing more; clients are served and new ones \
            accepted. notReady: /readyz says no, if readinessGrace is not over yet. stopAccepting: besides, new clients get \
            status 503 until Redis is back; those that are connected are served.
            """
        ),
        SettingField(
            "whenLostGrace",
            .duration(0...3_600_000),
            default: "5s",
            "How long Redis may be away, or take no messages, before whenLost counts."
        ),
        SettingField(
            "keptBytes",
            .bytes(65_536...17_179_869_184),
            default: "64MiB",
            "How many bytes of messages are kept for a Redis that is away. A message that does not fit is refused."
        ),
        SettingField(
            "keptFor",
            .duration(100...3_600_000),
            default: "2m",
            "How long a message is kept for a Redis that is away. Then it is dropped, and counted."
        ),
        SettingField(
            "publishOnSpecificResponseChannel",
            .bool,
            default: "false",
            """
            With `type: redis`: whether answers go only to the node that asked. Every node must listen there (Node adapter 7.1 or \
            later).
            """
        ),
    ]

    private static let sharded: [SettingField] = [
        SettingField(
            "subscriptionMode",
            .choice(ShardedAdapterConfiguration.SubscriptionMode.allCases.map(\.rawValue)),
            default: "dynamic",
            """
            Which rooms have a channel of their own, so that only nodes that somebody is in that room on get its broadcasts; must \
            be the same on every node. static: none. dynamic: all but those of sockets' ids. dynamic-private: all.
            """
        )
    ]

    private static let streams: [SettingField] = [
        SettingField(
            "name",
            .text(.nonEmpty),
            default: "socket.io",
            "The key of the stream (streamName); with several streams what their keys begin with."
        ),
        SettingField(
            "count",
            .integer(1...1000),
            default: "1",
            "How many streams the namespaces are spread over (streamCount)."
        ),
        SettingField(
            "maximumLength",
            .integer(1...1_000_000_000),
            default: "10000",
            "About how many events a stream keeps (maxLen)."
        ),
        SettingField(
            "readCount",
            .integer(1...100_000),
            default: "100",
            "How many events the node reads of a stream at once (readCount)."
        ),
        SettingField(
            "shardedPubSub",
            .bool,
            default: "false",
            "Whether questions and answers travel on sharded channels of Redis 7 (useShardedPubSub)."
        ),
        SettingField(
            "onlyPlaintext",
            .bool,
            default: "false",
            "Whether bytes are written as JSON, so that clients get an object instead of bytes (onlyPlaintext)."
        ),
    ]

    private static let redisTLS: [SettingField] = [
        SettingField(
            "caFile",
            .text(.nonEmpty),
            "The certificates of those who may vouch for Redis; those that the system trusts, if not set."
        ),
        SettingField("certificateFile", .text(.nonEmpty), "This node's certificate, where Redis wants one."),
        SettingField("keyFile", .text(.nonEmpty), "The private key of this node's certificate."),
        SettingField(
            "serverName",
            .text(.nonEmpty),
            "The name in Redis's certificate, where it is not the host of the URL."
        ),
        SettingField(
            "insecurelySkipVerification",
            .bool,
            default: "false",
            "Talk to whoever answers: they can read and change everything, the password included. For tests only."
        ),
    ]
}
