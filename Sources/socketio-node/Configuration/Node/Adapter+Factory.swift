import Logging
import Metrics
import RESP
import RedisAdapters
import SocketIOServer

extension NodeConfiguration.Adapter {
    /// Such as `redis redis://127.0.0.1:6379, subscriptions rooms`.
    var summary: String {
        let place = "\(self.type.rawValue) \(self.connection.redactedURL)"
        switch self.type {
        case .redis where self.classic.subscriptions == .pattern: return place
        case .redis: return place + ", subscriptions \(self.classic.subscriptions.rawValue)"
        case .sharded: return place + ", mode \(self.shardedAdapter.subscriptionMode.rawValue)"
        case .streams: return place + ", stream \(self.streamsAdapter.streamName)"
        case .memory: return place
        }
    }

    /// What connects this node with the others.
    ///
    /// - Parameters:
    ///   - client: Connected to ``connection``.
    ///   - logger: For what is ignored or lost.
    ///   - metrics: Where the adapters count.
    /// - Returns: Makes the adapters of the namespaces.
    func adapter(client: RESPClient, logger: Logger, metrics: any MetricsFactory) -> any AdapterFactory {
        switch self.type {
        case .memory: InMemoryAdapterFactory()
        case .redis:
            PubSubAdapterFactory(
                configuration: self.classic,
                client: client,
                logger: logger,
                metricsFactory: metrics
            )
        case .sharded:
            ShardedAdapterFactory(
                configuration: self.shardedAdapter,
                client: client,
                logger: logger,
                metricsFactory: metrics
            )
        case .streams:
            StreamsAdapterFactory(
                configuration: self.streamsAdapter,
                client: client,
                logger: logger,
                metricsFactory: metrics
            )
        }
    }
}
