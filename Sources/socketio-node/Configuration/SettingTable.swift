/// Every key of the configuration: its name, shape, default and meaning.
///
/// The parser, the names in the environment, `check-config` and `config/node.yaml` are all made from this table.
enum SettingTable {
    /// Variables that share the prefix and are no settings: the command line's own.
    static let otherVariables: Set<String> = ["SOCKETIO_CONFIG", "SOCKETIO_TOKEN", "SOCKETIO_URL", "SOCKETIO_TARGETS"]

    static let root: [SettingField] = [
        SettingField("listen", .record(Self.listen), "The public port: Socket.IO, GET /healthz and GET /readyz."),
        SettingField("heartbeat", .record(Self.heartbeat), "How the server finds dead connections."),
        SettingField("limits", .record(Self.limits), "What one client may cost."),
        SettingField(
            "cors",
            .record(Self.cors),
            "Which web pages may connect, by polling and by WebSocket; pages of this server's own host always may."
        ),
        SettingField("adapter", .record(Self.adapter), "How the nodes of a cluster reach each other."),
        SettingField(
            "recovery",
            .record(Self.recovery),
            "Lets clients that were away for a moment go on where they were."
        ),
        SettingField("gateway", .record(Self.gateway), "Who may connect, and who may see what."),
        SettingField("publish", .record(Self.publish), "The HTTP API through which back ends publish."),
        SettingField("logging", .record(Self.logging), "The log, on standard error."),
        SettingField("shutdown", .record(Self.shutdown), "What happens on SIGTERM, SIGINT and SIGHUP."),
    ]

    private static let port = SettingKind.integer(0...65_535)

    private static let listen: [SettingField] = [
        SettingField("host", .text(.host), default: "127.0.0.1", "The address; 0.0.0.0 or \"::\" for all interfaces."),
        SettingField("port", Self.port, default: "3000", "The port; 0 takes a free one and prints it."),
        SettingField("path", .text(.urlPath), default: "/socket.io", "The path that clients connect to."),
        SettingField(
            "transports",
            .list(.choice(["polling", "websocket"])),
            default: "[polling, websocket]",
            "The transports that clients may use."
        ),
        SettingField(
            "proxyProtocol",
            .list(.text(.address)),
            default: "[]",
            "Load balancers that send the PROXY header (version 1 or 2); their connections must begin with it."
        ),
        SettingField("allowUpgrades", .bool, default: "true", "Whether a polling client may change to WebSocket."),
        SettingField("allowEIO3", .bool, default: "false", "Whether Socket.IO 2 clients may connect, too."),
        SettingField(
            "compressPolls",
            .bool,
            default: "true",
            "Whether the server compresses answers to polls of 1 KB to 256 KB."
        ),
        SettingField(
            "compressMessages",
            .bool,
            default: "false",
            "Whether the server compresses WebSocket messages from 1 KB on for clients that offer "
                + "permessage-deflate, and takes compressed ones from them."
        ),
        SettingField(
            "connectTimeout",
            .duration(1...3_600_000),
            default: "45s",
            "How long a connection may stay without joining a namespace."
        ),
        SettingField(
            "threads",
            .integer(0...1024),
            default: "0",
            "How many event loops the node has; 0: one for each processor core."
        ),
    ]

    private static let heartbeat: [SettingField] = [
        SettingField("interval", .duration(100...3_600_000), default: "25s", "Time between two pings of the server."),
        SettingField(
            "timeout",
            .duration(100...3_600_000),
            default: "20s",
            "How long a client may take to answer a ping. A load balancer's idle timeout must exceed both together."
        ),
        SettingField(
            "upgradeTimeout",
            .duration(100...600_000),
            default: "10s",
            "How long a change of transport may take."
        ),
    ]

    private static let limits: [SettingField] = [
        SettingField(
            "messageSize",
            .bytes(1024...1_073_741_824),
            default: "1MB",
            "The longest message, or body of a polling request, that the server takes."
        ),
        SettingField("attachments", .integer(0...1000), default: "10", "The most binary attachments of one packet."),
        SettingField(
            "queuedBytes",
            .bytes(16_384...1_073_741_824),
            default: "16MiB",
            "How many unsent bytes may wait behind the message that is being sent before the server "
                + "disconnects the client as too slow."
        ),
        SettingField(
            "totalQueuedBytes",
            .bytes(0...1_099_511_627_776),
            default: "0",
            "How many unsent bytes all clients together may have before the server disconnects those with "
                + "most; 0: a quarter of the memory that the process may use."
        ),
        SettingField(
            "totalRequestBytes",
            .bytes(0...1_099_511_627_776),
            default: "0",
            "How many bytes the server keeps of requests and messages that have arrived only in part or wait to be "
                + "handled, for all clients together, before it refuses the longest; 0: an eighth of the memory that "
                + "the process may use."
        ),
        SettingField(
            "volatileBytes",
            .bytes(0...1_073_741_824),
            default: "16KiB",
            "How many unsent bytes a client may have before the server drops volatile events for it."
        ),
        SettingField(
            "waitingEvents",
            .integer(1...1_000_000),
            default: "128",
            "How many events of one client may wait for their handlers before the server stops reading from it."
        ),
        SettingField(
            "waitingBytes",
            .bytes(1024...1_073_741_824),
            default: "1MiB",
            "How many bytes of such events may wait; one event may be longer than that."
        ),
        SettingField(
            "namespacesPerConnection",
            .integer(1...100_000),
            default: "100",
            "The most namespaces that one connection may join."
        ),
        SettingField(
            "roomsPerSocket",
            .integer(1...1_000_000),
            default: "1000",
            "The most rooms that a socket may be in."
        ),
        SettingField(
            "pendingAcknowledgements",
            .integer(1...1_000_000),
            default: "1000",
            "How many events sent to one client may wait for its acknowledgement."
        ),
        SettingField(
            "authSize",
            .bytes(64...1_073_741_824),
            default: "64KiB",
            "The longest `auth` that a client may send when it connects."
        ),
        SettingField(
            "packetsPerSecond",
            .integer(0...1_000_000_000),
            default: "0",
            "How many packets a second one connection may send in the long run, and twice as many at once; 0: as "
                + "many as it can. The server refuses further ones with the reason, and disconnects a client that goes "
                + "on."
        ),
        SettingField(
            "bytesPerSecond",
            .bytes(0...1_073_741_824),
            default: "0",
            "How many bytes of messages a second one connection may send in the long run; 0: as many as it can. A "
                + "client that sends more is not read for a while."
        ),
        SettingField(
            "controlPacketsPerSecond",
            .integer(0...1_000_000_000),
            default: "1000",
            "How many pings, pongs and other packets without data a second one connection may send; 0: as many as "
                + "it can."
        ),
        SettingField(
            "connections",
            .integer(0...100_000_000),
            default: "0",
            "The most connections of all clients, refused ones included while they last; 0: as many as open files allow."
        ),
        SettingField(
            "connectionsPerAddress",
            .integer(0...100_000_000),
            default: "0",
            "The most connections of one address; 0: no limit. Behind a proxy all connections have the proxy's "
                + "address."
        ),
        SettingField(
            "sessionsPerAddress",
            .integer(0...100_000_000),
            default: "0",
            "The most clients of one address, polling ones included; 0: no limit."
        ),
        SettingField(
            "requestTimeout",
            .duration(100...3_600_000),
            default: "30s",
            "How long an HTTP request may take to arrive."
        ),
        SettingField(
            "keepAliveTimeout",
            .duration(100...3_600_000),
            default: "75s",
            "How long the server keeps an HTTP connection without a request."
        ),
    ]

    private static let cors: [SettingField] = [
        SettingField(
            "origins",
            .list(.text(.origin)),
            default: "[]",
            "Origins of the pages that may connect, as browsers send them; \"*\" for all.",
            example: "origins: [\"https://app.example.com\"]"
        ),
        SettingField("methods", .list(.text(.httpMethod)), default: "[GET, POST]", "Methods allowed in a preflight."),
        SettingField(
            "allowedHeaders",
            .list(.text(.headerName)),
            default: "[]",
            "Headers allowed in a preflight; empty: those that the browser asks for."
        ),
        SettingField("credentials", .bool, default: "false", "Whether browsers may send cookies along."),
        SettingField(
            "maxAge",
            .duration(0...86_400_000),
            default: "0",
            "How long a browser may keep a preflight's answer."
        ),
    ]

    // MARK: the node itself

    private static let publish: [SettingField] = [
        SettingField("enabled", .bool, default: "true", "Whether this node offers the API."),
        SettingField("host", .text(.host), default: "127.0.0.1", "The address; keep it off public networks."),
        SettingField("port", Self.port, default: "3001", "The port; 0 takes a free one and prints it."),
        SettingField(
            "whileDisconnected",
            .choice(["queue", "refuse"]),
            default: "queue",
            "What happens to a publish while Redis is away. queue: it waits, within bounds, and the answer is 202; refuse: "
                + "the answer is 503, and nothing is sent."
        ),
        SettingField("bodySize", .bytes(1024...1_073_741_824), default: "1MB", "The longest request body."),
        SettingField(
            "answerSize",
            .bytes(1024...1_073_741_824),
            default: "4MB",
            "The longest answer; the node refuses a longer list of sockets with 422."
        ),
        SettingField(
            "totalSize",
            .bytes(1024...17_179_869_184),
            default: "64MB",
            "The most bytes of bodies and answers that the node holds at a time; beyond that the answer is 503."
        ),
        SettingField("batchSize", .integer(1...100_000), default: "100", "The most operations in one batch."),
        SettingField(
            "headTimeout",
            .duration(100...600_000),
            default: "10s",
            "How long a new connection may take to send a request's first line and fields."
        ),
        SettingField(
            "requestTimeout",
            .duration(100...600_000),
            default: "30s",
            "How long a request's body may take to arrive."
        ),
        SettingField(
            "requestsPerToken",
            .integer(1...100_000),
            default: "1000",
            "The most requests of one token that are under way at a time; beyond that the answer is 429."
        ),
        SettingField(
            "maximumConnections",
            .integer(1...100_000),
            default: "1000",
            "The most connections. If there are more, the node closes those that have been idle longest."
        ),
    ]

    private static let logging: [SettingField] = [
        SettingField(
            "level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            default: "info",
            "The least important messages that are written."
        ),
        SettingField(
            "format",
            .choice(["text", "json"]),
            default: "text",
            "text: for people; json: one object a line."
        ),
    ]

    private static let shutdown: [SettingField] = [
        SettingField(
            "delay",
            .duration(0...600_000),
            default: "0",
            "How long /readyz says no before the node closes its clients, so that a load balancer stops sending new ones; "
                + "a second signal ends this time."
        ),
        SettingField(
            "deadline",
            .duration(100...3_600_000),
            default: "20s",
            "How long leaving may take, delay included: close the clients, leave Redis. Then the process ends anyway."
        ),
    ]
}
