import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What a client's event becomes for the members of a room, if it may be handed to them.
struct RelayedEvent: Sendable {
    let room: Room
    /// The object that the members get.
    let argument: JSONValue

    /// Who sends an event to be relayed.
    struct Sender {
        var id: String
        var principal: Principal
        var rooms: Set<Room>
        /// Unix time in seconds.
        var now: Double
    }

    /// Checks an event.
    ///
    /// - Throws: ``ClientRefusal`` with what the client is told.
    init(_ arguments: [JSONValue], _ relay: EventRelay, of sender: Sender) throws(ClientRefusal) {
        guard arguments.count == 1, var object = arguments[0].objectValue else { throw .invalidPayload }
        let name: String
        if let fixed = relay.room {
            name = fixed
            if relay.requiresMembership, !sender.rooms.contains(Room(fixed)) { throw .notInRoom }
        } else {
            guard let named = object[relay.roomField]?.stringValue, !named.isEmpty else { throw .invalidRoomName }
            // Everybody is in some room of the gateway, and may not write to all who are.
            guard !RoomName.isReserved(named), Room(named) != Room(sender.id) else {
                throw .reservedRoom
            }
            guard sender.rooms.contains(Room(named)) else { throw .notInRoom }
            name = named
        }
        if !relay.fields.isEmpty {
            let allowed = relay.fields.map { UTF8Text($0) }
            let field = relay.room == nil ? UTF8Text(relay.roomField) : nil
            if let other = object.keys.first(where: { $0 != field && !allowed.contains($0) }) {
                throw .fieldNotAllowed(boundedText(other.string))
            }
        }
        var from: JSONObject = ["id": .string(sender.id)]
        from["userId"] = sender.principal.user?.id.value
        from["username"] = sender.principal.user?.username.map { .string($0) }
        // Whatever the client has written there.
        object["from"] = .object(from)
        object["timestamp"] = .int(Int(sender.now * 1000))
        self.room = Room(name)
        self.argument = .object(object)
    }
}

extension ClientRefusal {
    static let unknownEvent = ClientRefusal("Unknown event")
    static let notInRoom = ClientRefusal("Not a member of the room")
    static let eventTooLong = ClientRefusal("Event is too long")
    static func fieldNotAllowed(_ name: String) -> ClientRefusal { ClientRefusal("Field not allowed: \(name)") }
}
