import Incidents
import Logging
import NIOConcurrencyHelpers
import OrderedCollections
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
        try self.emit(event, onlyHere: false)
    }

    /// Works out what to send for an event, and sends it.
    ///
    /// If every node does so, each sends only to its own sockets.
    @discardableResult
    func emit(_ event: LifecycleEvent, onlyHere: Bool) throws(GatewayError) -> EmitReport {
        var plan = try self.plan(event, onlyHere: onlyHere)
        if let id = event.eventID, !plan.variants.isEmpty {
            let isNew = self.eventIDs.insert(EventIDMemory.Key(id, scope: []))
            if !isNew { plan = EventPlan(report: EmitReport(.repeated, event: plan.report.event)) }
        }
        self.send(self.publication(of: plan, onlyHere: onlyHere))
        self.note(plan.report)
        return plan.report
    }

    /// Works out what to send for an event.
    func plan(_ event: LifecycleEvent, onlyHere: Bool) throws(GatewayError) -> EventPlan {
        self.learn(from: event, onlyHere: onlyHere)
        return try self.model.plan(event, now: self.now(), completing: self.completed)
    }

    func publication(of plan: EventPlan, onlyHere: Bool) -> Publication {
        var publication = Publication()
        for variant in plan.variants {
            for delivery in variant.deliveries {
                var target = self.main.to(delivery.rooms)
                if !delivery.except.isEmpty { target = target.except(delivery.except) }
                if onlyHere { target = target.local }
                publication.emit(plan.report.event, variant.argument, to: target, in: self.main)
            }
        }
        return publication
    }

    /// Counts and logs what became of an event.
    func note(_ report: EmitReport) {
        self.metrics.event(report)
        if !report.failures.isEmpty {
            self.incidents.record(
                "Events could not be made fit for everybody who may receive them",
                reason: "sanitiser",
                count: report.failures.count,
                pace: .failures,
                details: ["sio.event": "\(report.event)", "error": "\(report.failures[0])"]
            )
        }
    }
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
        self.send(try self.rawPublication(event: event, rooms: rooms.isEmpty ? nil : rooms, data: data))
    }

    /// The same with optional rooms: `nil` is everybody, and an empty list is nobody.
    func rawPublication(event: String, rooms: [Room]?, data: JSONValue) throws -> Publication {
        try Self.checkName(event)
        if rooms?.isEmpty == true { return .nobody }
        let argument = self.configuration.events.payloadFormat.rawArgument(data)
        return Publication(event, argument, to: self.main.to(rooms ?? []), in: self.main)
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
        self.send(try self.messagePublication(socketID, event: event, data: data))
    }

    func messagePublication(_ socketID: String, event: String, data: JSONValue) throws -> Publication {
        try Self.checkName(event)
        // A text that is no id names a room, or everybody. Those who may write to sockets may not write to these.
        guard SocketID(socketID) != nil else { return .nobody }
        return Publication(event, data, to: self.main.to(Room(socketID)), in: self.main)
    }

    /// Sends an event to all sockets of the cluster except one.
    ///
    /// Nothing is sent if that socket does not exist.
    ///
    /// - Returns: Whether the socket exists.
    /// - Throws: ``GatewayError`` for a name that can't be sent, `ClusterError` if a node doesn't answer.
    @discardableResult
    public func broadcast(_ socketID: String, event: String, data: JSONValue) async throws -> Bool {
        let publication = try self.broadcastPublication(socketID, event: event, data: data)
        guard try await self.find(socketID) != nil else { return false }
        self.send(publication)
        return true
    }

    func broadcastPublication(_ socketID: String, event: String, data: JSONValue) throws -> Publication {
        try Self.checkName(event)
        return Publication(event, data, to: self.main.except(Room(socketID)), in: self.main)
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
        guard let publication = try self.namespacePublication(name, event: event, rooms: nil, data: data) else {
            return false
        }
        self.send(publication)
        return true
    }

    /// The same with rooms: `nil` is everybody, and an empty list is nobody.
    ///
    /// The result is `nil` if there is no such namespace.
    func namespacePublication(
        _ name: String,
        event: String,
        rooms: [Room]?,
        data: JSONValue
    ) throws -> Publication? {
        try Self.checkName(event)
        guard let namespace = self.namespace(UTF8Text(name)) else { return nil }
        if rooms?.isEmpty == true { return .nobody }
        return Publication(event, data, to: namespace.to(rooms ?? []), in: namespace)
    }

    /// The namespace `main` or a configured one, with or without a leading slash; `nil` if there is none of that name.
    private func namespace(_ name: UTF8Text) -> Namespace? {
        if name == "/" || name == "main" || name == "/main" { return self.main }
        let configured = self.configuration.namespaces.first { namespace in
            name == UTF8Text(namespace.name) || name == "/\(namespace.name)"
        }
        return configured.map { self.server.of($0.name) }
    }

    /// Sends an event to all sockets of a user.
    ///
    /// - Throws: ``GatewayError`` for a name that can't be sent.
    public func sendToUser(_ userID: EntityID, event: String, data: JSONValue) throws {
        self.send(try self.userPublication(userID, event: event, data: data))
    }

    func userPublication(_ userID: EntityID, event: String, data: JSONValue) throws -> Publication {
        try Self.checkName(event)
        return Publication(event, data, to: self.main.to(RoomName.user(userID)), in: self.main)
    }

    /// Sends an event to everybody who subscribed to an entry, unchanged.
    ///
    /// If the type has an ``ContentType/ownerField``, only the owner gets it, if known, and those who may see entries
    /// of others.
    ///
    /// - Throws: ``GatewayError`` for a name that cannot be sent, and for a text that cannot be a content type's uid.
    public func emitToEntity(_ uid: String, _ id: EntityID, event: String, data: JSONValue) throws {
        self.send(try self.entityPublication(uid, id, event: event, data: data))
    }

    func entityPublication(_ uid: String, _ id: EntityID, event: String, data: JSONValue) throws -> Publication {
        try Self.checkName(event)
        try Self.checkUID(uid)
        // Nobody can have subscribed to an entry with such an id, because its room would be of another kind.
        guard EntityRef.isValidID(id.text) else { return .nobody }
        return Publication(event, data, to: self.main.to(RoomName.entity(uid, id)), in: self.main)
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
        try Self.checkName(payload.topic)
        let rooms = destination.flatMap { $0.isEmpty ? nil : [Room($0)] } ?? []
        self.send(Publication(payload.topic, payload.data, to: self.main.to(rooms), in: self.main))
    }

    /// Sends a message to every socket of the main namespace.
    ///
    /// - Throws: ``GatewayError`` for a topic that cannot be sent.
    public func broadcast(payload: Message) throws {
        try self.send(payload: payload)
    }

    /// A room's name begins with the uid, so it must be a real one: `user` and `1` would give the room of a user.
    static func checkUID(_ uid: String) throws(GatewayError) {
        guard ContentType.isValidUID(uid) else {
            throw GatewayError(
                .invalidArguments,
                "'\(uid.abridged(toBytes: 128))' is no content type's uid, such as api::article.article"
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
    /// The server-side event with which a process of the cluster reports lifecycle events.
    static let lifecycleEvent = "io:emit"

    /// Every node hears of the event and sends it to its own sockets.
    ///
    /// So each socket gets it once, and nothing is published a second time.
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
            self.incidents.record(
                "Lifecycle events from other processes were dropped",
                reason: "malformed",
                pace: .failures,
                details: ["error": "\(error)"]
            )
            return ["success": false, "error": .string("\(error)")]
        }
    }
}
