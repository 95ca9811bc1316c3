public import SocketIOWire

/// What the cluster keeps of a client, so that the client can go on where it was, on any node.
public struct KeptSession: Sendable, Hashable {
    /// The secret by which the client proves that it is the same.
    public var id: SessionID
    /// The id of its socket.
    public var socketID: SocketID
    /// The rooms that it is in, its own not counted.
    public var rooms: [Room]
    /// What the application has stored in `socket.data`.
    public var data: JSONValue
    /// What only Swift nodes know; `nil` for a session that a Node.js node has written.
    public var record: Record?

    /// A session.
    public init(id: SessionID, socketID: SocketID, rooms: [Room], data: JSONValue, record: Record? = nil) {
        self.id = id
        self.socketID = socketID
        self.rooms = rooms
        self.data = data
        self.record = record
    }

    /// What tells exactly which events the client has not been sent.
    public struct Record: Sendable, Hashable {
        /// A number that is new each time the client connects or comes back.
        ///
        /// A node that holds an older claim may not change the session any more.
        public var claim: UInt64
        /// Whether the claim is new, so that nothing is kept under it yet.
        public var isNew: Bool
        /// Whether the client is disconnected, so that the rest of the record is final.
        public var isAway: Bool
        /// The log's history in which the offsets are places.
        public var history: String
        /// The last event before the client connected.
        public var connected: EventOffset
        /// The last event that was dealt with when this was written.
        public var handled: EventOffset
        /// What the client was told as the log's end when it connected.
        public var told: EventOffset
        /// The last event sent to the client.
        public var lastSent: EventOffset?
        /// A client that has seen neither this event nor a later one can't go on.
        public var completeFrom: EventOffset
        /// Whether the client was sent events without an offset, and none with an offset since: it can't go on.
        public var isBehind: Bool
        /// When the client was in which room.
        public var stays: [Stay]
    }

    /// When a client was in a room.
    public struct Stay: Sendable, Hashable {
        /// The room.
        public var room: Room
        /// The last event before it came.
        public var joined: EventOffset
        /// The last event that it got as a member; `nil` if it still is a member.
        public var left: EventOffset?
    }
}

// MARK: - As Node.js nodes keep it

extension KeptSession {
    /// The form of the official adapters: `{sid, pid, rooms, data}`, the rooms with the client's own.
    public var official: JSONValue {
        [
            "sid": .string(self.socketID.description),
            "pid": .string(self.id.secret),
            "rooms": .array(([self.socketID.room] + self.rooms).map { .string($0.name) }),
            "data": self.data,
        ]
    }

    /// Reads the official form; `nil` if it is something else.
    public init?(official: JSONValue) {
        guard case .string(let sid)? = official["sid"], let socketID = SocketID(sid),
            case .string(let pid)? = official["pid"], let id = SessionID(pid),
            case .array(let names)? = official["rooms"]
        else { return nil }
        var rooms: [Room] = []
        for name in names {
            guard case .string(let name) = name else { return nil }
            if Room(name) != socketID.room { rooms.append(Room(name)) }
        }
        self.init(id: id, socketID: socketID, rooms: rooms, data: official["data"] ?? [:])
    }
}

// MARK: - As Swift nodes keep it

extension KeptSession {
    /// All of it, for Swift nodes; `nil` without a ``record``.
    public var json: JSONValue? {
        guard let record = self.record else { return nil }
        func text(_ offset: EventOffset?) -> JSONValue { offset.map { .string($0.text) } ?? .null }
        return [
            "v": 1,
            "sid": .string(self.socketID.description),
            "pid": .string(self.id.secret),
            "rooms": .array(self.rooms.map { .string($0.name) }),
            "data": self.data,
            "claim": .string(String(record.claim, radix: 16)),
            "away": .bool(record.isAway),
            "history": .string(record.history),
            "connected": text(record.connected),
            "handled": text(record.handled),
            "told": text(record.told),
            "sent": text(record.lastSent),
            "from": text(record.completeFrom),
            "behind": .bool(record.isBehind),
            "stays": .array(record.stays.map { [.string($0.room.name), text($0.joined), text($0.left)] }),
        ]
    }

    /// Reads that form; `nil` if it is something else, or of another version.
    public init?(json: JSONValue) {
        guard json["v"] == 1, case .array(let rooms)? = json["rooms"], case .array(let stays)? = json["stays"],
            case .string(let sid)? = json["sid"], let socketID = SocketID(sid),
            case .string(let pid)? = json["pid"], let id = SessionID(pid),
            case .string(let claim)? = json["claim"], let claim = UInt64(claim, radix: 16),
            case .bool(let isAway)? = json["away"], case .bool(let isBehind)? = json["behind"],
            case .string(let history)? = json["history"], let data = json["data"],
            let connected = Self.offset(json["connected"]), let handled = Self.offset(json["handled"]),
            let told = Self.offset(json["told"]), let completeFrom = Self.offset(json["from"])
        else { return nil }
        let lastSent = Self.offset(json["sent"])
        guard lastSent != nil || json["sent"] == .null else { return nil }
        var record = Record(
            claim: claim,
            isNew: false,
            isAway: isAway,
            history: history,
            connected: connected,
            handled: handled,
            told: told,
            lastSent: lastSent,
            completeFrom: completeFrom,
            isBehind: isBehind,
            stays: []
        )
        var names: [Room] = []
        for room in rooms {
            guard case .string(let name) = room else { return nil }
            names.append(Room(name))
        }
        for stay in stays {
            guard case .array(let parts) = stay, parts.count == 3, case .string(let room) = parts[0],
                let joined = Self.offset(parts[1])
            else { return nil }
            let left = Self.offset(parts[2])
            guard left != nil || parts[2] == .null else { return nil }
            record.stays.append(Stay(room: Room(room), joined: joined, left: left))
        }
        self.init(id: id, socketID: socketID, rooms: names, data: data, record: record)
    }

    private static func offset(_ value: JSONValue?) -> EventOffset? {
        if case .string(let text)? = value { EventOffset(text) } else { nil }
    }
}
