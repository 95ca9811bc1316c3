import SocketIOWire

/// What this node knows of the state of a room in which it has members.
struct RoomMirror {
    /// `nil` until it has been read once.
    private(set) var record: RoomRecord?
    /// Whether it is being read.
    private(set) var isLoading = false
    /// Whether changes may be missing, so that it has to be read again.
    private(set) var isStale = true
    /// Whether members were told of changes that other nodes do not know.
    private(set) var hasOwnChanges = false
    /// The number of the last change that members were told of.
    private var lastTold = 0
    /// What has come while it was being read.
    private var arrived: [StateChange] = []

    /// The most changes that are kept while the state is being read.
    private static let maximumArrived = 10_000

    /// Whether what it knows is all there is.
    var isWhole: Bool { self.record != nil && !self.isStale }

    /// Asks whether to read the state now.
    mutating func beginLoading() -> Bool {
        guard self.isStale, !self.isLoading else { return false }
        self.isLoading = true
        self.isStale = false
        self.arrived = []
        return true
    }

    /// Changes may be missing.
    mutating func missed() { self.isStale = true }

    /// The state could not be read.
    mutating func loadingFailed() {
        self.isLoading = false
        self.isStale = true
        self.arrived = []
    }

    /// What members have to be told after the state was read.
    enum Difference: Equatable {
        case none
        /// What they know is not what all others know.
        case snapshot([StateChange])
    }

    /// The state was read.
    mutating func loaded(_ snapshot: StateSnapshot) -> Difference {
        self.isLoading = false
        var record = RoomRecord(snapshot)
        for change in self.arrived where record.take(change) == .hole { self.isStale = true }
        self.arrived = []
        let old = self.record
        let hadOwnChanges = self.hasOwnChanges
        self.record = record
        self.hasOwnChanges = false
        guard let old, hadOwnChanges || old.version != record.version else { return .none }
        self.lastTold = max(self.lastTold, record.version)
        return .snapshot(Self.changes(from: old, to: record))
    }

    /// What makes one state of another; each with the number of the last.
    private static func changes(from old: RoomRecord, to new: RoomRecord) -> [StateChange] {
        let keys = Set(old.entries.keys).union(new.entries.keys).sorted()
        return keys.compactMap { key in
            let entry = new.entries[key]
            let former = old.entries[key]
            guard former?.value != entry?.value || (former == nil) != (entry == nil) else { return nil }
            return StateChange(key: key, entry: entry, version: new.version, by: (entry ?? former)?.by ?? .null)
        }
    }

    /// Others have changed the state.
    ///
    /// - Returns: The changes that members have not been told of.
    mutating func received(_ changes: [StateChange]) -> [StateChange] {
        if self.isLoading {
            self.arrived += changes
            if self.arrived.count > Self.maximumArrived {
                self.arrived = []
                self.isStale = true
            }
        }
        for change in changes where self.record?.take(change) == .hole && !self.isLoading { self.isStale = true }
        return changes.filter { change in
            guard let version = change.version, version > self.lastTold else { return false }
            self.lastTold = version
            return true
        }
    }

    /// This node changes the state, and cannot tell the others.
    ///
    /// - Returns: What members are told; without a number, because nobody has given one.
    mutating func change(_ operation: StateOperation, of node: UTF8Text, at now: Int) -> StateChange? {
        var record = self.record ?? RoomRecord(version: 0)
        let version = record.version
        guard var change = record.apply(operation, of: node, at: now).1, change.version != nil else {
            self.record = record
            return nil
        }
        self.hasOwnChanges = true
        change.version = nil
        // The next one of all has the number that it would have had.
        self.record = RoomRecord(StateSnapshot(entries: record.entries, version: version))
        return change
    }
}
