import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire

/// Servers in this process that know each other through an adapter only, and clients of them.
struct ConformanceCluster {
    let nodes: [SocketServer]
    private let addresses: [SocketAddress]

    var first: SocketServer { self.nodes[0] }
    var last: SocketServer { self.nodes[self.nodes.count - 1] }

    /// Starts the servers.
    init(_ nodes: [SocketServer]) async throws {
        var addresses: [SocketAddress] = []
        for node in nodes {
            for namespace in [node.sockets, node.of("/other")] {
                namespace.on("join") { (socket: Socket, rooms: [String]) in
                    await socket.joinConfirmed(rooms.map { Room($0) })
                }
            }
            try await node.start()
            addresses.append(try await node.listen(host: "127.0.0.1", port: 0))
        }
        self.nodes = nodes
        self.addresses = addresses
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
