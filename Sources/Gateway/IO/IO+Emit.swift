import Logging
import NIOConcurrencyHelpers
import OrderedCollections
import SocketIOServer
public import SocketIOWire

// MARK: - Events of content types

extension IO {
    /// Sends an event about an entry to everybody whose role or token permits it, cut down to what each may see.
    ///
    /// The event is named `<singularName>:<event>` (`article:create`). Subscribers of the entry are served as the
    /// subscription mode says, and nobody gets it twice.
    ///
    /// - Parameters:
    ///   - event: What happened: `create`, `update`, `delete`, or any other name, which then is a permission too.
    ///   - schema: The content type: its uid, or a reference that also names it otherwise.
    ///   - data: The entry. Nothing is sent if it is null, false, 0 or empty text.
    /// - Returns: What was sent, or why nothing was.
    /// - Throws: ``GatewayError`` for a content type that isn't configured.
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

    /// Sends an event that a back end reported, once for each id that it gives its events.
    ///
    /// - Returns: What was sent, or why nothing was.
    /// - Throws: ``GatewayError`` for a content type that isn't configured.
    @discardableResult
    public func emit(_ event: LifecycleEvent) throws -> EmitReport {
        try self.emit(event, onlyHere: false)
    }

    /// Works an event out and sends it, to this node's sockets alone if every node does the same.
    @discardableResult
    func emit(_ event: LifecycleEvent, onlyHere: Bool) throws(GatewayError) -> EmitReport {
        var plan = try self.model.plan(event, now: self.now())
        if let id = event.eventID, !plan.variants.isEmpty {
            let isNew = self.recentIDs.withLockedValue { $0.insert(id) }
            if !isNew { plan = EventPlan(report: EmitReport(.repeated, event: plan.report.event)) }
        }
        for variant in plan.variants {
            for delivery in variant.deliveries {
                var target = self.main.to(delivery.rooms)
                if !delivery.except.isEmpty { target = target.except(delivery.except) }
                if onlyHere { target = target.local }
                target.emit(plan.report.event, values: [variant.argument])
            }
        }
        self.metrics.event(plan.report)
        if !plan.report.failures.isEmpty {
            self.logger.info(
                "An event could not be made fit for everybody who may receive it",
                metadata: [
                    "sio.event": "\(plan.report.event)", "count": "\(plan.report.failures.count)",
                    "error": "\(plan.report.failures[0])",
                ]
            )
        }
        return plan.report
    }
}

// MARK: - Other events

extension IO {
    /// Sends any event, without checks and unchanged, to everybody or to the members of rooms.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - rooms: Each socket in any of them receives it once; none: every socket of the main namespace.
    ///   - data: The event's argument, put into `{data}` unless the payload format is `flat`.
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    public func raw(event: String, rooms: [Room] = [], data: JSONValue) throws {
        try Self.checkName(event)
        let argument = self.configuration.events.payloadFormat.rawArgument(data)
        self.target(rooms).emit(event, values: [argument])
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
        try Self.checkName(event)
        // What is no id names a room, or everybody: whoever may write to sockets may not write to those.
        guard SocketID(socketID) != nil else { return }
        self.main.to(Room(socketID)).emit(event, values: [data])
    }

    /// Sends an event to all sockets of the cluster but one.
    ///
    /// Nothing is sent if that one does not exist.
    ///
    /// - Returns: Whether the socket exists.
    /// - Throws: ``GatewayError`` for a name that can't be sent, `ClusterError` if a node doesn't answer.
    @discardableResult
    public func broadcast(_ socketID: String, event: String, data: JSONValue) async throws -> Bool {
        try Self.checkName(event)
        guard try await self.find(socketID) != nil else { return false }
        self.everybody.except(Room(socketID)).emit(event, values: [data])
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
        try Self.checkName(event)
        let name = name == "/" ? "main" : name.hasPrefix("/") ? String(name.dropFirst()) : name
        guard let namespace = self.namespaces[name] else { return false }
        if namespace === self.main {
            self.everybody.emit(event, values: [data])
        } else {
            namespace.emit(event, values: [data])
        }
        return true
    }

    /// Sends an event to all sockets of a user.
    ///
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    public func sendToUser(_ userID: EntityID, event: String, data: JSONValue) throws {
        try Self.checkName(event)
        self.main.to(RoomName.user(userID)).emit(event, values: [data])
    }

    /// Sends an event to everybody who subscribed to an entry, unchecked and unchanged.
    ///
    /// - Throws: ``GatewayError`` for a name that can't be sent, and for what is no content type's uid.
    public func emitToEntity(_ uid: String, _ id: EntityID, event: String, data: JSONValue) throws {
        try Self.checkName(event)
        try Self.checkUID(uid)
        // Nobody can have subscribed to an entry of another id; its room would be of another kind.
        guard EntityRef.isValidID(id.text) else { return }
        self.main.to(RoomName.entity(uid, id)).emit(event, values: [data])
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
    /// - Throws: ``GatewayError`` for a topic that can't be sent.
    public func send(destination: String? = nil, payload: Message) throws {
        try Self.checkName(payload.topic)
        let rooms = destination.flatMap { $0.isEmpty ? nil : [Room($0)] } ?? []
        self.target(rooms).emit(payload.topic, values: [payload.data])
    }

    /// Sends a message to every socket of the main namespace.
    ///
    /// - Throws: ``GatewayError`` for a topic that can't be sent.
    public func broadcast(payload: Message) throws {
        try self.send(payload: payload)
    }

    private func target(_ rooms: [Room]) -> BroadcastOperator {
        rooms.isEmpty ? self.everybody : self.main.to(rooms)
    }

    /// Every socket of the main namespace, but for those who still have to say who they are.
    private var everybody: BroadcastOperator {
        switch self.configuration.authentication.mode {
        case .handshake: self.main.to([])
        case .event: self.main.except(RoomName.unauthorized)
        }
    }

    /// A room's name begins with the uid, so it must be one: `user` and `1` would make the room of a user.
    static func checkUID(_ uid: String) throws(GatewayError) {
        guard ContentType.isValidUID(uid) else {
            throw GatewayError(
                .invalidArguments,
                "'\(uid.prefix(128))' is no content type's uid, such as api::article.article"
            )
        }
    }

    private static func checkName(_ event: String) throws(GatewayError) {
        guard (1...256).contains(event.utf8.count) else {
            throw GatewayError(.invalidEventName, "An event's name must be 1 to 256 bytes, not \(event.utf8.count)")
        }
        guard !reservedEventNames.contains(UTF8Text(event)) else {
            throw GatewayError(
                .invalidEventName,
                "'\(event)' is a name that Socket.IO keeps for itself; choose another"
            )
        }
    }
}

// MARK: - Events from other processes

extension IO {
    /// The server-side event with which any process of the cluster reports lifecycle events.
    static let lifecycleEvent = "io:emit"

    /// Every node hears of the event and serves its own sockets, so each of them gets it once and nothing is published
    /// a second time.
    func registerServerEvents() {
        self.main.onServerSide(Self.lifecycleEvent) { arguments, reply in
            let answer = self.handleLifecycleEvent(arguments.first ?? .null)
            reply?(answer)
        }
    }

    private func handleLifecycleEvent(_ value: JSONValue) -> JSONValue {
        do {
            let report = try self.emit(LifecycleEvent(value), onlyHere: true)
            return ["success": true, "event": .string(report.event), "outcome": .string(report.outcome.rawValue)]
        } catch {
            self.metrics.malformedEvent()
            self.logger.info(
                "A lifecycle event from another process was dropped",
                metadata: ["error": "\(error)"]
            )
            return ["success": false, "error": .string("\(error)")]
        }
    }
}
