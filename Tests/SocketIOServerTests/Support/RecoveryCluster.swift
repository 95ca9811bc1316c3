import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Servers of this process that share a log of events, and clients of theirs.
enum RecoveryCluster {
    typealias Visitor = RecoveryTests.Visitor

    /// One node.
    struct Node {
        let number: Int
        let io: SocketServer
        let address: SocketAddress
        let disconnects: Recorder<DisconnectReason>

        /// What came before the answer, without offsets; and the client.
        func back(_ visitor: Visitor, _ offset: String?) async throws -> (missed: [String], visitor: Visitor) {
            let (missed, again) = try await visitor.back(to: self.address, offset: offset)
            return (try missed.map { try RecoveryTests.split($0).text }, again)
        }
    }

    static func configuration(
        _ change: (inout ConnectionStateRecovery) -> Void = { _ in }
    ) -> SocketServerConfiguration {
        var configuration = SocketServerConfiguration()
        var recovery = ConnectionStateRecovery()
        change(&recovery)
        configuration.connectionStateRecovery = recovery
        return configuration
    }

    static func setUp(_ io: SocketServer, _ disconnects: Recorder<DisconnectReason>) {
        io.sockets.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
        io.sockets.on("leave") { (socket: Socket, room: String) in socket.leave(Room(room)) }
        io.sockets.on("rooms") { (socket: Socket) in socket.rooms.map(\.name).sorted() }
        io.sockets.on("data") { (socket: Socket) in socket.data }
        io.sockets.on("remember") { (socket: Socket, value: JSONValue) in socket.data = value }
        io.sockets.onDisconnect { _, reason in disconnects.record(reason) }
    }

    /// Runs a number of nodes that share a log.
    static func run(
        _ count: Int,
        _ configuration: SocketServerConfiguration = RecoveryCluster.configuration(),
        _ log: InProcessEventLog = InProcessEventLog(),
        setUp: @escaping (SocketServer) -> Void = { _ in },
        nodes: [Node] = [],
        _ body: ([Node], InProcessEventLog) async throws -> Void
    ) async throws {
        guard nodes.count < count else { return try await body(nodes, log) }
        let disconnects = Recorder<DisconnectReason>()
        let server = TestServer(
            configuration: configuration,
            adapter: log.node(nodes.count),
            setUp: { io in
                Self.setUp(io, disconnects)
                setUp(io)
            }
        )
        try await server.run { io, address in
            let node = Node(number: nodes.count, io: io, address: address, disconnects: disconnects)
            try await Self.run(count, configuration, log, setUp: setUp, nodes: nodes + [node], body)
        }
    }

    static func ask(_ visitor: Visitor, _ event: String) async throws -> String? {
        try await visitor.client.send("420\(event)")
        return await visitor.client.nextText()
    }

    /// A member of `r` that has seen one event, and its offset.
    static func member(_ node: Node) async throws -> (visitor: Visitor, offset: String) {
        let visitor = try await Visitor.connect(to: node.address)
        try await #expect(Self.ask(visitor, "[\"join\",\"r\"]") == "430[]")
        node.io.sockets.to("r").emit("seen")
        let (text, offset) = try await visitor.event()
        #expect(text == "42[\"seen\"]")
        return (visitor, offset)
    }

    static func leave(_ visitor: Visitor, _ node: Node) async {
        await visitor.client.close()
        _ = await node.disconnects.next()
    }
}
