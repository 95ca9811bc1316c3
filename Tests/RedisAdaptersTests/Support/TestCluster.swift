import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisAdapters
import RedisTestSupport
import SocketIOAdapterTesting
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// A kind of cluster that ``AdapterConformanceTests`` are run on.
///
/// An adapter that passes them is one more case here.
enum ClusterKind: Sendable, CaseIterable, CustomTestStringConvertible {
    case inMemory
    case pubSubOfTwo
    case pubSubOfThree
    /// Two nodes that speak the older protocol with Redis, and answer only who asked.
    case pubSubOfTwoOverRESP2
    /// Two nodes of which one subscribes to single rooms.
    case pubSubByRooms
    case shardedStatic
    case shardedDynamic
    case shardedDynamicPrivate
    case streams
    /// Two nodes with several streams, who ask each other over sharded channels.
    case streamsSharded
    /// Two nodes and a driver that carries bytes: what the author of another adapter writes.
    case inProcessDriver

    var testDescription: String { "\(self)" }

    var nodeCount: Int {
        switch self {
        case .inMemory: 1
        case .pubSubOfTwo, .pubSubOfTwoOverRESP2, .pubSubByRooms: 2
        case .shardedStatic, .shardedDynamic, .shardedDynamicPrivate, .streams, .streamsSharded: 2
        case .inProcessDriver: 2
        case .pubSubOfThree: 3
        }
    }

    var usesRedis: Bool { self != .inMemory && self != .inProcessDriver }

    /// Whether a node hears a room only a moment after it was told to make somebody join it.
    var subscribesToRooms: Bool {
        switch self {
        case .inMemory, .pubSubOfTwo, .pubSubOfThree, .pubSubOfTwoOverRESP2, .shardedStatic, .streams,
            .streamsSharded, .inProcessDriver:
            false
        case .pubSubByRooms, .shardedDynamic, .shardedDynamicPrivate: true
        }
    }

    func adapter(_ number: Int, key: String, _ client: RESPClient, _ logger: Logger) -> any AdapterFactory {
        func sharded(_ mode: ShardedAdapterConfiguration.SubscriptionMode) -> any AdapterFactory {
            ShardedAdapterFactory(
                configuration: ShardedAdapterConfiguration(channelPrefix: key, subscriptionMode: mode),
                client: client,
                logger: logger,
                metricsFactory: NOOPMetricsHandler.instance
            )
        }
        switch self {
        case .shardedStatic: return sharded(.static)
        case .shardedDynamic: return sharded(.dynamic)
        case .shardedDynamicPrivate: return sharded(.dynamicPrivate)
        case .streams, .streamsSharded:
            var configuration = StreamsAdapterConfiguration(streamName: key, channelPrefix: key)
            configuration.usesShardedPubSub = self == .streamsSharded
            configuration.streamCount = self == .streamsSharded ? 3 : 1
            return StreamsAdapterFactory(
                configuration: configuration,
                client: client,
                logger: logger,
                metricsFactory: NOOPMetricsHandler.instance
            )
        case .inMemory, .pubSubOfTwo, .pubSubOfThree, .pubSubOfTwoOverRESP2, .pubSubByRooms, .inProcessDriver:
            var configuration = PubSubAdapterConfiguration(
                key: key,
                publishOnSpecificResponseChannel: self == .pubSubOfTwoOverRESP2
            )
            if self == .pubSubByRooms, number > 0 { configuration.subscriptions = .rooms }
            return PubSubAdapterFactory(
                configuration: configuration,
                client: client,
                logger: logger,
                metricsFactory: NOOPMetricsHandler.instance
            )
        }
    }
}

extension ClusterKind {
    /// The adapter of a node, and its connection to Redis if it has one.
    func connect(
        _ number: Int,
        key: String = "socket.io",
        redis: RedisServer?,
        broker: InProcessDriver.Broker,
        configure: (inout RESPConfiguration) -> Void = { _ in }
    ) async throws -> (adapter: any AdapterFactory, client: RESPClient?) {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        if self == .inProcessDriver {
            let driver = InProcessDriver(broker)
            return (
                ClusterAdapterFactory(driver: driver, logger: logger, metricsFactory: NOOPMetricsHandler.instance), nil
            )
        }
        guard let redis else { return (InMemoryAdapterFactory(), nil) }
        var configuration = try RESPConfiguration(url: redis.url)
        configuration.prefersRESP3 = self != .pubSubOfTwoOverRESP2
        configure(&configuration)
        // A connection each: it is connections that Redis counts.
        let client = RESPClient(configuration: configuration, logger: logger)
        try await client.connect()
        return (self.adapter(number, key: key, client, logger), client)
    }

    /// Checks one thing that every adapter has to do.
    func check(_ check: AdapterConformance.Check) async throws {
        let redis = self.usesRedis ? try await RedisServer.start() : nil
        let broker = InProcessDriver.Broker()
        let clients = NIOLockedValueBox<[RESPClient]>([])
        let conformance = AdapterConformance(nodeCount: self.nodeCount) { number in
            let (adapter, client) = try await self.connect(number, redis: redis, broker: broker)
            if let client { clients.withLockedValue { $0.append(client) } }
            return adapter
        }
        var failure: (any Error)?
        do { try await conformance.run(check) } catch { failure = error }
        for client in clients.withLockedValue({ $0 }) { await client.close() }
        redis?.stop()
        if let failure { throw failure }
    }
}

/// Servers in this process that know each other through an adapter only.
struct TestCluster {
    let nodes: [SocketServer]
    let addresses: [SocketAddress]
    let redis: RedisServer?
    let clients: [RESPClient]

    var first: SocketServer { self.nodes[0] }
    var last: SocketServer { self.nodes[self.nodes.count - 1] }

    static func run(
        _ kind: ClusterKind,
        key: String = "socket.io",
        otherNamespace: String = "/other",
        recovery: ConnectionStateRecovery? = nil,
        configure: (inout RESPConfiguration) -> Void = { _ in },
        _ body: (TestCluster) async throws -> Void
    ) async throws {
        let redis = kind.usesRedis ? try await RedisServer.start() : nil
        var nodes: [SocketServer] = []
        var addresses: [SocketAddress] = []
        var clients: [RESPClient] = []
        let broker = InProcessDriver.Broker()
        for number in 0..<kind.nodeCount {
            let (adapter, client) = try await kind.connect(
                number,
                key: key,
                redis: redis,
                broker: broker,
                configure: configure
            )
            if let client { clients.append(client) }
            var configuration = SocketServerConfiguration()
            configuration.connectionStateRecovery = recovery
            let node = SocketServer(configuration: configuration, adapter: adapter)
            for namespace in [node.sockets, node.of(otherNamespace)] {
                namespace.on("join") { (socket: Socket, rooms: [String]) in
                    await socket.joinConfirmed(rooms.map { Room($0) })
                }
            }
            try await node.start()
            addresses.append(try await node.listen(host: "127.0.0.1", port: 0))
            nodes.append(node)
        }
        let cluster = TestCluster(nodes: nodes, addresses: addresses, redis: redis, clients: clients)
        var failure: (any Error)?
        do { try await body(cluster) } catch { failure = error }
        for node in nodes { await node.close() }
        for client in clients { await client.close() }
        redis?.stop()
        if let failure { throw failure }
    }

    /// A client of a node, in rooms.
    func client(on node: Int, _ namespace: String = "/", in rooms: String...) async throws -> TestClient {
        try await self.client(of: self.addresses[node], namespace, in: rooms)
    }

    /// A client of every node, in rooms.
    func clientOfEach(in rooms: String...) async throws -> [TestClient] {
        var clients: [TestClient] = []
        for address in self.addresses { clients.append(try await self.client(of: address, "/", in: rooms)) }
        return clients
    }

    /// Joins rooms by the event which the servers answer.
    private func client(
        of address: SocketAddress,
        _ namespace: String,
        in rooms: [String]
    ) async throws -> TestClient {
        let client = try await TestClient.join(namespace, at: address)
        if !rooms.isEmpty {
            let event = JSONValue.array(["join", .array(rooms.map { .string($0) })])
            try await client.send(namespace == "/" ? "420\(event)" : "42\(namespace),0\(event)")
            _ = await client.next()
        }
        return client
    }
}
