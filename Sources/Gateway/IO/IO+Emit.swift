import SocketIOServer
public import SocketIOWire

// MARK: - Events of content types

extension IO {
    /// Sends an event about an entry to everybody whose role or token permits it.
    ///
    /// Each gets only what it may see.
    ///
    /// The event is named `<singularName>:<event>` (`article:create`). The subscription mode says what subscribers of
    /// the entry get. Nobody gets the event twice.
    ///
    /// - Parameters:
    ///   - event: What happened: `create`, `update`, `delete`, or any other name. That name is then also the permission
    ///     that a receiver needs.
    ///   - schema: The content type: its uid, or a reference that also gives it another name.
    ///   - data: The entry. Nothing is sent if it is `null`, `false`, `0` or an empty text.
    /// - Returns: What was sent, or why nothing was.
    /// - Throws: ``GatewayError`` for a content type that is not configured.
    @discardableResult
    public func emit(event: String, schema: SchemaReference, data: JSONValue) throws -> EmitReport {
        try self.emit(LifecycleEvent(event: event, schema: schema, data: data))
    }

    /// Sends an event about an entry, given as any encodable value; see ``emit(event:schema:data:)-(_,_,JSONValue)``.
    @discardableResult
    @_disfavoredOverload
    public func emit(event: String, schema: SchemaReference, data: some Encodable & Sendable) throws -> EmitReport {
        try self.emit(LifecycleEvent(event: event, schema: schema, data: JSONValue(encoding: data)))
    }

    /// Sends an event that a back end has reported.
    ///
    /// Events with the same id are sent only once.
    ///
    /// - Returns: What was sent, or why nothing was.
    /// - Throws: ``GatewayError`` for a content type that is not configured.
    @discardableResult
    public func emit(_ event: LifecycleEvent) throws -> EmitReport {
        try self.events.emit(event, onlyHere: false)
    }

    /// Sends all updates that this node holds, as ``ContentType/coalescing`` asks, before their time is over.
    ///
    /// A node that ends has to call it, or they are lost.
    public func sendHeldUpdates() { self.events.sendAllHeld() }
}

// MARK: - Other events

extension IO {
    /// Sends any event, without checks and unchanged, to everybody or to the members of rooms.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - rooms: Each socket in any of them receives the event once. Without rooms, every socket of the main namespace
    ///     does.
    ///   - data: The event's argument, put into `{data}` unless the payload format is `flat`.
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    public func raw(event: String, rooms: [Room] = [], data: JSONValue) throws {
        self.events.send(try self.events.rawPublication(event: event, rooms: rooms.isEmpty ? nil : rooms, data: data))
    }

    /// Sends any event with any encodable value; see ``raw(event:rooms:data:)-(_,_,JSONValue)``.
    @_disfavoredOverload
    public func raw(event: String, rooms: [Room] = [], data: some Encodable & Sendable) throws {
        try self.raw(event: event, rooms: rooms, data: JSONValue(encoding: data))
    }

    /// Sends an event to one socket.
    ///
    /// Nothing happens if there is no such socket.
    ///
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    public func sendPrivateMessage(_ socketID: String, event: String, data: JSONValue) throws {
        self.events.send(try self.events.messagePublication(socketID, event: event, data: data))
    }

    /// Sends an event to all sockets of the cluster except one.
    ///
    /// Nothing is sent if that socket does not exist.
    ///
    /// - Returns: Whether the socket exists.
    /// - Throws: ``GatewayError`` for a name that can't be sent, `ClusterError` if a node doesn't answer.
    @discardableResult
    public func broadcast(_ socketID: String, event: String, data: JSONValue) async throws -> Bool {
        let publication = try self.events.broadcastPublication(socketID, event: event, data: data)
        guard try await self.sockets.find(socketID) != nil else { return false }
        self.events.send(publication)
        return true
    }

    /// Sends an event to all sockets of a namespace.
    ///
    /// - Parameters:
    ///   - name: `main` or a configured namespace's name, with or without a leading slash.
    ///   - event: The event's name.
    ///   - data: The event's argument.
    /// - Returns: Whether the namespace exists; if not, nothing is sent.
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    @discardableResult
    public func emitToNamespace(_ name: String, event: String, data: JSONValue) throws -> Bool {
        guard let publication = try self.events.namespacePublication(name, event: event, rooms: nil, data: data) else {
            return false
        }
        self.events.send(publication)
        return true
    }

    /// Sends an event to all sockets of a user.
    ///
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    public func sendToUser(_ userID: EntityID, event: String, data: JSONValue) throws {
        self.events.send(try self.events.userPublication(userID, event: event, data: data))
    }

    /// Sends an event to everybody who subscribed to an entry, unchanged.
    ///
    /// If the type has an ``ContentType/ownerField``, only the owner gets it, if known, and those who may see entries
    /// of others.
    ///
    /// - Throws: ``GatewayError`` for a name that cannot be sent, and for a text that cannot be a content type's uid.
    public func emitToEntity(_ uid: String, _ id: EntityID, event: String, data: JSONValue) throws {
        self.events.send(try self.events.entityPublication(uid, id, event: event, data: data))
    }

    /// A topic and what there is to say about it.
    public struct Message: Sendable, Hashable {
        /// The event's name.
        public var topic: String
        /// The event's argument.
        public var data: JSONValue

        /// A message about a topic.
        public init(topic: String, data: JSONValue) {
            self.topic = topic
            self.data = data
        }
    }

    /// Sends a message to a room or a socket, or to everybody if there is no destination.
    ///
    /// - Throws: ``GatewayError`` for a topic that cannot be sent.
    public func send(destination: String? = nil, payload: Message) throws {
        self.events.send(
            try self.events.destinationPublication(destination, event: payload.topic, data: payload.data)
        )
    }

    /// Sends a message to every socket of the main namespace.
    ///
    /// - Throws: ``GatewayError`` for a topic that cannot be sent.
    public func broadcast(payload: Message) throws {
        try self.send(payload: payload)
    }
}
