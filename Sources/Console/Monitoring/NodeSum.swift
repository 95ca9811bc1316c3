import Gateway
import OrderedCollections
import SocketIOWire

/// What the nodes that have answered say together.
struct NodeSum {
    var connected: Int
    /// How many rooms there are.
    var rooms: Int
    /// Whether no room that several nodes have is counted more than once.
    var roomsAreExact: Bool
    /// By content type, in the order of their uids.
    var subscriptions: [(name: String, count: Int)]
    private var totalEvents: Int
    private var eventsByType: [(name: String, count: Int)]
    private var eventsPerSecond: Double
    /// In milliseconds; the earliest of all nodes.
    private var lastReset: Int?

    init(_ nodes: [NodeFigures]) {
        self.connected = nodes.reduce(0) { $0 + $1.connected }
        (self.rooms, self.roomsAreExact) = NodeFigures.roomCount(of: nodes)
        self.subscriptions = Self.sum(nodes.flatMap { $0.subscriptions.map { ($0.uid, $0.count) } })
        self.totalEvents = nodes.reduce(0) { $0 + $1.totalEvents }
        self.eventsByType = Self.sum(nodes.flatMap { $0.eventsByType.map { ($0.type, $0.count) } })
        self.eventsPerSecond = nodes.reduce(0) { $0 + $1.eventsPerSecond }
        self.lastReset = nodes.map(\.lastReset).min()
    }

    /// `{totalEvents, eventsPerSecond, eventsByType}`.
    var events: JSONValue {
        [
            "totalEvents": .int(self.totalEvents),
            "eventsPerSecond": .double((self.eventsPerSecond * 100).rounded() / 100),
            "eventsByType": Self.object(self.eventsByType),
        ]
    }

    /// The same with `lastReset`.
    var eventsWithReset: JSONValue {
        var object = self.events.objectValue ?? [:]
        object["lastReset"] = self.lastReset.map { .int($0) } ?? .null
        return .object(object)
    }

    static func object(_ counts: [(name: String, count: Int)]) -> JSONValue {
        .object(JSONObject(counts.map { (UTF8Text($0.name), JSONValue.int($0.count)) }) { first, _ in first })
    }

    private static func sum(_ counts: [(String, Int)]) -> [(name: String, count: Int)] {
        var sums: [UTF8Text: Int] = [:]
        for (name, count) in counts { sums[UTF8Text(name), default: 0] += count }
        return sums.sorted { $0.key < $1.key }.map { (name: $0.key.string, count: $0.value) }
    }
}
