import CoreMetrics
import EngineIO
import Incidents
import Logging
import NIOCore

/// What a namespace needs of the server that it is part of, and all that it knows of it.
struct NamespaceContext: Sendable {
    /// One of the server's event loops.
    struct Loop: Sendable {
        let executor: LoopTaskExecutor
        /// The loop's timers; `nil` if the loop is none of the engine's, as in some tests.
        let timers: TimingWheel?
    }

    let loops: [Loop]
    let limits: SocketLimits
    let acknowledgementTimeout: TimeAmount?
    let adapterFactory: any AdapterFactory
    let logger: Logger
    /// What the log is told of refusals, and of the application's failures.
    let incidents: IncidentLog
    /// What the log is told of handlers that never run.
    let mistakes: RegistrationCheck
    let metricsFactory: any MetricsFactory
    /// What concerns the server as a whole.
    let metrics: ServerMetrics
    /// `nil` while clients that were away are new clients.
    let recovery: RecoveryContext?
}
