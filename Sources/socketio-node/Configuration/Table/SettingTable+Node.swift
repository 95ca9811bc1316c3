import Console
import Logging

/// The node itself.
extension SettingTable {
    static let publish = SettingDeclaration<NodeConfiguration>.record(
        "publish",
        "The HTTP API through which back ends publish.",
        [
            .bool("enabled", \.publishing.isEnabled, .restart, "Whether this node offers the API."),
            .text("host", \.publishing.host, .host, .restart, "The address; keep it off public networks."),
            .integer("port", \.publishing.port, Self.port, .restart, "The port; 0 takes a free one and prints it."),
            .choice(
                "whileDisconnected",
                \.publishing.api.whileDisconnected,
                .live,
                """
                What happens to a publish while Redis is away. queue: it waits, within bounds, and the answer is 202; refuse: \
                the answer is 503, and nothing is sent.
                """
            ),
            .duration(
                "eventIdLifetime",
                \.publishing.eventIDLifetime,
                1000...604_800_000,
                .restart,
                """
                How long the cluster remembers the eventId of a request that has published something. Redis keeps it.
                """
            ),
            .optionalText(
                "stream",
                \.publishing.stream,
                .nonEmpty,
                .restart,
                """
                The key of a Redis stream from which the nodes publish. Each entry has a field `body` with the JSON of \
                POST /io/emit, or of POST /io/raw without a schema; it is published at least once.
                """
            ),
            .bytes(
                "bodySize",
                \.publishing.api.maximumBodyBytes,
                1024...1_073_741_824,
                .live,
                "The longest request body."
            ),
            .bytes(
                "answerSize",
                \.publishing.api.maximumAnswerBytes,
                1024...1_073_741_824,
                .live,
                "The longest answer; the node refuses a longer list of sockets with 422."
            ),
            .bytes(
                "totalSize",
                \.publishing.api.maximumTotalBytes,
                1024...17_179_869_184,
                .restart,
                "The most bytes of bodies and answers that the node holds at a time; beyond that the answer is 503."
            ),
            .integer(
                "batchSize",
                \.publishing.api.maximumBatch,
                1...100_000,
                .live,
                "The most operations in one batch."
            ),
            .duration(
                "headTimeout",
                \.publishing.api.headTimeout,
                100...600_000,
                .live,
                "How long a new connection may take to send a request's first line and fields."
            ),
            .duration(
                "requestTimeout",
                \.publishing.api.bodyTimeout,
                100...600_000,
                .live,
                "How long a request's body may take to arrive."
            ),
            .integer(
                "requestsPerToken",
                \.publishing.api.requestsPerToken,
                1...100_000,
                .live,
                "The most requests of one token that are under way at a time; beyond that the answer is 429."
            ),
            .integer(
                "maximumConnections",
                \.publishing.api.maximumConnections,
                1...100_000,
                .restart,
                "The most connections. If there are more, the node closes those that have been idle longest."
            ),
        ]
    )

    static let console = SettingDeclaration<NodeConfiguration>.record(
        "console",
        "The internal listener, for those who operate the node: GET /metrics, /healthz and /readyz, and the monitoring API.",
        [
            .bool(
                "enabled",
                \.internalListener.isEnabled,
                .restart,
                "Whether this node has the listener; without it nothing is counted."
            ),
            .text(
                "host",
                \.internalListener.host,
                .host,
                .restart,
                """
                The address. Everybody who can reach it reads the metrics without a token; the rest needs an API token with \
                the scope io.monitor. If a scraper on another machine needs it, take an address of an internal network, and let a firewall keep others out.
                """
            ),
            .integer(
                "port",
                \.internalListener.port,
                Self.port,
                .restart,
                "The port; 0 takes a free one, which the log names."
            ),
        ]
    )

    static let logging = SettingDeclaration<NodeConfiguration>.record(
        "logging",
        "The log, on standard error.",
        [
            .choice("level", \.logging.level, .live, "The least important messages that are written."),
            .choice("format", \.logging.format, .restart, "text: for people; json: one object a line."),
        ]
    )

    static let shutdown = SettingDeclaration<NodeConfiguration>.record(
        "shutdown",
        "What happens on SIGTERM and SIGINT.",
        [
            .duration(
                "delay",
                \.shutdown.delay,
                0...600_000,
                .live,
                """
                How long /readyz says no before the node closes its clients, so that a load balancer stops sending new ones; a \
                second signal ends this time.
                """
            ),
            .duration(
                "deadline",
                \.shutdown.deadline,
                100...3_600_000,
                .live,
                "How long leaving may take, delay included: close the clients, leave Redis. Then the process ends anyway."
            ),
        ]
    )
}
