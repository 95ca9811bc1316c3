/// The events that clients may send in the main namespace.
enum ClientEvent: String, Sendable, Hashable, CaseIterable {
    case joinRoom = "join-room"
    case leaveRoom = "leave-room"
    case getRooms = "get-rooms"
    case subscribeEntity = "subscribe-entity"
    case unsubscribeEntity = "unsubscribe-entity"
    case getEntitySubscriptions = "get-entity-subscriptions"
    case privateMessage = "private-message"
    /// Event mode.
    case join
    /// Event mode.
    case leave
}
