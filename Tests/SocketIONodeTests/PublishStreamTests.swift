import Gateway
import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import RedisTestSupport
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Back ends that write their events into a stream lose none.
@Suite(.timeLimit(.minutes(1))) struct PublishStreamTests {
    /// A node that reads the stream, with a client that sees what it publishes.
    private struct Node {
        let server: SocketServer
        let client: TestClient
        let adapter: ToldAdapterFactory
        let service: PublishStreamService
    }

    private static func connect(_ server: RedisServer) async throws -> RESPClient {
        let client = RESPClient(
            configuration: try .init(url: server.url),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: quiet
        )
        try await client.connect()
        return client
    }

    private static func node(_ name: String, _ redis: RedisServer, abandonedAfter: Int = 600_000) async throws -> Node {
        let adapter = ToldAdapterFactory(.published)
        let server = SocketServer(adapter: adapter, logger: quiet)
        var gateway = GatewayConfiguration()
        gateway.contentTypes = [ContentType(uid: "api::article.article", fields: ["title": .string])]
        gateway.roles[0].scopes = [.all]
        let io = try await IO.install(on: server, configuration: gateway, logger: quiet)
        try await server.start()
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        let connection = try await Self.connect(redis)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        var service = PublishStreamService(
            client: connection,
            group: PublishStreamGroup(
                client: connection,
                key: "events",
                consumer: name,
                abandonedAfter: abandonedAfter
            ),
            publisher: io.publisher(whileUnreachable: .refuse),
            incidents: IncidentLog(logger: quiet, source: "Test", eventLoop: loop),
            pause: { await Task.yield() }
        )
        service.turnsBetweenClaims = 1
        return Node(
            server: server,
            client: try await TestClient.join(at: address),
            adapter: adapter,
            service: service
        )
    }

    /// Runs a test with nodes that read, and stops them.
    private static func run(
        _ nodes: [Node],
        _ body: () async throws -> Void
    ) async throws {
        let tasks = nodes.map(\.service).map { service in Task { try await service.run() } }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        for task in tasks { task.cancel() }
        for task in tasks { try await task.value }
        for node in nodes {
            await node.client.close()
            await node.server.close()
        }
        try result.get()
    }

    private static func write(_ redis: RESPClient, _ body: String) async throws {
        _ = try await redis.send("XADD", "events", "*", "body", .string(body))
    }

    @Test func entriesArePublishedInOrderAndAcknowledged() async throws {
        let server = try await RedisServer.start()
        defer { server.stop() }
        let redis = try await Self.connect(server)
        // Written before the first node comes.
        try await Self.write(redis, "{\"event\": \"first\", \"data\": 1}")
        let node = try await Self.node("one", server)
        try await Self.run([node]) {
            #expect(try await node.client.event("first") == [1])
            for number in 0..<200 { try await Self.write(redis, "{\"event\": \"n\", \"data\": \(number)}") }
            for number in 0..<200 { #expect(try await node.client.event("n") == [.int(number)]) }
            let entry = "{\"id\": 1, \"title\": \"t\", \"secret\": 1}"
            try await Self.write(
                redis,
                "{\"event\": \"create\", \"schema\": \"api::article.article\", \"data\": \(entry)}"
            )
            #expect(try await node.client.event("article:create") == [["id": 1, "title": "t"]])
            try await Self.waitUntilNothingIsPending(redis)
        }
        await redis.close()
    }

    /// Entries that can never be published don't hold up the others, and are kept with the reason.
    @Test func wrongEntriesAreRejected() async throws {
        let server = try await RedisServer.start()
        defer { server.stop() }
        let redis = try await Self.connect(server)
        let node = try await Self.node("one", server)
        let wrong = [
            "{", "[]", "{\"data\": 1}", "{\"event\": \"x\", \"romms\": []}", "{\"event\": \"connect\", \"data\": 1}",
            "{\"event\": \"update\", \"schema\": \"api::no.no\", \"data\": {\"id\": 1}}",
            "{\"event\": \"update\", \"schema\": \"api::article.article\", \"data\": {}, \"rooms\": []}",
        ]
        try await Self.run([node]) {
            for body in wrong { try await Self.write(redis, body) }
            _ = try await redis.send("XADD", "events", "*", "other", "field")
            try await Self.write(redis, "{\"event\": \"last\", \"data\": 1}")
            #expect(try await node.client.packets(until: "last") == [])
            let rejected = try RESPStreamEntry.entries(try await redis.send("XRANGE", "events:rejected", "-", "+"))
            #expect(rejected.map { $0["body"].map { String(buffer: $0) } } == wrong.map(Optional.some) + [nil])
            for entry in rejected { #expect(entry["reason"]?.readableBytes ?? 0 > 10) }
            try await Self.waitUntilNothingIsPending(redis)
        }
        await redis.close()
    }

    /// Each entry goes to one node, and what a dead node was handed to another one.
    @Test func whatADeadNodeWasHandedIsPublishedByAnother() async throws {
        let server = try await RedisServer.start()
        defer { server.stop() }
        let redis = try await Self.connect(server)
        for number in 0..<10 { try await Self.write(redis, "{\"event\": \"n\", \"data\": \(number)}") }
        let dead = PublishStreamGroup(client: redis, key: "events", consumer: "dead", abandonedAfter: 0)
        try await dead.prepare()
        #expect(try await dead.next().count == 10)
        let node = try await Self.node("one", server, abandonedAfter: 0)
        try await Self.run([node]) {
            for number in 0..<10 { #expect(try await node.client.event("n") == [.int(number)]) }
            try await Self.waitUntilNothingIsPending(redis)
        }
        await redis.close()
    }

    /// What the cluster refuses stays, in its order, until the cluster takes it.
    @Test func whatIsRefusedIsTriedAgain() async throws {
        let server = try await RedisServer.start()
        defer { server.stop() }
        let redis = try await Self.connect(server)
        let node = try await Self.node("one", server)
        node.adapter.say(.refused(reason: "away"))
        try await Self.run([node]) {
            for number in 0..<3 { try await Self.write(redis, "{\"event\": \"n\", \"data\": \(number)}") }
            while node.adapter.askedWith.count < 5 { await Task.yield() }
            node.adapter.say(.published)
            for number in 0..<3 { #expect(try await node.client.event("n") == [.int(number)]) }
            try await Self.waitUntilNothingIsPending(redis)
        }
        await redis.close()
    }

    /// The acknowledgement comes after the event.
    private static func waitUntilNothingIsPending(_ redis: RESPClient) async throws {
        while try await redis.send("XPENDING", "events", "socketio-node").arrayValue?.first?.integerValue != 0 {}
    }
}
