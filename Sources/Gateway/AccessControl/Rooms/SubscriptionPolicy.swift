import SocketIOWire

/// Which entities clients may follow.
struct SubscriptionPolicy: Sendable {
    /// What holds for all clients.
    struct Settings: Sendable, Hashable {
        /// Whether clients may subscribe at all.
        var isEnabled: Bool
        /// Whether a client that follows some entries of a type still hears of the others.
        var mode: SubscriptionMode
        /// The most entries that a client may follow.
        var maximumSubscriptionsPerSocket: Int
        /// If there are any, clients may follow only entries of these types.
        var allowedContentTypes: [String]
    }

    let settings: Settings

    /// Checks a client's wish, in the order of the possible answers.
    ///
    /// It does not check whether the entity exists and who owns it.
    ///
    /// The payload is `{uid, id}`. `joined` has the rooms that the socket is in.
    func request(
        _ payload: JSONValue?,
        ability: Ability,
        joined: some Sequence<Room>,
        schema: Schema
    ) throws(ClientRefusal) -> SubscriptionRequest {
        guard let payload, payload.objectValue != nil else { throw .invalidPayload }
        guard self.settings.isEnabled else { throw .subscriptionsDisabled }
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

    /// Whether one more subscription is within the limit.
    ///
    /// To renew one is free.
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

    /// Checks a client's wish to stop following an entity.
    ///
    /// - Returns: The entity and the answer. The entity is `nil` if nobody can have subscribed to it.
    func cancellation(_ payload: JSONValue?) throws(ClientRefusal) -> (entity: EntityRef?, success: JSONValue) {
        guard let payload, payload.objectValue != nil else { throw .invalidPayload }
        guard self.settings.isEnabled else { throw .subscriptionsDisabled }
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
    ///   - owners: Who owns the entity; `nil` if that is not known.
    /// - Returns: What the subscriber may see; `nil` if somebody else owns the entity.
    func follower(
        _ principal: Principal,
        of type: ContentType,
        ability: Ability,
        owners: [EntityID]?
    ) -> Follower? {
        guard type.ownerField != nil, !ability.reachesBeyondOwn(on: type.uid) else { return .anyone }
        guard let owners else { return .undecided(principal.user?.id) }
        // An id means the same user as a number and as a text.
        guard let user = principal.user?.id, owners.contains(where: { RoomName.user($0) == RoomName.user(user) }) else {
            return nil
        }
        return .owner(user)
    }

    /// The rooms that a subscription consists of.
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

    /// The rooms to leave when a subscription ends.
    ///
    /// `joined` has the rooms that the socket is in.
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
