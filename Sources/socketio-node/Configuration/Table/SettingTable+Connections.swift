import EngineIO
import SocketIOServer

/// How clients connect.
extension SettingTable {
    static let listen = SettingDeclaration<NodeConfiguration>.record(
        "listen",
        "The public port: Socket.IO, GET /healthz and GET /readyz.",
        [
            .text(
                "host",
                \.listen.host,
                .host,
                .restart,
                "The address; 0.0.0.0 or \"::\" for all interfaces."
            ),
            .integer("port", \.listen.port, Self.port, .restart, "The port; 0 takes a free one and prints it."),
            .text("path", \.server.engine.path, .urlPath, .restart, "The path that clients connect to."),
            .choices("transports", \.server.engine.transports, .restart, "The transports that clients may use."),
            .texts(
                "proxyProtocol",
                \.listen.proxyProtocol,
                .address,
                .restart,
                "Load balancers that send the PROXY header (version 1 or 2); their connections must begin with it."
            ),
            .bool(
                "allowUpgrades",
                \.server.engine.allowUpgrades,
                .restart,
                "Whether a polling client may change to WebSocket."
            ),
            .bool("allowEIO3", \.server.engine.allowEIO3, .restart, "Whether Socket.IO 2 clients may connect, too."),
            .bool(
                "compressPolls",
                \.server.compressesPolls,
                .restart,
                "Whether the server compresses answers to polls of 1 KB to 256 KB."
            ),
            .bool(
                "compressMessages",
                \.server.compressesMessages,
                .restart,
                """
                Whether the server compresses WebSocket messages from 1 KB on for clients that offer permessage-deflate, and \
                takes compressed ones from them.
                """
            ),
            .duration(
                "connectTimeout",
                \.server.connectTimeout,
                1...3_600_000,
                .restart,
                "How long a connection may stay without joining a namespace."
            ),
            .integer(
                "threads",
                \.listen.threads,
                0...1024,
                .restart,
                "How many event loops the node has; 0: one for each processor core."
            ),
        ]
    )

    static let heartbeat = SettingDeclaration<NodeConfiguration>.record(
        "heartbeat",
        "How the server finds dead connections.",
        [
            .duration(
                "interval",
                \.server.engine.pingInterval,
                100...3_600_000,
                .restart,
                "Time between two pings of the server."
            ),
            .duration(
                "timeout",
                \.server.engine.pingTimeout,
                100...3_600_000,
                .restart,
                "How long a client may take to answer a ping. A load balancer's idle timeout must exceed both together."
            ),
            .duration(
                "upgradeTimeout",
                \.server.engine.upgradeTimeout,
                100...600_000,
                .restart,
                "How long a change of transport may take."
            ),
        ]
    )

    static let cors = SettingDeclaration<NodeConfiguration>.record(
        "cors",
        "Which web pages may connect, by polling and by WebSocket; pages of this server's own host always may.",
        [
            .texts(
                "origins",
                \.cors.origins,
                .origin,
                .live,
                "Origins of the pages that may connect, as browsers send them; \"*\" for all.",
                example: "origins: [\"https://app.example.com\"]"
            ),
            .texts("methods", \.cors.methods, .httpMethod, .live, "Methods allowed in a preflight."),
            .texts(
                "allowedHeaders",
                \.cors.allowedHeaders,
                .headerName,
                .live,
                "Headers allowed in a preflight; empty: those that the browser asks for."
            ),
            .bool("credentials", \.cors.credentials, .live, "Whether browsers may send cookies along."),
            .duration(
                "maxAge",
                \.cors.maxAge,
                0...86_400_000,
                .live,
                "How long a browser may keep a preflight's answer."
            ),
        ]
    )

    static let recovery = SettingDeclaration<NodeConfiguration>.record(
        "recovery",
        "Lets clients that were away for a moment go on where they were.",
        [
            .bool(
                "enabled",
                \.recovery.isEnabled,
                .restart,
                """
                Whether a client that comes back in time keeps its id and its rooms and gets what it missed; otherwise it is a \
                new client. Every event carries one more argument then, its offset.
                """
            ),
            .duration(
                "maxDisconnectionDuration",
                \.recovery.events.maxDisconnectionDuration,
                1...86_400_000,
                .restart,
                "How long a client may be away."
            ),
            .bool(
                "skipMiddlewares",
                \.recovery.events.skipMiddlewares,
                .restart,
                """
                Whether a client that comes back is not authenticated again. If it is, and is somebody else by then or has \
                another role, it is a new client.
                """
            ),
            .integer(
                "sessions",
                \.recovery.events.maximumSessions,
                0...10_000_000,
                .restart,
                "How many clients that are away the node remembers; the oldest give way."
            ),
            .integer(
                "events",
                \.recovery.events.maximumEvents,
                0...100_000_000,
                .restart,
                "How many events the node keeps for them."
            ),
            .bytes(
                "bytes",
                \.recovery.events.maximumBytes,
                0...1_099_511_627_776,
                .restart,
                "How many bytes it keeps: of events, and of the rooms and data of clients that are away."
            ),
        ]
    )
}
