import SocketIOWire

/// A wish to follow an entity, as far as it can be judged without asking anybody.
struct SubscriptionRequest: Sendable, Hashable {
    var entity: EntityRef
    /// The id in its original type, for the answer.
    var id: JSONValue

    /// `{success: true, room, uid, id}`.
    var success: JSONValue {
        ["success": true, "room": .string(self.entity.room.name), "uid": .string(self.entity.uid), "id": self.id]
    }
}

/// Which entities clients may follow.
struct SubscriptionPolicy: Sendable {
    let settings: GatewayConfiguration.EntitySubscriptions

    /// Checks a client's wish: everything but whether the entity exists, in the order of the answers.
    ///
    /// The payload is `{uid, id}`; `joined` are the rooms that the socket is in.
    func request(
        _ payload: JSONValue?,
        ability: Ability,
        joined: some Sequence<Room>,
        schema: Schema
    ) throws(ClientRefusal) -> SubscriptionRequest {
        guard let payload, payload.objectValue != nil else { throw .invalidPayload }
        guard self.settings.enabled else { throw .subscriptionsDisabled }
        let (uid, id) = try Self.parameters(payload)
        guard let uid = uid.stringValue, ContentType.isValidUID(uid) else { throw .invalidUID }
        guard let entityID = EntityID(id), EntityRef.isValidID(entityID.text) else { throw .invalidEntityID }
        if !self.settings.allowedContentTypes.isEmpty {
            guard self.settings.allowedContentTypes.contains(uid) else { throw .typeNotAllowed }
        }
        let entity = EntityRef(uid: uid, id: entityID.text)
        let entityRoom = entity.room
        var count = 0
        var isSubscribed = false
        for room in joined where EntityRef.isRoom(room) {
            count += 1
            if room == entityRoom { isSubscribed = true }
        }
        guard isSubscribed || count < self.settings.maximumSubscriptionsPerSocket else {
            throw .maximumSubscriptions(self.settings.maximumSubscriptionsPerSocket)
        }
        guard schema.contentType(uid) != nil else { throw .typeNotFound }
        guard ability.hasAnyScope(on: uid) else { throw .noAccess }
        return SubscriptionRequest(entity: entity, id: id)
    }

    /// Checks a client's wish to follow an entity no longer.
    ///
    /// - Returns: The entity, which is `nil` if nobody can have subscribed to it, and the answer.
    func cancellation(_ payload: JSONValue?) throws(ClientRefusal) -> (entity: EntityRef?, success: JSONValue) {
        guard let payload, payload.objectValue != nil else { throw .invalidPayload }
        guard self.settings.enabled else { throw .subscriptionsDisabled }
        let (uid, id) = try Self.parameters(payload)
        guard let uid = uid.stringValue, let entityID = EntityID(id) else { throw .missingEntity }
        let entity = EntityRef(uid: uid, id: entityID.text)
        let request = SubscriptionRequest(entity: entity, id: id)
        let isPossible = ContentType.isValidUID(uid) && EntityRef.isValidID(entity.id)
        return (isPossible ? entity : nil, request.success)
    }

    private static func parameters(_ payload: JSONValue) throws(ClientRefusal) -> (uid: JSONValue, id: JSONValue) {
        guard let uid = payload["uid"], let id = payload["id"], !uid.isFalsy, !id.isFalsy else {
            throw .missingEntity
        }
        return (uid, id)
    }

    /// The rooms that a subscription is made of.
    func rooms(of entity: EntityRef, audience: Room) -> [Room] {
        var rooms = [entity.room, RoomName.entity(entity, audience: audience)]
        if self.settings.mode == .narrow { rooms.append(RoomName.narrow(entity.uid)) }
        return rooms
    }

    /// The rooms to leave when the subscription of a socket ends that is in the rooms `joined`.
    func roomsToLeave(of entity: EntityRef, joined: some Sequence<Room>) -> [Room] {
        var rooms = [entity.room]
        let variants = "\(entity.room.name)@"
        var hasOthers = false
        for room in joined {
            if room.name.hasPrefix(variants) { rooms.append(room) }
            if let other = EntityRef(room: room), other.uid == entity.uid, other.id != entity.id { hasOthers = true }
        }
        if !hasOthers { rooms.append(RoomName.narrow(entity.uid)) }
        return rooms
    }
}
