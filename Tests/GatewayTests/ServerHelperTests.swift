import Logging
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// The server helper of ignis.
@Suite(.timeLimit(.minutes(1))) struct ServerHelperTests {
    typealias Helper = SocketIOServerHelper

    private struct Node {
        let helper: Helper
        let address: SocketAddress
    }

    private static var options: Helper.Options {
        var options = Helper.Options(identifier: "test", authenticateFn: { $0["auth"]?["token"] == "good" })
        options.pingInterval = .zero
        return options
    }

    private func run(
        nodes count: Int = 1,
        _ options: Helper.Options = Self.options,
        _ body: ([Node]) async throws -> Void
    ) async throws {
        let bus = Bus()
        var nodes: [Node] = []
        for index in 0..<count {
            let server = SocketServer(adapter: bus.factory(node: index))
            let helper = try await Helper.install(on: server, options: options)
            try await server.start()
            nodes.append(Node(helper: helper, address: try await server.listen(host: "127.0.0.1", port: 0)))
        }
        do {
            try await body(nodes)
        } catch {
            for node in nodes { await node.helper.shutdown() }
            throw error
        }
        for node in nodes { await node.helper.shutdown() }
    }

    private func enter(_ node: Node) async throws -> TestClient {
        let client = try await TestClient.join(at: node.address, auth: ["token": "good"])
        #expect(try await client.call("authenticate")["success"] == true)
        _ = try await client.event("ping")
        _ = try await client.event("authenticated")
        return client
    }

    private func socket(_ client: TestClient, of node: Node) async throws -> Socket {
        let id = try #require(SocketID(client.id))
        return try #require(await node.helper.getIOServer().sockets.socket(id))
    }

    @Test(arguments: [
        ("unauthorized", true), ("authenticating", true), ("authenticated", true), ("Authenticated", false),
        ("", false),
        ("authenticated ", false),
    ])
    func statesAreNamedExactly(text: String, isValid: Bool) { #expect(Helper.ClientState.isValid(text) == isValid) }

    @Test func clientsOfAllNodesAreFound() async throws {
        try await self.run(nodes: 2) { nodes in
            let inside = try await self.enter(nodes[1])
            let outside = try await TestClient.join(at: nodes[1].address)
            for node in nodes {
                #expect(try await node.helper.getClients(id: inside.id)?.state == .authenticated)
                #expect(try await node.helper.getClients(id: outside.id)?.state == .unauthorized)
                #expect(try await node.helper.getClients(id: "AAAAAAAAAAAAAAAAAAAA") == nil)
                let all = await node.helper.getClients()
                #expect(all.isComplete)
                let expected = [(inside.id, Helper.ClientState.authenticated), (outside.id, .unauthorized)]
                    .sorted { UTF8Text($0.0) < UTF8Text($1.0) }
                #expect(all.value.map(\.id) == expected.map(\.0))
                #expect(all.value.map(\.state) == expected.map(\.1))
                #expect(await node.helper.getClients(limit: 1).value.map(\.id) == [expected[0].0])
                #expect(await node.helper.getClients(after: expected[0].0).value.map(\.id) == [expected[1].0])
            }
        }
    }

    /// Falsy data is data, and only who has authenticated gets what is for everybody.
    @Test(arguments: [0, false, "", .null, ["x": 1]] as [JSONValue])
    func messagesReachTheirDestination(data: JSONValue) async throws {
        try await self.run(nodes: 2) { nodes in
            let clients = [try await self.enter(nodes[0]), try await self.enter(nodes[1])]
            let outside = try await TestClient.join(at: nodes[1].address)
            let called = NIOLockedValueBox(0)
            let count: @Sendable () -> Void = { called.withLockedValue { $0 += 1 } }
            let helper = nodes[0].helper
            try helper.send(destination: clients[1].id, payload: .init(topic: "one", data: data), callback: count)
            try helper.send(destination: "io-default", payload: .init(topic: "room", data: data), callback: count)
            try helper.broadcast(payload: .init(topic: "all", data: data))
            try helper.send(destination: outside.id, payload: .init(topic: "all", data: "last"))
            #expect(called.withLockedValue { $0 } == 2)
            #expect(try await clients[1].packets(until: "all") == [.event("one", [data]), .event("room", [data])])
            #expect(try await clients[0].packets(until: "all") == [.event("room", [data])])
            #expect(try await outside.event("all") == ["last"])
            #expect(throws: GatewayError.self) { try helper.send(payload: .init(topic: "", data: data)) }
        }
    }

    @Test func whoMayJoinWhat() async throws {
        var options = Self.options
        options.validateRooms = { _, rooms in rooms.filter { $0.hasPrefix("team-") } }
        try await self.run(options) { nodes in
            let client = try await self.enter(nodes[0])
            let joined = try await client.call("join", ["rooms": ["team-a", "other", "io-role-public", 5, "team-b"]])
            #expect(joined == ["success": true, "rooms": ["team-a", "team-b"]])
            #expect(try await client.call("leave", ["rooms": ["team-a"]])["rooms"] == ["team-a"])
        }
        // Without the function nobody joins anything.
        try await self.run { nodes in
            let client = try await self.enter(nodes[0])
            #expect(try await client.call("join", ["rooms": ["team-a"]]) == ["success": true, "rooms": []])
        }
    }

    @Test func defaultRoomsAndTheHook() async throws {
        let (connected, isConnected) = AsyncStream.makeStream(of: String.self)
        var options = Self.options
        options.defaultRooms = ["hall"]
        options.clientConnected = { isConnected.yield($0) }
        try await self.run(options) { nodes in
            let client = try await self.enter(nodes[0])
            var iterator = connected.makeAsyncIterator()
            #expect(await iterator.next() == client.id)
            let rooms = try await client.call("get-rooms")["rooms"]?.arrayValue
            #expect(rooms?.contains("hall") == true)
            #expect(rooms?.contains("io-default") == false)
        }
    }

    @Test func badCredentialsAndFailures() async throws {
        struct Broken: Error {}
        for (fails, text) in [
            (false, "Invalid token to authenticate! Please login again!"),
            (true, "Failed to authenticate connection! Please login again!"),
        ] {
            var options = Self.options
            options.authenticate = { _ in if fails { throw Broken() } else { nil } }
            try await self.run(options) { nodes in
                let client = try await TestClient.join(at: nodes[0].address)
                try await client.emit("authenticate")
                #expect(try await client.event("unauthenticated").first?["message"] == .string(text))
                #expect(await client.packet() == .disconnected)
            }
        }
    }

    @Test func pingsComeToThoseWhoHaveAuthenticated() async throws {
        var options = Self.options
        options.pingInterval = .milliseconds(20)
        try await self.run(options) { nodes in
            let client = try await self.enter(nodes[0])
            let outside = try await TestClient.join(at: nodes[0].address)
            for _ in 0..<3 { #expect(try await client.event("ping").first?["time"]?.stringValue != nil) }
            try nodes[0].helper.send(destination: outside.id, payload: .init(topic: "the-end", data: .null))
            #expect(try await outside.packets(until: "the-end") == [])
        }
    }

    @Test func aPingByHand() async throws {
        try await self.run { nodes in
            let helper = nodes[0].helper
            let client = try await self.enter(nodes[0])
            helper.ping(socket: try await self.socket(client, of: nodes[0]))
            #expect(try await client.event("ping").first?["time"]?.stringValue != nil)
            let outside = try await TestClient.join(at: nodes[0].address)
            let socket = try await self.socket(outside, of: nodes[0])
            helper.ping(socket: socket, doIgnoreAuth: true)
            #expect(try await outside.event("ping").first?["time"]?.stringValue != nil)
            helper.ping(socket: socket)
            #expect(await outside.packet() == .disconnected)
        }
    }

    @Test func aClientIsLetInByHand() async throws {
        try await self.run { nodes in
            let helper = nodes[0].helper
            let client = try await TestClient.join(at: nodes[0].address)
            let socket = try await self.socket(client, of: nodes[0])
            // Its time has begun with its connection.
            helper.onClientConnect(socket: socket)
            #expect(helper.state(of: socket) == .unauthorized)
            #expect(await helper.onClientAuthenticated(socket: socket, as: User(id: 7)))
            #expect(await !helper.onClientAuthenticated(socket: socket, as: User(id: 8)))
            #expect(try await client.event("ping").first?["time"]?.stringValue != nil)
            #expect(try await client.event("authenticated").first?["id"] == .string(client.id))
            #expect(helper.state(of: socket) == .authenticated)
            #expect(try await client.call("get-rooms")["rooms"]?.arrayValue?.contains("user:7") == true)
            helper.disconnect(socket: socket)
            #expect(await client.packet() == .disconnected)
            #expect(await !helper.onClientAuthenticated(socket: socket, as: User(id: 7)))
            #expect(helper.state(of: socket) == .unauthorized)
        }
    }

    @Test func eventsOfTheServer() async throws {
        try await self.run(nodes: 2) { nodes in
            let (events, event) = AsyncStream.makeStream(of: String.self)
            let helper = nodes[0].helper
            for topic in ["connection", "new_namespace", "news"] {
                try helper.on(topic: topic) { heard in
                    switch heard {
                    case .connection(let socket): event.yield("connection \(socket.id)")
                    case .newNamespace(let namespace): event.yield("namespace \(namespace.name)")
                    case .message(let arguments): event.yield("message \(arguments.count)")
                    }
                }
            }
            let error = #expect(throws: GatewayError.self) { try helper.on(topic: "") { _ in } }
            #expect(error?.message == "[on] Invalid topic to start binding handler")
            var iterator = events.makeAsyncIterator()
            let client = try await TestClient.join(at: nodes[0].address)
            #expect(await iterator.next() == "connection \(client.id)")
            _ = helper.getIOServer().of("/new")
            #expect(await iterator.next() == "namespace /new")
            try nodes[1].helper.getIOServer().sockets.serverSideEmit("news", 1, 2)
            #expect(await iterator.next() == "message 2")
        }
    }

    @Test func theEnd() async throws {
        try await self.run { nodes in
            let client = try await self.enter(nodes[0])
            await nodes[0].helper.shutdown()
            #expect(await client.packet() == .end)
            #expect(nodes[0].helper.getEngine().sessionCount == 0)
            let error = #expect(throws: GatewayError.self) { try nodes[0].helper.on(topic: "x") { _ in } }
            #expect(error?.message == "[on] IOServer is not initialized yet!")
        }
    }
}
