public import CoreMetrics
import Incidents
public import Logging
import NIOConcurrencyHelpers
import SocketIOWire

/// Connects servers over a broker of your own: you write a ``ClusterDriver``, which carries bytes.
///
/// Its adapters do everything that the adapters for Redis do: acknowledgements of all nodes' clients, `fetchSockets`,
/// events between servers. They name the nodes that have not answered.
public struct ClusterAdapterFactory: AdapterFactory {
    private let driver: any ClusterDriver
    private let configuration: ClusterConfiguration
    private let logger: Logger
    private let metricsFactory: any MetricsFactory
    /// Made with the first namespace, whose loop is the log's.
    private let metrics = NIOLockedValueBox<ClusterMetrics?>(nil)
    /// Of all namespaces together.
    private let budget: AnswerBudget

    /// Makes a factory for a server's namespaces, which share the driver.
    ///
    /// - Parameters:
    ///   - driver: The driver. Connect it before the server starts, and close it after the server has ended.
    ///   - configuration: How long a node waits for the others.
    ///   - logger: Where lost and ignored messages are logged; nowhere by default.
    ///   - metricsFactory: Makes the metrics.
    public init(
        driver: any ClusterDriver,
        configuration: ClusterConfiguration = ClusterConfiguration(),
        logger: Logger = Logger(label: "socketio.adapter", factory: { _ in SwiftLogNoOpLogHandler() }),
        metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.driver = driver
        self.configuration = configuration
        self.logger = logger
        self.metricsFactory = metricsFactory
        self.budget = AnswerBudget(limit: configuration.maximumCollectedBytes)
    }

    /// Makes a namespace's adapter.
    public func makeAdapter(for host: any AdapterHost) -> any Adapter {
        ClusterAdapter(
            host: host,
            transport: DriverTransport(
                driver: self.driver,
                namespace: host.name,
                eventLoop: host.eventLoop,
                countTimeout: self.configuration.requestsTimeout
            ),
            configuration: self.configuration,
            metrics: self.metrics(of: host),
            budget: self.budget,
            logger: self.logger
        )
    }

    private func metrics(of host: any AdapterHost) -> ClusterMetrics {
        self.metrics.withLockedValue { metrics in
            if let metrics { return metrics }
            let made = ClusterMetrics(
                factory: self.metricsFactory,
                reasons: ClusterProtocolError.Reason.allCases.map(\.rawValue),
                incidents: IncidentLog(logger: self.logger, source: "SocketIOServer", eventLoop: host.eventLoop)
            )
            metrics = made
            return made
        }
    }
}
