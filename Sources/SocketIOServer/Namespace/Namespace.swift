import CoreMetrics
import EngineIO
import Logging
import NIOConcurrencyHelpers
public import NIOCore
public import SocketIOWire
import Synchronization

/// A channel of its own over the clients' connections: its own sockets, rooms, middlewares and handlers.
///
/// Made by ``SocketServer/of(_:)``. Its methods may be called from any thread.
public final class Namespace: Sendable {
    struct Configuration: Sendable {
        var middlewares: [@Sendable @concurrent (Socket) async throws -> Void] = []
        var connectionHandlers: [@Sendable (Socket) -> Void] = []
        var disconnectingHandlers: [@Sendable (Socket, DisconnectReason) -> Void] = []
        var disconnectHandlers: [@Sendable (Socket, DisconnectReason) -> Void] = []
        var handlers: [String: [EventHandler]] = [:]
        var serverSideHandlers: [String: [@Sendable ([JSONValue], ServerSideReply?) -> Void]] = [:]
    }

    /// The name, with its leading slash: `/` for the main namespace.
    public let name: String
    let logger: Logger
    let metrics: NamespaceMetrics
    let index = NamespaceIndex()
    let mailboxLimit: Int
    let acknowledgementTimeout: TimeAmount?
    let shards: [NamespaceShard]
    private let shardOfLoop: [ObjectIdentifier: Int]
    private let configuration = NIOLockedValueBox(Configuration())
    private let lastAcknowledgementID = Atomic<Int>(0)
    /// Set once, right after the namespace is made: adapter and namespace know each other.
    private let adapterBox = NIOLockedValueBox<(any Adapter)?>(nil)

    init(name: String, server: SocketServer) {
        self.name = name
        self.logger = server.logger
        self.metrics = NamespaceMetrics(namespace: name, factory: server.metricsFactory)
        self.mailboxLimit = server.configuration.mailboxLimit
        self.acknowledgementTimeout = server.configuration.acknowledgementTimeout
        var shards: [NamespaceShard] = []
        var shardOfLoop: [ObjectIdentifier: Int] = [:]
        for (index, executor) in server.executors.enumerated() {
            shards.append(NamespaceShard(executor: executor))
            shardOfLoop[ObjectIdentifier(executor.eventLoop)] = index
        }
        self.shards = shards
        self.shardOfLoop = shardOfLoop
        for shard in shards { shard.adopt(by: self) }
        self.adapterBox.withLockedValue { $0 = server.adapterFactory.makeAdapter(for: NamespaceHost(self)) }
    }

    var adapter: any Adapter {
        guard let adapter = self.adapterBox.withLockedValue({ $0 }) else {
            preconditionFailure("a namespace has its adapter from its initialiser on")
        }
        return adapter
    }

    func shard(on eventLoop: any EventLoop) -> NamespaceShard {
        guard let index = self.shardOfLoop[ObjectIdentifier(eventLoop)] else {
            preconditionFailure("every event loop of the server has a shard of every namespace")
        }
        return self.shards[index]
    }

    var middlewares: [@Sendable @concurrent (Socket) async throws -> Void] {
        self.configuration.withLockedValue { $0.middlewares }
    }
    var connectionHandlers: [@Sendable (Socket) -> Void] {
        self.configuration.withLockedValue { $0.connectionHandlers }
    }
    var disconnectingHandlers: [@Sendable (Socket, DisconnectReason) -> Void] {
        self.configuration.withLockedValue { $0.disconnectingHandlers }
    }
    var disconnectHandlers: [@Sendable (Socket, DisconnectReason) -> Void] {
        self.configuration.withLockedValue { $0.disconnectHandlers }
    }

    func nextAcknowledgementID() -> Int {
        self.lastAcknowledgementID.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// Encodes an event, or logs why that is impossible.
    @usableFromInline
    func encode(_ event: String, id: Int?, write: (inout PayloadWriter) throws -> Void) -> EncodedPacket? {
        guard !isReservedEventName(event) else {
            self.reportUnencodable(event: event, error: ReservedEventName(name: event))
            return nil
        }
        do {
            return try PacketEncoder.event(event, namespace: self.name, id: id, write: write)
        } catch {
            self.reportUnencodable(event: event, error: error)
            return nil
        }
    }

    func reportUnencodable(event: String, error: any Error) {
        self.metrics.unencodable.increment()
        self.logger.info(
            "An event could not be encoded and was not sent",
            metadata: ["sio.namespace": "\(self.name)", "sio.event": "\(event)", "error": "\(error)"]
        )
    }
}

/// An application tried to send an event under a name that the protocol keeps for itself.
struct ReservedEventName: Error, CustomStringConvertible {
    let name: String
    var description: String { "\"\(self.name)\" is a reserved event name; choose another" }
}

// MARK: - Setting up

extension Namespace {
    /// Runs for every client that wants to connect, in the order of registration, before the next one.
    ///
    /// By throwing ``ConnectError`` it refuses the client, which gets the error's message and data as `connect_error`.
    public func use(_ middleware: @escaping @Sendable @concurrent (Socket) async throws -> Void) {
        self.configuration.withLockedValue { $0.middlewares.append(middleware) }
    }

    /// Runs for every client that has connected, on its loop, before anything else that the client sends is handled.
    public func onConnection(_ handler: @escaping @Sendable (Socket) -> Void) {
        self.configuration.withLockedValue { $0.connectionHandlers.append(handler) }
    }

    /// Runs when any socket of the namespace is about to leave it, while it still is in its rooms.
    public func onDisconnecting(_ handler: @escaping @Sendable (Socket, DisconnectReason) -> Void) {
        self.configuration.withLockedValue { $0.disconnectingHandlers.append(handler) }
    }

    /// Runs when any socket of the namespace has left it.
    public func onDisconnect(_ handler: @escaping @Sendable (Socket, DisconnectReason) -> Void) {
        self.configuration.withLockedValue { $0.disconnectHandlers.append(handler) }
    }

    /// Runs a handler for an event of any client; what it returns answers the acknowledgement.
    ///
    /// Unlike handlers that are registered on each socket, these cost no memory per connection. See
    /// `Socket.on` for arguments and errors.
    @inlinable
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Reply
    ) {
        self.add(.typed(handler), for: event)
    }

    /// Runs a handler for an event of any client; an acknowledgement is answered with nothing.
    @inlinable
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Void
    ) {
        self.add(.typed(handler), for: event)
    }

    /// Runs an asynchronous handler for an event of any client, after the asynchronous handlers of its earlier events.
    @inlinable
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Reply
    ) {
        self.add(.typed(handler), for: event)
    }

    /// Runs an asynchronous handler for an event of any client; an acknowledgement is answered with nothing.
    @inlinable
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Void
    ) {
        self.add(.typed(handler), for: event)
    }

    /// Runs a handler that takes any client's event as it came and acknowledges it when it likes.
    public func onRaw(_ event: String, _ handler: @escaping @Sendable (ReceivedEvent) throws -> Void) {
        self.add(EventHandler(body: .synchronous(handler), answersOnce: false), for: event)
    }

    @usableFromInline
    func add(_ handler: EventHandler, for event: String) {
        self.configuration.withLockedValue { $0.handlers[event, default: []].append(handler) }
        for shard in self.shards {
            // Enqueued to every loop in the order of registration, before any connection that is accepted later.
            shard.eventLoop.execute { shard.handlers[event, default: []].append(handler) }
        }
    }

    /// Runs when another server of the cluster sends an event by `serverSideEmit`.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - handler: Gets the arguments and, if the sender waits for an answer, the reply to give it with.
    public func onServerSide(
        _ event: String,
        _ handler: @escaping @Sendable (_ arguments: [JSONValue], _ reply: ServerSideReply?) -> Void
    ) {
        self.configuration.withLockedValue { $0.serverSideHandlers[event, default: []].append(handler) }
    }

    func serverSideHandlers(of event: String) -> [@Sendable ([JSONValue], ServerSideReply?) -> Void] {
        self.configuration.withLockedValue { $0.serverSideHandlers[event] ?? [] }
    }
}

/// Answers another server's `serverSideEmitWithAck`; only the first answer counts.
public struct ServerSideReply: Sendable {
    let once = AnsweredOnce()
    let send: @Sendable (JSONValue?) -> Void

    /// Answers; `nil` answers with nothing.
    public func callAsFunction(_ value: JSONValue?) {
        if self.once.isFirst() { self.send(value) }
    }
}

// MARK: - Addressing

extension Namespace {
    /// Everybody in the namespace.
    private var everybody: BroadcastOperator { BroadcastOperator(namespace: self, options: BroadcastOptions()) }

    /// Sends an event to every client of the namespace, on all nodes.
    @inlinable
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        BroadcastOperator(namespace: self, options: BroadcastOptions()).emit(event, repeat each arguments)
    }

    /// Sends an event with these arguments to every client of the namespace, on all nodes.
    public func emit(_ event: String, values: [JSONValue]) { self.everybody.emit(event, values: values) }

    /// Sends the event `message` to every client of the namespace.
    @inlinable
    public func send<each Argument: Encodable & Sendable>(_ arguments: repeat each Argument) {
        self.emit("message", repeat each arguments)
    }

    /// Addresses the members of these rooms; each once, however many of the rooms it is in.
    public func to(_ rooms: Room...) -> BroadcastOperator { self.everybody.to(rooms) }

    /// Addresses the members of these rooms; each once, however many of the rooms it is in.
    public func to(_ rooms: [Room]) -> BroadcastOperator { self.everybody.to(rooms) }

    /// Addresses the members of these rooms: the same as ``to(_:)-(Room...)``.
    public func `in`(_ rooms: Room...) -> BroadcastOperator { self.everybody.to(rooms) }

    /// Addresses the members of these rooms: the same as ``to(_:)-([Room])``.
    public func `in`(_ rooms: [Room]) -> BroadcastOperator { self.everybody.to(rooms) }

    /// Addresses everybody but the members of these rooms.
    public func except(_ rooms: Room...) -> BroadcastOperator { self.everybody.except(rooms) }

    /// Addresses everybody but the members of these rooms.
    public func except(_ rooms: [Room]) -> BroadcastOperator { self.everybody.except(rooms) }

    /// Addresses the sockets of this node only.
    public var local: BroadcastOperator { self.everybody.local }

    /// The next event is dropped for clients whose connection has more than a little unsent data.
    public var volatile: BroadcastOperator { self.everybody.volatile }

    /// Whether polling responses that carry the next event may be compressed.
    public func compress(_ allowed: Bool) -> BroadcastOperator { self.everybody.compress(allowed) }

    /// How long to wait for acknowledgements and answers of other nodes.
    public func timeout(_ timeout: TimeAmount) -> BroadcastOperator { self.everybody.timeout(timeout) }

    /// The namespace's sockets on all nodes.
    ///
    /// - Throws: ``ClusterError`` if a node does not answer in time.
    public func fetchSockets() async throws -> [RemoteSocket] { try await self.everybody.fetchSockets() }

    /// Makes every socket of the namespace, on all nodes, join these rooms.
    public func socketsJoin(_ rooms: [Room]) { self.everybody.socketsJoin(rooms) }

    /// Makes every socket of the namespace, on all nodes, leave these rooms.
    public func socketsLeave(_ rooms: [Room]) { self.everybody.socketsLeave(rooms) }

    /// Disconnects every socket of the namespace, on all nodes.
    public func disconnectSockets(closingConnection: Bool = false) {
        self.everybody.disconnectSockets(closingConnection: closingConnection)
    }

    /// How many sockets of this node are connected to the namespace.
    public var localSocketCount: Int {
        self.shards.reduce(0) { $0 + $1.connectedCount.load(ordering: .relaxed) }
    }

    /// A connected socket of this node.
    public func socket(_ id: SocketID) async -> Socket? {
        guard self.index.contains(id) else { return nil }
        for shard in self.shards {
            if let socket = try? await shard.eventLoop.submit({ shard.socket(id) }).get() { return socket }
        }
        return nil
    }

    /// The connected sockets of this node.
    public func localSockets() async -> [Socket] { await self.targets(of: BroadcastOptions()) }

    /// The names of the namespace's rooms on all nodes, ids of sockets included.
    ///
    /// - Throws: ``ClusterError`` if a node does not answer in time.
    public func allRooms() async throws -> Set<Room> {
        async let local = self.localRooms()
        let remote = try await self.adapter.allRooms(timeout: nil)
        return await local.union(remote)
    }

    /// The number of nodes that serve this namespace, this one included.
    public func serverCount() async throws -> Int { try await self.adapter.serverCount() }

    // MARK: Servers among themselves

    /// Sends an event to the other servers of the cluster themselves, not to clients.
    ///
    /// - Throws: When an argument can't be encoded, and for `connect`, `connection` and `new_namespace`, which are
    ///   reserved.
    public func serverSideEmit<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws {
        self.adapter.serverSideEmit(try Self.serverSideArguments(event, repeat each arguments))
    }

    /// Sends an event to the other servers of the cluster and waits for one answer of each.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - arguments: What follows the name.
    ///   - timeout: How long to wait; the adapter's default if `nil`.
    /// - Returns: One answer for each other server, `nil` for one that answered with nothing.
    /// - Throws: ``ClusterError``, with the answers that did arrive, if a server does not answer in time.
    public func serverSideEmitWithAck<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        timeout: TimeAmount? = nil
    ) async throws -> [JSONValue?] {
        let values = try Self.serverSideArguments(event, repeat each arguments)
        return try await self.adapter.serverSideEmitWithAck(values, timeout: timeout)
    }

    /// Names whose listeners on a Node.js server expect a socket or namespace.
    private static let reservedServerSideNames: Set<String> = ["connect", "connection", "new_namespace"]

    private static func serverSideArguments<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws -> [JSONValue] {
        guard !self.reservedServerSideNames.contains(event) else { throw ReservedEventName(name: event) }
        var values: [JSONValue] = [.string(event)]
        for argument in repeat each arguments { values.append(try JSONValue(encoding: argument)) }
        return values
    }
}
