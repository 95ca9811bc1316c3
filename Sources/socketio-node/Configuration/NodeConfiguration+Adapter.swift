import Logging
import RESP
import RedisAdapters
import SocketIOServer

extension NodeConfiguration.Redis {
    /// Such as `redis redis://127.0.0.1:6379, subscriptions rooms`.
    var summary: String {
        let place = "\(self.type.rawValue) \(self.connection.redactedURL)"
        switch self.type {
        case .redis where self.subscriptions == .pattern: return place
        case .redis: return place + ", subscriptions \(self.subscriptions.rawValue)"
        case .sharded: return place + ", mode \(self.subscriptionMode.rawValue)"
        case .streams: return place + ", stream \(self.streams.name)"
        case .memory: return place
        }
    }

    /// What connects this node with the others.
    ///
    /// - Parameters:
    ///   - client: Connected to ``connection``.
    ///   - logger: For what is ignored or lost.
    /// - Returns: Makes the adapters of the namespaces.
    func adapter(client: RESPClient, logger: Logger) -> any AdapterFactory {
        switch self.type {
        case .memory: InMemoryAdapterFactory()
        case .redis: PubSubAdapterFactory(configuration: self.classic, client: client, logger: logger)
        case .sharded: ShardedAdapterFactory(configuration: self.shardedAdapter, client: client, logger: logger)
        case .streams: StreamsAdapterFactory(configuration: self.streamsAdapter, client: client, logger: logger)
        }
    }

    /// The settings of the adapter over publish/subscribe.
    var classic: PubSubAdapterConfiguration {
        var configuration = PubSubAdapterConfiguration(
            key: self.key,
            publishOnSpecificResponseChannel: self.publishOnSpecificResponseChannel
        )
        configuration.subscriptions = self.subscriptions
        configuration.cluster = self.cluster
        return configuration
    }

    /// The settings of the sharded adapter.
    var shardedAdapter: ShardedAdapterConfiguration {
        var configuration = ShardedAdapterConfiguration(
            channelPrefix: self.key,
            subscriptionMode: self.subscriptionMode
        )
        configuration.cluster = self.cluster
        return configuration
    }

    /// The settings of the adapter over streams.
    var streamsAdapter: StreamsAdapterConfiguration {
        var configuration = StreamsAdapterConfiguration(
            streamName: self.streams.name,
            streamCount: self.streams.count,
            channelPrefix: self.key
        )
        configuration.maximumLength = self.streams.maximumLength
        configuration.readCount = self.streams.readCount
        configuration.usesShardedPubSub = self.streams.usesShardedPubSub
        configuration.onlyPlaintext = self.streams.onlyPlaintext
        configuration.cluster = self.cluster
        return configuration
    }

    /// What all adapters have in common.
    private var cluster: ClusterConfiguration {
        var configuration = ClusterConfiguration()
        configuration.requestsTimeout = self.requestsTimeout
        configuration.address = self.address
        return configuration
    }
}
