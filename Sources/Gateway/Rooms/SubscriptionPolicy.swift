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

/// What somebody who follows an entity may see of it.
enum Follower: Sendable, Hashable {
    /// Its events, whoever owns it.
    case anyone
    /// Its events because it is theirs.
    case owner(EntityID)
    /// Nothing until it is known who owns it; `nil`: they are no user, so it will never be theirs.
    case undecided(EntityID?)
}

/// Which entities clients may follow.
struct SubscriptionPolicy: Sendable {
    let settings: GatewayConfiguration.EntitySubscriptions

    /// Checks a client's wish: everything but whether the entity exists and whose it is, in the order of the answers.
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
            guard self.settings.allowedContentTypes.contains(where: { UTF8Text($0) == UTF8Text(uid) }) else {
                throw .typeNotAllowed
            }
        }
        let entity = EntityRef(uid: uid, id: entityID.text)
        try self.checkCount(with: entity, joined: joined)
        guard let type = schema.contentType(uid) else { throw .typeNotFound }
        guard ability.hasAnyScope(on: uid) else { throw .noAccess }
        guard type.canHave(id: id) else { throw .unknownIDField(type.idFields) }
        return SubscriptionRequest(entity: entity, id: id)
    }

    /// Whether one more subscription is within the limit; renewing one is free.
    private func checkCount(with entity: EntityRef, joined: some Sequence<Room>) throws(ClientRefusal) {
        let room = entity.room
        let ownersOnly = RoomName.ownersOnly(entity)
        var followed: Set<EntityRef> = []
        for other in joined {
            if other == room || other == ownersOnly { return }
            if let entity = EntityRef(followedIn: other) { followed.insert(entity) }
        }
        guard followed.count < self.settings.maximumSubscriptionsPerSocket else {
            throw .maximumSubscriptions(self.settings.maximumSubscriptionsPerSocket)
        }
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

    // MARK: Rooms

    /// What a subscriber may see of an entity that these users own.
    ///
    /// - Parameters:
    ///   - principal: Who subscribes.
    ///   - type: The entity's content type.
    ///   - ability: What the subscriber may do.
    ///   - owners: Who owns the entity; `nil`: not known.
    /// - Returns: `nil` if the entity is somebody else's.
    func follower(
        _ principal: Principal,
        of type: ContentType,
        ability: Ability,
        owners: [EntityID]?
    ) -> Follower? {
        guard type.ownerField != nil, !ability.reachesBeyondOwn(on: type.uid) else { return .anyone }
        guard let owners else { return .undecided(principal.user?.id) }
        // An id is one user's whether it is written as a number or as text.
        guard let user = principal.user?.id, owners.contains(where: { RoomName.user($0) == RoomName.user(user) }) else {
            return nil
        }
        return .owner(user)
    }

    /// The rooms that a subscription is made of.
    func rooms(of entity: EntityRef, audience: Room, follower: Follower = .anyone) -> [Room] {
        switch follower {
        case .anyone:
            var rooms = [
                entity.room, RoomName.entity(entity, audience: audience),
                RoomName.followers(of: entity.uid, by: IDForm(of: entity.id), audience: audience),
            ]
            if self.settings.mode == .narrow { rooms.append(RoomName.narrow(entity.uid)) }
            return rooms
        case .owner(let user):
            return [entity.room, RoomName.ownersOnly(entity), RoomName.ownersOnly(entity, user: user)]
        case .undecided(let user):
            return [RoomName.ownersOnly(entity)] + (user.map { [RoomName.ownersOnly(entity, user: $0)] } ?? [])
        }
    }

    /// The rooms to leave when the subscription of a socket ends that is in the rooms `joined`.
    func roomsToLeave(of entity: EntityRef, joined: some Sequence<Room>) -> [Room] {
        let form = IDForm(of: entity.id)
        let variants = "\(entity.room.name)@"
        let followers = "narrow:\(entity.uid)#\(form.rawValue)@"
        var rooms = [entity.room]
        var ofForm: [Room] = []
        var hasOthers = false
        var hasOthersOfForm = false
        for room in joined {
            let name = room.name.utf8
            if name.starts(with: variants.utf8) { rooms.append(room) }
            if name.starts(with: followers.utf8) { ofForm.append(room) }
            guard let other = EntityRef(followedIn: room), UTF8Text(other.uid) == UTF8Text(entity.uid),
                other != entity
            else { continue }
            hasOthers = true
            if IDForm(of: other.id) == form { hasOthersOfForm = true }
        }
        if !hasOthersOfForm { rooms += ofForm }
        if !hasOthers { rooms.append(RoomName.narrow(entity.uid)) }
        return rooms
    }
}
