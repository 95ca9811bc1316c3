import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What clients share beside events: what rooms remember, who edits what, who is online, and previews.
final class Collaboration: Sendable {
    let context: GatewayContext
    let states: RoomStates
    let presence: Presence
    let online: OnlineUsers
    let preview: LivePreview
    let counts: RoomCounts

    init(
        _ context: GatewayContext,
        subscriptions: Subscriptions,
        explainer: Explainer,
        preview: LivePreview
    ) {
        self.context = context
        self.states = RoomStates(
            eventLoop: context.main.eventLoop,
            store: context.sharing.state,
            incidents: context.incidents,
            lease: { context.configuration.roomState.lease },
            now: context.now
        )
        self.presence = Presence(context, states: self.states, subscriptions: subscriptions)
        self.online = OnlineUsers(context, states: self.states)
        self.preview = preview
        self.counts = RoomCounts(explainer: explainer)
    }

    func register() {
        let (context, presence, online, states) = (self.context, self.presence, self.online, self.states)
        states.start(
            RoomStates.Listeners(
                changed: { room, changes, record in
                    switch RoomKind(room) {
                    case .plain: Self.tell(room, changes, context)
                    case .presence: presence.changed(room, changes, record)
                    case .online: online.changed(changes)
                    }
                },
                replaced: { room, changes, record in
                    switch RoomKind(room) {
                    case .plain: Self.tellAll(room, record, context)
                    case .presence: presence.changed(room, changes, record)
                    case .online: online.changed(changes)
                    }
                }
            )
        )
        context.main.onRoomChange { change in
            states.roomChanged(change)
            presence.roomChanged(change)
        }
        context.main.onConnection { socket in
            presence.connected(socket)
        }
        context.main.onDisconnect { socket, _ in
            online.disconnected(socket)
            self.preview.disconnected(socket)
        }
    }

    // MARK: Rooms whose members change the state

    /// `state:changed`: `{room, key, value, version, by}`, for this node's members.
    ///
    /// `value` is `null` if the key is gone. `version` is `null` while the cluster is out of reach.
    private static func tell(_ room: Room, _ changes: [StateChange], _ context: GatewayContext) {
        guard context.configuration.roomState.enabled else { return }
        let members = context.main.to(room).local
        for change in changes {
            members.emit(
                "state:changed",
                values: [
                    [
                        "room": .string(room.name), "key": .string(change.key.string),
                        "value": change.entry?.value ?? .null, "version": change.version.map { .int($0) } ?? .null,
                        "by": change.by,
                    ]
                ]
            )
        }
    }

    /// `state:snapshot`: `{room, version, state}`, for this node's members.
    private static func tellAll(_ room: Room, _ record: RoomRecord, _ context: GatewayContext) {
        guard context.configuration.roomState.enabled else { return }
        var object = record.snapshot.object
        object["room"] = .string(room.name)
        context.main.to(room).local.emit("state:snapshot", values: [.object(object)])
    }

    /// Whether the state of a room is its members' or a back end's to change.
    static func hasOwnState(_ room: Room) -> Bool {
        let name = room.name.utf8
        let reserved = [RoomName.presencePrefix, RoomName.previewPrefix, RoomName.onlinePrefix]
        return !name.isEmpty && !RoomName.isInternal(room) && !reserved.contains { name.starts(with: $0.utf8) }
    }
}

extension StateSnapshot {
    /// `{state: [{key, value, by, connections?, expiresAt?}], version}`, in the order of the keys.
    ///
    /// The entries are a list because a key such as `__proto__` is no ordinary member of an object in JavaScript.
    var object: JSONObject {
        let entries = self.entries.sorted { $0.key < $1.key }.map { key, entry -> JSONValue in
            var object: JSONObject = ["key": .string(key.string), "value": entry.value, "by": entry.by]
            if entry.connections > 0 { object["connections"] = .int(entry.connections) }
            object["expiresAt"] = entry.expiresAt.map { .int($0) }
            return .object(object)
        }
        return ["state": .array(entries), "version": .int(self.version)]
    }
}
