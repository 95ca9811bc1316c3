public import EngineIO
public import Logging
public import Metrics
import NIOConcurrencyHelpers
public import NIOCore
public import NIOPosix
public import ServiceLifecycle
public import SocketIOWire
import Synchronization

/// A Socket.IO server: namespaces, their sockets, and the connections that carry them.
///
/// ```swift
/// let io = SocketServer(configuration: .init(host: "0.0.0.0", port: 3000))
/// io.sockets.onConnection { socket in
///     socket.on("hello") { (name: String) in "Hello, \(name)" }
/// }
/// try await io.run()
/// ```
///
/// Handlers and middlewares are to be registered before the server listens. Follows Socket.IO protocol 5 over Engine.IO
/// protocol 4.
public final class SocketServer: Sendable, Service {
    let configuration: SocketServerConfiguration
    let adapterFactory: any AdapterFactory
    let logger: Logger
    let metricsFactory: any MetricsFactory
    let metrics: ServerMetrics
    /// One for each event loop, in the order of the group.
    let executors: [LoopTaskExecutor]
    private let group: any EventLoopGroup
    private let state = NIOLockedValueBox(State())
    private let lastID = Atomic<UInt32>(0)

    private struct State {
        var namespaces: [String: Namespace] = [:]
        var engine: EngineServer?
        var hasStarted = false
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
        self.metricsFactory = metricsFactory
        self.metrics = ServerMetrics(factory: metricsFactory)
        self.group = eventLoopGroup
        self.executors = eventLoopGroup.makeIterator().map { LoopTaskExecutor(eventLoop: $0) }
        let engine = EngineServer(
            configuration: configuration.engine,
            eventLoopGroup: eventLoopGroup,
            logger: logger,
            metricsFactory: metricsFactory,
            onSession: { [weak self] session in
                self.map { ClientConnection(session: session, server: $0) }
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
    public func of(_ name: String) -> Namespace {
        let name = name.hasPrefix("/") ? name : "/" + name
        if let namespace = self.existing(name) { return namespace }
        let made = Namespace(name: name, server: self)
        let (namespace, startsNow) = self.state.withLockedValue { state in
            if let namespace = state.namespaces[name] { return (namespace, false) }
            state.namespaces[name] = made
            return (made, state.hasStarted && !state.isClosed)
        }
        if startsNow {
            // Awaited by nobody: a namespace that is made late joins the cluster as soon as it can.
            Task {
                do {
                    try await namespace.adapter.start()
                } catch {
                    self.logger.info(
                        "A namespace could not join the cluster",
                        metadata: ["sio.namespace": "\(name)", "error": "\(error)"]
                    )
                }
            }
        }
        return namespace
    }

    /// The namespaces that exist, by name.
    public var namespaces: [String: Namespace] { self.state.withLockedValue { $0.namespaces } }

    func existing(_ name: String) -> Namespace? { self.state.withLockedValue { $0.namespaces[name] } }

    /// A new socket's id.
    func makeSocketID() -> SocketID {
        var generator = SystemRandomNumberGenerator()
        let counter = self.lastID.wrappingAdd(1, ordering: .relaxed).oldValue
        return SocketID(counter: counter, using: &generator)
    }

    // MARK: Life

    /// Joins the cluster: returns when every namespace hears what other nodes publish.
    ///
    /// - Throws: What the adapter throws, such as an unreachable Redis.
    public func start() async throws {
        let namespaces = self.state.withLockedValue { state -> [Namespace] in
            guard !state.hasStarted else { return [] }
            state.hasStarted = true
            return Array(state.namespaces.values)
        }
        for namespace in namespaces { try await namespace.adapter.start() }
    }

    /// Listens on an address; may be called several times, for IPv4 and IPv6 or for several ports.
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
    public func run() async throws {
        try await self.start()
        for listener in self.configuration.listeners {
            try await self.listen(host: listener.host, port: listener.port)
        }
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
        let namespaces = self.state.withLockedValue { state -> [Namespace]? in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            return Array(state.namespaces.values)
        }
        self.shutdown.trigger()
        guard let namespaces else { return }
        await self.engine.stopListening()
        for namespace in namespaces { await namespace.closeLocalSockets(.serverShuttingDown) }
        for namespace in namespaces { await namespace.adapter.close() }
        await self.engine.close()
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
    /// Sends an event to every client of the main namespace, on all nodes.
    @inlinable
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        self.sockets.emit(event, repeat each arguments)
    }

    /// Addresses the members of these rooms of the main namespace.
    public func to(_ rooms: Room...) -> BroadcastOperator { self.sockets.to(rooms) }

    /// Addresses everybody in the main namespace but the members of these rooms.
    public func except(_ rooms: Room...) -> BroadcastOperator { self.sockets.except(rooms) }

    /// Runs for every client that has connected to the main namespace.
    public func onConnection(_ handler: @escaping @Sendable (Socket) -> Void) { self.sockets.onConnection(handler) }

    /// Runs for every client that wants to connect to the main namespace.
    public func use(_ middleware: @escaping @Sendable @concurrent (Socket) async throws -> Void) {
        self.sockets.use(middleware)
    }
}
