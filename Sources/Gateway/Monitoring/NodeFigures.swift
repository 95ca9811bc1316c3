import OrderedCollections
public import SocketIOWire

/// What one node of the cluster is doing.
public struct NodeFigures: Sendable {
    /// The node's name; `unknown` if it has none.
    public var node: String
    /// When it was started, in milliseconds since 1970.
    public var startedAt: Int
    /// Its sessions, whatever namespaces they are in.
    public var connections: Int
    /// Its sockets in each of the gateway's namespaces.
    public var sockets: [(namespace: String, count: Int)]
    /// How many rooms of the main namespace it has.
    public var roomCount: Int
    /// Stands for the names of these rooms; `nil` if they are too many.
    var roomDigests: [Int]?
    /// How many subscriptions to entries there are, by content type.
    public var subscriptions: [(uid: String, count: Int)]
    /// How many events there were since ``lastReset``.
    public var totalEvents: Int
    /// The same by type.
    public var eventsByType: [(type: String, count: Int)]
    /// In milliseconds since 1970.
    public var lastReset: Int
    /// Over the last minute.
    public var eventsPerSecond: Double
    /// What the program tells besides, as an object: its version, its memory, ….
    public var details: JSONValue

    /// Sockets of the main namespace.
    public var connected: Int { self.sockets.first { UTF8Text($0.namespace) == "main" }?.count ?? 0 }

    /// The object that nodes send each other.
    var value: JSONValue {
        func counts(_ list: [(String, Int)]) -> JSONValue {
            .object(JSONObject(list.map { (UTF8Text($0.0), JSONValue.int($0.1)) }) { first, _ in first })
        }
        var object: JSONObject = [
            "node": .string(self.node), "startedAt": .int(self.startedAt), "connections": .int(self.connections),
            "sockets": counts(self.sockets.map { ($0.namespace, $0.count) }), "rooms": .int(self.roomCount),
            "subscriptions": counts(self.subscriptions.map { ($0.uid, $0.count) }),
            "totalEvents": .int(self.totalEvents),
            "eventsByType": counts(self.eventsByType.map { ($0.type, $0.count) }),
            "lastReset": .int(self.lastReset), "eventsPerSecond": .double(self.eventsPerSecond),
            "details": self.details,
        ]
        object["roomDigests"] = self.roomDigests.map { .array($0.map { .int($0) }) }
        return .object(object)
    }

    /// The object that operators get.
    public var summary: JSONValue {
        var object = self.value.objectValue ?? [:]
        object["roomDigests"] = nil
        return .object(object)
    }
}

extension NodeFigures {
    /// More entries than this has no list of an answer.
    private static let maximumEntries = 10_000

    /// Reads another node's answer; `nil` if it is something else.
    init?(_ value: JSONValue) {
        guard let node = value["node"]?.stringValue, let startedAt = value["startedAt"]?.intValue,
            let connections = Self.count(value["connections"]), let sockets = Self.counts(value["sockets"]),
            let rooms = Self.count(value["rooms"]), let subscriptions = Self.counts(value["subscriptions"]),
            let total = Self.count(value["totalEvents"]), let byType = Self.counts(value["eventsByType"]),
            let lastReset = value["lastReset"]?.intValue, let perSecond = value["eventsPerSecond"]?.doubleValue,
            perSecond.isFinite
        else { return nil }
        self.node = node
        self.startedAt = startedAt
        self.connections = connections
        self.sockets = sockets.map { (namespace: $0.0, count: $0.1) }
        self.roomCount = rooms
        self.subscriptions = subscriptions.map { (uid: $0.0, count: $0.1) }
        self.totalEvents = total
        self.eventsByType = byType.map { (type: $0.0, count: $0.1) }
        self.lastReset = lastReset
        self.eventsPerSecond = perSecond
        self.details = value["details"] ?? [:]
        self.roomDigests = value["roomDigests"]?.arrayValue.flatMap { list in
            let numbers = list.prefix(Self.maximumEntries).compactMap(\.intValue)
            return numbers.count == list.count ? numbers : nil
        }
    }

    private static func count(_ value: JSONValue?) -> Int? {
        // More cannot be summed up without care, and is no count.
        value?.intValue.flatMap { (0...1_000_000_000_000).contains($0) ? $0 : nil }
    }

    private static func counts(_ value: JSONValue?) -> [(String, Int)]? {
        guard case .object(let object)? = value, object.count <= Self.maximumEntries else { return nil }
        var counts: [(String, Int)] = []
        for (name, number) in object {
            guard let count = Self.count(number) else { return nil }
            counts.append((name.string, count))
        }
        return counts
    }
}

extension NodeFigures {
    /// How many rooms nodes have together, and whether a room that several of them have is counted once.
    ///
    /// Where a node has too many rooms to say which, each of its rooms counts as one that nobody else has.
    public static func roomCount(of nodes: [NodeFigures]) -> (count: Int, isExact: Bool) {
        let named = nodes.compactMap(\.roomDigests)
        let others = nodes.filter { $0.roomDigests == nil }
        let count = Set(named.joined()).count + others.reduce(0) { $0 + $1.roomCount }
        return (count, others.isEmpty)
    }
}
