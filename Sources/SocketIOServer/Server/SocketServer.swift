public import EngineIO
import Incidents
public import Logging
public import Metrics
import NIOConcurrencyHelpers
public import NIOCore
public import NIOPosix
public import ServiceLifecycle
public import SocketIOWire

/// A Socket.IO server: namespaces, their sockets, and the connections that carry them.
///
/// ```swift
/// import SocketIOServer
///
/// let io = SocketServer(configuration: .init(host: "0.0.0.0", port: 3000))
/// io.sockets.onConnection { socket in
///     socket.on("hello") { (name: String) in "Hello, \(name)" }
/// }
/// try await io.run()
/// ```
///
/// Register handlers and middlewares before the server listens. Follows Socket.IO protocol 5 over Engine.IO protocol 4.
public final class SocketServer: Service, HandlerRegistry, Addressable {
    package let configuration: SocketServerConfiguration
    let metrics: ServerMetrics
    /// The namespaces, and the rules for who gets into them.
    let directory: NamespaceDirectory
    /// The connections' side of the server.
    public let engine: EngineServer
    private let hasDisconnected = NIOLockedValueBox(false)
    private let ids = IDSource()

    /// Makes a server that does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: What the server does and how much of it.
    ///   - eventLoopGroup: The loops that share the connections; the process's common ones by default.
    ///   - adapter: What connects the server with others: alone by default.
    ///   - logger: Where the server logs; nowhere by default.
    ///   - metricsFactory: Where the server counts.
    public init(
        configuration: SocketServerConfiguration = SocketServerConfiguration(),
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        adapter: any AdapterFactory = InMemoryAdapterFactory(),
        logger: Logger = Logger(label: "socketio", factory: { _ in SwiftLogNoOpLogHandler() }),
        metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.configuration = configuration
        let incidents = IncidentLog(logger: logger, source: "SocketIOServer", eventLoop: eventLoopGroup.any())
        self.metrics = ServerMetrics(factory: metricsFactory, incidents: incidents)
        let door = SessionDoor()
        let engine = EngineServer(
            configuration: configuration.engine,
            eventLoopGroup: eventLoopGroup,
            logger: logger,
            metricsFactory: metricsFactory,
            onSession: { door.server?.admit($0) }
        )
        self.engine = engine
        let (ids, metrics) = (self.ids, self.metrics)
        let context = NamespaceContext(
            loops: eventLoopGroup.makeIterator().map { loop in
                NamespaceContext.Loop(
                    executor: LoopTaskExecutor(eventLoop: loop),
                    timers: engine.loop(of: loop)?.timers
                )
            },
            limits: configuration.limits,
            acknowledgementTimeout: configuration.acknowledgementTimeout,
            adapterFactory: adapter,
            logger: logger,
            incidents: incidents,
            mistakes: RegistrationCheck(logger: logger),
            metricsFactory: metricsFactory,
            metrics: metrics,
            recovery: configuration.connectionStateRecovery.map { settings in
                RecoveryContext(
                    settings: settings,
                    budget: RecoveryBudget(settings),
                    replay: ReplayLimits(configuration.engine.limits),
                    ids: ids
                )
            }
        )
        self.directory = NamespaceDirectory(
            context: context,
            removesEmptyChildren: configuration.cleanupEmptyChildNamespaces,
            addressGroup: { engine.addressGroup(of: $0) }
        )
        door.open(self)
        _ = self.of("/")
    }

    /// What all namespaces have in common.
    var context: NamespaceContext { self.directory.context }
    var logger: Logger { self.context.logger }
    var incidents: IncidentLog { self.context.incidents }
    /// `nil` while connection state recovery is off.
    var recoveryBudget: RecoveryBudget? { self.context.recovery?.budget }

    /// Takes a new connection.
    fileprivate func admit(_ session: EngineSession) -> ClientConnection {
        let connection = ClientConnection(session: session, server: self)
        if session.protocolVersion == 3 { connection.connectVersion2() }
        return connection
    }

    // MARK: Namespaces

    /// The main namespace, `/`.
    public var sockets: Namespace { self.of("/") }

    /// The namespace of that name, made if it does not exist; a missing leading slash is added.
    ///
    /// If a pattern of ``of(matching:)`` matches the name of a new one, it becomes a child of that parent.
    public func of(_ name: String) -> Namespace {
        let name = name.utf8.first == UInt8(ascii: "/") ? name : "/" + name
        return self.directory.namespace(name)
    }

    /// Lets clients connect to namespaces that do not exist, if the whole name matches a pattern.
    ///
    /// ```swift
    /// io.of(matching: /\/tenant-\d+/).onConnection { socket in print(socket.namespace.name) }
    /// ```
    ///
    /// The server asks patterns and closures in the order in which you gave them. Names come from clients, and have
    /// ``SocketLimits/dynamicNamespaceBytes`` bytes at most; a pattern that can match the same text in very many ways
    /// costs time all the same. Patterns match Unicode scalars, so a composed and a decomposed `é` are two texts.
    @discardableResult
    public func of<Output>(matching pattern: sending Regex<Output>) -> ParentNamespace {
        self.addParent(.pattern(NamePattern(pattern)))
    }

    /// Lets clients connect to namespaces that do not exist, if a closure says so.
    ///
    /// - Parameter decide: Gets the namespace's name and the client's `auth`; `false` or an error means no.
    /// - Returns: What the namespaces that come into being so have in common.
    @discardableResult
    public func of(
        _ decide: @escaping @Sendable @concurrent (_ name: String, _ auth: JSONValue) async throws -> Bool
    ) -> ParentNamespace {
        self.addParent(.decision(decide))
    }

    private func addParent(_ rule: ParentNamespace.Rule) -> ParentNamespace {
        self.directory.addParent { ParentNamespace(name: "/_\($0)", rule: rule, context: self.context) }
    }

    /// Runs when a namespace other than the main one is made, before the first client connects to it, in whatever
    /// thread makes it.
    public func onNewNamespace(_ handler: @escaping @Sendable (Namespace) -> Void) {
        self.directory.onNewNamespace(handler)
    }

    /// The namespaces that exist, by name.
    public var namespaces: [UTF8Text: Namespace] { self.directory.namespaces }

    /// Runs tasks on one of the server's loops.
    func executor(on eventLoop: any EventLoop) -> LoopTaskExecutor { self.sockets.shard(on: eventLoop).executor }

    /// A new socket's id.
    func makeSocketID() -> SocketID { self.ids.makeConnectionID() }

    // MARK: Life

    /// Joins the cluster: returns when every namespace hears what other nodes publish.
    ///
    /// - Throws: What the adapter throws, such as an unreachable Redis.
    public func start() async throws {
        guard let namespaces = self.directory.enters(.started) else { return }
        for namespace in namespaces { try await namespace.adapter.start() }
    }

    /// Listens on an address; call it several times for several addresses or ports.
    ///
    /// - Returns: The address listened on, with the port that the system chose if `port` was 0.
    /// - Throws: `ListenError` if it cannot be bound.
    @discardableResult
    public func listen(host: String, port: Int) async throws -> SocketAddress {
        try await self.engine.listen(host: host, port: port)
    }

    /// Stops accepting connections; the open ones go on.
    public func stopListening() async { await self.engine.stopListening() }

    /// Runs the server until the task is cancelled or the service group shuts down, then closes it.
    public func run() async throws { try await self.run { _ in } }

    /// Runs the server until the task is cancelled or the service group shuts down, then closes it.
    ///
    /// - Parameter onListening: Called once the server listens, with its addresses.
    /// - Throws: What the adapter throws, such as an unreachable Redis, and `ListenError` if an address cannot be bound.
    ///   Both say in a sentence what is wrong.
    public func run(onListening: @Sendable (_ addresses: [SocketAddress]) -> Void) async throws {
        try await self.start()
        var addresses: [SocketAddress] = []
        for listener in self.configuration.listeners {
            addresses.append(try await self.listen(host: listener.host, port: listener.port))
        }
        onListening(addresses)
        await withTaskCancellationOrGracefulShutdownHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                self.shutdown.arm(continuation)
            }
        } onCancelOrGracefulShutdown: {
            self.shutdown.trigger()
        }
        await self.close()
    }

    private let shutdown = ShutdownSignal()

    /// Closes the server: it stops listening, ends every socket (`server shutting down`), leaves the cluster, and closes
    /// the connections.
    public func close() async {
        let isFirst = self.directory.enters(.closed) != nil
        self.shutdown.trigger()
        guard isFirst else { return }
        // Namespaces that end with their last client are among them.
        let namespaces = self.namespacesInOrder
        await self.disconnectClients()
        for namespace in namespaces {
            await namespace.adapter.close()
            namespace.recovery?.close()
        }
    }

    /// The first half of ``close()``: the server stops listening, ends every socket, and closes the connections, but stays
    /// in the cluster, where what the application still sends reaches the clients of other nodes.
    package func disconnectClients() async {
        let isFirst = self.hasDisconnected.withLockedValue { hasDisconnected in
            defer { hasDisconnected = true }
            return !hasDisconnected
        }
        guard isFirst else { return }
        await self.engine.stopListening()
        for namespace in self.namespacesInOrder { await namespace.closeLocalSockets(.serverShuttingDown) }
        await self.engine.close()
    }

    /// The main one first.
    private var namespacesInOrder: [Namespace] {
        self.directory.namespaces.values.sorted { $0.text < $1.text }
    }
}

/// Where the engine's new sessions come in; empty while the server is being made, and when it is gone.
private final class SessionDoor: Sendable {
    private struct State: Sendable {
        weak var server: SocketServer?
    }

    private let state = NIOLockedValueBox(State())

    var server: SocketServer? { self.state.withLockedValue { $0.server } }

    func open(_ server: SocketServer) { self.state.withLockedValue { $0.server = server } }
}

/// Wakes the one task that waits for the server's end.
final class ShutdownSignal: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Void, Never>)
        case triggered
    }

    private let state = NIOLockedValueBox(State.idle)

    func arm(_ continuation: CheckedContinuation<Void, Never>) {
        let isOver = self.state.withLockedValue { state in
            if case .triggered = state { return true }
            state = .waiting(continuation)
            return false
        }
        if isOver { continuation.resume() }
    }

    func trigger() {
        let waiting: CheckedContinuation<Void, Never>? = self.state.withLockedValue { state in
            defer { state = .triggered }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume()
    }
}

// MARK: - The main namespace's members

extension SocketServer {
    /// Every client of the main namespace, on all nodes.
    public var everybody: BroadcastOperator { self.sockets.everybody }

    /// Adds a middleware or handler of the main namespace.
    public func register(_ registration: HandlerRegistration) { self.sockets.register(registration) }
}
