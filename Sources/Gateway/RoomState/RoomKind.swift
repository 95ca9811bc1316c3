import SocketIOWire

/// Whose rooms they are.
enum RoomKind: Hashable {
    /// The members change the state by themselves.
    case plain
    /// Those who edit an entity.
    case presence
    /// A part of the index of all users who are online.
    case online

    init(_ room: Room) {
        let name = room.name.utf8
        if name.starts(with: RoomName.presencePrefix.utf8) {
            self = .presence
        } else if name.starts(with: RoomName.onlinePrefix.utf8) {
            self = .online
        } else {
            self = .plain
        }
    }
}

extension RoomName {
    static let presencePrefix = "presence:"
    static let previewPrefix = "preview:"
    static let onlinePrefix = "io-online:"

    /// Whether the members of a room edit or preview an entry.
    static func isCollaborative(_ room: Room) -> Bool {
        let name = room.name.utf8
        return name.starts(with: Self.presencePrefix.utf8) || name.starts(with: Self.previewPrefix.utf8)
    }

    /// `presence:<uid>:<documentId>`: those who edit an entry.
    static func presence(_ entity: EntityRef) -> Room { Room("\(Self.presencePrefix)\(entity.uid):\(entity.id)") }
    /// `preview:<uid>:<documentId>`: those who see an entry as it is being edited.
    static func preview(_ entity: EntityRef) -> Room { Room("\(Self.previewPrefix)\(entity.uid):\(entity.id)") }
    /// `preview:<uid>:<documentId>@<audience>`: those of one audience among them.
    static func preview(_ entity: EntityRef, audience: Room) -> Room {
        Room("\(Self.previewPrefix)\(entity.uid):\(entity.id)@\(audience.name)")
    }
}
