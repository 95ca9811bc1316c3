import SocketIOServer
import SocketIOWire

/// Entries that back ends make sockets follow.
extension Subscriptions {
    /// The socket of a subscription, and the rooms that it is to join.
    func subscription(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws -> (EntitySubscriptionResult, FoundSocket?, [Room]) {
        guard let socket = try await self.sockets.find(socketID) else { return (.failed(.socketNotFound), nil, []) }
        let rules = self.context.rules.value
        guard let type = rules.content.schema.contentType(uid) else { return (.failed(.typeNotFound), nil, []) }
        guard EntityRef.isValidID(id.text) else { return (.failed(.invalidEntityID), nil, []) }
        guard type.canHave(id: id.value) else { return (.failed(.unknownIDField(type.idFields)), nil, []) }
        let entity = EntityRef(uid: uid, id: id.text)
        let principal = rules.access.principal(of: PrincipalRecord(socket.data))
        let policy = rules.access.subscriptionPolicy
        let follower = policy.follower(
            principal,
            of: type,
            ability: rules.access.ability(of: principal),
            owners: self.owners(of: entity, type)
        )
        guard let follower else { return (.failed(.noEntityAccess), nil, []) }
        let rooms = policy.rooms(of: entity, audience: principal.audienceRoom, follower: follower)
        return (.done(uid, id), socket, rooms)
    }

    /// The socket of a subscription that ends, and the rooms that it is to leave.
    func unsubscription(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws -> (EntitySubscriptionResult, FoundSocket?, [Room]) {
        guard let socket = try await self.sockets.find(socketID) else { return (.failed(.socketNotFound), nil, []) }
        let entity = EntityRef(uid: uid, id: id.text)
        guard ContentType.isValidUID(uid) && EntityRef.isValidID(entity.id) else { return (.done(uid, id), nil, []) }
        let policy = self.context.rules.value.access.subscriptionPolicy
        return (.done(uid, id), socket, policy.roomsToLeave(of: entity, joined: socket.rooms))
    }

    /// The rooms of those who follow an entry; `nil` for an id that no entry has.
    static func followerRooms(_ uid: String, _ id: EntityID) throws -> [Room]? {
        try ContentType.checkUID(uid)
        guard EntityRef.isValidID(id.text) else { return nil }
        let entity = EntityRef(uid: uid, id: id.text)
        return [entity.room, RoomName.ownersOnly(entity)]
    }
}
