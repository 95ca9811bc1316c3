public import NIOCore
public import RESP
public import SocketIOWire

/// Sends events to the clients of a Socket.IO cluster from a process that is none of its nodes.
///
/// ```swift
/// import RESP
/// import SocketIOEmitter
///
/// let redis = RESPClient(configuration: try .init(url: "redis://localhost:6379"))
/// try await redis.connect()
/// let emitter = Emitter(redis)
/// try emitter.to("lobby").emit("news", "Hello", 42)
/// try emitter.of("/admin").in("lobby").disconnectSockets()
/// try await emitter.flush()                     // before the process ends
/// ```
///
/// The nodes of a cluster all have one adapter, and the emitter has to use the same: ``Transport``. `Emitter(redis)` is
/// for the classic one, `Emitter(redis, transport: .sharded())` and `Emitter(redis, transport: .streams())` are for the
/// others. The messages are those of the official emitters, for Swift and Node.js nodes alike. A value: keep it, copy
/// it, use it from any thread.
///
/// Every call returns at once: `.sent` if the message is on its way to Redis, `.queued` if Redis is away and the
/// message waits for it, within the bounds of `RESPConfiguration.Queue`. A call throws if nobody will ever get the
/// message. ``flush(timeout:)`` and `RESPClient.onPublishesDropped(_:)` tell of messages that Redis did not confirm
/// after that. Redis doesn't know whether any node, or any client, received a message.
public struct Emitter: Sendable {
    /// Hands a command to Redis.
    typealias Send = @Sendable (EmitterCommand) throws(RESPError) -> RESPClient.PublishStatus

    private let transport: Transport
    private let dialect: EmitterDialect
    private let post: Send
    private let flush: @Sendable (TimeAmount?) async throws -> Void

    /// Makes an emitter for a cluster with the classic adapter, over publish/subscribe.
    ///
    /// - Parameters:
    ///   - client: Connected, or about to be. The emitter doesn't close it.
    ///   - key: The prefix of the cluster's channels: the adapter's `key`.
    ///   - namespace: The namespace to emit to.
    ///   - writesNumericRooms: Whether a room named like an integer stands for Node's numeric room (`socket.join(42)`)
    ///     instead of the one of that name.
    public init(
        _ client: RESPClient,
        key: String = "socket.io",
        namespace: String = "/",
        writesNumericRooms: Bool = false
    ) {
        self.init(
            client,
            transport: .pubSub(key: key, writesNumericRooms: writesNumericRooms),
            namespace: namespace
        )
    }

    /// Makes an emitter for a cluster, whatever adapter that has.
    ///
    /// - Parameters:
    ///   - client: Connected, or about to be. The emitter doesn't close it.
    ///   - transport: The cluster's adapter, and its options.
    ///   - namespace: The namespace to emit to.
    public init(_ client: RESPClient, transport: Transport, namespace: String = "/") {
        self.init(
            transport: transport,
            namespace: namespace,
            send: { command throws(RESPError) in try command.send(to: client) },
            flush: { try await client.flush(timeout: $0) }
        )
    }

    init(
        transport: Transport,
        namespace: String,
        send: @escaping Send,
        flush: @escaping @Sendable (TimeAmount?) async throws -> Void = { _ in }
    ) {
        self.transport = transport
        let isWhole = namespace.utf8.first == UInt8(ascii: "/")
        self.dialect = EmitterDialect(transport, namespace: isWhole ? namespace : "/" + namespace)
        self.post = send
        self.flush = flush
    }

    /// An emitter for another namespace; the leading slash may be left out.
    public func of(_ namespace: String) -> Emitter {
        Emitter(transport: self.transport, namespace: namespace, send: self.post, flush: self.flush)
    }

    /// Waits until Redis has confirmed everything emitted before; call it before the process ends.
    ///
    /// - Throws: `RESPError` if that took longer than the timeout (the client's `commandTimeout` unless given), or if
    ///   something was lost since the last call.
    public func flush(timeout: TimeAmount? = nil) async throws { try await self.flush(timeout) }

    /// Addresses the whole namespace.
    private var all: EmitterOperator { EmitterOperator(emitter: self, options: BroadcastOptions()) }

    // MARK: Whom

    /// Addresses the members of rooms; a socket's id is a room of its own.
    public func to(_ rooms: Room...) -> EmitterOperator { self.all.to(rooms) }

    /// Addresses the members of rooms; a socket's id is a room of its own.
    public func to(_ rooms: [Room]) -> EmitterOperator { self.all.to(rooms) }

    /// The same as `to`.
    public func `in`(_ rooms: Room...) -> EmitterOperator { self.all.to(rooms) }

    /// The same as `to`.
    public func `in`(_ rooms: [Room]) -> EmitterOperator { self.all.to(rooms) }

    /// Leaves the members of rooms out.
    public func except(_ rooms: Room...) -> EmitterOperator { self.all.except(rooms) }

    /// Leaves the members of rooms out.
    public func except(_ rooms: [Room]) -> EmitterOperator { self.all.except(rooms) }

    // MARK: How

    /// Drops the event for clients that are behind with receiving.
    public var volatile: EmitterOperator { self.all.volatile }

    /// Whether nodes may compress the event.
    public func compress(_ isAllowed: Bool) -> EmitterOperator { self.all.compress(isAllowed) }

    // MARK: What

    /// Sends an event with its arguments to every client of the namespace.
    ///
    /// - Parameters:
    ///   - event: Its name.
    ///   - arguments: Its arguments.
    /// - Returns: Whether it is on its way, or waits for Redis.
    /// - Throws: ``EmitterError``: nobody will get it.
    @discardableResult
    public func emit<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws -> RESPClient.PublishStatus {
        try self.all.emit(event, repeat each arguments)
    }

    /// Sends an event with its arguments to every client of the namespace.
    @discardableResult
    public func emit(_ event: String, values: [JSONValue]) throws -> RESPClient.PublishStatus {
        try self.all.emit(event, values: values)
    }

    /// Makes every socket of the namespace join rooms.
    @discardableResult
    public func socketsJoin(_ rooms: Room...) throws -> RESPClient.PublishStatus { try self.all.socketsJoin(rooms) }

    /// Makes every socket of the namespace join rooms.
    @discardableResult
    public func socketsJoin(_ rooms: [Room]) throws -> RESPClient.PublishStatus { try self.all.socketsJoin(rooms) }

    /// Makes every socket of the namespace leave rooms.
    @discardableResult
    public func socketsLeave(_ rooms: Room...) throws -> RESPClient.PublishStatus { try self.all.socketsLeave(rooms) }

    /// Makes every socket of the namespace leave rooms.
    @discardableResult
    public func socketsLeave(_ rooms: [Room]) throws -> RESPClient.PublishStatus { try self.all.socketsLeave(rooms) }

    /// Disconnects every socket of the namespace, and their connections with them if asked.
    @discardableResult
    public func disconnectSockets(closingConnection: Bool = false) throws -> RESPClient.PublishStatus {
        try self.all.disconnectSockets(closingConnection: closingConnection)
    }

    /// Sends an event to the servers themselves, which handle it with `onServerSide`; none can answer.
    ///
    /// - Parameters:
    ///   - event: Its name.
    ///   - arguments: Its arguments. Over publish/subscribe, bytes arrive as `{"type":"Buffer","data":[…]}`, because
    ///     this travels as JSON there.
    /// - Returns: Whether it is on its way, or waits for Redis.
    /// - Throws: ``EmitterError``: no server will get it.
    @discardableResult
    public func serverSideEmit<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws -> RESPClient.PublishStatus {
        try self.serverSideEmit(event, values: EmitterOperator.values(event, repeat each arguments))
    }

    /// Sends an event to the servers themselves, which handle it with `onServerSide`; none can answer.
    @discardableResult
    public func serverSideEmit(_ event: String, values: [JSONValue]) throws -> RESPClient.PublishStatus {
        // A server emits these itself, with arguments of its own making: its listeners would trip over ours.
        guard !ClusterProtocol.isReservedAmongServers(event) else {
            throw EmitterError(code: .reservedEvent, message: "\"\(event)\" is a reserved event name")
        }
        return try self.send(.serverSideEmit([.string(event)] + values))
    }

    func send(_ message: EmitterMessage) throws(EmitterError) -> RESPClient.PublishStatus {
        do throws(RESPError) {
            return try self.post(self.dialect.command(for: message))
        } catch {
            throw EmitterError(code: .notPublished, message: "not emitted: \(error.message)", redis: error)
        }
    }
}
