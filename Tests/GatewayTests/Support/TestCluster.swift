import CoreMetrics
import Gateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire

/// Nodes with a gateway each, on free ports, for the length of a test.
struct TestCluster {
    struct Node {
        var io: IO
        var address: SocketAddress

        func join(_ auth: JSONValue? = nil, headers: [(String, String)] = []) async throws -> TestClient {
            try await TestClient.join(at: self.address, auth: auth, headers: headers)
        }
    }

    let bus: Bus
    let nodes: [Node]

    static func run(
        nodes count: Int = 1,
        configuration: GatewayConfiguration = Samples.configuration,
        hooks: GatewayHooks = GatewayHooks(),
        application: GatewayApplication = GatewayApplication(),
        sharing: Sharing = Sharing(),
        outgoing: (any OutgoingHTTP)? = nil,
        clock: @escaping @Sendable () -> Double = { 500 },
        metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        server settings: SocketServerConfiguration = SocketServerConfiguration(),
        _ body: (TestCluster) async throws -> Void
    ) async throws {
        let bus = Bus()
        var nodes: [Node] = []
        for index in 0..<count {
            let server = SocketServer(configuration: settings, adapter: bus.factory(node: index), logger: logger)
            var configuration = configuration
            configuration.nodeName = "node-\(index)"
            // Token "Late" expires at 1000, so most tests live at 500.
            let io = try await IO.install(
                on: server,
                configuration: configuration,
                hooks: hooks,
                application: application,
                sharing: sharing,
                outgoing: outgoing,
                logger: logger,
                metricsFactory: metrics,
                clock: clock
            )
            try await server.start()
            nodes.append(Node(io: io, address: try await server.listen(host: "127.0.0.1", port: 0)))
        }
        do {
            try await body(TestCluster(bus: bus, nodes: nodes))
        } catch {
            for node in nodes { await node.io.server.close() }
            throw error
        }
        for node in nodes { await node.io.server.close() }
    }

    subscript(index: Int) -> Node { self.nodes[index] }

    /// What each client received, up to an event that is sent to everybody last.
    ///
    /// Everything travels in order, so what has not come by then never comes.
    func received(by clients: [TestClient]) async throws -> [[TestClient.Packet]] {
        try self.nodes[0].io.raw(event: "the-end", data: .null)
        var received: [[TestClient.Packet]] = []
        for client in clients { received.append(try await client.packets(until: "the-end")) }
        return received
    }
}

/// The auth of a user with a role.
func user(_ id: Int, role: String, expiresAt: Double? = nil) -> JSONValue {
    var claims: JSONValue = ["id": .int(id), "role": .string(role), "username": .string("user-\(id)")]
    if let expiresAt, case .object(var object) = claims {
        object["exp"] = .double(expiresAt)
        claims = .object(object)
    }
    return ["token": .string(makeToken(claims))]
}

/// The auth of an API token.
func apiToken(_ name: String) -> JSONValue {
    ["strategy": "api-token", "token": .string(Samples.key(name))]
}
