import NIOCore
import SocketIOServer
import SocketIOWire

/// Who edits what.
extension ClientRequests {
    private var presence: Presence { self.collaboration.presence }

    /// The user of a client, who has to be known.
    private func editor(_ socket: Socket) throws(ClientRefusal) -> User {
        guard self.context.rules(for: socket).configuration.presence.enabled else { throw .presenceDisabled }
        guard let user = self.context.principal(of: socket).user else { throw .presenceNeedsUser }
        return user
    }

    /// The entry of a wish.
    static func entity(_ payload: JSONValue?) throws(ClientRefusal) -> EntityRef {
        guard let payload, payload.objectValue != nil else { throw .invalidPayload }
        guard let uid = payload["uid"], let id = payload["documentId"], !uid.isFalsy, !id.isFalsy else {
            throw .missingDocument
        }
        guard let uid = uid.stringValue, ContentType.isValidUID(uid) else { throw .invalidUID }
        guard let entityID = EntityID(id), EntityRef.isValidID(entityID.text) else { throw .invalidEntityID }
        return EntityRef(uid: uid, id: entityID.text)
    }

    /// Checks that a client may see that entry at all.
    private func checkAccess(_ socket: Socket, to entity: EntityRef, _ rules: Rules) throws(ClientRefusal) {
        guard let type = rules.content.schema.contentType(entity.uid) else { throw .typeNotFound }
        let principal = rules.access.principal(of: PrincipalRecord(socket.data))
        let ability = rules.access.ability(of: principal)
        guard ability.hasAnyScope(on: entity.uid) else { throw .noAccess }
        let owners = self.subscriptions.owners(of: entity, type)
        switch rules.access.subscriptionPolicy.follower(principal, of: type, ability: ability, owners: owners) {
        case .anyone, .owner: break
        // Nobody knows yet whose entry it is.
        case .undecided, nil: throw .noEntityAccess
        }
    }

    func joinPresence(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let user = try self.editor(socket)
        let entity = try Self.entity(payload)
        try self.countChange(of: socket)
        let room = RoomName.presence(entity)
        let wasMember = socket.rooms.contains(room)
        try await self.context.decide(for: socket) { rules in
            try self.checkAccess(socket, to: entity, rules)
        } grant: {
            socket.join(room)
        }
        await socket.confirm([room])
        // Before the change, so that this node's members hear of it even if the cluster is out of reach.
        _ = try? await self.collaboration.states.snapshot(of: room, for: socket)
        let request = self.presence.request(socket, user, entity, payload)
        let answer = await self.collaboration.states.change(request)
        do throws(ClientRefusal) {
            try self.check(answer, socket)
        } catch {
            if !wasMember { socket.leave(room) }
            throw error
        }
        var snapshot = try await self.collaboration.states.snapshot(of: room, for: socket)
        // The word of its own coming may still be under way.
        if snapshot.entries[request.key] == nil, case .acquire(let value) = request.wish {
            snapshot.entries[request.key] = StateEntry(value: value, by: request.by, holders: ["": 1])
        }
        return [
            "success": true, "entityKey": .string("\(entity.uid):\(entity.id)"),
            "editors": .array(Presence.editors(snapshot.entries)), "version": .int(snapshot.version),
        ]
    }

    private func check(_ answer: StateAnswer, _ socket: Socket) throws(ClientRefusal) {
        switch answer {
        case .changed, .unchanged, .queued, .replaced: break
        case .refused: throw .maximumEditors(self.context.rules(for: socket).configuration.presence.maximumEditors)
        case .tooMany: throw .tooManyEditingSessions
        case .notAMember: throw .unregistered
        case .busy, .unreachable: throw .rateLimitExceeded(retryAfterMilliseconds: 1_000)
        }
    }

    func leavePresence(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        _ = try self.editor(socket)
        let entity = try Self.entity(payload)
        try self.countChange(of: socket)
        // Whoever leaves the room holds nothing in it.
        socket.leave(RoomName.presence(entity))
        return ["success": true, "entityKey": .string("\(entity.uid):\(entity.id)")]
    }

    /// A sign of life, which nobody needs: the connection has its own.
    func beatPresence(_ socket: Socket) throws -> JSONValue {
        guard (try? self.editor(socket)) != nil else { throw ClientRefusal.notRegistered }
        return ["success": true, "lastSeen": .int(self.collaboration.states.milliseconds)]
    }

    func checkPresence(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        guard self.context.rules(for: socket).configuration.presence.enabled else {
            throw ClientRefusal.presenceDisabled
        }
        let entity = try Self.entity(payload)
        try self.checkAccess(socket, to: entity, self.context.rules(for: socket))
        let room = RoomName.presence(entity)
        let isMember = socket.rooms.contains(room)
        if !isMember {
            let limits = self.context.rules(for: socket).configuration.limits
            try self.budgets.spend(.questions, 1, of: socket, limits: limits)
        }
        let snapshot = try await self.collaboration.states.snapshot(of: room, for: isMember ? socket : nil)
        let editors = Presence.editors(snapshot.entries)
        return ["success": true, "editors": .array(editors), "isBeingEdited": .bool(!editors.isEmpty)]
    }

    func typing(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let user = try self.editor(socket)
        let entity = try Self.entity(payload)
        let room = RoomName.presence(entity)
        guard socket.rooms.contains(room) else { throw ClientRefusal.notRegistered }
        guard let name = payload?["fieldName"], !name.isNull else {
            self.presence.typed(socket, user, room, nil)
            return ["success": true]
        }
        guard let name = name.stringValue, (1...Presence.maximumFieldBytes).contains(name.utf8.count) else {
            throw ClientRefusal.invalidFieldName
        }
        self.presence.typed(socket, user, room, UTF8Text(name))
        return ["success": true]
    }
}

extension ClientRefusal {
    static let presenceDisabled = ClientRefusal("Presence is disabled")
    static let presenceNeedsUser = ClientRefusal("Authentication required for presence")
    static let missingDocument = ClientRefusal("uid and documentId are required")
    static let unregistered = ClientRefusal("Socket not registered for presence")
    static let notRegistered = ClientRefusal("Socket not registered")
    static let tooManyEditingSessions = ClientRefusal("Too many editing sessions for this socket.")
    static let invalidFieldName = ClientRefusal("Invalid field name")
    static func maximumEditors(_ count: Int) -> ClientRefusal { ClientRefusal("Maximum editors (\(count)) reached") }
}
