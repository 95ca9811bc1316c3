import Incidents
public import Logging
public import Metrics
public import RESP
public import SocketIOServer
import SocketIOWire

/// Connects servers over a Redis stream, with the messages of the official `@socket.io/redis-streams-adapter`: Swift
/// and Node.js nodes form one cluster.
///
/// ```swift
/// import RESP
/// import RedisAdapters
/// import SocketIOServer
///
/// let redis = RESPClient(configuration: try .init(url: "redis://localhost:6379"))
/// try await redis.connect()
/// var configuration = SocketServerConfiguration()
/// configuration.connectionStateRecovery = ConnectionStateRecovery()
/// let server = SocketServer(configuration: configuration, adapter: StreamsAdapterFactory(client: redis))
/// ```
///
/// If a node loses Redis for a while, it reads afterwards what the others have sent meanwhile. With
/// `SocketServerConfiguration.connectionStateRecovery` a client that was away may go on where it was, on any node. It
/// gets everything that it has missed, or is told that it can't go on. Events then reach this node's clients in the
/// order of the stream, a moment later than without recovery.
///
/// ACL users need `XADD`, `XREAD`, `XINFO`, `PUBLISH`, `SUBSCRIBE` and `PUBSUB`, the key `~socket.io` and the channels
/// `&socket.io#*`. While clients may come back they also need `XRANGE`, `INFO`, `EVAL`, `GET`, `GETRANGE`, `SET`,
/// `DEL`, `PTTL` and `PEXPIRE`, and the keys `~sio:session:*` and `~swift:{sio:session:*`. With sharded channels they
/// need `SPUBLISH` and `SSUBSCRIBE`, too.
///
/// It works with every Redis from version 5 that is a primary and no node of a Redis Cluster. If a right is missing,
/// the start fails and names it. Questions to other nodes, and events with acknowledgement, reach other nodes at most
/// once, as with every adapter.
public struct StreamsAdapterFactory: AdapterFactory {
    private let configuration: StreamsAdapterConfiguration
    private let bus: any StreamsBus
    private let hub: StreamHub
    private let leases: LeaseService
    private let logger: Logger
    private let metrics: ClusterMetrics
    /// The memory for answers, for all namespaces together.
    private let budget: AnswerBudget

    /// Makes a factory for a server's namespaces, which share the client.
    ///
    /// - Parameters:
    ///   - configuration: The same names and counts on every node.
    ///   - client: The client. Connect it before the server starts, and close it after the server has ended.
    ///   - logger: Where lost and ignored messages are logged; nowhere by default.
    ///   - metricsFactory: Makes the metrics.
    public init(
        configuration: StreamsAdapterConfiguration = StreamsAdapterConfiguration(),
        client: RESPClient,
        logger: Logger = Logger(label: "socketio.adapter", factory: { _ in SwiftLogNoOpLogHandler() }),
        metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.init(
            configuration: configuration,
            bus: RedisBus(client: client),
            logger: logger,
            metricsFactory: metricsFactory
        )
    }

    package init(
        configuration: StreamsAdapterConfiguration,
        bus: any StreamsBus,
        logger: Logger,
        metricsFactory: any MetricsFactory
    ) {
        let metrics = ClusterMetrics(
            factory: metricsFactory,
            reasons: ClusterProtocolError.Reason.allCases.map(\.rawValue),
            incidents: IncidentLog(logger: logger, source: "RedisAdapters", eventLoop: bus.eventLoop)
        )
        self.configuration = configuration
        self.bus = bus
        self.hub = StreamHub(configuration: configuration, bus: bus, metrics: metrics, logger: logger)
        self.logger = logger
        self.metrics = metrics
        self.budget = AnswerBudget(limit: configuration.cluster.maximumCollectedBytes)
        self.leases = LeaseService(
            bus: bus,
            // No official node listens on that channel.
            channel: BusChannel(
                name: "\(configuration.channelPrefix)#/#swift-node-lease#",
                isSharded: configuration.usesShardedPubSub
            ),
            configuration: configuration.cluster,
            metrics: metrics,
            logger: logger
        )
    }

    /// Makes a namespace's adapter.
    public func makeAdapter(for host: any AdapterHost) -> any Adapter {
        let dialect = StreamsDialect(namespace: host.name, configuration: self.configuration)
        guard let logHost = host as? any EventLogHost, logHost.keepsEvents else {
            return self.adapter(dialect, host, log: nil)
        }
        let log = StreamsEventLog(
            host: logHost,
            dialect: dialect,
            bus: self.bus,
            hub: self.hub,
            metrics: self.metrics,
            logger: self.logger
        )
        return StreamsAdapter(cluster: self.adapter(dialect, host, log: log), log: log)
    }

    private func adapter(_ dialect: StreamsDialect, _ host: any AdapterHost, log: (any StreamLog)?) -> ClusterAdapter {
        ClusterAdapter(
            host: host,
            transport: StreamsTransport(
                dialect: dialect,
                bus: self.bus,
                hub: self.hub,
                leases: self.leases,
                log: log,
                metrics: self.metrics
            ),
            configuration: self.configuration.cluster,
            metrics: self.metrics,
            budget: self.budget,
            logger: self.logger
        )
    }
}
