import Gateway

/// What operators are told.
extension SettingTable {
    static let monitoring = SettingDeclaration<NodeConfiguration>.record(
        "monitoring",
        "The log of events and the audit log, which the console shows. All nodes share them.",
        [
            .bool(
                "enableEventLogging",
                \.gateway.monitoring.enableEventLogging,
                .live,
                "Whether the nodes write what happens to the log of events. They count it in any case."
            ),
            .bool(
                "enableConnectionLogging",
                \.gateway.monitoring.enableConnectionLogging,
                .live,
                "Whether connections and their ends are in the log of events."
            ),
            .integer(
                "maxEventLogSize",
                \.gateway.monitoring.maximumEventLogSize,
                1...100_000,
                .live,
                "How many events the log keeps; the same on every node."
            ),
            .integer(
                "maxAuditLogSize",
                \.gateway.monitoring.maximumAuditLogSize,
                1...100_000,
                .live,
                "How many changes the audit log keeps; the same on every node."
            ),
        ]
    )
}
