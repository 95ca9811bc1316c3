extension GatewayConfiguration {
    /// Which rooms have a history, and how much of it a client may ask for at once.
    ///
    /// Content types say themselves whether their entities have one: ``ContentType/history``.
    public struct History: Sendable, Hashable {
        /// The histories of rooms whose names match a pattern.
        public struct RoomPattern: Sendable, Hashable {
            /// A pattern in which `*` stands for any characters.
            public var pattern: String
            /// What is kept.
            public var retention: HistoryRetention

            /// Makes an entry.
            public init(_ pattern: String, _ retention: HistoryRetention = HistoryRetention(size: 100)) {
                self.pattern = pattern
                self.retention = retention
            }
        }

        /// The rooms with a history; the first pattern that matches counts.
        public var rooms: [RoomPattern] = []
        /// The most events that one answer to a client may have.
        ///
        /// Who has missed more gets none of them, and is told `too many`.
        public var maximumMissed = 500

        /// The defaults.
        public init() {}
    }
}

extension Validation {
    mutating func checkHistory(_ configuration: GatewayConfiguration) {
        for (index, room) in configuration.history.rooms.enumerated() {
            if room.pattern.isEmpty || room.pattern.utf8.count > 512 {
                self.report(
                    "history.rooms[\(index)]",
                    room.pattern,
                    "must be a room's name or a pattern such as 'team-*'"
                )
            }
            self.check(room.retention, "history.rooms[\(index)]")
        }
        for (index, type) in configuration.contentTypes.enumerated() {
            self.check(type.history, "contentTypes[\(index)].history")
        }
        if !(1...HistoryRetention.maximumSize).contains(configuration.history.maximumMissed) {
            self.report(
                "history.maximumMissed",
                "\(configuration.history.maximumMissed)",
                "must be 1 to \(HistoryRetention.maximumSize)"
            )
        }
    }

    private mutating func check(_ retention: HistoryRetention, _ path: String) {
        if !(0...HistoryRetention.maximumSize).contains(retention.size) {
            self.report("\(path).size", "\(retention.size)", "must be 0 to \(HistoryRetention.maximumSize)")
        }
        if retention.ttl < .seconds(1) || retention.ttl > HistoryRetention.maximumTTL {
            self.report("\(path).ttl", "\(retention.ttl)", "must be 1 second to 7 days")
        }
    }
}
