import EngineIO
import Incidents
public import Logging
public import Metrics
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
public import SocketIOServer
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The gateway of a Socket.IO cluster: who may connect, what they see, and the verbs that back ends use.
///
/// ```swift
/// import Gateway
/// import SocketIOServer
///
/// let configuration = GatewayConfiguration()
/// let server = SocketServer(configuration: .init(host: "0.0.0.0", port: 3000))
/// let io = try await IO.install(on: server, configuration: configuration)
/// try io.emit(event: "create", schema: "api::article.article", data: ["id": 1, "title": "Hello"])
/// try io.raw(event: "notice", rooms: ["lobby"], data: "Maintenance at noon")
/// ```
///
/// Every method applies to the whole cluster, no matter to which node a socket is connected. A method that needs
/// answers of other nodes throws `ClusterError` if one of them does not answer in time.
public final class IO: Sendable {
    /// The server that the gateway stands on.
    public let server: SocketServer
    /// The main namespace.
    ///
    /// All methods without a namespace's name apply to it.
    let main: Namespace
    let hooks: GatewayHooks
    let logger: Logger
    let metrics: GatewayMetrics
    /// What the log is told of refusals and failures.
    let incidents: IncidentLog
    /// Unix time in seconds.
    let now: @Sendable () -> Double
    let connections: ConnectionRegistry

    private let current: NIOLockedValueBox<GatewayModel>
    let eventIDs: EventIDMemory
    let entities: NIOLockedValueBox<EntityMemory>
    let limiter: NIOLockedValueBox<FailureLimiter>
    /// Names of rooms that look like ids of sockets but were found to be none.
    ///
    /// Ids are random, so they will never be one.
    let harmlessRooms: NIOLockedValueBox<RecentIDs>

    /// Puts the gateway on a server: its checks, its events, its namespaces.
    ///
    /// Call it before the server listens, and once for each server. Middlewares that the application registers
    /// afterwards run behind the gateway's. Server and gateway keep each other alive.
    ///
    /// - Parameters:
    ///   - server: The server that clients connect to.
    ///   - configuration: What to allow and to show.
    ///   - hooks: Functions of the application that the gateway calls.
    ///   - logger: Where the gateway logs. By default it does not log.
    ///   - metricsFactory: Where the gateway counts.
    ///   - clock: The Unix time in seconds that decides when credentials expire. By default it is the system's.
    /// - Returns: The gateway.
    /// - Throws: ``GatewayError`` with every problem of the configuration.
    public static func install(
        on server: SocketServer,
        configuration: GatewayConfiguration,
        hooks: GatewayHooks = GatewayHooks(),
        logger: Logger = Logger(label: "socketio.gateway", factory: { _ in SwiftLogNoOpLogHandler() }),
        metricsFactory: any MetricsFactory = MetricsSystem.factory,
        clock: (@Sendable () -> Double)? = nil
    ) async throws -> IO {
        let model = try await GatewayModel(configuration, hooks: hooks)
        let io = IO(
            server: server,
            model: model,
            hooks: hooks,
            logger: logger,
            metricsFactory: metricsFactory,
            now: clock ?? { Date().timeIntervalSince1970 }
        )
        // The limits for an address and the gateway's checks must agree on which address a client has.
        server.engine.trust(configuration.security.trustedProxies.compactMap { AddressRange($0) })
        io.registerConnections()
        io.registerClientEvents()
        io.registerServerEvents()
        io.registerReceipts()
        io.registerEntityEvents()
        return io
    }

    private init(
        server: SocketServer,
        model: GatewayModel,
        hooks: GatewayHooks,
        logger: Logger,
        metricsFactory: any MetricsFactory,
        now: @escaping @Sendable () -> Double
    ) {
        self.server = server
        self.main = server.sockets
        self.hooks = hooks
        self.logger = logger
        self.incidents = IncidentLog(logger: logger, source: "Gateway", eventLoop: server.sockets.eventLoop)
        self.metrics = GatewayMetrics(factory: metricsFactory, incidents: self.incidents)
        self.now = now
        self.current = NIOLockedValueBox(model)
        let configuration = model.configuration
        self.eventIDs = EventIDMemory(capacity: configuration.events.rememberedEventIDs)
        self.entities = NIOLockedValueBox(
            EntityMemory(capacity: configuration.entitySubscriptions.rememberedIDs)
        )
        self.limiter = NIOLockedValueBox(
            FailureLimiter(
                maximum: configuration.authentication.maximumFailures,
                length: configuration.authentication.failureWindow
            )
        )
        self.harmlessRooms = NIOLockedValueBox(RecentIDs(capacity: 10_000))
        self.connections = ConnectionRegistry(eventLoop: server.sockets.eventLoop)
    }

    var model: GatewayModel { self.current.withLockedValue { $0 } }

    /// The configuration in force.
    public var configuration: GatewayConfiguration { self.model.configuration }

    /// The API token that a key belongs to, for services that check the keys of their own callers; `nil` if no token is
    /// valid now.
    ///
    /// The comparison takes constant time, and uses the configuration in force.
    public func apiToken(forKey key: String) -> APIToken? {
        self.model.validToken(forKey: key, now: self.now())
    }

    /// The namespaces that the gateway looks after: `main`, and the configured ones by their bare names.
    public var namespaces: [String: Namespace] {
        var namespaces = ["main": self.main]
        for namespace in self.configuration.namespaces {
            namespaces[namespace.name] = self.server.of(namespace.name)
        }
        return namespaces
    }

    /// Puts another configuration into force, and does not disturb clients that are connected.
    ///
    /// It disconnects the sockets of tokens that are gone or revoked. The mode of authentication, the namespaces, the
    /// trusted proxies and the sizes of the gateway's memory (failures, event ids) stay as they were installed.
    ///
    /// - Throws: ``GatewayError`` with every problem of the new configuration. The old one stays in force then.
    public func reload(_ configuration: GatewayConfiguration) async throws {
        var configuration = configuration
        let old = self.configuration
        configuration.authentication.mode = old.authentication.mode
        configuration.namespaces = old.namespaces
        configuration.security.trustedProxies = old.security.trustedProxies
        let model = try await GatewayModel(configuration, hooks: self.hooks)
        self.current.withLockedValue { $0 = model }
        let valid = Set(configuration.apiTokens.filter { !$0.isRevoked }.map { UTF8Text($0.slug) })
        for token in old.apiTokens where !token.isRevoked && !valid.contains(UTF8Text(token.slug)) {
            self.expelLocally(RoomName.token(token.slug), reason: "Token revoked")
        }
    }

    private func expelLocally(_ room: Room, reason: String) {
        for namespace in self.namespaces.values {
            let sockets = namespace.to(room).local
            sockets.emit(Self.disconnectEvent, values: [["reason": .string(reason)]])
            sockets.disconnectSockets(closingConnection: true)
        }
    }

    /// The event that a client gets before the server disconnects it.
    ///
    /// It has `{reason}`.
    static let disconnectEvent = "io:disconnect"

    /// The time as JavaScript writes it: `2026-01-31T12:00:00.000Z`.
    var isoTime: JSONValue {
        (try? JSONValue(encoding: Date(timeIntervalSince1970: self.now()))) ?? .null
    }
}
