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
/// Every method concerns the whole cluster, whichever node a socket is connected to. What needs an answer of other nodes
/// throws `ClusterError` if one of them does not answer in time.
public final class IO: Sendable {
    /// The server underneath.
    public let server: SocketServer
    /// The main namespace, which all methods without a namespace's name concern.
    let main: Namespace
    let hooks: GatewayHooks
    let logger: Logger
    let metrics: GatewayMetrics
    /// Unix time in seconds.
    let now: @Sendable () -> Double
    let connections: ConnectionRegistry

    private let current: NIOLockedValueBox<GatewayModel>
    let eventIDs: EventIDMemory
    let entities: NIOLockedValueBox<EntityMemory>
    let limiter: NIOLockedValueBox<FailureLimiter>
    /// Rooms with names like ids of sockets that were found to be none: ids are random, so they never become one.
    let harmlessRooms: NIOLockedValueBox<RecentIDs>

    /// Puts the gateway on a server: its checks, its events, its namespaces.
    ///
    /// To be called before the server listens, and once for a server. Middlewares that the application registers
    /// afterwards run behind the gateway's. Server and gateway keep each other alive.
    ///
    /// - Parameters:
    ///   - server: The server that clients connect to.
    ///   - configuration: What to allow and to show.
    ///   - hooks: What the application brings along.
    ///   - logger: Where the gateway logs; nowhere by default.
    ///   - metricsFactory: Where the gateway counts.
    ///   - clock: Unix time in seconds, by which credentials expire; the system's by default.
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
        // The limits of an address and the gateway's checks must agree on who is where.
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
        self.metrics = GatewayMetrics(
            factory: metricsFactory,
            incidents: IncidentLog(logger: logger, source: "Gateway", eventLoop: server.sockets.eventLoop)
        )
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

    /// The API token that a key belongs to, for whoever checks keys of its own callers; `nil` if there is none that is
    /// valid now.
    ///
    /// Compared in constant time, and by the configuration in force.
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

    /// Puts another configuration into force, without disturbing those who are connected.
    ///
    /// Sockets of tokens that are gone or revoked are disconnected. The mode of authentication, the namespaces, the
    /// trusted proxies and the sizes of the gateway's memory (failures, event ids) stay as they were installed.
    ///
    /// - Throws: ``GatewayError`` with every problem of the new configuration; the old one stays in force then.
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

    /// What a client gets before the server disconnects it: `{reason}`.
    static let disconnectEvent = "io:disconnect"

    /// The time as JavaScript writes it: `2026-01-31T12:00:00.000Z`.
    var isoTime: JSONValue {
        (try? JSONValue(encoding: Date(timeIntervalSince1970: self.now()))) ?? .null
    }
}
