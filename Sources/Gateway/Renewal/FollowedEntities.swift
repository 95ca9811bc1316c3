import SocketIOWire

/// The entities that a socket follows, and which of its rooms are for that.
struct FollowedEntities {
    let entities: Set<EntityRef>
    /// The rooms of subscribers that the socket is in.
    let rooms: Set<Room>

    init(_ rooms: Set<Room>) {
        var entities: Set<EntityRef> = []
        var own: Set<Room> = []
        for room in rooms {
            if let entity = EntityRef(followedIn: room) {
                entities.insert(entity)
                own.insert(room)
            } else if RoomName.isOfFollowers(room) {
                own.insert(room)
            }
        }
        self.entities = entities
        self.rooms = own
    }

    /// Whom the rules are asked about.
    struct Reader {
        var rules: Rules
        var principal: Principal
        var ability: Ability

        init(_ principal: Principal, _ rules: Rules) {
            self.rules = rules
            self.principal = principal
            self.ability = rules.access.ability(of: principal)
        }

        /// The type of an entity that the reader may ask to follow; `nil` if it may not.
        func type(of entity: EntityRef) -> ContentType? {
            let settings = self.rules.access.subscriptionPolicy.settings
            guard settings.isEnabled, self.ability.hasAnyScope(on: entity.uid) else { return nil }
            if !settings.allowedContentTypes.isEmpty,
                !settings.allowedContentTypes.contains(where: { UTF8Text($0) == UTF8Text(entity.uid) })
            {
                return nil
            }
            return self.rules.content.schema.contentType(entity.uid)
        }
    }

    /// The rooms in which the socket follows what it followed, as far as the new rules let it.
    ///
    /// What a back end has made the socket follow, although the socket itself could not have asked for it, goes on.
    func rooms(
        from old: Reader,
        to new: Reader,
        owners: (EntityRef, ContentType) -> [EntityID]?
    ) -> Set<Room> {
        var wanted: Set<Room> = []
        for entity in self.entities {
            guard let type = new.rules.content.schema.contentType(entity.uid) else { continue }
            if old.type(of: entity) != nil, new.type(of: entity) == nil { continue }
            let policy = new.rules.access.subscriptionPolicy
            let follower = policy.follower(
                new.principal,
                of: type,
                ability: new.ability,
                owners: owners(entity, type)
            )
            guard let follower else { continue }
            wanted.formUnion(
                policy.rooms(
                    of: entity,
                    audience: new.principal.audienceRoom,
                    follower: self.remembered(follower, of: entity)
                )
            )
        }
        return wanted
    }

    /// What a subscriber may see, also if the node has forgotten by now who owns the entity.
    ///
    /// The rooms of its owner have not forgotten it.
    private func remembered(_ follower: Follower, of entity: EntityRef) -> Follower {
        guard case .undecided(let user?) = follower, self.rooms.contains(entity.room),
            self.rooms.contains(RoomName.ownersOnly(entity, user: user))
        else { return follower }
        return .owner(user)
    }
}
