import SocketIOServer
public import SocketIOWire

/// How many sockets are in a room; the nodes tell each other numbers and no sockets.
struct RoomCounts: Sendable {
    let explainer: Explainer

    func sockets(in room: Room) async -> RoomCount {
        let (count, missing) = await self.explainer.ask([[BroadcastOptions(rooms: [room], except: [])]], .everybody)
        return RoomCount(
            sockets: count.nodes.reduce(0) { $0 + ($1.counts.first ?? 0) },
            nodes: count.nodes.count,
            missing: missing
        )
    }
}

/// How many sockets are in a room.
public struct RoomCount: Sendable, Hashable {
    /// The sockets on the nodes that have answered.
    public var sockets: Int
    /// How many nodes have answered, this one included.
    public var nodes: Int
    /// The nodes that have not, as in ``PublishReceipt/missing``.
    public var missing: [String]

    init(sockets: Int, nodes: Int, missing: [String]) {
        self.sockets = sockets
        self.nodes = nodes
        self.missing = missing
    }

    /// `{sockets, nodes, missing}`.
    public var value: JSONValue {
        [
            "sockets": .int(self.sockets), "nodes": .int(self.nodes),
            "missing": .array(self.missing.map { .string($0) }),
        ]
    }
}
