import CoreMetrics
import EngineIO
import Incidents
import Logging
import NIOConcurrencyHelpers
public import NIOCore
public import SocketIOWire
import Synchronization

/// A channel of its own over the clients' connections: its own sockets, rooms, middlewares and handlers.
///
/// Made by ``SocketServer/of(_:)-(String)``, or as a child of a ``ParentNamespace``. Its methods may be called from any
/// thread.
public final class Namespace: HandlerRegistry, Addressable {
    /// The name, with its leading slash: `/` for the main namespace.
    public let name: String
    /// The name, to be compared.
    let text: UTF8Text
    /// The parent whose pattern or closure took the name; `nil` for a namespace that stands for itself.
    public let parent: ParentNamespace?
    let logger: Logger
    let incidents: IncidentLog
    let mistakes: RegistrationCheck
    let metrics: NamespaceMetrics
    let index: NamespaceIndex
    let limits: SocketLimits
    let acknowledgementTimeout: TimeAmount?
    let shards: [NamespaceShard]
    /// `nil` while clients that were away are new clients.
    let recovery: NamespaceRecovery?
    private let shardOfLoop: [ObjectIdentifier: Int]
    private let handlers: NIOLockedValueBox<HandlerSet>
    private let lastAcknowledgementID = Atomic<Int>(0)
    /// The sockets that events for everybody do not reach; usually there are none.
    let outsiders: OutsiderRule
    /// Broadcasts of other nodes that wait for acknowledgements of this node's clients.
    let remoteAcknowledgements = Atomic<Int>(0)
    /// Deals with the other nodes.
    let adapter: any Adapter

    /// A namespace.
    ///
    /// - Parameters:
    ///   - name: Its name, with the leading slash.
    ///   - context: What it needs of its server.
    ///   - parent: Whose child it is.
    ///   - isAwaitedNoLonger: Runs when no client is left that was away and might come back.
    init(
        name: String,
        context: NamespaceContext,
        parent: ParentNamespace? = nil,
        isAwaitedNoLonger: @escaping @Sendable (NamespaceRecovery) -> Void = { _ in }
    ) {
        self.name = name
        self.text = UTF8Text(name)
        self.parent = parent
        self.logger = context.logger
        self.incidents = context.incidents
        self.mistakes = context.mistakes
        self.metrics = parent?.metrics ?? NamespaceMetrics(namespace: name, factory: context.metricsFactory)
        self.limits = context.limits
        self.acknowledgementTimeout = context.acknowledgementTimeout
        let handlers = parent?.handlers ?? HandlerSet()
        self.handlers = NIOLockedValueBox(handlers)
        let index = NamespaceIndex()
        self.index = index
        let events = self.metrics.events
        self.shards = context.loops.map { loop in
            NamespaceShard(loop: loop, index: index, eventCounter: events, handlers: handlers)
        }
        self.shardOfLoop = Dictionary(
            uniqueKeysWithValues: self.shards.enumerated().map { (ObjectIdentifier($1.eventLoop), $0) }
        )
        let host = NamespaceHost(
            name: name,
            eventLoop: self.shards[0].eventLoop,
            keepsEvents: context.recovery != nil
        )
        let adapter = context.adapterFactory.makeAdapter(for: host)
        self.adapter = adapter
        let (shards, outsiders) = (self.shards, OutsiderRule())
        self.outsiders = outsiders
        self.recovery = context.recovery.map {
            NamespaceRecovery(
                context: $0,
                cluster: adapter as? any EventLogAdapter,
                shards: shards,
                index: index,
                outsiders: outsiders,
                isAwaitedNoLonger: isAwaitedNoLonger
            )
        }
        host.attach(self)
    }

    func shard(on eventLoop: any EventLoop) -> NamespaceShard {
        guard let index = self.shardOfLoop[ObjectIdentifier(eventLoop)] else {
            preconditionFailure("every event loop of the server has a shard of every namespace")
        }
        return self.shards[index]
    }

    var middlewares: [@Sendable @concurrent (Socket) async throws -> Void] {
        self.handlers.withLockedValue { $0.middlewares }
    }
    var connectionHandlers: [@Sendable (Socket) -> Void] { self.handlers.withLockedValue { $0.connection } }
    var disconnectingHandlers: [@Sendable (Socket, DisconnectReason) -> Void] {
        self.handlers.withLockedValue { $0.disconnecting }
    }
    var disconnectHandlers: [@Sendable (Socket, DisconnectReason) -> Void] {
        self.handlers.withLockedValue { $0.disconnect }
    }

    var missedEventFilters: [@Sendable (Socket, MissedEvent) -> Bool] {
        self.handlers.withLockedValue { $0.missedEvents }
    }

    var errorHandlers: [@Sendable (Socket, any Error, ReceivedEvent?) -> Void] {
        self.handlers.withLockedValue { $0.error }
    }

    func serverSideHandlers(of event: String) -> [@Sendable ([JSONValue], ServerSideReply?) -> Void] {
        self.handlers.withLockedValue { $0.serverSide[UTF8Text(event)] ?? [] }
    }

    /// Adds a middleware or handler; call it before clients connect.
    public func register(_ registration: HandlerRegistration) {
        self.mistakes.check(registration, of: self.name)
        self.handlers.withLockedValue { $0.add(registration) }
        switch registration.kind {
        case .event(let event, let handler): self.addToTables { $0.append(handler, for: UTF8Text(event)) }
        case .unhandled(let handler): self.addToTables { $0.unhandled = handler }
        default: break
        }
    }

    /// Adds a handler to the table of every loop.
    private func addToTables(_ add: @escaping @Sendable (EventTable) -> Void) {
        for shard in self.shards {
            // To every loop in the order of registration, before any connection that is accepted later; and at once on
            // the loop of a client whose CONNECT made the namespace, whose events may have been read already.
            if shard.eventLoop.inEventLoop {
                add(shard.handlers)
            } else {
                shard.eventLoop.execute { add(shard.handlers) }
            }
        }
    }

    /// Runs when rooms of this node come and go and when sockets enter and leave them, as the events of Node's adapters
    /// do.
    ///
    /// It runs on the loop of the socket, or on that of the caller who asked for the change.
    ///
    /// Register it before clients connect. Sockets enter and leave the rooms of their own ids, too.
    public func onRoomChange(_ handler: @escaping @Sendable (RoomChange) -> Void) {
        for shard in self.shards {
            if shard.eventLoop.inEventLoop {
                shard.roomObservers.append(handler)
            } else {
                shard.eventLoop.execute { shard.roomObservers.append(handler) }
            }
        }
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
        self.incidents.record(
            "An event could not be encoded and was not sent",
            reason: "encoding",
            level: .warning,
            pace: .failures,
            details: [
                "sio.namespace": "\(boundedText(self.name))", "sio.event": "\(boundedText(event))",
                "error": "\(boundedDescription(of: error))",
            ]
        )
    }
}

/// An application tried to send an event under a name that the protocol keeps for itself.
struct ReservedEventName: Error, CustomStringConvertible {
    let name: String
    var description: String { "\"\(self.name)\" is a reserved event name; choose another" }
}

/// What happened to a room of this node; see ``Namespace/onRoomChange(_:)``.
public enum RoomChange: Sendable, Hashable {
    /// The room has its first member on this node.
    case created(Room)
    /// A socket entered.
    case joined(Room, SocketID)
    /// A socket left.
    case left(Room, SocketID)
    /// The room's last member on this node has left.
    case deleted(Room)
}

// MARK: - Addressing

extension Namespace {
    /// Everybody in the namespace.
    public var everybody: BroadcastOperator { BroadcastOperator(namespace: self, options: BroadcastOptions()) }

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

    /// The socket of that id, if any node has it.
    ///
    /// This costs less than ``Addressable/fetchSockets()`` for its own room, and ends with the first node that has the
    /// socket. So a slow node delays the answer only if no other node has the socket.
    ///
    /// - Parameters:
    ///   - id: The socket's id.
    ///   - timeout: How long to wait for the other nodes; the adapter's default if `nil`.
    /// - Returns: The socket as it was when it was found.
    /// - Throws: ``ClusterError`` if the socket was not found, and a node has not answered.
    public func findSocket(_ id: String, timeout: TimeAmount? = nil) async throws -> RemoteSocket? {
        if let id = SocketID(id), let socket = await self.socket(id) {
            return RemoteSocket(description: socket.snapshot, namespace: self)
        }
        return try await self.adapter.findSocket(id, timeout: timeout).map {
            RemoteSocket(description: $0, namespace: self)
        }
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

    /// The names of the namespace's rooms on all nodes that answer, ids of sockets included.
    ///
    /// - Returns: The rooms that were received, and which nodes are missing.
    /// - Throws: ``ClusterError`` if the other nodes could not be asked at all.
    public func allRoomsAllowingPartial() async throws -> ClusterAnswer<Set<Room>> {
        do {
            return ClusterAnswer(try await self.allRooms())
        } catch let error as ClusterError where error.isPartial {
            return ClusterAnswer(error.partialRooms.union(await self.localRooms()), error: error)
        }
    }

    /// The number of nodes that serve this namespace, this one included.
    public func serverCount() async throws -> Int { try await self.adapter.serverCount() }

    // MARK: Servers among themselves

    /// Sends an event to the other servers of the cluster themselves, not to clients.
    ///
    /// - Throws: When an argument can't be encoded, and for the names of events that servers emit to themselves:
    ///   `connection`, `disconnect`, `error`, `new_namespace` and the like.
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

    private static func serverSideArguments<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws -> [JSONValue] {
        guard !ClusterProtocol.isReservedAmongServers(event) else { throw ReservedEventName(name: event) }
        var values: [JSONValue] = [.string(event)]
        for argument in repeat each arguments { values.append(try JSONValue(encoding: argument)) }
        return values
    }
}
