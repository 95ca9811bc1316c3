package import SocketIOWire

/// The state of all rooms, the leases of the nodes, and what ends when: what nodes of one process share.
///
/// It knows no clock and tells nobody: time comes in, and what is to be told comes out.
package struct StateTable: Sendable {
    private struct Node: Sendable {
        var leaseEnd: Int
        /// The rooms in which the node may hold something.
        var rooms: Set<Room> = []
    }

    private var rooms: [Room: RoomRecord] = [:]
    private var nodes: [UTF8Text: Node] = [:]
    /// Nodes whose lease has ended, with the rooms that are still to be cleared of them.
    private var dead: [UTF8Text: Set<Room>] = [:]
    /// Entries that end by themselves.
    private var ends: [StateKey: Int] = [:]

    package init() {}

    /// How many rooms have a state.
    package var roomCount: Int { self.rooms.count }

    package func snapshot(of room: Room) -> StateSnapshot { self.rooms[room]?.snapshot ?? .empty }

    // MARK: Operations

    /// Does what a node asks for, in this order.
    ///
    /// - Parameters:
    ///   - operations: What is asked for.
    ///   - node: The node that asks.
    ///   - now: The time in microseconds since 1970.
    /// - Returns: What became of each, and what all nodes are told.
    package mutating func apply(
        _ operations: [StateOperation],
        of node: UTF8Text,
        at now: Int
    ) -> (outcomes: [StateOutcome], told: [RoomChanges]) {
        var told = ToldChanges()
        let outcomes = operations.map { operation in
            let (outcome, change) = self.apply(operation, of: node, at: now)
            if let change { told.append(change, in: operation.room) }
            return outcome
        }
        return (outcomes, told.rooms)
    }

    private mutating func apply(
        _ operation: StateOperation,
        of node: UTF8Text,
        at now: Int
    ) -> (StateOutcome, StateChange?) {
        let room = operation.room
        if case .detach = operation.action {
            self.nodes[node]?.rooms.remove(room)
            return (.unchanged(version: self.rooms[room]?.version ?? 0), nil)
        }
        if operation.asksForHolders {
            guard self.nodes[node] != nil else { return (.leaseLost, nil) }
            self.nodes[node]?.rooms.insert(room)
        }
        let milliseconds = now / 1000
        var record = self.rooms.removeValue(forKey: room) ?? RoomRecord(version: now)
        let result = record.apply(operation, of: node, at: milliseconds)
        let key = StateKey(room: room, key: operation.key)
        self.ends[key] = record.entries[operation.key]?.expiresAt
        // A room without entries is forgotten.
        if !record.entries.isEmpty { self.rooms[room] = record }
        guard case .unchanged = result.0, record.version == now else { return result }
        return (.unchanged(version: 0), result.1)
    }

    // MARK: Leases

    /// Prolongs a node's lease, and clears away what is over.
    ///
    /// - Parameters:
    ///   - node: The node.
    ///   - lease: How long it counts as alive, in milliseconds; 0 ends its life.
    ///   - isKnown: Whether the node has a lease, as far as it knows.
    ///   - now: The time in microseconds since 1970.
    ///   - limit: How many entries are cleared away at most, or a few more.
    /// - Returns: What the node needs to know, and what all nodes are told.
    package mutating func renew(
        _ node: UTF8Text,
        lease: Int,
        isKnown: Bool,
        at now: Int,
        limit: Int
    ) -> (renewal: StateRenewal, told: [RoomChanges]) {
        let milliseconds = now / 1000
        var told = ToldChanges()
        // Those that are over first, so that a node that comes too late hears of it.
        for (id, other) in self.nodes where other.leaseEnd <= milliseconds { self.bury(id) }
        let isLost = isKnown && self.nodes[node] == nil
        if !isLost { self.nodes[node, default: Node(leaseEnd: 0)].leaseEnd = milliseconds + lease }
        if lease == 0, !isLost { self.bury(node) }
        var left = limit
        self.expire(at: milliseconds, &left, &told)
        self.clear(&left, &told)
        let hasMore = !self.dead.isEmpty || self.ends.values.contains { $0 <= milliseconds }
        let next = (self.nodes.values.map(\.leaseEnd) + self.ends.values).min().map { max(0, $0 - milliseconds) }
        return (StateRenewal(isLost: isLost, hasMore: hasMore, nextEnd: next), told.rooms)
    }

    private mutating func bury(_ id: UTF8Text) {
        guard let node = self.nodes.removeValue(forKey: id) else { return }
        self.dead[id, default: []].formUnion(node.rooms)
    }

    private mutating func expire(at now: Int, _ left: inout Int, _ told: inout ToldChanges) {
        for (key, end) in self.ends where end <= now && left > 0 {
            left -= 1
            self.ends[key] = nil
            guard var record = self.rooms.removeValue(forKey: key.room) else { continue }
            if let change = record.expire(key.key, at: now) { told.append(change, in: key.room) }
            if !record.entries.isEmpty { self.rooms[key.room] = record }
        }
    }

    private mutating func clear(_ left: inout Int, _ told: inout ToldChanges) {
        while left > 0, let id = self.dead.keys.first {
            guard let room = self.dead[id]?.popFirst() else {
                self.dead[id] = nil
                continue
            }
            left -= 1
            guard var record = self.rooms.removeValue(forKey: room) else { continue }
            for change in record.forget(id) {
                left -= 1
                if change.entry == nil { self.ends[StateKey(room: room, key: change.key)] = nil }
                told.append(change, in: room)
            }
            if !record.entries.isEmpty { self.rooms[room] = record }
        }
        for (id, rooms) in self.dead where rooms.isEmpty { self.dead[id] = nil }
    }
}

/// A key of one room.
package struct StateKey: Sendable, Hashable {
    package var room: Room
    package var key: UTF8Text

    package init(room: Room, key: UTF8Text) {
        self.room = room
        self.key = key
    }
}

/// What all nodes are told: the changes of each room in their order.
struct ToldChanges {
    private(set) var rooms: [RoomChanges] = []
    private var places: [Room: Int] = [:]

    mutating func append(_ change: StateChange, in room: Room) {
        if let place = self.places[room] {
            self.rooms[place].changes.append(change)
        } else {
            self.places[room] = self.rooms.count
            self.rooms.append(RoomChanges(room: room, changes: [change]))
        }
    }
}

extension StateOperation {
    /// Whether the node is a holder of the entry after it.
    package var asksForHolders: Bool {
        switch self.action {
        case .set: self.holders > 0
        case .acquire: true
        case .release, .remove, .detach: false
        }
    }
}
