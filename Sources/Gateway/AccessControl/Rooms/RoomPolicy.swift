import SocketIOWire

/// Which rooms clients may join and leave by themselves.
struct RoomPolicy: Sendable {
    /// What holds for all roles.
    struct Settings: Sendable, Hashable {
        /// Whether names of rooms may contain `:`.
        var allowsColon: Bool
        /// Whether names of rooms may contain `.`.
        var allowsDot: Bool
        /// The longest name of a room, in bytes.
        var maximumNameLength: Int
        /// The most rooms that a client may be in, besides the gateway's own.
        var maximumRoomsPerSocket: Int
        /// Whether clients may make rooms of their own; it decides only about the words of a refusal.
        var hasPrivateRooms: Bool
        /// Rooms that every authenticated socket joins.
        var defaultRooms: Set<Room>
    }

    private let settings: Settings
    /// The rooms that the server puts sockets of some role into.
    ///
    /// Others may not join them, unless their role allows it.
    private let autoJoined: Set<Room>
    /// The rooms that the server puts sockets of a role into, by the role's type.
    private let autoJoinedByRole: [UTF8Text: Set<Room>]
    /// Which rooms each role may join, by its type.
    private let patterns: [UTF8Text: [Glob]]

    init(_ roles: [Role], settings: Settings) {
        self.settings = settings
        self.patterns = Dictionary(
            roles.map { (UTF8Text($0.type), $0.joinPolicy.map { Glob($0) }) }
        ) { first, _ in first }
        self.autoJoinedByRole = Dictionary(
            roles.map { (UTF8Text($0.type), Set($0.autoJoin.map { Room($0) })) }
        ) { first, _ in first }
        self.autoJoined = self.autoJoinedByRole.values.reduce(settings.defaultRooms) { $0.union($1) }
    }

    /// The room that a client wants to join, if its name and role allow it.
    ///
    /// It does not check whether the name is the id of another socket. `joined` has the rooms that the socket is in.
    func roomToJoin(
        _ payload: JSONValue?,
        principal: Principal,
        socketID: String,
        joined: some Sequence<Room>
    ) throws(ClientRefusal) -> Room {
        let name = try self.name(payload, allowingColon: self.settings.allowsColon)
        guard !RoomName.isReserved(name) else { throw .reservedRoom }
        let room = Room(name)
        if !self.grants(room, to: principal.role) {
            // The text is part of the protocol. Without private rooms nobody makes rooms of their own.
            guard self.settings.hasPrivateRooms else { throw .privateRoomsDisabled }
            throw self.autoJoined.contains(room) ? .reservedRoom : .joinDenied
        }
        let own = Room(socketID)
        guard room != own else { throw .reservedRoom }
        var count = 0
        for other in joined {
            if other == room { return room }
            if !RoomName.isReserved(other.name) && other != own { count += 1 }
        }
        guard count < self.settings.maximumRoomsPerSocket else {
            throw .maximumRooms(self.settings.maximumRoomsPerSocket)
        }
        return room
    }

    /// Whether clients of a role may join a room by themselves, if nothing else is against it.
    func grants(_ room: Room, to role: Role?) -> Bool {
        guard let role = role.map({ UTF8Text($0.type) }), !RoomName.isReserved(room.name) else { return false }
        return self.autoJoinedByRole[role]?.contains(room) ?? false
            || self.patterns[role]?.contains { $0.matches(room.name) } ?? false
    }

    /// What opens rooms to a role.
    struct Grants: Sendable, Hashable {
        var patterns: Set<UTF8Text>
        var rooms: Set<Room>
    }

    /// What opens rooms to a role, to be compared with what other rules open.
    func grants(to role: Role?) -> Grants {
        Grants(
            patterns: Set(role?.joinPolicy.map { UTF8Text($0) } ?? []),
            rooms: role.flatMap { self.autoJoinedByRole[UTF8Text($0.type)] } ?? []
        )
    }

    /// The room that a client wants to leave, unless it is the gateway's.
    func roomToLeave(_ payload: JSONValue?, socketID: String) throws(ClientRefusal) -> Room {
        let name = try self.name(payload, allowingColon: true)
        let room = Room(name)
        guard !RoomName.isReserved(name) || self.settings.defaultRooms.contains(room), room != Room(socketID) else {
            throw .reservedRoom
        }
        return room
    }

    private func name(_ payload: JSONValue?, allowingColon: Bool) throws(ClientRefusal) -> String {
        guard let name = payload?.stringValue, !name.isEmpty, name.utf8.count <= self.settings.maximumNameLength else {
            throw .invalidRoomName
        }
        guard
            RoomName.hasValidCharacters(name, allowingColon: allowingColon, allowingDot: self.settings.allowsDot)
        else { throw .invalidRoomCharacters }
        return name
    }
}
