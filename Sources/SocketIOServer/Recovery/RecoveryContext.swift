import EngineIO

/// What the recovery of all namespaces of a server has in common.
struct RecoveryContext: Sendable {
    let settings: ConnectionStateRecovery
    let budget: RecoveryBudget
    let replay: ReplayLimits
    /// Makes what new clients can come back with.
    let ids: IDSource
}

/// How much a client may be sent that comes back.
struct ReplayLimits: Sendable {
    /// At once.
    let mostBytes: Int
    /// At once.
    let mostEvents: Int
    /// How many bytes it may be sent that it was sent before.
    let repetitions: RateLimit

    /// What is sent at once must leave room in the connection's queue, or that would close it again.
    init(_ limits: EngineLimits) {
        self.mostBytes = limits.maxQueuedBytes / 2
        self.mostEvents = limits.maxQueuedPackets / 2
        // Four times in a row all that can be sent at once, then that much in a minute.
        let (all, overflows) = self.mostBytes.multipliedReportingOverflow(by: 4)
        self.repetitions = RateLimit(perSecond: self.mostBytes / 60, burst: overflows ? .max : all)
    }
}
