import Incidents
import SocketIOServer
import SocketIOWire

/// Entries that clients see while others edit them.
extension ClientRequests {
    private var preview: LivePreview { self.collaboration.preview }

    /// The rooms in which a client previews an entry.
    private func previewRooms(
        _ socket: Socket,
        _ entity: EntityRef,
        _ rules: Rules
    ) throws(ClientRefusal) -> [Room] {
        guard let type = rules.content.schema.contentType(entity.uid) else { throw .typeNotFound }
        let principal = rules.access.principal(of: PrincipalRecord(socket.data))
        let room = principal.audienceRoom
        let receivers = rules.receivers(of: "update", type, now: self.context.now())
        if receivers.contains(where: { $0.rooms.contains(room) }) {
            return [RoomName.preview(entity), RoomName.preview(entity, audience: room)]
        }
        guard receivers.contains(where: { $0.ownerRooms.contains(room) }) else { throw .joinDenied }
        // It sees the entry only if it owns it.
        let owners = self.subscriptions.owners(of: entity, type)
        guard let user = principal.user?.id,
            owners?.contains(where: { RoomName.user($0) == RoomName.user(user) }) == true
        else { throw .noEntityAccess }
        return [
            RoomName.preview(entity), RoomName.preview(entity, audience: RoomName.owner(user, audience: room)),
        ]
    }

    /// Handles `{uid, documentId}`: the client sees the entry as it is being edited.
    func subscribePreview(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let settings = self.context.rules(for: socket).configuration.livePreview
        guard settings.enabled else { throw ClientRefusal.previewDisabled }
        let entity = try Self.entity(payload)
        let others = socket.rooms.count { room in
            room.name.utf8.starts(with: RoomName.previewPrefix.utf8) && !RoomName.isInternal(room)
                && room != RoomName.preview(entity)
        }
        guard others < settings.maximumSubscriptionsPerSocket else {
            throw ClientRefusal.maximumPreviews(settings.maximumSubscriptionsPerSocket)
        }
        try self.countChange(of: socket)
        try self.budgets.spend(.questions, 1, of: socket, limits: self.context.rules(for: socket).configuration.limits)
        let rooms = try await self.context.decide(for: socket) { rules in
            try self.previewRooms(socket, entity, rules)
        } grant: { rooms in
            socket.join(rooms)
        }
        await socket.confirm(rooms)
        let count = await self.collaboration.counts.sockets(in: RoomName.preview(entity))
        if let entry = await self.entry(entity, for: socket) {
            try? self.preview.forEachAudience(entity, entry, nil) { data, _, audience in
                guard audience.contains(where: { rooms.contains($0) }) else { return }
                socket.emit(
                    "preview:initial",
                    values: [
                        [
                            "uid": .string(entity.uid), "documentId": .string(entity.id), "data": data,
                            "timestamp": .int(Int(self.context.now() * 1000)),
                        ]
                    ]
                )
            }
        }
        return [
            "success": true, "entityKey": .string("\(entity.uid):\(entity.id)"),
            "subscriberCount": .int(count.sockets),
        ]
    }

    /// The entry, if the application can look it up.
    private func entry(_ entity: EntityRef, for socket: Socket) async -> JSONValue? {
        guard let findEntity = self.context.hooks.findEntity else { return nil }
        do {
            return try await findEntity(entity, self.context.principal(of: socket))
        } catch {
            self.context.incidents.record(
                "The hook that finds entities failed",
                reason: "hook",
                pace: .failures,
                details: ["error": "\(error)"]
            )
            return nil
        }
    }

    func unsubscribePreview(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        guard self.context.rules(for: socket).configuration.livePreview.enabled else {
            throw ClientRefusal.previewDisabled
        }
        let entity = try Self.entity(payload)
        try self.countChange(of: socket)
        let own = RoomName.preview(entity)
        let prefix = "\(own.name)@"
        socket.leave(socket.rooms.filter { $0 == own || $0.name.utf8.starts(with: prefix.utf8) })
        return ["success": true, "entityKey": .string("\(entity.uid):\(entity.id)")]
    }

    /// Handles `{uid, documentId, fieldName, value}` of a client that may update the entry, and previews it.
    func changePreviewField(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let rules = self.context.rules(for: socket)
        guard rules.configuration.livePreview.enabled else { throw ClientRefusal.previewDisabled }
        let principal = self.context.principal(of: socket)
        guard principal.user != nil else { throw ClientRefusal.presenceNeedsUser }
        let entity = try Self.entity(payload)
        guard rules.access.ability(of: principal).mayUpdate(entity.uid) else { throw ClientRefusal.joinDenied }
        guard socket.rooms.contains(RoomName.preview(entity)) else { throw ClientRefusal.notPreviewing }
        guard let name = payload?["fieldName"]?.stringValue,
            (1...Presence.maximumFieldBytes).contains(name.utf8.count)
        else { throw ClientRefusal.invalidFieldName }
        let value = payload?["value"] ?? .null
        guard !value.hasBytes else { throw ClientRefusal.bytesInValue }
        guard value.jsonByteCount <= LivePreview.maximumValueBytes else {
            throw ClientRefusal.maximumValueBytes(LivePreview.maximumValueBytes)
        }
        try self.countChange(of: socket)
        guard self.preview.changed(socket, entity, UTF8Text(name), value) else {
            throw ClientRefusal.rateLimitExceeded(retryAfterMilliseconds: 1_000)
        }
        return ["success": true]
    }
}

extension Ability {
    /// Whether entries of that type may be changed, the holder's own or all.
    fileprivate func mayUpdate(_ uid: String) -> Bool {
        self.allows("update", on: uid) || self.allows("update:any", on: uid)
    }
}

extension ClientRefusal {
    static let previewDisabled = ClientRefusal("Live preview is disabled")
    static let notPreviewing = ClientRefusal("Not subscribed to this preview")
    static func maximumPreviews(_ count: Int) -> ClientRefusal {
        ClientRefusal("Maximum preview subscriptions (\(count)) reached")
    }
}
