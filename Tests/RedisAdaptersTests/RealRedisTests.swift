import Logging
import Metrics
import MetricsTestKit
import NIOCore
import RESP
import RedisTestSupport
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What only a real Redis shows: that it goes away and comes back, that it refuses, that others publish rubbish.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct RealRedisTests {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test func outage() async throws {
        try await TestCluster.run(.pubSubOfTwo) { cluster in
            let redis = try #require(cluster.redis)
            let clients = try await cluster.clientOfEach(in: "r")
            let (states, continuation) = AsyncStream<(Int, RESPClientState)>.makeStream()
            for (number, client) in cluster.clients.enumerated() {
                client.onStateChange { continuation.yield((number, $0)) }
            }
            var iterator = states.makeAsyncIterator()
            func wait(_ isWanted: (RESPClientState) -> Bool) async {
                var missing: Set<Int> = [0, 1]
                while !missing.isEmpty, let (number, state) = await iterator.next(isolation: #isolation) {
                    if isWanted(state) { missing.remove(number) }
                }
            }

            redis.stop()
            await wait { if case .disconnected = $0 { true } else { false } }
            // This node's clients are served at once, and commands are carried out here.
            cluster.first.to("r").emit("during")
            #expect(await clients[0].nextText() == "42[\"during\"]")
            cluster.first.sockets.socketsJoin(["j"])
            cluster.first.sockets.local.to("j").emit("joined")
            #expect(await clients[0].nextText() == "42[\"joined\"]")
            // Questions say so instead of guessing.
            let error = await #expect(throws: ClusterError.self) { try await cluster.first.sockets.fetchSockets() }
            #expect(error?.code == .unreachable)
            #expect(error?.partialSockets.map(\.id) == [clients[0].id])
            await #expect(throws: ClusterError.self) { try await cluster.first.sockets.serverCount() }

            try await redis.start()
            await wait { $0 == .ready }
            // What was kept may or may not have found the other node listening; what is published now does.
            cluster.first.to("r").emit("after")
            cluster.last.to("r").emit("after, from the last")
            for client in clients {
                var missing: Set<String> = ["42[\"after\"]", "42[\"after, from the last\"]"]
                while !missing.isEmpty, let text = await client.nextText() { missing.remove(text) }
                #expect(missing.isEmpty)
            }
            let sockets = try await cluster.first.sockets.fetchSockets()
            #expect(Set(sockets.map(\.id)) == Set(clients.map(\.id)))
        }
    }

    /// Names that would mean something in a pattern of Redis are names, of keys and of namespaces.
    @Test(arguments: ["a[1]", "a\\b", "a*?", "[^x]", "a]", "[", "\\"])
    func namesThatLookLikePatterns(_ name: String) async throws {
        try await TestCluster.run(.pubSubOfTwo, key: name, otherNamespace: "/\(name)") { cluster in
            let main = try await cluster.client(on: 1, in: "r")
            let other = try await cluster.client(on: 1, "/\(name)", in: "r")
            cluster.first.emit("all")
            cluster.first.to("r").emit("room")
            #expect(await main.nextText() == "42[\"all\"]")
            #expect(await main.nextText() == "42[\"room\"]")
            let namespace = cluster.first.of("/\(name)")
            namespace.to("r").emit("room")
            namespace.to("r", "s").emit("rooms")
            #expect(await other.nextText() == "42/\(name),[\"room\"]")
            #expect(await other.nextText() == "42/\(name),[\"rooms\"]")
            #expect(try await cluster.first.sockets.fetchSockets().count == 1)
        }
    }

    /// A node that has frozen delays nobody who looks for a socket that another node has.
    @Test func searchEndsWithTheFirstNodeThatHasTheSocket() async throws {
        try await TestCluster.run(.pubSubOfTwo) { cluster in
            let redis = try #require(cluster.redis)
            // Counted as a node, and silent.
            let frozen = RESPClient(configuration: try RESPConfiguration(url: redis.url), logger: self.logger)
            try await frozen.connect()
            let subscription = try await frozen.subscribe(channels: ["socket.io-request#/#"]) { _ in }
            cluster.last.sockets.on("hello") { (_: Socket) in }
            let client = try await cluster.client(on: 1, in: "r")
            let started = ContinuousClock.now
            let found = try #require(try await cluster.first.sockets.findSocket(client.id, timeout: .seconds(50)))
            #expect(found.id == client.id)
            #expect(found.rooms.contains("r"))
            // The same holds for the one acknowledgement of one socket.
            let answer = Task { try await found.emitWithAck("hello", timeout: .seconds(50), returning: String.self) }
            #expect(await client.nextText() == "420[\"hello\"]")
            try await client.send("430[\"there\"]")
            #expect(try await answer.value == "there")
            #expect(ContinuousClock.now - started < .seconds(30))
            let error = await #expect(throws: ClusterError.self) {
                try await cluster.first.sockets.findSocket("nobody", timeout: .milliseconds(100))
            }
            #expect(error?.code == .timeout)
            await subscription.cancel()
            await frozen.close()
        }
    }

    @Test func nodeThatDiesIsNotWaitedForLong() async throws {
        try await TestCluster.run(.pubSubOfThree) { cluster in
            // The last node answers no question, and then its connection goes: as if its process had been killed.
            let (asked, continuation) = AsyncStream<Void>.makeStream()
            cluster.last.sockets.onServerSide("question") { _, _ in continuation.yield() }
            cluster.nodes[1].sockets.onServerSide("question") { _, reply in reply?(1) }
            let node = cluster.first
            let started = ContinuousClock.now
            let answers = Task { try await node.sockets.serverSideEmitWithAck("question", timeout: .seconds(50)) }
            var iterator = asked.makeAsyncIterator()
            await iterator.next(isolation: #isolation)
            await cluster.clients[2].close()
            let values = try await answers.value
            #expect(values == [1])
            #expect(ContinuousClock.now - started < .seconds(30))
        }
    }

    @Test func missingRightsAreNamed() async throws {
        let server = try await RedisServer.start(arguments: [
            "--user", "narrow", "on", ">p", "~*", "&socket.io#*", "+@all",
        ])
        let client = RESPClient(
            configuration: try RESPConfiguration(url: "redis://narrow:p@127.0.0.1:\(server.port)"),
            logger: self.logger
        )
        try await client.connect()
        let node = SocketServer(adapter: PubSubAdapterFactory(client: client, logger: self.logger))
        let error = await #expect(throws: ClusterError.self) { try await node.start() }
        #expect(error?.message.contains("NOPERM") == true)
        #expect(error?.message.contains("SUBSCRIBE, PSUBSCRIBE") == true)
        #expect(error?.message.contains("socket.io-request#/#") == true)
        await node.close()
        await client.close()
    }

    @Test func hostilePublisher() async throws {
        let bounded = { @Sendable (configuration: inout RESPConfiguration) in
            configuration.limits.maximumStringLength = 1_000_000
        }
        try await TestCluster.run(.pubSubOfTwo, configure: bounded) { cluster in
            let redis = try #require(cluster.redis)
            let publisher = RESPClient(configuration: try RESPConfiguration(url: redis.url), logger: self.logger)
            try await publisher.connect()
            let clients = try await cluster.clientOfEach(in: "r")
            var generator = SeededGenerator(seed: 7)
            for channel in ["socket.io#/#", "socket.io#/#r#", "socket.io-request#/#", "socket.io-response#/#"] {
                for length in 0..<100 {
                    let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
                    try publisher.publish(channel: channel, message: ByteBuffer(bytes: bytes))
                }
                let deep = ByteBuffer(string: String(repeating: "[", count: 100_000))
                try publisher.publish(channel: channel, message: deep)
            }
            // Longer than the nodes accept: skipped as it comes, not kept.
            let huge = ByteBuffer(repeating: 120, count: 8_000_000)
            try publisher.publish(channel: "socket.io#/#r#", message: huge)
            try await publisher.flush(timeout: .seconds(30))
            cluster.first.to("r").emit("still here")
            for client in clients { #expect(await client.nextText() == "42[\"still here\"]") }
            #expect(try await cluster.first.sockets.fetchSockets().count == 2)
            await publisher.close()
        }
    }
}
