import EngineIO
import Incidents
public import Logging
public import Metrics
import NIOConcurrencyHelpers
public import NIOCore
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
    /// What all parts need.
    let context: GatewayContext
    /// Decides who may connect.
    let gatekeeper: Gatekeeper
    /// Finds sockets in the cluster.
    let sockets: SocketDirectory
    /// Knows who follows what.
    let subscriptions: Subscriptions
    /// Keeps events for those who come back.
    let histories: Histories
    /// Sends what back ends publish.
    let events: EventPublisher
    /// Says what events would do.
    let explainer: Explainer
    /// Replaces the rules, one after the other.
    let changes = OneAtATime()
    /// What the cluster is doing, for those who operate it.
    public let monitoring: Monitoring
    /// What clients share beside events.
    let collaboration: Collaboration
    /// Handles what the application wants to hear from clients.
    let customEvents: CustomEvents
    /// Limits what clients and publishers do, for the whole cluster.
    let limits: ClientLimits
    /// Knows which configurations the nodes go by.
    let watch: ConfigurationWatch
    /// The settings that the gateway follows.
    let liveSettings = NIOLockedValueBox<LiveSettings?>(nil)
    /// Grants what clients ask for.
    private let requests: ClientRequests

    /// Puts the gateway on a server: its checks, its events, its namespaces.
    ///
    /// Call it before the server listens, and once for each server. Middlewares that the application registers
    /// afterwards run behind the gateway's. Server and gateway keep each other alive.
    ///
    /// - Parameters:
    ///   - server: The server that clients connect to.
    ///   - configuration: What to allow and to show.
    ///   - hooks: Functions of the application that the gateway calls.
    ///   - application: Functions of the application for what clients do.
    ///   - sharing: What the gateways of the cluster share. By default the gateway is alone.
    ///   - outgoing: What sends the gateway's requests to other servers, for configurations that name some.
    ///   - logger: Where the gateway logs. By default it does not log.
    ///   - metricsFactory: Where the gateway counts.
    ///   - clock: The Unix time in seconds that decides when credentials expire. By default it is the system's.
    /// - Returns: The gateway.
    /// - Throws: ``GatewayError`` with every problem of the configuration.
    public static func install(
        on server: SocketServer,
        configuration: GatewayConfiguration,
        hooks: GatewayHooks = GatewayHooks(),
        application: GatewayApplication = GatewayApplication(),
        sharing: Sharing = Sharing(),
        outgoing: (any OutgoingHTTP)? = nil,
        logger: Logger = Logger(label: "socketio.gateway", factory: { _ in SwiftLogNoOpLogHandler() }),
        metricsFactory: any MetricsFactory = MetricsSystem.factory,
        clock: (@Sendable () -> Double)? = nil
    ) async throws -> IO {
        let incidents = IncidentLog(logger: logger, source: "Gateway", eventLoop: server.sockets.eventLoop)
        let now = clock ?? { Date().timeIntervalSince1970 }
        let keySets = KeySetDirectory(outgoing: outgoing, now: now, incidents: incidents)
        try configuration.checkRequests(outgoing)
        let rules = try await Rules(configuration, hooks: hooks, keySets: keySets)
        let rulesInForce = RulesInForce(rules, eventLoops: server.sockets.eventLoops)
        let wanting = configuration.problems(handlers: application.handlers, canSend: outgoing != nil)
        guard wanting.isEmpty else { throw GatewayError(wanting) }
        let io = IO(
            GatewayContext(
                server: server,
                rules: rulesInForce,
                hooks: hooks,
                application: application,
                sharing: sharing,
                outgoing: outgoing,
                keySets: keySets,
                logger: logger,
                metrics: GatewayMetrics(factory: metricsFactory, incidents: incidents),
                incidents: incidents,
                journal: EventJournal(
                    sharing,
                    rules: rulesInForce,
                    eventLoop: server.sockets.eventLoop,
                    incidents: incidents,
                    now: now
                ),
                now: now
            ),
            metricsFactory
        )
        // The limits for an address and the gateway's checks must agree on which address a client has.
        server.engine.trust(configuration.security.trustedProxies.compactMap { AddressRange($0) })
        try await application.initialize?(io)
        io.gatekeeper.register()
        io.requests.register()
        io.events.register()
        io.subscriptions.register()
        io.histories.register()
        io.explainer.register()
        io.monitoring.register()
        io.collaboration.register()
        io.gatekeeper.onAdmission { [online = io.collaboration.online] in online.admitted($0) }
        io.customEvents.register()
        io.watchConfigurations()
        return io
    }

    private init(_ context: GatewayContext, _ metrics: any MetricsFactory) {
        let limiter = ClusterLimiter(
            ledger: context.sharing.limits,
            eventLoop: context.main.eventLoop,
            incidents: context.incidents
        )
        limiter.start()
        let budgets = ClientBudgets(ClientLimits(context: context, limiter: limiter))
        self.context = context
        self.limits = budgets.shared
        self.watch = ConfigurationWatch(
            context.configuration,
            signals: context.sharing.signals,
            eventLoop: context.main.eventLoop,
            incidents: context.incidents,
            factory: metrics
        )
        self.sockets = SocketDirectory(context)
        self.subscriptions = Subscriptions(context, sockets: self.sockets, budgets: budgets)
        self.histories = Histories(context, subscriptions: self.subscriptions, budgets: budgets)
        let preview = LivePreview(context, subscriptions: self.subscriptions)
        self.events = EventPublisher(
            context,
            subscriptions: self.subscriptions,
            histories: self.histories,
            preview: preview
        )
        self.customEvents = CustomEvents(context, sockets: self.sockets, events: self.events)
        self.gatekeeper = Gatekeeper(
            context,
            budgets: budgets,
            subscriptions: self.subscriptions,
            customEvents: self.customEvents
        )
        self.explainer = Explainer(context, sockets: self.sockets, subscriptions: self.subscriptions)
        self.monitoring = Monitoring(context)
        self.collaboration = Collaboration(
            context,
            subscriptions: self.subscriptions,
            explainer: self.explainer,
            preview: preview
        )
        self.requests = ClientRequests(
            context,
            sockets: self.sockets,
            subscriptions: self.subscriptions,
            events: self.events,
            histories: self.histories,
            budgets: budgets,
            collaboration: self.collaboration
        )
    }

    /// The server that the gateway stands on.
    public var server: SocketServer { self.context.server }

    /// The configuration in force.
    public var configuration: GatewayConfiguration { self.context.configuration }

    /// The API token that a key belongs to, for services that check the keys of their own callers; `nil` if no token is
    /// valid now.
    ///
    /// The comparison takes constant time, and uses the configuration in force.
    public func apiToken(forKey key: String) -> APIToken? {
        let token = self.context.rules.value.access.tokens.validToken(forKey: key, now: self.context.now())
        guard let token, !self.gatekeeper.revocations.revokes(PrincipalRecord(.token(token), expiresAt: nil)) else {
            return nil
        }
        return token
    }

    /// The namespaces that the gateway looks after: `main`, and the configured ones by their bare names.
    public var namespaces: [String: Namespace] { self.context.namespaces }

    /// The verbs, with an answer that says what has happened on the other nodes.
    ///
    /// - Parameters:
    ///   - policy: What to do while the cluster is out of reach.
    ///   - timeout: How long the broker may take to confirm a message before it counts as queued.
    ///   - wantsReceipt: Whether to ask every node how many clients it sent an event to.
    /// - Returns: The verbs.
    public func publisher(
        whileUnreachable policy: UnreachablePolicy = .queue,
        timeout: TimeAmount = .seconds(2),
        wantsReceipt: Bool = false
    ) -> Publisher {
        Publisher(io: self, whileUnreachable: policy, timeout: timeout, wantsReceipt: wantsReceipt)
    }

    /// Runs `body` once for each id, as long as the node remembers the id.
    ///
    /// The node remembers an id only if `body` has published something. A caller that repeats a request which is still
    /// under way waits for it.
    ///
    /// - Parameters:
    ///   - id: The id that the publisher gave its event.
    ///   - scope: What the id belongs to.
    ///   - body: Does the work, and says whether it has published anything. It gets a digest of the id and the scope.
    /// - Returns: What `body` returned; `nil` if the work was done before.
    /// - Throws: What `body` throws. The id is not remembered then.
    package func once<Result: Sendable>(
        _ id: String,
        scope: [String],
        _ body: (_ digest: String) async throws -> (result: Result, hasPublished: Bool)
    ) async throws -> Result? {
        let key = EventIDMemory.Key(id, scope: scope)
        return try await self.events.eventIDs.once(key) { try await body(key.hexadecimal) }
    }
}
