public import NIOCore
public import SocketIOWire

/// What clients can be addressed through: a ``Namespace``, all children of a ``ParentNamespace``, or a
/// ``SocketServer``, which means its main namespace.
public protocol Addressable: Sendable {
    /// Every client, on all nodes.
    var everybody: BroadcastOperator { get }
}

extension Addressable {
    /// Sends an event to every client, on all nodes; see ``BroadcastOperator/emit(_:_:)``.
    @inlinable
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        self.everybody.emit(event, repeat each arguments)
    }

    /// Sends an event with these arguments to every client, on all nodes.
    public func emit(_ event: String, values: [JSONValue]) { self.everybody.emit(event, values: values) }

    /// Sends the event `message` to every client.
    @inlinable
    public func send<each Argument: Encodable & Sendable>(_ arguments: repeat each Argument) {
        self.everybody.emit("message", repeat each arguments)
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

    /// Drops the next event for clients to whom more than the engine's `limits.volatileThreshold` of bytes wait.
    public var volatile: BroadcastOperator { self.everybody.volatile }

    /// Whether the next event may be compressed, in answers to polls and in WebSocket messages; `true` unless said
    /// otherwise.
    public func compress(_ allowed: Bool) -> BroadcastOperator { self.everybody.compress(allowed) }

    /// How long to wait for acknowledgements and answers of other nodes.
    public func timeout(_ timeout: TimeAmount) -> BroadcastOperator { self.everybody.timeout(timeout) }

    /// The sockets on all nodes.
    ///
    /// - Throws: ``ClusterError`` if a node does not answer in time.
    public func fetchSockets() async throws -> [RemoteSocket] { try await self.everybody.fetchSockets() }

    /// Makes every socket, on all nodes, join these rooms.
    public func socketsJoin(_ rooms: [Room]) { self.everybody.socketsJoin(rooms) }

    /// Makes every socket, on all nodes, leave these rooms.
    public func socketsLeave(_ rooms: [Room]) { self.everybody.socketsLeave(rooms) }

    /// Disconnects every socket, on all nodes.
    public func disconnectSockets(closingConnection: Bool = false) {
        self.everybody.disconnectSockets(closingConnection: closingConnection)
    }
}
