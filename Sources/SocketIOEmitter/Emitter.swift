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
/// Its messages are those of `@socket.io/redis-emitter`, for clusters with the classic Redis adapter, of Swift and Node.js
/// nodes alike. A value: keep it, copy it, use it from any thread.
///
/// Every call returns at once: `.sent` if the message is on its way to Redis, `.queued` if Redis is away and the
/// message waits for it, within the bounds of `RESPConfiguration.Queue`. A call throws if nobody will ever get the
/// message. ``flush(timeout:)`` and `RESPClient.onPublishesDropped(_:)` tell of messages that Redis did not confirm
/// after that. Redis doesn't know whether any node, or any client, received a message.
public struct Emitter: Sendable {
    /// Hands a message to Redis: channel, bytes.
    typealias Publish = @Sendable (String, ByteBuffer) throws(RESPError) -> RESPClient.PublishStatus

    let publish: Publish
    private let flush: @Sendable (TimeAmount?) async throws -> Void
    private let key: String
    let channels: ClassicChannels
    let encoder: ClassicEncoder
    private let writesNumericRooms: Bool

    /// Makes an emitter for a cluster.
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
            key: key,
            namespace: namespace,
            writesNumericRooms: writesNumericRooms,
            publish: { channel, message throws(RESPError) in try client.publish(channel: channel, message: message) },
            flush: { try await client.flush(timeout: $0) }
        )
    }

    init(
        key: String,
        namespace: String,
        writesNumericRooms: Bool = false,
        publish: @escaping Publish,
        flush: @escaping @Sendable (TimeAmount?) async throws -> Void = { _ in }
    ) {
        let namespace = namespace.hasPrefix("/") ? namespace : "/" + namespace
        self.publish = publish
        self.flush = flush
        self.key = key
        self.writesNumericRooms = writesNumericRooms
        self.channels = ClassicChannels(key: key, namespace: namespace)
        self.encoder = ClassicEncoder(namespace: namespace, writesNumericRooms: writesNumericRooms)
    }

    /// An emitter for another namespace; the leading slash may be left out.
    public func of(_ namespace: String) -> Emitter {
        Emitter(
            key: self.key,
            namespace: namespace,
            writesNumericRooms: self.writesNumericRooms,
            publish: self.publish,
            flush: self.flush
        )
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
    ///   - arguments: Its arguments; bytes arrive as `{"type":"Buffer","data":[…]}`, because this travels as JSON.
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
        return try self.send(
            self.encoder.serverSideEmit(
                uid: ClusterProtocol.emitterUID,
                requestID: nil,
                arguments: [.string(event)] + values
            ),
            on: self.channels.request
        )
    }

    func send(_ message: ByteBuffer, on channel: String) throws(EmitterError) -> RESPClient.PublishStatus {
        do throws(RESPError) {
            return try self.publish(channel, message)
        } catch {
            throw EmitterError(code: .notPublished, message: "not emitted: \(error.message)", redis: error)
        }
    }
}
