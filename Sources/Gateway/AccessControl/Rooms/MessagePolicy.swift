import SocketIOWire

/// To whom a client may write private messages, if they are enabled.
public enum MessagePolicy: String, Sendable, Hashable, CaseIterable {
    /// It may write to everybody whose id it knows.
    case anyone
    /// It may write to members of a room that it is in as well, and to its user's own sockets.
    case sameRoom
    /// It may write to sockets of its own role, or of its own API token.
    case sameRole
    /// It may write to nobody. Only back ends write.
    case nobody

    /// Whether a client in some rooms may write to one in others.
    ///
    /// - Parameters:
    ///   - sender: The rooms of the client that writes.
    ///   - audience: The room of the role or token of the client that writes.
    ///   - receiver: The rooms of the client that it writes to.
    ///   - defaultRooms: Rooms that every authenticated client is in. To share one of these is not enough.
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
