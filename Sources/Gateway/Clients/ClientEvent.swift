/// The events that clients may send in the main namespace.
enum ClientEvent: String, Sendable, Hashable, CaseIterable {
    case joinRoom = "join-room"
    case leaveRoom = "leave-room"
    case getRooms = "get-rooms"
    case subscribeEntity = "subscribe-entity"
    case unsubscribeEntity = "unsubscribe-entity"
    case getEntitySubscriptions = "get-entity-subscriptions"
    case privateMessage = "private-message"
    case setState = "state:set"
    case removeState = "state:remove"
    case getState = "state:get"
    case joinPresence = "presence:join"
    case leavePresence = "presence:leave"
    case beatPresence = "presence:heartbeat"
    case typing = "presence:typing"
    case checkPresence = "presence:check"
    case watchOnline = "online:watch"
    case unwatchOnline = "online:unwatch"
    case subscribePreview = "preview:subscribe"
    case unsubscribePreview = "preview:unsubscribe"
    case changePreviewField = "preview:field-change"
    /// Event mode.
    case join
    /// Event mode.
    case leave
}
