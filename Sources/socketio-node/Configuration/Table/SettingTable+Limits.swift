import EngineIO
import SocketIOServer
import SocketIOWire

/// What one client may cost.
extension SettingTable {
    static let limits = SettingDeclaration<NodeConfiguration>.record(
        "limits",
        "What one client may cost.",
        Self.sizes + Self.counts + Self.rates
    )

    private static let sizes: [SettingDeclaration<NodeConfiguration>] = [
        .bytes(
            "messageSize",
            \.server.engine.maxHTTPBufferSize,
            1024...1_073_741_824,
            .restart,
            "The longest message, or body of a polling request, that the server takes."
        ),
        .integer(
            "attachments",
            \.server.packetLimits.maximumAttachments,
            0...1000,
            .restart,
            "The most binary attachments of one packet."
        ),
        .bytes(
            "queuedBytes",
            \.server.engine.limits.maxQueuedBytes,
            16_384...1_073_741_824,
            .restart,
            """
            How many unsent bytes may wait behind the message that is being sent before the server disconnects the client as \
            too slow.
            """
        ),
        .bytes(
            "totalQueuedBytes",
            \.server.totalQueuedBytes,
            0...1_099_511_627_776,
            .restart,
            """
            How many unsent bytes all clients together may have before the server disconnects those with most; 0: a quarter \
            of the memory that the process may use.
            """
        ),
        .bytes(
            "totalRequestBytes",
            \.server.totalRequestBytes,
            0...1_099_511_627_776,
            .restart,
            """
            How many bytes the server keeps of requests and messages that have arrived only in part or wait to be handled, for \
            all clients together, before it refuses the longest; 0: an eighth of the memory that the process may use.
            """
        ),
        .bytes(
            "volatileBytes",
            \.server.engine.limits.volatileThreshold,
            0...1_073_741_824,
            .restart,
            "How many unsent bytes a client may have before the server drops volatile events for it."
        ),
        .integer(
            "waitingEvents",
            \.server.limits.waitingEvents,
            1...1_000_000,
            .restart,
            "How many events of one client may wait for their handlers before the server stops reading from it."
        ),
        .bytes(
            "waitingBytes",
            \.server.limits.waitingBytes,
            1024...1_073_741_824,
            .restart,
            "How many bytes of such events may wait; one event may be longer than that."
        ),
    ]

    private static let counts: [SettingDeclaration<NodeConfiguration>] = [
        .integer(
            "namespacesPerConnection",
            \.server.limits.namespacesPerConnection,
            1...100_000,
            .restart,
            "The most namespaces that one connection may join."
        ),
        .integer(
            "roomsPerSocket",
            \.server.limits.roomsPerSocket,
            1...1_000_000,
            .restart,
            "The most rooms that a socket may be in."
        ),
        .integer(
            "pendingAcknowledgements",
            \.server.limits.pendingAcknowledgements,
            1...1_000_000,
            .restart,
            "How many events sent to one client may wait for its acknowledgement."
        ),
        .bytes(
            "authSize",
            \.server.limits.authBytes,
            64...1_073_741_824,
            .restart,
            "The longest `auth` that a client may send when it connects."
        ),
    ]

    private static let rates: [SettingDeclaration<NodeConfiguration>] = [
        .limit(
            "packetsPerSecond",
            \.server.packetsPerSecond,
            0...1_000_000_000,
            .restart,
            """
            How many packets a second one connection may send in the long run, and twice as many at once; 0: as many as it \
            can. The server refuses further ones with the reason, and disconnects a client that goes on.
            """
        ),
        .bytes(
            "bytesPerSecond",
            \.server.bytesPerSecond,
            0...1_073_741_824,
            .restart,
            """
            How many bytes of messages a second one connection may send in the long run; 0: as many as it can. A client that \
            sends more is not read for a while.
            """
        ),
        .limit(
            "controlPacketsPerSecond",
            \.server.engine.limits.maxControlPacketsPerSecond,
            0...1_000_000_000,
            .restart,
            "How many pings, pongs and other packets without data a second one connection may send; 0: as many as it can."
        ),
        .limit(
            "connections",
            \.server.engine.limits.maxConnections,
            0...100_000_000,
            .restart,
            "The most connections of all clients, refused ones included while they last; 0: as many as open files allow."
        ),
        .limit(
            "connectionsPerAddress",
            \.server.engine.limits.maxConnectionsPerAddress,
            0...100_000_000,
            .restart,
            "The most connections of one address; 0: no limit. Behind a proxy all connections have the proxy's address."
        ),
        .limit(
            "sessionsPerAddress",
            \.server.engine.limits.maxSessionsPerAddress,
            0...100_000_000,
            .restart,
            "The most clients of one address, polling ones included; 0: no limit."
        ),
        .duration(
            "requestTimeout",
            \.server.engine.limits.requestTimeout,
            100...3_600_000,
            .restart,
            "How long an HTTP request may take to arrive."
        ),
        .duration(
            "keepAliveTimeout",
            \.server.engine.limits.keepAliveTimeout,
            100...3_600_000,
            .restart,
            "How long the server keeps an HTTP connection without a request."
        ),
    ]
}
