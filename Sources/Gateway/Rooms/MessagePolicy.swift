import SocketIOWire

/// To whom a client may write private messages, once they are enabled.
public enum MessagePolicy: String, Sendable, Hashable, CaseIterable {
    /// To everybody whose id it knows.
    case anyone
    /// To members of a room that it is in as well, and to its user's own sockets.
    case sameRoom
    /// To sockets of its own role, or of its own API token.
    case sameRole
    /// To nobody: only back ends write.
    case nobody

    /// Whether a client in some rooms may write to one in others.
    ///
    /// - Parameters:
    ///   - sender: The rooms of who writes.
    ///   - audience: The room of the role or token of who writes.
    ///   - receiver: The rooms of who is written to.
    ///   - defaultRooms: Rooms that everybody is in who has authenticated: they make nobody known to each other.
    /// - Returns: Whether it may.
    func allows(
        from sender: some Sequence<Room>,
        audience: Room,
        to receiver: some Sequence<Room>,
        defaultRooms: [String]
    ) -> Bool {
        switch self {
        case .anyone: return true
        case .nobody: return false
        case .sameRole: return receiver.contains(audience)
        case .sameRoom:
            let ignored = Set(defaultRooms.map { Room($0) })
            let shared = Set(sender).intersection(receiver)
            return shared.contains { room in
                !ignored.contains(room) && (RoomName.isUser(room) || !RoomName.isReserved(room.name))
            }
        }
    }
}
