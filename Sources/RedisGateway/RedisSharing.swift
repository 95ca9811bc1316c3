public import Gateway
import Incidents
public import Logging
import NIOCore
public import RESP

/// What the gateways of a cluster share, in a Redis.
///
/// ```swift
/// import Gateway
/// import RESP
/// import RedisGateway
/// import SocketIOServer
///
/// func install(on server: SocketServer, _ client: RESPClient) async throws -> IO {
///     let sharing = RedisSharing(client: client).sharing
///     return try await IO.install(on: server, configuration: GatewayConfiguration(), sharing: sharing)
/// }
/// ```
///
/// The Redis user needs the channels `<prefix>-gateway#*`, the keys `<prefix>-gateway:*`, and `EVAL`, `EVALSHA`, `PUBLISH`,
/// `SUBSCRIBE`, `XADD`, `XRANGE` and `XREVRANGE`. Histories need `PEXPIRE`, `GET`, `SET`, `DEL`, `TIME` and `INFO` as well, settings
/// `TYPE`, `DEL`, `HMGET`, `HSET`, `LINDEX`, `LPUSH`, `LTRIM` and `LRANGE`.
public struct RedisSharing: Sendable {
    /// The connection.
    let client: RESPClient
    /// What names of channels and keys begin with: `socket.io-gateway`.
    let prefix: String
    let incidents: IncidentLog
    /// For signals of all parts.
    private let signals: RedisSignals
    private let history: RedisHistory

    /// Makes what lies in a Redis.
    ///
    /// - Parameters:
    ///   - client: Connected, or being connected. It stays the caller's.
    ///   - prefix: What the cluster's names begin with, as in the adapter's configuration. Clusters that share a Redis
    ///     need different ones.
    ///   - logger: Where what Redis refuses goes. By default it does not log.
    public init(
        client: RESPClient,
        prefix: String = "socket.io",
        logger: Logger = Logger(label: "socketio.gateway.redis", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.client = client
        self.prefix = "\(prefix)-gateway"
        self.incidents = IncidentLog(logger: logger, source: "RedisGateway", eventLoop: client.eventLoop)
        self.signals = RedisSignals(client: client, prefix: self.prefix, incidents: self.incidents)
        self.history = RedisHistory(client: client, prefix: self.prefix, signals: self.signals)
    }

    /// What a gateway is installed with.
    public var sharing: Sharing {
        var sharing = Sharing(signals: self.signals)
        sharing.state = RedisState(client: self.client, signals: self.signals, prefix: self.prefix)
        sharing.revocations = RedisRevocations(client: self.client, prefix: self.prefix)
        sharing.eventLog = self.log("event-log")
        sharing.auditLog = self.log("audit")
        sharing.history = self.history
        sharing.limits = RedisLimits(client: self.client, prefix: self.prefix)
        sharing.settings = RedisSettings(client: self.client, prefix: self.prefix)
        return sharing
    }

    private func log(_ name: String) -> RedisLog {
        RedisLog(client: self.client, signals: self.signals, prefix: self.prefix, name: name)
    }
}
