import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire

// Clients that acknowledge, and sockets of other nodes.

extension AdapterConformance {
    /// Reads an event that wants an acknowledgement, and answers it.
    static func acknowledge(_ client: TestClient, with text: String) async throws {
        let event = try require(await client.nextText())
        let id = event.dropFirst(2).prefix { $0.isNumber }
        try require(!id.isEmpty, "no acknowledgement is wanted: \(event)")
        try await client.send("43\(id)[\(text)]")
    }

    static func acknowledgementsOfAllClients(_ cluster: ConformanceCluster) async throws {
        let clients = try await cluster.clientOfEach(in: "r")
        let node = cluster.first
        let answers = Task { () -> [Int] in
            try await node.to("r").timeout(.seconds(20)).emitWithAck("question", returning: Int.self)
        }
        for (number, client) in clients.enumerated() { try await Self.acknowledge(client, with: "\(number),9") }
        try expect(try await answers.value.sorted(), Array(0..<clients.count))

        let nobody = try await cluster.last.to("nobody").timeout(.seconds(20))
            .emitWithAck("question", returning: Int.self)
        try expect(nobody, [])
    }

    static func missingAcknowledgementsTellWhatDidArrive(_ cluster: ConformanceCluster) async throws {
        let last = cluster.nodes.count - 1
        let a = try await cluster.client(on: last, in: "r")
        let silent = try await cluster.client(on: last, in: "r")
        let node = cluster.first
        let answers = Task { () -> [String] in
            try await node.to("r").timeout(.milliseconds(300)).emitWithAck("question", returning: String.self)
        }
        try await Self.acknowledge(a, with: "\"here\"")
        let error = await AdapterConformance.error(AcknowledgementError.self) { _ = try await answers.value }
        try expect(error?.code, .timeout)
        try expect(error?.responses, ["here"])
        try expect(await silent.nextText()?.hasSuffix("[\"question\"]"), true)
    }

    static func socketsOfAllNodes(_ cluster: ConformanceCluster) async throws {
        for node in cluster.nodes {
            node.onConnection { socket in socket.data = ["name": .string("n-\(socket.id)"), "bin": .null] }
        }
        let clients = try await cluster.clientOfEach(in: "r", "42")
        let sockets = try await cluster.first.sockets.fetchSockets()
        try expect(Set(sockets.map(\.id)), Set(clients.map(\.id)))
        for socket in sockets {
            try expect(Set(socket.rooms), [Room(socket.id), "r", "42"])
            try expect(socket.data["name"], .string("n-\(socket.id)"))
            try expect(socket.handshake["query"]?["transport"], "websocket")
            let keys = socket.handshake.objectValue?.keys.elements
            try expect(
                keys,
                ["headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth"]
            )
        }
        let last = try require(clients.last)
        try expect(try await cluster.first.sockets.in(Room(last.id)).fetchSockets().map(\.id), [last.id])
        try expect(try await cluster.first.sockets.in("nobody").fetchSockets().isEmpty, true)
        try expect(try await cluster.first.sockets.in("r").except("42").fetchSockets().isEmpty, true)
        let rooms = try await cluster.first.sockets.allRooms()
        try expect(rooms, Set(clients.map { Room($0.id) } + ["r", "42"]))
        try expect(try await cluster.first.sockets.serverCount(), cluster.nodes.count)
    }

    static func commandsToSocketsOfAllNodes(_ cluster: ConformanceCluster) async throws {
        let clients = try await cluster.clientOfEach(in: "r")
        cluster.first.to("r").socketsJoin(["x", "y"])
        cluster.first.to("x").emit("x")
        cluster.first.to("r").socketsLeave(["x"])
        cluster.first.to("x").emit("never")
        cluster.first.to("y").emit("y")
        for client in clients {
            try expect(await client.nextText(), "42[\"x\"]")
            try expect(await client.nextText(), "42[\"y\"]")
        }
        cluster.first.to("r").disconnectSockets()
        for client in clients { try expect(await client.nextText(), "41") }
    }

    static func remoteSockets(_ cluster: ConformanceCluster) async throws {
        let client = try await cluster.client(on: cluster.nodes.count - 1)
        let remote = try require(try await cluster.first.sockets.fetchSockets().first)
        try expect(remote.id, client.id)
        remote.emit("direct", 1)
        try expect(await client.nextText(), "42[\"direct\",1]")
        remote.join("x")
        cluster.first.to("x").emit("joined")
        try expect(await client.nextText(), "42[\"joined\"]")
        remote.leave("x")
        cluster.first.to("x").emit("never")
        remote.disconnect(closingConnection: true)
        while let text = await client.nextText() { try expect(text == "42[\"never\"]", false) }
    }
}
