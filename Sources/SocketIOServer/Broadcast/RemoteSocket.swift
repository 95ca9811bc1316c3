public import NIOCore
public import SocketIOWire

/// A socket of any node: a snapshot of what it was when it was fetched, and the means to reach it.
public struct RemoteSocket: Sendable {
    private let description: SocketDescription
    private let namespace: Namespace

    init(description: SocketDescription, namespace: Namespace) {
        self.description = description
        self.namespace = namespace
    }

    /// Identifies the socket in the cluster.
    public var id: String { self.description.id }
    /// The handshake as JSON, keys as in Node's `socket.handshake`: `headers`, `address`, `query`, `auth` and others.
    public var handshake: JSONValue { self.description.handshake }
    /// The rooms it was in, the room of its own id included.
    public var rooms: [Room] { self.description.rooms }
    /// What its node's application had stored in `socket.data`.
    public var data: JSONValue { self.description.data }

    private var target: BroadcastOperator {
        self.namespace.to(Room(self.id)).setting(.expectSingleResponse(true))
    }

    /// Sends it an event.
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        self.target.emit(event, repeat each arguments)
    }

    /// Sends it an event and waits for its acknowledgement, decoded from the first argument.
    ///
    /// - Throws: ``AcknowledgementError`` if the time is up or the client is gone.
    public func emitWithAck<each Argument: Encodable & Sendable, Answer: Decodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        timeout: TimeAmount,
        returning answer: Answer.Type = Answer.self
    ) async throws -> Answer {
        let answers = try await self.target.timeout(timeout)
            .emitWithAck(event, repeat each arguments, returning: answer)
        guard let first = answers.first else { throw AcknowledgementError.disconnected }
        return first
    }

    /// Sends it an event and waits for its acknowledgement, whatever is in it.
    ///
    /// - Returns: The acknowledgement's first argument; `null` if it has none.
    /// - Throws: ``AcknowledgementError`` if the time is up or the client is gone.
    @discardableResult
    public func emitWithAck<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        timeout: TimeAmount
    ) async throws -> JSONValue {
        try await self.emitWithAck(event, repeat each arguments, timeout: timeout, returning: JSONValue.self)
    }

    /// Makes it join rooms.
    public func join(_ rooms: Room...) { self.namespace.to(Room(self.id)).socketsJoin(rooms) }

    /// Makes it leave a room.
    public func leave(_ room: Room) { self.namespace.to(Room(self.id)).socketsLeave([room]) }

    /// Disconnects it.
    public func disconnect(closingConnection: Bool = false) {
        self.namespace.to(Room(self.id)).disconnectSockets(closingConnection: closingConnection)
    }
}
