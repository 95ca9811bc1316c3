import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Reads what a webhook answers.
extension EventReply {
    /// The answer looks like one that says what to do, but cannot be understood.
    struct Malformation: Error, Hashable {
        let message: String

        init(_ message: String) { self.message = message }
    }

    /// The most events that one answer may send.
    static let maximumEmissions = 100
    /// The most rooms that one answer may name in one place.
    static let maximumRooms = 100

    /// Reads an answer; without one the event is acknowledged with `{success: true}`.
    ///
    /// It is read as a whole, so nothing is done of an answer that is wrong in one place.
    init(answer value: JSONValue?) throws(Malformation) {
        self.init()
        guard let value else { return }
        guard let members = value.objectValue, !members.isEmpty, members.keys.allSatisfy(Self.instructions.contains)
        else {
            self.acknowledgement = value
            return
        }
        if let acknowledgement = members["ack"] { self.acknowledgement = acknowledgement }
        self.emissions = try Self.emissions(members["emit"])
        self.join = try Self.rooms(members["join"], "join")
        self.leave = try Self.rooms(members["leave"], "leave")
        for room in self.join + self.leave where RoomName.isReserved(room.name) {
            throw Malformation("join and leave may not name the gateway's own room '\(boundedText(room.name))'")
        }
        self.data = try Self.data(members["data"])
        self.disconnection = try Self.disconnection(members["disconnect"])
        self.refusal = try Self.refusal(members["refuse"])
    }

    private static let instructions: Set<UTF8Text> = [
        "ack", "emit", "join", "leave", "disconnect", "data", "refuse",
    ]

    private static let emissionMembers: Set<UTF8Text> = [
        "event", "data", "args", "rooms", "room", "everybody", "exceptClient",
    ]

    private static func emissions(_ value: JSONValue?) throws(Malformation) -> [Emission] {
        guard let value, !value.isNull else { return [] }
        let elements = value.arrayValue ?? [value]
        guard elements.count <= Self.maximumEmissions else {
            throw Malformation("emit may have \(Self.maximumEmissions) events, not \(elements.count)")
        }
        var emissions: [Emission] = []
        for element in elements { emissions.append(try Self.emission(element)) }
        return emissions
    }

    private static func emission(_ value: JSONValue) throws(Malformation) -> Emission {
        guard let members = value.objectValue,
            members.keys.allSatisfy(Self.emissionMembers.contains)
        else {
            throw Malformation("emit must have objects with event, data or args, rooms or everybody, and exceptClient")
        }
        guard let event = members["event"]?.stringValue else { throw Malformation("an event of emit has no name") }
        do {
            try EventPublisher.checkName(event)
        } catch {
            throw Malformation(error.message)
        }
        var arguments: [JSONValue]
        switch (members["args"], members["data"]) {
        case (.array(let values)?, nil): arguments = values
        case (nil, let data): arguments = data.map { [$0] } ?? []
        default: throw Malformation("an event of emit has either args, a list, or data")
        }
        let rooms = try Self.rooms(members["rooms"] ?? members["room"], "rooms")
        var target = Emission.Target.client
        if members["everybody"]?.boolValue == true {
            target = .everybody
        } else if members["rooms"] != nil || members["room"] != nil {
            target = .rooms(rooms)
        }
        return Emission(event, arguments, to: target, exceptClient: members["exceptClient"]?.boolValue ?? false)
    }

    private static func rooms(_ value: JSONValue?, _ name: String) throws(Malformation) -> [Room] {
        guard let value, !value.isNull else { return [] }
        let elements = value.arrayValue ?? [value]
        guard elements.count <= Self.maximumRooms else {
            throw Malformation("\(name) may have \(Self.maximumRooms) rooms, not \(elements.count)")
        }
        var rooms: [Room] = []
        for element in elements {
            guard let room = element.stringValue, (1...512).contains(room.utf8.count) else {
                throw Malformation("\(name) must have names of rooms, of 512 bytes at most")
            }
            rooms.append(Room(room))
        }
        return rooms
    }

    private static func data(_ value: JSONValue?) throws(Malformation) -> JSONObject {
        guard let value, !value.isNull else { return [:] }
        guard let members = value.objectValue else { throw Malformation("data must be an object") }
        guard let own = members.keys.first(where: PrincipalRecord.members.contains) else { return members }
        throw Malformation("data may not have '\(own)', which the gateway sets")
    }

    private static func disconnection(_ value: JSONValue?) throws(Malformation) -> String? {
        switch value {
        case nil, .null?, .bool(false)?: return nil
        case .bool(true)?: return "server disconnect"
        case .string(let reason)? where reason.utf8.count <= 1024: return reason
        case .object(let members)?: return try Self.disconnection(members["reason"] ?? true)
        default: throw Malformation("disconnect must be true, a reason of 1024 bytes at most, or {reason}")
        }
    }

    private static func refusal(_ value: JSONValue?) throws(Malformation) -> Refusal? {
        switch value {
        case nil, .null?, .bool(false)?: return nil
        case .bool(true)?: return Refusal("Not allowed")
        case .string(let message)?: return Refusal(message)
        case .object(let members)?:
            guard let message = members["message"]?.stringValue else { break }
            return Refusal(message, data: members["data"])
        default: break
        }
        throw Malformation("refuse must be a message, or {message, data}")
    }
}

extension PrincipalRecord {
    /// What `socket.data` has of the gateway.
    static let members: Set<UTF8Text> = [
        "kind", "userId", "role", "tokenId", "user", "exp", "address", "node",
    ]
}
