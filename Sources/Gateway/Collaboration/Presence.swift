import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Who edits which entry.
///
/// An editor is an entry of the state of the room `presence:<uid>:<documentId>`, under the user's id, held by the sockets
/// with which the user edits.
final class Presence: Sendable {
    /// One who types: a socket in a room.
    private struct Typist: Hashable, Sendable {
        var socket: SocketID
        var room: Room
    }

    let context: GatewayContext
    let states: RoomStates
    let subscriptions: Subscriptions
    private let typing: NIOLockedValueBox<TypingBook<Typist>>
    /// What the others are told about those who type.
    private let users = NIOLockedValueBox<[Typist: JSONValue]>([:])
    private let timer: DeadlineTimer<Typist>

    /// The longest name of a field, in bytes.
    static let maximumFieldBytes = 200
    /// The longest text that a client adds to its presence, in bytes.
    private static let maximumTextBytes = 256
    /// The most bytes of what is known about an editor.
    private static let maximumEditorBytes = 4_096

    init(_ context: GatewayContext, states: RoomStates, subscriptions: Subscriptions) {
        let settings = context.configuration.presence
        self.context = context
        self.states = states
        self.subscriptions = subscriptions
        self.typing = NIOLockedValueBox(
            TypingBook(interval: settings.typingInterval, lifetime: settings.typingLifetime)
        )
        let callback = NIOLockedValueBox<(@Sendable (Typist) -> Void)?>(nil)
        self.timer = DeadlineTimer(eventLoop: context.main.eventLoop) { typist in
            callback.withLockedValue { $0 }?(typist)
        }
        callback.withLockedValue { $0 = { [weak self] typist in self?.woke(typist) } }
    }

    // MARK: Editors

    func limits(_ settings: GatewayConfiguration.Presence) -> StateLimits {
        StateLimits(keys: settings.maximumEditors, bytes: settings.maximumEditors * (Self.maximumEditorBytes + 256))
    }

    /// What makes a socket one of an entry's editors.
    func request(_ socket: Socket, _ user: User, _ entity: EntityRef, _ details: JSONValue?) -> StateRequest {
        let settings = self.context.rules(for: socket).configuration.presence
        let room = RoomName.presence(entity)
        return StateRequest(
            room: room,
            key: UTF8Text(user.id.text),
            wish: .acquire(self.editor(socket, user, details)),
            by: ["userId": user.id.value],
            limits: self.limits(settings),
            holder: socket,
            membership: room,
            most: settings.maximumEntitiesPerSocket
        )
    }

    private func editor(_ socket: Socket, _ user: User, _ details: JSONValue?) -> JSONValue {
        var editor: JSONObject = [
            "socketId": .string(socket.id.description), "user": PrincipalRecord.describe(user),
            "joinedAt": .int(self.states.milliseconds),
        ]
        for name in ["contentTypeName", "entryTitle"] {
            guard let text = details?[name]?.stringValue else { continue }
            editor[UTF8Text(name)] = .string(text.abridged(toBytes: Self.maximumTextBytes))
        }
        let value = JSONValue.object(editor)
        guard value.jsonByteCount > Self.maximumEditorBytes else { return value }
        editor["user"] = ["id": user.id.value]
        return .object(editor)
    }

    /// `[{socketId, user, joinedAt, connections, …}]`, first come first.
    static func editors(_ entries: [UTF8Text: StateEntry]) -> [JSONValue] {
        entries.sorted {
            let (left, right) = ($0.value.joinedAt, $1.value.joinedAt)
            return left == right ? $0.key < $1.key : left < right
        }.map { _, entry in
            var editor = entry.value.objectValue ?? [:]
            editor["connections"] = .int(entry.connections)
            return .object(editor)
        }
    }

    /// The entry that those in a room edit.
    static func entity(of room: Room) -> EntityRef? {
        let name = room.name.utf8.dropFirst(RoomName.presencePrefix.utf8.count)
        return EntityRef(room: Room(String(Substring(name))))
    }

    /// `presence:update`: `{uid, documentId, editors, count, timestamp, version, joined, left}`, for this node's members.
    func changed(_ room: Room, _ changes: [StateChange], _ record: RoomRecord?) {
        guard let record, let entity = Self.entity(of: room) else { return }
        let editors = Self.editors(record.entries)
        var joined: [JSONValue] = []
        var left: [JSONValue] = []
        for change in changes {
            if let entry = change.entry {
                joined.append(entry.value["user"] ?? .null)
            } else {
                left.append(["id": change.by["userId"] ?? .string(change.key.string)])
            }
        }
        self.context.main.to(room).local.emit(
            "presence:update",
            values: [
                [
                    "uid": .string(entity.uid), "documentId": .string(entity.id), "editors": .array(editors),
                    "count": .int(editors.count), "timestamp": .int(self.states.milliseconds),
                    "version": .int(record.version), "joined": .array(joined), "left": .array(left),
                ]
            ]
        )
    }

    /// A client has come back, and is in its rooms again: it edits what it has edited.
    func connected(_ socket: Socket) {
        guard socket.isRecovered, let user = self.context.principal(of: socket).user else { return }
        let entities = socket.rooms.filter { RoomKind($0) == .presence }.compactMap(Self.entity)
        guard !entities.isEmpty else { return }
        // Nobody waits for this task. It ends with the answers of the shared state.
        Task {
            for entity in entities {
                _ = try? await self.states.snapshot(of: RoomName.presence(entity), for: socket)
                _ = await self.states.change(self.request(socket, user, entity, nil))
            }
        }
    }

    // MARK: Typing

    /// A member types in a field; `nil` if it has stopped.
    func typed(_ socket: Socket, _ user: User, _ room: Room, _ field: UTF8Text?) {
        let typist = Typist(socket: socket.id, room: room)
        guard let field else { return self.stopped(typist) }
        var shown: JSONObject = ["id": user.id.value]
        shown["username"] = user.username.map { .string($0) }
        self.users.withLockedValue { $0[typist] = .object(shown) }
        let (action, delay) = self.typing.withLockedValue { $0.typed(typist, field, at: socket.eventLoop.now) }
        self.timer.set(typist, after: delay)
        self.tell(action, typist)
        // It may have left meanwhile. Then nobody else would end it.
        if !socket.rooms.contains(room) { self.stopped(typist) }
    }

    private func woke(_ typist: Typist) {
        let now = self.context.main.eventLoop.now
        let (action, delay) = self.typing.withLockedValue { $0.woke(typist, at: now) }
        if let delay { self.timer.set(typist, after: delay) }
        self.tell(action, typist)
    }

    private func stopped(_ typist: Typist) {
        self.timer.remove(typist)
        self.tell(self.typing.withLockedValue { $0.ended(typist) }, typist)
    }

    private func tell(_ action: TypingBook<Typist>.Action, _ typist: Typist) {
        let field: JSONValue
        let user: JSONValue?
        switch action {
        case .none: return
        case .tell(let name):
            field = .string(name.string)
            user = self.users.withLockedValue { $0[typist] }
        case .end:
            field = .null
            user = self.users.withLockedValue { $0.removeValue(forKey: typist) }
        }
        guard let user, let entity = Self.entity(of: typist.room) else { return }
        let lifetime = self.typing.withLockedValue { $0.lifetime }
        self.context.main.to(typist.room).except(typist.socket.room).emit(
            "presence:typing",
            values: [
                [
                    "uid": .string(entity.uid), "documentId": .string(entity.id), "user": user, "fieldName": field,
                    "timestamp": .int(self.states.milliseconds),
                    "expiresIn": .int(field.isNull ? 0 : Int(lifetime.nanoseconds / 1_000_000)),
                ]
            ]
        )
    }

    /// A socket has left a room, on its loop.
    func roomChanged(_ change: RoomChange) {
        guard case .left(let room, let socket) = change, RoomKind(room) == .presence else { return }
        self.stopped(Typist(socket: socket, room: room))
    }
}

extension StateEntry {
    fileprivate var joinedAt: Int { self.value["joinedAt"]?.intValue ?? 0 }
}
