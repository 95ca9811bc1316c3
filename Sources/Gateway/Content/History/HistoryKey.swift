import OrderedCollections
import SocketIOWire

/// What a history is about.
enum HistoryKey: Sendable, Hashable {
    /// What is sent to a room of the main namespace.
    case room(Room)
    /// What is sent about an entity.
    case entity(EntityRef)

    /// `room:<name>` or `entity:<uid>:<id>`.
    var name: String {
        switch self {
        case .room(let room): "room:\(room.name)"
        case .entity(let entity): "entity:\(entity.uid):\(entity.id)"
        }
    }

    /// Reads a name.
    init?(name: String) {
        let bytes = name.utf8
        if bytes.starts(with: "room:".utf8) {
            self = .room(Room(String(name[bytes.index(bytes.startIndex, offsetBy: 5)...])))
        } else if bytes.starts(with: "entity:".utf8),
            let entity = EntityRef(room: Room(String(name[bytes.index(bytes.startIndex, offsetBy: 7)...])))
        {
            self = .entity(entity)
        } else {
            return nil
        }
    }

    /// The sockets that get the events from the history instead of with everybody else.
    ///
    /// They are left out of the broadcast. Each node hands them the event in the order of its place.
    var followersRoom: Room { Room("\(Self.followersPrefix)\(self.name)") }
    /// The followers that want each event's position, too.
    var positionsRoom: Room { Room("\(Self.positionsPrefix)\(self.name)") }

    static let followersPrefix = "io-history:"
    static let positionsPrefix = "io-position:"

    /// The history that the members of that room follow; `nil` if it is no such room.
    init?(followersRoom room: Room) {
        let name = room.name.utf8
        guard name.starts(with: Self.followersPrefix.utf8) else { return nil }
        self.init(name: String(room.name[name.index(name.startIndex, offsetBy: Self.followersPrefix.utf8.count)...]))
    }

    /// The rooms of which a follower has to be in one, or it has left what the history is about.
    var basicRooms: [Room] {
        switch self {
        case .room(let room): [room]
        case .entity(let entity): [entity.room, RoomName.ownersOnly(entity)]
        }
    }

    /// `{room}` or `{uid, id}`.
    var members: JSONObject {
        switch self {
        case .room(let room): ["room": .string(room.name)]
        case .entity(let entity): ["uid": .string(entity.uid), "id": .string(entity.id)]
        }
    }
}
