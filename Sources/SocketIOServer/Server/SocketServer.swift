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
    let configuration: SocketServerConfiguration
    let adapterFactory: any AdapterFactory
    let logger: Logger
    /// What the log is told of the application's failures.
    let failures: FailureLog
    /// What the log is told of handlers that never run.
    let mistakes: RegistrationCheck
    let metricsFactory: any MetricsFactory
    let metrics: ServerMetrics
    /// One for each event loop, in the order of the group.
    let executors: [LoopTaskExecutor]
    /// `nil` while connection state recovery is off.
    let recoveryBudget: RecoveryBudget?
    private let directory: NamespaceDirectory
    private let group: any EventLoopGroup
    private let state = NIOLockedValueBox(State())
    private let ids = IDSource()

    private struct State {
        var engine: EngineServer?
        var newNamespaceHandlers: [@Sendable (Namespace) -> Void] = []
        var hasStarted = false
        var hasDisconnected = false
        var isClosed = false
    }

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
        self.adapterFactory = adapter
        self.logger = logger
        self.failures = FailureLog(logger: logger)
        self.mistakes = RegistrationCheck(logger: logger)
        self.metricsFactory = metricsFactory
        self.metrics = ServerMetrics(
            factory: metricsFactory,
            incidents: IncidentLog(logger: logger, source: "SocketIOServer", eventLoop: eventLoopGroup.any())
        )
        self.group = eventLoopGroup
        self.recoveryBudget = configuration.connectionStateRecovery.map { RecoveryBudget($0) }
        self.directory = NamespaceDirectory(
            limits: configuration.limits,
            removesEmptyChildren: configuration.cleanupEmptyChildNamespaces
        )
        self.executors = eventLoopGroup.makeIterator().map { LoopTaskExecutor(eventLoop: $0) }
        let engine = EngineServer(
            configuration: configuration.engine,
            eventLoopGroup: eventLoopGroup,
            logger: logger,
            metricsFactory: metricsFactory,
            onSession: { [weak self] session in
                guard let self else { return nil }
                let connection = ClientConnection(session: session, server: self)
                if session.protocolVersion == 3 { connection.connectVersion2() }
                return connection
            }
        )
        self.state.withLockedValue { $0.engine = engine }
        _ = self.of("/")
    }

    /// The connections' side of the server.
    public var engine: EngineServer {
        guard let engine = self.state.withLockedValue({ $0.engine }) else {
            preconditionFailure("the engine is made by the server's initialiser")
        }
        return engine
    }

    // MARK: Namespaces

    /// The main namespace, `/`.
    public var sockets: Namespace { self.of("/") }

    /// The namespace of that name, made if it does not exist; a missing leading slash is added.
    ///
    /// If a pattern of ``of(matching:)`` matches the name of a new one, it becomes a child of that parent.
    public func of(_ name: String) -> Namespace {
        let name = name.utf8.first == UInt8(ascii: "/") ? name : "/" + name
        if let namespace = self.existing(name) { return namespace }
        let parent = self.directory.parents.first { parent in
            if case .pattern(let pattern) = parent.rule { pattern.matches(name) } else { false }
        }
        let made = Namespace(name: name, server: self, parent: parent)
        let namespace = self.directory.insert(made)
        if namespace === made { self.began(made) }
        return namespace
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
        self.directory.addParent { ParentNamespace(name: "/_\($0)", rule: rule, server: self) }
    }

    /// Runs when a namespace other than the main one is made, before the first client connects to it, in whatever
    /// thread makes it.
    public func onNewNamespace(_ handler: @escaping @Sendable (Namespace) -> Void) {
        self.state.withLockedValue { $0.newNamespaceHandlers.append(handler) }
    }

    /// The namespaces that exist, by name.
    public var namespaces: [UTF8Text: Namespace] { self.directory.namespaces }

    /// A namespace exists from now on.
    private func began(_ namespace: Namespace) {
        let (startsNow, handlers) = self.state.withLockedValue { state in
            (state.hasStarted && !state.isClosed, state.newNamespaceHandlers)
        }
        if startsNow {
            // Awaited by nobody: a namespace that is made late joins the cluster as soon as it can.
            Task {
                do {
                    try await namespace.adapter.start()
                } catch {
                    self.logger.info(
                        "A namespace could not join the cluster",
                        metadata: [
                            "sio.namespace": "\(boundedText(namespace.name))",
                            "error": "\(boundedDescription(of: error))",
                        ]
                    )
                }
            }
        }
        guard namespace.name != "/" else { return }
        for handler in handlers { handler(namespace) }
    }

    // MARK: Namespaces that clients ask for

    /// What becomes of a client that wants to connect to a namespace.
    enum NamespaceEntry {
        /// The namespace exists, and counts one more socket until ``SocketServer/left(_:)``.
        case admitted(Namespace)
        case unknown
        case refused(LimitExceeded)
        /// Another client is making it: to be asked again, see ``SocketServer/whenMade(_:_:)``.
        case beingMade
        /// A closure has to be asked, or a pattern that another thread uses; then the parents behind it.
        case undecided([ParentNamespace])
    }

    func admit(_ name: String, _ request: HandshakeRequest) -> NamespaceEntry {
        if let admission = self.enter(name, request) { return admission }
        let parents = self.directory.parents
        guard !parents.isEmpty else { return .unknown }
        let limit = self.configuration.limits.dynamicNamespaceBytes
        guard name.utf8.count <= limit else {
            return .refused(LimitExceeded(code: .dynamicNamespaceBytes, limit: limit))
        }
        for (index, parent) in parents.enumerated() {
            switch parent.rule {
            case .pattern(let pattern):
                switch pattern.matchesAtOnce(name) {
                case true?: return self.makeChild(name, of: parent, request)
                case false?: continue
                case nil: return .undecided(Array(parents[index...]))
                }
            case .decision: return .undecided(Array(parents[index...]))
            }
        }
        return .unknown
    }

    /// The same, when it may take time to decide.
    func admit(
        _ name: String,
        _ request: HandshakeRequest,
        auth: JSONValue,
        asking parents: [ParentNamespace]
    ) async -> NamespaceEntry {
        for parent in parents {
            let isChild =
                switch parent.rule {
                case .pattern(let pattern): await pattern.matchesInTurn(name)
                case .decision(let decide): (try? await decide(name, auth)) == true
                }
            if isChild { return self.makeChild(name, of: parent, request) }
        }
        return .unknown
    }

    /// What becomes of a client of a namespace that exists; `nil` if it does not.
    private func enter(_ name: String, _ request: HandshakeRequest) -> NamespaceEntry? {
        var entry = self.directory.enter(name)
        if case .unheld = entry { entry = self.directory.enter(name, self.client(of: request)) }
        return switch entry {
        case .entered(let namespace): .admitted(namespace)
        case .beingMade: .beingMade
        case .holdsTooMany: self.holdsTooMany
        case .unknown, .unheld: nil
        }
    }

    private func client(of request: HandshakeRequest) -> NamespaceDirectory.Client {
        NamespaceDirectory.Client(address: self.engine.addressGroup(of: request))
    }

    private var holdsTooMany: NamespaceEntry {
        let limit = self.configuration.limits.dynamicNamespacesPerAddress ?? .max
        return .refused(LimitExceeded(code: .dynamicNamespacesPerAddress, limit: limit))
    }

    /// Makes a namespace for a client.
    ///
    /// Whoever asks for the same name meanwhile gets in when the application knows of the namespace, whose handlers may
    /// add the middleware that keeps him out; other names have nothing to wait for.
    private func makeChild(_ name: String, of parent: ParentNamespace, _ request: HandshakeRequest) -> NamespaceEntry {
        switch self.directory.reserve(name, for: self.client(of: request)) {
        case .exists: return self.enter(name, request) ?? .unknown
        case .holdsTooMany: return self.holdsTooMany
        case .full:
            let limit = self.configuration.limits.dynamicNamespaces
            return .refused(LimitExceeded(code: .dynamicNamespaces, limit: limit))
        case .reserved(let evicted):
            if let evicted { self.ended(evicted) }
            let made = Namespace(name: name, server: self, parent: parent)
            let namespace = self.directory.insert(made)
            if namespace === made { self.began(made) }
            self.directory.open(namespace)
            return .admitted(namespace)
        }
    }

    /// Runs when a namespace that a client asked for has been made.
    func whenMade(_ name: String, _ body: @escaping @Sendable () -> Void) { self.directory.whenMade(name, body) }

    /// A namespace has one more socket, of a client that is one of its clients already.
    func enteredAgain(_ namespace: Namespace) { self.directory.enterAgain(namespace) }

    /// A socket of a namespace is no more.
    func left(_ namespace: Namespace) {
        guard namespace.parent != nil, let removed = self.directory.leave(namespace) else { return }
        self.ended(removed)
    }

    /// Nobody who was away will come back to that namespace.
    func isAwaitedNoLonger(_ name: String, _ recovery: NamespaceRecovery) {
        guard let namespace = self.existing(name), namespace.recovery === recovery,
            let removed = self.directory.isAwaitedNoLonger(namespace)
        else { return }
        self.ended(removed)
    }

    /// A namespace is no longer in the directory.
    private func ended(_ namespace: Namespace) {
        // When the server closes, it closes every adapter itself.
        guard !self.state.withLockedValue({ $0.isClosed }) else { return }
        namespace.recovery?.close()
        // Ends when the adapter has left the cluster.
        Task { await namespace.adapter.close() }
    }

    func existing(_ name: String) -> Namespace? { self.directory.existing(name) }

    /// Runs tasks on one of the server's loops.
    func executor(on eventLoop: any EventLoop) -> LoopTaskExecutor { self.sockets.shard(on: eventLoop).executor }

    /// A new socket's id.
    func makeSocketID() -> SocketID { self.ids.makeConnectionID() }

    /// What a new client can come back with.
    func makeSessionID() -> SessionID { self.ids.makeSessionID() }

    // MARK: Life

    /// Joins the cluster: returns when every namespace hears what other nodes publish.
    ///
    /// - Throws: What the adapter throws, such as an unreachable Redis.
    public func start() async throws {
        let namespaces = self.state.withLockedValue { state -> [Namespace] in
            guard !state.hasStarted else { return [] }
            state.hasStarted = true
            return Array(self.directory.namespaces.values)
        }
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
        let isFirst = self.state.withLockedValue { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
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
        let isFirst = self.state.withLockedValue { state in
            defer { state.hasDisconnected = true }
            return !state.hasDisconnected
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
