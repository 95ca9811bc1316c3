package import SocketIOWire

/// The state of one room: what operations make of it.
///
/// Where nodes share no memory, a script in Redis does the same; a test compares both.
package struct RoomRecord: Sendable, Hashable {
    package private(set) var entries: [UTF8Text: StateEntry] = [:]
    /// The number of the last change.
    ///
    /// A room that has been empty begins at the time in microseconds, so its numbers never come a second time.
    package private(set) var version: Int
    /// The bytes of all keys and values.
    package private(set) var bytes = 0

    package init(version: Int) { self.version = version }

    /// A room as a snapshot describes it.
    package init(_ snapshot: StateSnapshot) {
        self.entries = snapshot.entries
        self.version = snapshot.version
        self.bytes = snapshot.entries.reduce(0) { $0 + Self.size($1.key, $1.value) }
    }

    package var snapshot: StateSnapshot { StateSnapshot(entries: self.entries, version: self.version) }

    private static func size(_ key: UTF8Text, _ entry: StateEntry) -> Int {
        key.utf8.count + entry.value.jsonByteCount
    }

    // MARK: Operations

    /// Does what a node asks for.
    ///
    /// - Parameters:
    ///   - operation: What is asked for. Its room is this one.
    ///   - node: The id of the node that asks.
    ///   - now: The time in milliseconds since 1970.
    /// - Returns: What became of it, and what all nodes are told.
    package mutating func apply(
        _ operation: StateOperation,
        of node: UTF8Text,
        at now: Int
    ) -> (StateOutcome, StateChange?) {
        let old = self.entries[operation.key]
        switch operation.action {
        case .set(let value, let lifetime):
            var holders: [UTF8Text: Int] = [:]
            if operation.holders > 0 {
                holders = old?.holders ?? [:]
                holders[node] = operation.holders
            }
            let entry = StateEntry(
                value: value,
                by: operation.by,
                holders: holders,
                expiresAt: lifetime.map { now + $0 }
            )
            return self.put(entry, operation)
        case .acquire(let value):
            guard var entry = old else {
                let entry = StateEntry(value: value, by: operation.by, holders: [node: max(1, operation.holders)])
                return self.put(entry, operation)
            }
            entry.holders[node] = max(1, operation.holders)
            return self.put(entry, operation)
        case .release:
            guard var entry = old, entry.holders[node] != nil else { return (.unchanged(version: self.version), nil) }
            entry.holders[node] = operation.holders > 0 ? operation.holders : nil
            return entry.holders.isEmpty ? self.take(operation.key, by: operation.by) : self.put(entry, operation)
        case .remove:
            guard old != nil else { return (.unchanged(version: self.version), nil) }
            return self.take(operation.key, by: operation.by)
        case .detach:
            return (.unchanged(version: self.version), nil)
        }
    }

    /// A node has gone: takes it out of all holders.
    ///
    /// - Returns: What all nodes are told, in the order of the keys.
    package mutating func forget(_ node: UTF8Text) -> [StateChange] {
        self.entries.filter { $0.value.holders[node] != nil }.sorted { $0.key < $1.key }.compactMap { key, entry in
            var entry = entry
            entry.holders[node] = nil
            guard entry.holders.isEmpty else {
                self.entries[key] = entry
                return StateChange(key: key, entry: entry, version: nil, by: entry.by)
            }
            var change = self.take(key, by: entry.by).1
            change?.isSwept = true
            return change
        }
    }

    /// Removes an entry whose time is over.
    package mutating func expire(_ key: UTF8Text, at now: Int) -> StateChange? {
        guard let entry = self.entries[key], let end = entry.expiresAt, end <= now else { return nil }
        return self.take(key, by: entry.by).1
    }

    private mutating func put(_ entry: StateEntry, _ operation: StateOperation) -> (StateOutcome, StateChange?) {
        let key = operation.key
        let old = self.entries[key]
        if let old, old.value == entry.value, old.by == entry.by {
            self.entries[key] = entry
            // Nobody is told when an entry ends before it does.
            guard old.holders != entry.holders else { return (.unchanged(version: self.version), nil) }
            return (
                .unchanged(version: self.version), StateChange(key: key, entry: entry, version: nil, by: operation.by)
            )
        }
        if old == nil, self.entries.count >= operation.limits.keys { return (.refused(.tooManyKeys), nil) }
        let bytes = self.bytes - (old.map { Self.size(key, $0) } ?? 0) + Self.size(key, entry)
        guard bytes <= operation.limits.bytes else { return (.refused(.tooLarge), nil) }
        self.bytes = bytes
        self.entries[key] = entry
        self.version += 1
        return (
            .changed(version: self.version),
            StateChange(key: key, entry: entry, version: self.version, by: operation.by)
        )
    }

    private mutating func take(_ key: UTF8Text, by: JSONValue) -> (StateOutcome, StateChange?) {
        guard let old = self.entries.removeValue(forKey: key) else { return (.unchanged(version: self.version), nil) }
        self.bytes -= Self.size(key, old)
        self.version += 1
        return (
            .changed(version: self.version), StateChange(key: key, entry: nil, version: self.version, by: by)
        )
    }

    // MARK: Changes that others have made

    /// Whether a change follows this state.
    enum Order: Sendable, Hashable {
        case next
        /// It is part of this state already.
        case old
        /// Others before it are missing.
        case hole
    }

    /// Takes in what another node, or this one, has changed.
    mutating func take(_ change: StateChange) -> Order {
        guard let version = change.version else {
            // Only counts of holders: right for the entry as it is, or else for one that a later change replaces.
            if self.entries[change.key] != nil, let entry = change.entry {
                self.entries[change.key]?.holders = entry.holders
            }
            return .old
        }
        if version <= self.version { return .old }
        // The first change of a room that has been empty has a number of its own.
        guard version == self.version + 1 || self.entries.isEmpty else { return .hole }
        if let old = self.entries[change.key] { self.bytes -= Self.size(change.key, old) }
        self.entries[change.key] = change.entry
        if let entry = change.entry { self.bytes += Self.size(change.key, entry) }
        self.version = version
        return .next
    }
}
