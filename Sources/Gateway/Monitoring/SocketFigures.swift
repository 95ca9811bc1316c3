import NIOCore
import OrderedCollections
import SocketIOServer
public import SocketIOWire

/// A socket, as those who operate the cluster see it.
public struct SocketFigures: Sendable {
    /// The socket as other answers describe it, with its first rooms.
    public var info: SocketInfo
    /// How many rooms it is in, its own and the gateway's internal ones not counted.
    public var roomCount: Int
    /// The first entries that it has subscribed to.
    public var subscriptions: [EntitySubscriptions.Subscription]
    /// What the client is: `public`, `user`, `token`, `operator` or `unauthorized`; `nil` if the gateway does not know.
    public var kind: String?
    /// `polling` or `websocket`; `nil` if it has just left.
    public var transport: String?
    /// The bytes that wait for it; `nil` if it has just left.
    public var queuedBytes: Int?
    /// What the handshake's query said that can hold no secret, and how many other parameters there were.
    var query: (shown: [(name: String, value: String)], hidden: Int)
    /// When it connected, as JavaScript writes a time.
    var handshakeTime: String
    /// The name of its program, as it says.
    public var userAgent: String?

    /// The most rooms and the most subscriptions that are told of one socket.
    static let maximumRooms = 100
    private static let maximumTextBytes = 256
    private static let maximumUserBytes = 4096
    /// Parameters of Engine.IO itself, whose values are no secrets; `sid` is one.
    private static let publicParameters: [UTF8Text] = ["EIO", "transport", "t", "b64", "j"]

    /// The object `{id, node?, connected, rooms, roomCount, entitySubscriptions, handshake, user, …}`.
    public var value: JSONValue {
        var object = self.info.value.objectValue ?? [:]
        object["user"] = self.info.user ?? .null
        object["connected"] = true
        object["kind"] = self.kind.map { .string($0) }
        object["roomCount"] = .int(self.roomCount)
        object["entitySubscriptions"] = .array(self.subscriptions.map(\.value))
        object["transport"] = self.transport.map { .string($0) }
        object["queuedBytes"] = self.queuedBytes.map { .int($0) }
        object["userAgent"] = self.userAgent.map { .string($0) }
        let query = JSONObject(self.query.shown.map { (UTF8Text($0.name), .string($0.value)) }) { first, _ in first }
        object["handshake"] = [
            "address": self.info.address.map { .string($0) } ?? .null, "time": .string(self.handshakeTime),
            "query": .object(query), "hiddenParameters": .int(self.query.hidden),
        ]
        return .object(object)
    }
}

extension SocketFigures {
    /// Describes a socket of this node.
    ///
    /// - Parameters:
    ///   - socket: The socket.
    ///   - link: What only its loop knows.
    ///   - node: The node's name.
    init(_ socket: Socket, link: (transport: String, queuedBytes: Int)?, node: String) {
        let handshake = socket.handshake
        let own = socket.id.room
        let rooms = socket.rooms.filter { $0 != own }
        let shown = rooms.filter { !RoomName.isInternal($0) }.map { UTF8Text($0.name) }.sorted()
        var data = socket.data
        if case .object(var object) = data {
            // The application may have put anything there.
            if let user = object["user"], Self.bytes(of: user) > Self.maximumUserBytes {
                object["user"] = ["id": user["id"].flatMap { EntityID($0)?.value } ?? .null, "truncated": true]
            }
            data = .object(object)
        }
        self.info = SocketInfo(
            id: socket.id.description,
            rooms: shown.prefix(Self.maximumRooms).map { Room($0.string) },
            data: data,
            handshake: ["issued": .int(handshake.issued), "address": .string(handshake.address)]
        )
        self.info.node = node
        self.roomCount = shown.count
        self.kind = PrincipalRecord(data)?.kind.rawValue
        self.subscriptions = Array(
            (EntitySubscriptions(rooms: rooms).subscriptions ?? []).prefix(Self.maximumRooms)
        )
        self.transport = link?.transport
        self.queuedBytes = link?.queuedBytes
        let parameters = handshake.query
        let isPublic = { (name: String) in Self.publicParameters.contains(UTF8Text(name)) }
        self.query = (
            parameters.filter { isPublic($0.name) }.map {
                (name: $0.name, value: $0.value.abridged(toBytes: Self.maximumTextBytes))
            },
            parameters.count { !isPublic($0.name) }
        )
        self.handshakeTime = handshake.json["time"]?.stringValue ?? ""
        self.userAgent = handshake.header("user-agent")?.abridged(toBytes: Self.maximumTextBytes)
    }

    private static func bytes(of value: JSONValue) -> Int {
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        return buffer.readableBytes
    }
}

/// Sockets of the cluster, in the order of their ids' bytes.
public struct SocketPage: Sendable {
    /// The objects of ``SocketFigures/value``, of this node and of others.
    public var sockets: [JSONValue]
    /// The id to go on behind; `nil` if there are no more.
    public var next: String?

    /// A node's answer.
    struct Part: Sendable {
        /// The first of its sockets.
        var sockets: [JSONValue]
        /// Whether it has more.
        var hasMore: Bool

        var value: JSONValue { ["sockets": .array(self.sockets), "hasMore": .bool(self.hasMore)] }

        init(sockets: [JSONValue], hasMore: Bool) {
            self.sockets = sockets
            self.hasMore = hasMore
        }

        /// Reads another node's answer; `nil` if it is something else.
        init?(_ value: JSONValue, limit: Int) {
            guard let sockets = value["sockets"]?.arrayValue, sockets.count <= limit,
                let hasMore = value["hasMore"]?.boolValue
            else { return nil }
            self.init(sockets: sockets, hasMore: hasMore)
        }
    }

    /// The longest answer of a node, and the longest page of all, in bytes.
    static let maximumBytes = 1_000_000

    /// The first of all answers.
    ///
    /// Each node answers with the first of its own, and so the first of all are among them: up to the last one of a node
    /// that has more.
    init(merging parts: [Part], limit: Int) {
        func id(_ socket: JSONValue) -> UTF8Text? { socket["id"]?.stringValue.map { UTF8Text($0) } }
        let horizon = parts.filter(\.hasMore).compactMap { $0.sockets.last.flatMap(id) }.min()
        let sorted = parts.flatMap(\.sockets).compactMap { socket in id(socket).map { (id: $0, socket: socket) } }
            .sorted { $0.id < $1.id }
        let known = sorted.prefix { entry in horizon.map { entry.id <= $0 } ?? true }
        let count = Self.fitting(known.lazy.map(\.socket), limit: limit)
        self.sockets = known.prefix(count).map(\.socket)
        self.next = count < sorted.count || horizon != nil ? known.prefix(count).last?.id.string : nil
    }

    /// How many of the first sockets make a page: not too many, and not too long together, but one at least.
    static func fitting(_ sockets: some Sequence<JSONValue>, limit: Int) -> Int {
        var (count, bytes) = (0, ByteBuffer())
        for socket in sockets.prefix(limit) {
            bytes.writeJSON(socket)
            guard bytes.readableBytes <= Self.maximumBytes || count == 0 else { break }
            count += 1
        }
        return count
    }
}

/// Rooms of the cluster.
public struct RoomPage: Sendable {
    /// A room and its members on all nodes.
    public struct Entry: Sendable {
        /// The room's name.
        public var name: String
        /// How many members it has, as far as nodes have answered.
        public var members: Int

        /// Whether it is the room of those who subscribed to an entry.
        public var isEntityRoom: Bool { EntityRef.isRoom(Room(self.name)) }

        /// The object `{name, members, isEntityRoom}`.
        public var value: JSONValue {
            ["name": .string(self.name), "members": .int(self.members), "isEntityRoom": .bool(self.isEntityRoom)]
        }
    }

    /// The rooms.
    public var rooms: [Entry]
    /// The name to go on behind; `nil` if there are no more, and for rooms by size.
    public var next: String?
}
