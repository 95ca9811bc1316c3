import SocketIOWire

/// Why a client's wish is not granted: the `error` of its acknowledgement.
///
/// Clients match on the texts.
struct ClientRefusal: Error, Hashable {
    let message: String

    init(_ message: String) { self.message = message }

    static let invalidPayload = ClientRefusal("Invalid payload")
    static let internalError = ClientRefusal("Internal error")
    static let notAuthenticated = ClientRefusal("Not authenticated")

    // Rooms
    static let invalidRoomName = ClientRefusal("Invalid room name")
    static let invalidRoomCharacters = ClientRefusal("Room name contains invalid characters")
    static let reservedRoom = ClientRefusal("Room name is reserved")
    static let privateRoomsDisabled = ClientRefusal("Private rooms are disabled")
    static let joinDenied = ClientRefusal("Permission denied")
    static func maximumRooms(_ count: Int) -> ClientRefusal { ClientRefusal("Maximum rooms (\(count)) reached") }

    // Private messages
    static let privateMessagesDisabled = ClientRefusal("Private messages are disabled")
    static let invalidParameters = ClientRefusal("Invalid parameters")
    static let invalidMessageLength = ClientRefusal("Invalid message length")
    static let targetNotFound = ClientRefusal("Target socket not found")

    // Entity subscriptions
    static let subscriptionsDisabled = ClientRefusal("Entity subscriptions are disabled")
    static let missingEntity = ClientRefusal("Invalid parameters: uid and id are required")
    static let invalidUID = ClientRefusal("Invalid content type uid format")
    static let invalidEntityID = ClientRefusal("Invalid entity id")
    static let typeNotAllowed = ClientRefusal("Content type not allowed for entity subscriptions")
    static func maximumSubscriptions(_ count: Int) -> ClientRefusal {
        ClientRefusal("Maximum subscriptions (\(count)) reached")
    }
    static let typeNotFound = ClientRefusal("Content type not found")
    static let noAccess = ClientRefusal("Permission denied: no access to this content type")
    static let entityNotFound = ClientRefusal("Entity not found")
    static let verificationFailed = ClientRefusal("Entity verification failed")
    static let socketNotFound = ClientRefusal("Socket not found")
}

/// Which rooms clients may join and leave by themselves.
struct RoomPolicy: Sendable {
    let rooms: GatewayConfiguration.Rooms
    /// Rooms that sockets of some role join by themselves: nobody else may, unless their role says so.
    private let autoJoined: Set<String>
    /// What each role may join, by its type.
    private let patterns: [String: [Glob]]

    init(_ configuration: GatewayConfiguration) {
        self.rooms = configuration.rooms
        self.patterns = Dictionary(configuration.roles.map { ($0.type, $0.joinPolicy.map { Glob($0) }) }) { first, _ in
            first
        }
        self.autoJoined = Set(configuration.roles.flatMap(\.autoJoin)).union(configuration.rooms.defaultRooms)
    }

    /// The room that a client wants to join, if its name and role allow it.
    ///
    /// Whether the name is another socket's id is not checked here. `joined` are the rooms that the socket is in.
    func roomToJoin(
        _ payload: JSONValue?,
        principal: Principal,
        socketID: String,
        joined: some Sequence<Room>
    ) throws(ClientRefusal) -> Room {
        let name = try self.name(payload, allowingColon: self.rooms.allowsColon)
        guard !RoomName.isReserved(name) else { throw .reservedRoom }
        let role = principal.role
        let patterns = role.flatMap { self.patterns[$0.type] } ?? []
        let isGranted = role?.autoJoin.contains(name) == true || patterns.contains { $0.matches(name) }
        if !isGranted {
            guard self.rooms.enablePrivateRooms else { throw .privateRoomsDisabled }
            guard !self.autoJoined.contains(name) else { throw .reservedRoom }
        }
        guard name != socketID else { throw .reservedRoom }
        let room = Room(name)
        var count = 0
        for other in joined {
            if other == room { return room }
            if !RoomName.isReserved(other.name) && other.name != socketID { count += 1 }
        }
        guard count < self.rooms.maximumRoomsPerSocket else { throw .maximumRooms(self.rooms.maximumRoomsPerSocket) }
        return room
    }

    /// The room that a client wants to leave, if it isn't the gateway's.
    func roomToLeave(_ payload: JSONValue?, socketID: String) throws(ClientRefusal) -> Room {
        let name = try self.name(payload, allowingColon: true)
        guard !RoomName.isReserved(name) || self.rooms.defaultRooms.contains(name), name != socketID else {
            throw .reservedRoom
        }
        return Room(name)
    }

    private func name(_ payload: JSONValue?, allowingColon: Bool) throws(ClientRefusal) -> String {
        guard let name = payload?.stringValue, !name.isEmpty, name.utf8.count <= self.rooms.maximumNameLength else {
            throw .invalidRoomName
        }
        guard
            RoomName.hasValidCharacters(name, allowingColon: allowingColon, allowingDot: self.rooms.allowsDot)
        else { throw .invalidRoomCharacters }
        return name
    }
}
