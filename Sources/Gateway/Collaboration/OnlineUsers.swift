import EngineIO
import NIOCore
import SocketIOServer
import SocketIOWire

/// Which users are online, in the whole cluster.
///
/// The index has a part for each value of a hash of the user's id. A part is the state of a room without members; each user
/// is an entry of one, held by his sockets.
final class OnlineUsers: Sendable {
    let context: GatewayContext
    let states: RoomStates
    private let watches: LoopBound<OnlineWatches<SocketKey>>

    /// How many parts the index has; the same on every node.
    private static let parts = 64
    /// The most bytes of what is known about a user.
    private static let maximumUserBytes = 4_096
    /// Users who are no more than this in one part find room in the index.
    private static let limits = StateLimits(keys: 1_000_000, bytes: 1 << 40)

    init(_ context: GatewayContext, states: RoomStates) {
        self.context = context
        self.states = states
        self.watches = LoopBound(OnlineWatches(), eventLoop: states.eventLoop)
    }

    // MARK: The index

    static let rooms = (0..<OnlineUsers.parts).map { OnlineUsers.room(part: $0) }

    private static func room(part: Int) -> Room {
        let digits = String(part, radix: 16)
        return Room("\(RoomName.onlinePrefix)\(digits.utf8.count < 2 ? "0" : "")\(digits)")
    }

    /// The part of a user: FNV-1a of the id's bytes.
    static func part(of user: UTF8Text) -> Int {
        Int(user.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }) % Self.parts
    }

    static func room(of user: UTF8Text) -> Room { Self.rooms[Self.part(of: user)] }

    /// A client whose user is known has come.
    func admitted(_ socket: Socket) {
        guard self.context.rules(for: socket).configuration.presence.onlineUsers,
            socket.namespace === self.context.main, let user = self.context.principal(of: socket).user
        else { return }
        let key = UTF8Text(user.id.text)
        var value: JSONValue = ["user": PrincipalRecord.describe(user), "since": .int(self.states.milliseconds)]
        if value.jsonByteCount > Self.maximumUserBytes { value["user"] = ["id": user.id.value] }
        let request = StateRequest(
            room: Self.room(of: key),
            key: key,
            wish: .acquire(value),
            by: ["userId": user.id.value],
            limits: Self.limits,
            holder: socket
        )
        // Nobody waits for this task. It ends with the answer of the shared state.
        Task { _ = await self.states.change(request) }
    }

    /// A part of the users who are online.
    ///
    /// - Parameters:
    ///   - position: Where the last part ended; `nil` for the first.
    ///   - limit: The most users.
    /// - Returns: The users in the order of the index, and where the next part begins; `nil` if there is none.
    /// - Throws: `ClusterError` if the index cannot be read.
    func page(after position: OnlinePosition?, limit: Int) async throws -> (users: [JSONValue], next: OnlinePosition?) {
        var users: [JSONValue] = []
        var part = position?.part ?? 0
        while part < Self.parts {
            let parts = part..<min(part + 8, Self.parts)
            let snapshots = try await self.snapshots(parts)
            for (part, snapshot) in zip(parts, snapshots) {
                for (key, entry) in snapshot.entries.sorted(by: { $0.key < $1.key }) {
                    if let position, position.part == part, key <= position.user { continue }
                    guard users.count < limit else { return (users, self.position(before: key, part, users)) }
                    users.append(self.describe(key, entry))
                }
            }
            part = parts.upperBound
        }
        return (users, nil)
    }

    private func position(before key: UTF8Text, _ part: Int, _ users: [JSONValue]) -> OnlinePosition? {
        guard let last = users.last?["userId"].flatMap({ EntityID($0) }) else { return nil }
        let user = UTF8Text(last.text)
        return OnlinePosition(part: Self.part(of: user), user: user)
    }

    private func snapshots(_ parts: Range<Int>) async throws -> [StateSnapshot] {
        try await withThrowingTaskGroup(of: (Int, StateSnapshot).self) { group in
            for part in parts {
                group.addTask { (part, try await self.states.snapshot(of: Self.rooms[part], for: nil)) }
            }
            var snapshots = [StateSnapshot](repeating: .empty, count: parts.count)
            for try await (part, snapshot) in group { snapshots[part - parts.lowerBound] = snapshot }
            return snapshots
        }
    }

    private func describe(_ key: UTF8Text, _ entry: StateEntry) -> JSONValue {
        let since = entry.value["since"]?.intValue ?? self.states.milliseconds
        return [
            "userId": entry.by["userId"] ?? .string(key.string), "user": entry.value["user"] ?? .null,
            "connectedAt": .int(since), "onlineFor": .int(max(0, (self.states.milliseconds - since) / 1000)),
            "connections": .int(entry.connections),
        ]
    }

    func count() async throws -> Int { try await self.states.store.count(of: Self.rooms) }

    // MARK: Watching

    /// Tells a socket from now on when these users come and go, and no others.
    ///
    /// - Returns: Which of them are online now.
    func watch(_ socket: Socket, _ users: [EntityID]) async throws -> [EntityID] {
        let promise = self.states.eventLoop.makePromise(of: Void.self)
        let key = SocketKey(socket: socket)
        self.states.eventLoop.execute {
            let change = self.watches.value.watch(key, users)
            for part in change.added { self.states.keep(Self.rooms[part]) }
            for part in change.removed { self.states.drop(Self.rooms[part]) }
            promise.succeed()
        }
        try await promise.futureResult.get()
        // A socket that leaves after this moment is seen leaving.
        guard socket.isConnected else {
            self.disconnected(socket)
            return []
        }
        let parts = Set(users.map { Self.part(of: UTF8Text($0.text)) })
        var online: Set<UTF8Text> = []
        for part in parts.sorted() {
            let entries = try await self.states.snapshot(of: Self.rooms[part], for: nil).entries
            for user in users where entries[UTF8Text(user.text)] != nil { online.insert(UTF8Text(user.text)) }
        }
        return users.filter { online.contains(UTF8Text($0.text)) }
    }

    /// The socket has left, or watches nobody any more.
    func disconnected(_ socket: Socket) {
        let key = SocketKey(socket: socket)
        self.states.eventLoop.execute {
            for part in self.watches.value.forget(key) { self.states.drop(Self.rooms[part]) }
        }
    }

    /// `online:changed`: `{userId, online}`, for those who watch the user.
    func changed(_ changes: [StateChange]) {
        self.states.eventLoop.assertInEventLoop()
        for change in changes {
            for (key, user) in self.watches.value.watchers(of: change.key) {
                key.socket.emit(
                    "online:changed",
                    values: [["userId": user.value, "online": .bool(change.entry != nil)]]
                )
            }
        }
    }
}

/// A place in the index of users who are online: behind that user.
struct OnlinePosition: Sendable, Hashable {
    var part: Int
    var user: UTF8Text
}

extension OnlinePosition {
    /// `<part>.<user>`.
    var text: String { "\(self.part).\(self.user.string)" }

    /// Reads a position; `nil` if it is something else.
    init?(_ text: String) {
        guard let dot = text.utf8.firstIndex(of: UInt8(ascii: ".")), let part = Int(text[..<dot]),
            (0..<OnlineUsers.rooms.count).contains(part)
        else { return nil }
        self.init(part: part, user: UTF8Text(text[text.utf8.index(after: dot)...]))
    }
}
