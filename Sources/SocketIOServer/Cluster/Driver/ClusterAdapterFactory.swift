public import CoreMetrics
public import Logging
import SocketIOWire

/// Connects servers over a broker of your own: you write a ``ClusterDriver``, which carries bytes.
///
/// Its adapters do everything that the adapters for Redis do: acknowledgements of all nodes' clients, `fetchSockets`,
/// events between servers. They name the nodes that have not answered.
public struct ClusterAdapterFactory: AdapterFactory {
    private let driver: any ClusterDriver
    private let configuration: ClusterConfiguration
    private let logger: Logger
    private let metrics: ClusterMetrics
    /// The memory for answers, for all namespaces together.
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
        self.metrics = ClusterMetrics(
            factory: metricsFactory,
            reasons: ClusterProtocolError.Reason.allCases.map(\.rawValue)
        )
        self.budget = AnswerBudget(limit: configuration.maximumCollectedBytes)
    }

    /// Makes a namespace's adapter.
    public func makeAdapter(for host: any AdapterHost) -> any Adapter {
        ClusterAdapter(
            host: host,
            transport: DriverTransport(driver: self.driver, namespace: host.name, eventLoop: host.eventLoop),
            configuration: self.configuration,
            metrics: self.metrics,
            budget: self.budget,
            logger: self.logger
        )
    }
}
