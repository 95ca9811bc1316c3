import OrderedCollections
import SocketIOWire

/// What a node asks the others for those who operate the cluster.
enum MonitoringQuestion: Sendable {
    /// The figures of the node.
    case figures
    /// Some of its rooms.
    case rooms(RoomQuery)
    /// How many members rooms have there.
    case members(of: [Room])
    /// Some of its sockets.
    case sockets(SocketQuery)
    /// To count from zero.
    case reset

    /// More names in one question are not answered.
    static let maximumNames = 10_000

    var value: JSONValue {
        switch self {
        case .figures: ["ask": "figures"]
        case .rooms(let query): ["ask": "rooms", "query": query.value]
        case .members(let rooms): ["ask": "members", "rooms": .array(rooms.map { .string($0.name) })]
        case .sockets(let query): ["ask": "sockets", "query": query.value]
        case .reset: ["ask": "reset"]
        }
    }

    /// Reads another node's question; `nil` if it is something else.
    init?(_ value: JSONValue) {
        switch value["ask"]?.stringValue.map({ UTF8Text($0) }) {
        case "figures": self = .figures
        case "reset": self = .reset
        case "rooms":
            guard let query = value["query"].flatMap({ RoomQuery($0) }) else { return nil }
            self = .rooms(query)
        case "sockets":
            guard let query = value["query"].flatMap({ SocketQuery($0) }) else { return nil }
            self = .sockets(query)
        case "members":
            guard let names = value["rooms"]?.arrayValue, names.count <= Self.maximumNames else { return nil }
            let rooms = names.compactMap { $0.stringValue.map { Room($0) } }
            guard rooms.count == names.count else { return nil }
            self = .members(of: rooms)
        default: return nil
        }
    }
}

/// Which rooms are wanted.
public struct RoomQuery: Sendable {
    /// In which order rooms come.
    public enum Order: String, Sendable, Hashable, CaseIterable {
        /// By the bytes of their names.
        case name
        /// Those with most members first.
        case size
    }

    /// The most rooms of one answer.
    public static let maximumLimit = 1000

    /// The order.
    public var order = Order.name
    /// How many at most, up to ``maximumLimit``.
    public var limit = 50
    /// Only rooms whose names come after this one; only with ``Order/name``.
    public var after: String?
    /// Only rooms whose names begin with this.
    public var prefix = ""

    /// The first rooms by name.
    public init() {}

    var value: JSONValue {
        var object: JSONObject = [
            "order": .string(self.order.rawValue), "limit": .int(self.limit), "prefix": .string(self.prefix),
        ]
        object["after"] = self.after.map { .string($0) }
        return .object(object)
    }

    init?(_ value: JSONValue) {
        guard let name = value["order"]?.stringValue.map({ UTF8Text($0) }),
            let order = Order.allCases.first(where: { UTF8Text($0.rawValue) == name }),
            let limit = value["limit"]?.intValue, (1...Self.maximumLimit).contains(limit),
            let prefix = value["prefix"]?.stringValue
        else { return nil }
        self.order = order
        self.limit = limit
        self.prefix = prefix
        self.after = value["after"]?.stringValue
    }

    /// Whether a room is one of those that are wanted.
    func matches(_ room: Room) -> Bool {
        guard !RoomName.isInternal(room), room.name.utf8.starts(with: self.prefix.utf8) else { return false }
        return self.after.map { UTF8Text($0) < UTF8Text(room.name) } ?? true
    }
}

/// Which sockets are wanted, in the order of their ids' bytes.
public struct SocketQuery: Sendable {
    /// The most sockets of one answer.
    public static let maximumLimit = 1000

    /// `main` or a configured namespace's name.
    public var namespace = "main"
    /// How many at most, up to ``maximumLimit``.
    public var limit = 50
    /// Only sockets whose ids come after this one.
    public var after: String?
    /// Only sockets in this room.
    public var room: String?
    /// Only sockets of the user with this id, as text.
    public var user: String?
    /// Only sockets of this role.
    public var role: String?
    /// Only sockets from this address.
    public var address: String?
    /// Only sockets of the node of this name.
    public var node: String?

    /// The first sockets of the main namespace.
    public init() {}

    private static let texts: [(UTF8Text, any WritableKeyPath<SocketQuery, String?> & Sendable)] = [
        ("after", \.after), ("room", \.room), ("user", \.user), ("role", \.role), ("address", \.address),
        ("node", \.node),
    ]

    var value: JSONValue {
        var object: JSONObject = ["namespace": .string(self.namespace), "limit": .int(self.limit)]
        for (name, path) in Self.texts { object[name] = self[keyPath: path].map { .string($0) } }
        return .object(object)
    }

    init?(_ value: JSONValue) {
        guard let namespace = value["namespace"]?.stringValue, let limit = value["limit"]?.intValue,
            (1...Self.maximumLimit).contains(limit), case .object(let object) = value
        else { return nil }
        self.namespace = namespace
        self.limit = limit
        for (name, path) in Self.texts { self[keyPath: path] = object[name]?.stringValue }
    }

    /// Whether two texts are the same, or any is right.
    static func matches(_ wanted: String?, _ text: @autoclosure () -> String?) -> Bool {
        guard let wanted else { return true }
        return text().map { UTF8Text($0) == UTF8Text(wanted) } ?? false
    }
}
