import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// The leases of one server's adapters on Redis: a channel that no official node listens to.
final class LeaseService: Sendable {
    private struct State {
        var subscription: (any ClusterBusSubscription)?
        var namespaces: Set<UTF8Text> = []
    }

    private let bus: any ClusterBus
    private let channel: BusChannel
    private let keeper: LeaseKeeper
    private let metrics: ClusterMetrics
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(
        bus: any ClusterBus,
        channel: BusChannel,
        configuration: ClusterConfiguration,
        metrics: ClusterMetrics,
        logger: Logger
    ) {
        self.bus = bus
        self.metrics = metrics
        self.channel = channel
        self.logger = logger
        self.keeper = LeaseKeeper(
            node: UTF8Text(ShardedAdapterConfiguration.randomID()),
            address: configuration.address,
            configuration: configuration,
            eventLoop: bus.eventLoop,
            // If Redis does not take a lease, the next one will do.
            send: { try? bus.publish($0, to: channel) }
        )
    }

    /// The other nodes that serve a namespace and say so.
    func peers(of namespace: UTF8Text) -> [ClusterPeer] { self.keeper.peers(of: namespace) }

    /// Tells the cluster that a namespace joins, which hears the other nodes already.
    func join(_ namespace: UTF8Text, as id: UTF8Text, _ receiver: ClusterReceiver) async {
        let subscription = self.state.withLockedValue { state in
            state.namespaces.insert(namespace)
            let subscription =
                state.subscription
                ?? self.bus.addSubscription(patterns: [], channels: [self.channel]) { [keeper, metrics, channel] in
                    guard !keeper.received($0.payload) else { return }
                    metrics.rejected(
                        ClusterProtocolError.Reason.unexpectedShape.rawValue,
                        details: ["cluster.channel": "\(channel.name)", "error": "no lease, or one too many"]
                    )
                }
            state.subscription = subscription
            return subscription
        }
        do {
            try await subscription.confirmed()
        } catch {
            // Without that right nodes are only counted, as official nodes are.
            self.logger.info(
                "Does not hear which nodes live, so that a node that is missing has no name",
                metadata: ["redis.channel": "\(self.channel.name)", "error": "\(error)"]
            )
        }
        self.keeper.join(namespace, as: id) { receiver.peersChanged() }
    }

    /// Tells the cluster that a namespace leaves.
    func leave(_ namespace: UTF8Text) async {
        self.keeper.leave(namespace)
        let subscription = self.state.withLockedValue { state -> (any ClusterBusSubscription)? in
            state.namespaces.remove(namespace)
            guard state.namespaces.isEmpty else { return nil }
            defer { state.subscription = nil }
            return state.subscription
        }
        await subscription?.cancel()
    }
}
