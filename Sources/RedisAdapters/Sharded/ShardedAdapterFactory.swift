import Incidents
public import Logging
public import Metrics
public import RESP
public import SocketIOServer

/// Connects servers over sharded publish/subscribe of Redis 7, with the messages of the official
/// `@socket.io/redis-adapter` (`createShardedAdapter`): Swift and Node.js nodes form one cluster.
///
/// ```swift
/// import RESP
/// import RedisAdapters
/// import SocketIOServer
///
/// let redis = RESPClient(configuration: try .init(url: "redis://localhost:6379"))
/// try await redis.connect()
/// let server = SocketServer(adapter: ShardedAdapterFactory(client: redis))
/// ```
///
/// With the mode `dynamic`, which is the default, a message for a room reaches only nodes that have sockets in that
/// room. ACL users need `SPUBLISH`, `SSUBSCRIBE`, `PUBLISH`, `SUBSCRIBE` and `PUBSUB` and, for the prefix `socket.io`,
/// the channels `&socket.io#/*`. If a right is missing, the start fails and names it. Messages reach other nodes at
/// most once: while a node's connection to Redis is away, the node misses what others publish.
public struct ShardedAdapterFactory: AdapterFactory {
    private let configuration: ShardedAdapterConfiguration
    private let bus: any ClusterBus
    private let logger: Logger
    private let metrics: ClusterMetrics
    /// The memory for answers, for all namespaces together.
    private let budget: AnswerBudget
    private let leases: LeaseService

    /// Makes a factory for a server's namespaces, which share the client.
    ///
    /// - Parameters:
    ///   - configuration: The same prefix and mode on every node.
    ///   - client: The client. Connect it before the server starts, and close it after the server has ended.
    ///   - logger: Where lost and ignored messages are logged; nowhere by default.
    ///   - metricsFactory: Makes the metrics.
    public init(
        configuration: ShardedAdapterConfiguration = ShardedAdapterConfiguration(),
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
        guard client.configuration.database != 0 else { return }
        logger.notice(
            """
            Publish/subscribe knows no databases: all nodes on this Redis are one cluster, whatever the number in their \
            URL; to have two, give them different prefixes
            """,
            metadata: ["redis.url": "\(client.configuration.redactedURL)", "prefix": "\(configuration.channelPrefix)"]
        )
    }

    package init(
        configuration: ShardedAdapterConfiguration,
        bus: any ClusterBus,
        logger: Logger,
        metricsFactory: any MetricsFactory
    ) {
        self.configuration = configuration
        self.bus = bus
        self.logger = logger
        self.metrics = ClusterMetrics(
            factory: metricsFactory,
            reasons: ClusterProtocolError.Reason.allCases.map(\.rawValue),
            incidents: IncidentLog(logger: logger, source: "RedisAdapters", eventLoop: bus.eventLoop)
        )
        self.budget = AnswerBudget(limit: configuration.cluster.maximumCollectedBytes)
        self.leases = LeaseService(
            bus: bus,
            // No official node listens on that channel.
            channel: .sharded("\(configuration.channelPrefix)#/#swift-node-lease#"),
            configuration: configuration.cluster,
            metrics: self.metrics,
            logger: logger
        )
    }

    /// Makes a namespace's adapter.
    public func makeAdapter(for host: any AdapterHost) -> any Adapter {
        ClusterAdapter(
            host: host,
            transport: ShardedTransport(
                namespace: host.name,
                configuration: self.configuration,
                bus: self.bus,
                leases: self.leases
            ),
            configuration: self.configuration.cluster,
            metrics: self.metrics,
            budget: self.budget,
            logger: self.logger
        )
    }
}
