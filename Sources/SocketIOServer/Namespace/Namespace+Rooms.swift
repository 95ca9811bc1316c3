package import SocketIOWire

/// What operators ask about this node's rooms.
extension Namespace {
    /// How many rooms have members on this node, rooms of sockets' own ids not counted.
    package var localRoomCount: Int { self.index.roomCount }

    /// The rooms that have members on this node, rooms of sockets' own ids left out.
    package func localRoomNames() -> [Room] { self.index.roomNames() }

    /// How many members each of these rooms has on this node.
    ///
    /// It looks at some at a time, so that no loop is kept from its clients.
    package func localMemberCounts(of rooms: [Room]) async -> [Int] {
        var counts = [Int](repeating: 0, count: rooms.count)
        var start = 0
        while start < rooms.count {
            let portion = rooms[start..<min(start + Self.roomsAtATime, rooms.count)]
            for shard in self.shards {
                let found = try? await shard.eventLoop.submit {
                    portion.map { shard.rooms[$0]?.sockets.count ?? 0 }
                }.get()
                // A loop that is shut down has no members left.
                for (offset, count) in (found ?? []).enumerated() { counts[start + offset] += count }
            }
            start += Self.roomsAtATime
        }
        return counts
    }

    private static let roomsAtATime = 512
}
