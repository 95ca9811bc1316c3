import Gateway
import NIOCore

/// What is kept for clients that come back.
extension SettingTable {
    static let history = SettingDeclaration<NodeConfiguration>.record(
        "history",
        "What is kept of rooms, for clients that come back. Content types have their own `history`.",
        [
            .map(
                "rooms",
                \.gateway.history.rooms,
                named: .room,
                SettingEntry<GatewayConfiguration.History.RoomPattern>(
                    Self.retention(\.retention.size, \.ttlOfHistory),
                    make: { GatewayConfiguration.History.RoomPattern($0) }
                ),
                .live,
                """
                The rooms whose events are kept, by name or by a pattern in which "*" stands for any characters. The first \
                that matches counts.
                """,
                example: """
                    rooms:
                      "team-*": {size: 100, ttl: 10m}
                    """
            ),
            .integer(
                "maximumMissed",
                \.gateway.history.maximumMissed,
                1...HistoryRetention.maximumSize,
                .live,
                """
                The most events that a client gets when it comes back. If it has missed more, it gets none, and is told \
                `too many`.
                """
            ),
        ]
    )

    static let entityHistory = SettingDeclaration<ContentType>.record(
        "history",
        "Which events about an entity are kept, for clients that come back.",
        Self.retention(\.history.size, \.ttlOfHistory)
    )

    private static func retention<Owner>(
        _ size: any SettingProperty<Owner, Int>,
        _ ttl: any SettingProperty<Owner, TimeAmount>
    ) -> [SettingDeclaration<Owner>] {
        [
            .integer(
                "size",
                size,
                0...HistoryRetention.maximumSize,
                .live,
                "The most events that are kept of each. 0: none."
            ),
            .duration(
                "ttl",
                ttl,
                1_000...HistoryRetention(size: 1, ttl: HistoryRetention.maximumTTL).milliseconds,
                .live,
                "How old an event may be that is still handed out, and how long the history outlives its last event."
            ),
        ]
    }
}

extension GatewayConfiguration.History.RoomPattern {
    fileprivate var ttlOfHistory: TimeAmount {
        get { TimeAmount(self.retention.ttl) }
        set { self.retention.ttl = Duration(newValue) }
    }
}

extension ContentType {
    fileprivate var ttlOfHistory: TimeAmount {
        get { TimeAmount(self.history.ttl) }
        set { self.history.ttl = Duration(newValue) }
    }
}
