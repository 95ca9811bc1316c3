import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import SocketIOServer
import SocketIOWire

@testable import RedisAdapters

/// Two nodes on a Redis of this process, with the uids and request ids of a record.
struct StreamsCluster {
    let redis = InProcessStreams()
    let hosts: [String: FakeHost]
    let adapters: [String: any Adapter]

    init(_ record: StreamRecord, namespace: String? = nil) {
        var hosts: [String: FakeHost] = [:]
        var adapters: [String: any Adapter] = [:]
        for node in ["A", "B"] {
            let host = FakeHost(
                name: namespace ?? record.namespace,
                eventLoop: MultiThreadedEventLoopGroup.singleton.any()
            )
            host.add(record.sockets(of: node))
            hosts[node] = host
            let bus = self.redis.bus(node, on: host.eventLoop)
            let factory = StreamsAdapterFactory.ofTest(record.configuration(of: node), bus)
            adapters[node] = factory.makeAdapter(for: host)
        }
        self.hosts = hosts
        self.adapters = adapters
    }

    func start() async throws {
        for node in ["A", "B"] { try await self.adapters[node]?.start() }
    }

    /// Waits until everything that was sent has been read.
    func settle() async throws {
        for _ in 0..<3 {
            for host in self.hosts.values { try await host.eventLoop.submit {}.get() }
        }
    }

    func close() async { for adapter in self.adapters.values { await adapter.close() } }
}

extension StreamRecord {
    /// The options of the recorded adapter, and ids as the node made them.
    func configuration(of node: String) -> StreamsAdapterConfiguration {
        var configuration = StreamsAdapterConfiguration(
            streamName: self.options["streamName"]?.stringValue ?? "socket.io",
            streamCount: self.options["streamCount"]?.intValue ?? 1,
            channelPrefix: self.options["channelPrefix"]?.stringValue ?? "socket.io"
        )
        configuration.usesShardedPubSub = self.options["useShardedPubSub"]?.boolValue ?? false
        configuration.onlyPlaintext = self.options["onlyPlaintext"]?.boolValue ?? false
        configuration.maximumLength = self.options["maxLen"]?.intValue ?? configuration.maximumLength
        configuration.readCount = self.options["readCount"]?.intValue ?? configuration.readCount
        if let time = self.options["blockTimeInMs"]?.intValue { configuration.blockTime = .milliseconds(Int64(time)) }
        configuration.writesNumericRooms = self.hasNumericRooms
        // On a slow machine a look after the nodes would come between, or the time would be up.
        configuration.cluster.livenessInterval = .hours(1)
        configuration.cluster.requestsTimeout = .hours(1)
        let uid = self.uids[node]?[self.namespace]?.stringValue ?? "\(node)-uid_"
        let requestID = self.commands.lazy.compactMap { $0.requestID?.stringValue }.first
        let ids = NIOLockedValueBox([uid, requestID ?? "none"])
        configuration.makeID = { ids.withLockedValue { $0.isEmpty ? "spare!" : $0.removeFirst() } }
        return configuration
    }
}

extension StreamsAdapterFactory {
    /// A factory that tells nobody anything.
    static func ofTest(_ configuration: StreamsAdapterConfiguration, _ bus: any StreamsBus) -> StreamsAdapterFactory {
        StreamsAdapterFactory(
            configuration: configuration,
            bus: bus,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: NOOPMetricsHandler.instance
        )
    }
}
