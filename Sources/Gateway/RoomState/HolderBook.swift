import SocketIOServer
import SocketIOWire

/// Which sockets of this node hold which entries.
struct HolderBook {
    /// What the node holds for some of its sockets.
    struct Hold {
        var sockets: Set<SocketID> = []
        /// What the entry is made with if it is gone.
        var value: JSONValue
        var by: JSONValue
        var limits: StateLimits
    }

    private(set) var holds: [StateKey: Hold] = [:]
    private var keys: [SocketID: Set<StateKey>] = [:]
    /// How many entries of a room are held.
    private var counts: [Room: Int] = [:]

    var isEmpty: Bool { self.holds.isEmpty }

    /// Whether the node holds anything in a room.
    func holdsAnything(in room: Room) -> Bool { self.counts[room] != nil }

    /// How many sockets hold an entry.
    func count(of key: StateKey) -> Int { self.holds[key]?.sockets.count ?? 0 }

    /// How many entries a socket holds, of those whose rooms satisfy a condition.
    func count(of socket: SocketID, where condition: (Room) -> Bool) -> Int {
        self.keys[socket]?.count { condition($0.room) } ?? 0
    }

    func isHeld(_ key: StateKey, by socket: SocketID) -> Bool { self.keys[socket]?.contains(key) ?? false }

    /// A socket holds an entry.
    ///
    /// - Parameters:
    ///   - key: Which one.
    ///   - socket: The socket.
    ///   - hold: What the entry has; the sockets in it do not matter.
    ///   - replaces: Whether that is so even if others hold the entry already.
    mutating func hold(_ key: StateKey, by socket: SocketID, as hold: Hold, replaces: Bool) {
        if self.holds[key] == nil {
            self.holds[key] = hold
            self.holds[key]?.sockets = []
            self.counts[key.room, default: 0] += 1
        } else if replaces {
            let sockets = self.holds[key]?.sockets ?? []
            self.holds[key] = hold
            self.holds[key]?.sockets = sockets
        }
        self.holds[key]?.sockets.insert(socket)
        self.keys[socket, default: []].insert(key)
    }

    /// A socket holds an entry no more.
    ///
    /// - Returns: Whether it held it.
    mutating func release(_ key: StateKey, by socket: SocketID) -> Bool {
        guard self.keys[socket]?.remove(key) != nil else { return false }
        if self.keys[socket]?.isEmpty == true { self.keys[socket] = nil }
        self.holds[key]?.sockets.remove(socket)
        if self.holds[key]?.sockets.isEmpty == true { self.forget(key) }
        return true
    }

    /// What a socket holds, in one room or in all.
    func keys(of socket: SocketID, in room: Room?) -> [StateKey] {
        (self.keys[socket] ?? []).filter { room == nil || $0.room == room }.sorted { $0.key < $1.key }
    }

    /// The entry is gone, or nobody's: whoever held it does so no more.
    mutating func clear(_ key: StateKey) {
        for socket in self.holds[key]?.sockets ?? [] {
            self.keys[socket]?.remove(key)
            if self.keys[socket]?.isEmpty == true { self.keys[socket] = nil }
        }
        self.forget(key)
    }

    private mutating func forget(_ key: StateKey) {
        guard self.holds.removeValue(forKey: key) != nil else { return }
        let left = (self.counts[key.room] ?? 0) - 1
        self.counts[key.room] = left > 0 ? left : nil
    }
}
