import SocketIOWire

/// A wish to follow an entity, after all checks that need nobody else.
struct SubscriptionRequest: Sendable, Hashable {
    var entity: EntityRef
    /// The id in the type in which the client sent it, for the answer.
    var id: JSONValue

    /// `{success: true, room, uid, id}`.
    var success: JSONValue {
        ["success": true, "room": .string(self.entity.room.name), "uid": .string(self.entity.uid), "id": self.id]
    }
}

/// What somebody who follows an entity may see of it.
enum Follower: Sendable, Hashable {
    /// Its events, no matter who owns it.
    case anyone
    /// Its events, because the subscriber owns it.
    case owner(EntityID)
    /// Nothing until the owner is known. It is `nil` if the subscriber is no user and so can never be the owner.
    case undecided(EntityID?)
}
