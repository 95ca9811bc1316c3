import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What this node tells of itself.
extension Monitoring {
    /// The answer to a question of this node or another.
    func answer(_ question: MonitoringQuestion) async -> JSONValue {
        switch question {
        case .figures: return await self.localFigures().value
        case .reset:
            self.context.journal.reset()
            return ["node": .string(self.nodeName)]
        case .rooms(let query):
            let rooms = await self.localRooms(query)
            return [
                "node": .string(self.nodeName),
                "rooms": .array(rooms.map { ["name": .string($0.name), "members": .int($0.members)] }),
            ]
        case .members(let rooms):
            let counts = await self.context.main.localMemberCounts(of: rooms)
            return ["node": .string(self.nodeName), "members": .array(counts.map { .int($0) })]
        case .sockets(let query):
            return await self.localSockets(query).value
        }
    }

    var nodeName: String { self.context.configuration.nodeName ?? "unknown" }

    // MARK: Figures

    /// More rooms than this are only counted.
    private static let maximumDigests = 1000

    private func localFigures() async -> NodeFigures {
        let main = self.context.main
        let events = self.context.journal.reading()
        let isFew = main.localRoomCount <= Self.maximumDigests
        let names = main.localRoomNames()
        let shown = isFew ? names.filter { !RoomName.isInternal($0) } : []
        let followed = names.compactMap { room in EntityRef(room: room).map { (room: room, uid: $0.uid) } }
        var subscriptions: [UTF8Text: Int] = [:]
        for (entry, count) in zip(followed, await main.localMemberCounts(of: followed.map(\.room))) {
            subscriptions[UTF8Text(entry.uid), default: 0] += count
        }
        return NodeFigures(
            node: self.nodeName,
            startedAt: self.startedAt,
            connections: self.context.server.engine.sessionCount,
            sockets: self.context.namespaces.map { (namespace: $0.key, count: $0.value.localSocketCount) }
                .sorted { UTF8Text($0.namespace) < UTF8Text($1.namespace) },
            roomCount: isFew ? shown.count : names.count,
            roomDigests: isFew ? shown.map { Self.digest(of: $0) } : nil,
            subscriptions: subscriptions.map { (uid: $0.key.string, count: $0.value) }
                .sorted { UTF8Text($0.uid) < UTF8Text($1.uid) },
            totalEvents: events.total,
            eventsByType: events.byType.map { (type: $0.type.string, count: $0.count) },
            lastReset: Self.milliseconds(events.lastReset),
            eventsPerSecond: events.perSecond,
            details: .object(self.details())
        )
    }

    /// A Unix time in seconds, whatever the clock says.
    static func milliseconds(_ seconds: Double) -> Int { Int(max(0, min(seconds * 1000, 9e15))) }

    /// A number that stands for a room's name on all nodes: FNV-1a, as far as JavaScript's numbers are exact.
    ///
    /// Who makes two names with the same number makes the sum of rooms smaller by one, and nothing else.
    static func digest(of room: Room) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in room.name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(hash >> 11)
    }

    // MARK: Rooms

    /// The wanted rooms of this node.
    private func localRooms(_ query: RoomQuery) async -> [RoomPage.Entry] {
        let main = self.context.main
        let matching = main.localRoomNames().lazy.filter { query.matches($0) }
        switch query.order {
        case .name:
            let rooms = matching.smallest(query.limit) { UTF8Text($0.name) < UTF8Text($1.name) }
            let counts = await main.localMemberCounts(of: rooms)
            return zip(rooms, counts).map { RoomPage.Entry(name: $0.name, members: $1) }
        case .size:
            let rooms = Array(matching)
            let counts = await main.localMemberCounts(of: rooms)
            return Self.largest(zip(rooms, counts).map { RoomPage.Entry(name: $0.name, members: $1) }, query.limit)
        }
    }

    static func largest(_ rooms: [RoomPage.Entry], _ count: Int) -> [RoomPage.Entry] {
        rooms.smallest(count) { ($1.members, UTF8Text($0.name)) < ($0.members, UTF8Text($1.name)) }
    }

    // MARK: Sockets

    /// The wanted sockets of this node.
    private func localSockets(_ query: SocketQuery) async -> SocketPage.Part {
        guard let namespace = self.context.namespace(UTF8Text(query.namespace)),
            SocketQuery.matches(query.node, self.nodeName)
        else { return SocketPage.Part(sockets: [], hasMore: false) }
        let after = query.after.map { UTF8Text($0) }
        let room = query.room.map { Room($0) }
        // The list is of references. What is said of a socket is read of those that are wanted.
        let wanted = await namespace.localSockets().map { (id: UTF8Text($0.id.description), socket: $0) }
            .filter { entry in after.map { $0 < entry.id } ?? true }
            .filter { entry in
                let socket = entry.socket
                if let room, !socket.rooms.contains(room) { return false }
                guard query.user != nil || query.role != nil || query.address != nil else { return true }
                let data = socket.data
                let record = PrincipalRecord(data)
                return SocketQuery.matches(query.user, record?.userID?.text)
                    && SocketQuery.matches(query.role, record?.role?.string)
                    && SocketQuery.matches(query.address, data["address"]?.stringValue ?? socket.handshake.address)
            }
            // One more tells whether there are more.
            .smallest(query.limit + 1) { $0.id < $1.id }
        var figures: [JSONValue] = []
        for (_, socket) in wanted.prefix(query.limit) {
            let link = try? await socket.eventLoop.submit {
                (transport: socket.transport.rawValue, queuedBytes: socket.queuedBytes)
            }.get()
            figures.append(SocketFigures(socket, link: link, node: self.nodeName).value)
        }
        let count = SocketPage.fitting(figures, limit: query.limit)
        return SocketPage.Part(sockets: Array(figures.prefix(count)), hasMore: count < wanted.count)
    }
}
