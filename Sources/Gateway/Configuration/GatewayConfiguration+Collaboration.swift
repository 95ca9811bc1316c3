public import NIOCore

extension GatewayConfiguration {
    /// What rooms remember for their members.
    public struct RoomState: Sendable, Hashable {
        /// Whether clients may change the state of rooms, and are told of it.
        public var enabled = false
        /// The most keys of a room.
        public var maximumKeys = 200
        /// The longest key, in bytes.
        public var maximumKeyLength = 128
        /// The longest value, in bytes of JSON.
        public var maximumValueBytes = 4_096
        /// The most bytes of all keys and values of a room.
        public var maximumRoomBytes = 65_536
        /// How many changes of a room each node makes in a second; later values of a key replace those that wait.
        public var changesPerSecond = 20
        /// How long a value of a client stays at most that no socket holds.
        public var maximumLifetime: TimeAmount = .hours(24)
        /// How long a node that says nothing counts as alive.
        ///
        /// What the sockets of a node hold is gone after that time at the latest, if the node dies. It is also so for
        /// presence, and for who is online.
        public var lease: TimeAmount = .seconds(10)

        /// The defaults.
        public init() {}
    }

    /// Who edits what, and who is online.
    public struct Presence: Sendable, Hashable {
        /// Whether clients may tell each other what they edit.
        public var enabled = true
        /// The most entries that one client may edit at a time.
        public var maximumEntitiesPerSocket = 50
        /// The most users who may edit an entry at a time.
        public var maximumEditors = 200
        /// How often a client may tell the others that it is typing in a field.
        public var typingInterval: TimeAmount = .seconds(2)
        /// How long a client counts as typing after it has said so.
        public var typingLifetime: TimeAmount = .seconds(3)
        /// Whether the cluster keeps an index of the users who are online.
        public var onlineUsers = false
        /// The most users whom one client may watch.
        public var maximumWatchedUsers = 1_000

        /// The defaults.
        public init() {}
    }

    /// Entries that clients see while others edit them.
    public struct LivePreview: Sendable, Hashable {
        /// Whether clients may subscribe to previews.
        public var enabled = true
        /// Whether an `update` that names the entry's former state is shown to those who preview the entry.
        public var draftEvents = true
        /// How long changes of a field wait for later ones of the same field.
        public var debounce: TimeAmount = .milliseconds(300)
        /// The most previews that one client may subscribe to.
        public var maximumSubscriptionsPerSocket = 50

        /// The defaults.
        public init() {}
    }

    /// How differences between two states of an entry are told.
    public struct FieldChanges: Sendable, Hashable {
        /// Whether previews have differences.
        public var enabled = true
        /// Fields that do not count as changed.
        public var excludeFields = ["updatedAt", "updatedBy", "createdAt", "createdBy"]
        /// How deep objects are compared; deeper ones are replaced as a whole.
        public var maximumDepth = 3

        /// The defaults.
        public init() {}
    }
}

extension Validation {
    mutating func checkCollaboration(_ configuration: GatewayConfiguration) {
        let state = configuration.roomState
        let presence = configuration.presence
        let preview = configuration.livePreview
        for (name, value, range) in [
            ("roomState.maximumKeys", state.maximumKeys, 1...10_000),
            ("roomState.maximumKeyLength", state.maximumKeyLength, 1...1_024),
            ("roomState.maximumValueBytes", state.maximumValueBytes, 1...1_000_000),
            ("roomState.maximumRoomBytes", state.maximumRoomBytes, 1...10_000_000),
            ("roomState.changesPerSecond", state.changesPerSecond, 1...100_000),
            ("presence.maximumEntitiesPerSocket", presence.maximumEntitiesPerSocket, 1...1_000),
            ("presence.maximumEditors", presence.maximumEditors, 1...10_000),
            ("presence.maximumWatchedUsers", presence.maximumWatchedUsers, 1...10_000),
            ("livePreview.maximumSubscriptionsPerSocket", preview.maximumSubscriptionsPerSocket, 1...1_000),
            ("fieldChanges.maximumDepth", configuration.fieldChanges.maximumDepth, 1...20),
        ] where !range.contains(value) {
            self.report(name, "\(value)", "must be \(range.lowerBound) to \(range.upperBound)")
        }
        for (name, value, range) in [
            ("roomState.maximumLifetime", state.maximumLifetime, TimeAmount.seconds(1)...TimeAmount.hours(24 * 365)),
            ("roomState.lease", state.lease, .milliseconds(100)...TimeAmount.hours(1)),
            ("presence.typingInterval", presence.typingInterval, .zero...TimeAmount.seconds(60)),
            ("presence.typingLifetime", presence.typingLifetime, .milliseconds(100)...TimeAmount.seconds(60)),
            ("livePreview.debounce", preview.debounce, .zero...TimeAmount.seconds(60)),
        ] where !range.contains(value) {
            func milliseconds(_ time: TimeAmount) -> Int64 { time.nanoseconds / 1_000_000 }
            self.report(
                name,
                "\(milliseconds(value)) ms",
                "must be \(milliseconds(range.lowerBound)) to \(milliseconds(range.upperBound)) ms"
            )
        }
        for (index, role) in configuration.roles.enumerated() {
            for (position, pattern) in role.statePolicy.enumerated()
            where pattern.isEmpty || pattern.utf8.count > 128 {
                self.report(
                    "roles[\(index)].statePolicy[\(position)]",
                    pattern,
                    "must be 'own' or a pattern such as 'cursor-*'"
                )
            }
        }
    }
}
