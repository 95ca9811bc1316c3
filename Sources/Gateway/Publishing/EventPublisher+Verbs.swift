import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What the verbs send that know no content type.
extension EventPublisher {
    /// Any event, unchanged, with optional rooms: `nil` is everybody, and an empty list is nobody.
    func rawPublication(event: String, rooms: [Room]?, data: JSONValue) throws -> Publication {
        try self.begin("raw", event)
        if rooms?.isEmpty == true { return .nobody }
        let argument = self.context.rules.value.content.payloadFormat.rawArgument(data)
        return Publication(event, argument, to: self.context.main.to(rooms ?? []), in: self.context.main)
    }

    /// An event for one socket.
    func messagePublication(_ socketID: String, event: String, data: JSONValue) throws -> Publication {
        try self.begin("message", event)
        // A text that is no id names a room, or everybody. Those who may write to sockets may not write to these.
        guard SocketID(socketID) != nil else { return .nobody }
        return Publication(event, data, to: self.context.main.to(Room(socketID)), in: self.context.main)
    }

    /// An event for everybody but one socket.
    func broadcastPublication(_ socketID: String, event: String, data: JSONValue) throws -> Publication {
        try self.begin("broadcast", event)
        return Publication(event, data, to: self.context.main.except(Room(socketID)), in: self.context.main)
    }

    /// An event for a namespace, with optional rooms: `nil` is everybody, and an empty list is nobody.
    ///
    /// The result is `nil` if there is no such namespace.
    func namespacePublication(
        _ name: String,
        event: String,
        rooms: [Room]?,
        data: JSONValue
    ) throws -> Publication? {
        try self.begin("namespace", event)
        guard let namespace = self.context.namespace(UTF8Text(name)) else { return nil }
        if rooms?.isEmpty == true { return .nobody }
        return Publication(event, data, to: namespace.to(rooms ?? []), in: namespace)
    }

    /// An event for all sockets of a user.
    func userPublication(_ userID: EntityID, event: String, data: JSONValue) throws -> Publication {
        try self.begin("user", event)
        return Publication(event, data, to: self.context.main.to(RoomName.user(userID)), in: self.context.main)
    }

    /// An event for those who follow an entry.
    func entityPublication(_ uid: String, _ id: EntityID, event: String, data: JSONValue) throws -> Publication {
        try self.begin("entity", event)
        try ContentType.checkUID(uid)
        // Nobody can have subscribed to an entry with such an id, because its room would be of another kind.
        guard EntityRef.isValidID(id.text) else { return .nobody }
        return Publication(event, data, to: self.context.main.to(RoomName.entity(uid, id)), in: self.context.main)
    }

    /// A message for a room or a socket, or for everybody if there is no destination.
    func destinationPublication(_ destination: String?, event: String, data: JSONValue) throws -> Publication {
        try self.begin("send", event)
        let rooms = destination.flatMap { $0.isEmpty ? nil : [Room($0)] } ?? []
        return Publication(event, data, to: self.context.main.to(rooms), in: self.context.main)
    }

    /// What tells all sockets of a user why, and disconnects them.
    func userDisconnection(_ userID: EntityID, reason: String) -> Publication {
        self.context.metrics.expelled(.requested)
        let others = self.context.configuration.namespaces.map { self.context.server.of($0.name) }
        return self.context.disconnection(of: [self.context.main] + others, room: RoomName.user(userID), reason: reason)
    }

    /// A back end asks for an event of its own.
    private func begin(_ verb: String, _ event: String) throws(GatewayError) {
        try Self.checkName(event)
        self.context.journal.record(.publish, ["verb": .string(verb), "event": .string(event)])
    }

    static func checkName(_ event: String) throws(GatewayError) {
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
