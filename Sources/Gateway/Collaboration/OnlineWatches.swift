import SocketIOWire

/// Who wants to know when which users come and go.
struct OnlineWatches<Watcher: Hashable & Sendable>: Sendable {
    private var watchers: [UTF8Text: [Watcher: EntityID]] = [:]
    private var lists: [Watcher: Set<UTF8Text>] = [:]
    /// How many users of each part of the index are watched.
    private var parts: [Int: Int] = [:]

    /// The parts of the index that are watched from now on, and those that are not any more.
    struct Change: Equatable, Sendable {
        var added: Set<Int> = []
        var removed: Set<Int> = []
    }

    func watchers(of user: UTF8Text) -> [Watcher: EntityID] { self.watchers[user] ?? [:] }

    /// Whether nobody watches anybody.
    var isEmpty: Bool { self.lists.isEmpty && self.watchers.isEmpty && self.parts.isEmpty }

    /// The watcher wants to know of these users, and of no others.
    mutating func watch(_ watcher: Watcher, _ users: [EntityID]) -> Change {
        let before = Set(self.parts.keys)
        self.clear(watcher)
        for user in users {
            let key = UTF8Text(user.text)
            if self.watchers[key] == nil { self.parts[OnlineUsers.part(of: key), default: 0] += 1 }
            self.watchers[key, default: [:]][watcher] = user
            self.lists[watcher, default: []].insert(key)
        }
        let after = Set(self.parts.keys)
        return Change(added: after.subtracting(before), removed: before.subtracting(after))
    }

    /// The watcher is gone.
    ///
    /// - Returns: The parts of the index that nobody watches any more.
    mutating func forget(_ watcher: Watcher) -> Set<Int> {
        let before = Set(self.parts.keys)
        self.clear(watcher)
        return before.subtracting(self.parts.keys)
    }

    private mutating func clear(_ watcher: Watcher) {
        for key in self.lists.removeValue(forKey: watcher) ?? [] {
            self.watchers[key]?[watcher] = nil
            guard self.watchers[key]?.isEmpty == true else { continue }
            self.watchers[key] = nil
            let part = OnlineUsers.part(of: key)
            let left = (self.parts[part] ?? 0) - 1
            self.parts[part] = left > 0 ? left : nil
        }
    }
}
