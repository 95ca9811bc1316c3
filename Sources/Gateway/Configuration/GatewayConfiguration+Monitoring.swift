extension GatewayConfiguration {
    /// What those who operate the gateway are told.
    public struct Monitoring: Sendable, Hashable {
        /// Whether what happens is written to the log of events.
        ///
        /// It is counted in any case.
        public var enableEventLogging = false
        /// Whether connections and their ends are among it.
        public var enableConnectionLogging = true
        /// How many events the log keeps.
        public var maximumEventLogSize = 100
        /// How many changes the audit log keeps.
        public var maximumAuditLogSize = 10_000

        /// The defaults.
        public init() {}
    }
}
