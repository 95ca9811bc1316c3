import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import RedisTestSupport
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters
@testable import SocketIOServer

/// The scripts do in a real Redis what the model of it does.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct StreamsScriptTests {
    private struct Node {
        let host: LogHost
        let adapter: StreamsAdapter
        let client: RESPClient
    }

    private func run(_ body: ([Node], RESPClient) async throws -> Void) async throws {
        let server = try await RedisServer.start()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        var nodes: [Node] = []
        for _ in 0..<2 {
            let client = RESPClient(configuration: try RESPConfiguration(url: server.url), logger: logger)
            try await client.connect()
            let host = LogHost(eventLoop: MultiThreadedEventLoopGroup.singleton.any())
            let factory = StreamsAdapterFactory.ofTest(StreamsAdapterConfiguration(), RedisBus(client: client))
            let adapter = try #require(factory.makeAdapter(for: host) as? StreamsAdapter)
            try await adapter.start()
            nodes.append(Node(host: host, adapter: adapter, client: client))
        }
        try await body(nodes, nodes[0].client)
        for node in nodes {
            await node.adapter.close()
            await node.client.close()
        }
    }

    @Test func sessions() async throws {
        try await self.run { nodes, redis in
            var session = try StreamsSessionTests.session()
            let official = RESPCommand.Argument.string(StreamsSessionTests.official)
            let own = RESPCommand.Argument.string(StreamsSessionTests.own)
            nodes[0].adapter.keep(session, for: .seconds(120))
            try await nodes[0].client.flush()
            try await #expect(redis.send("GET", official).bytes == session.stream.text)
            try await #expect(nodes[1].adapter.takeSession(session.id)?.record?.claim == 7)
            try await #expect(redis.send("EXISTS", official, own) == .integer(0))
            try await #expect(nodes[0].adapter.takeSession(session.id) == nil)
            // Without a claim.
            session.record?.isNew = false
            nodes[0].adapter.keep(session, for: .seconds(120))
            try await nodes[0].client.flush()
            try await #expect(redis.send("EXISTS", official, own) == .integer(0))
            // With it; and again, while it is connected.
            session.record?.isNew = true
            nodes[0].adapter.keep(session, for: .seconds(120))
            session.record?.isNew = false
            session.record?.isAway = false
            session.data = "changed"
            nodes[0].adapter.keep(session, for: .seconds(120))
            try await nodes[0].client.flush()
            try await #expect(redis.send("EXISTS", official, own) == .integer(1))
            nodes[0].adapter.prolong([session.id], for: .seconds(500))
            let left = try await redis.send("PTTL", own).integerValue ?? 0
            #expect(left > 400_000)
            // Only who has kept it forgets it.
            nodes[1].adapter.forget(session.id)
            try await nodes[1].client.flush()
            try await #expect(redis.send("EXISTS", own) == .integer(1))
            nodes[0].adapter.forget(session.id)
            try await nodes[0].client.flush()
            try await #expect(redis.send("EXISTS", own) == .integer(0))
        }
    }

    @Test func takenOnce() async throws {
        try await self.run { nodes, _ in
            for _ in 0..<20 {
                let session = try StreamsSessionTests.session()
                nodes[0].adapter.keep(session, for: .seconds(120))
                try await nodes[0].client.flush()
                let count = await withTaskGroup(of: Bool.self) { group in
                    for index in 0..<8 {
                        let adapter = nodes[index % 2].adapter
                        group.addTask { (try? await adapter.takeSession(session.id)) ?? nil != nil }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(count == 1)
            }
        }
    }

    @Test func writtenLaterByNode() async throws {
        try await self.run { nodes, redis in
            let session = try StreamsSessionTests.session()
            nodes[0].adapter.keep(session, for: .seconds(120))
            try await nodes[0].client.flush()
            // Even in the same millisecond it would expire at another moment.
            _ = try await redis.send(
                "SET",
                .string(StreamsSessionTests.official),
                .bytes(session.stream.text),
                "PX",
                "120007"
            )
            let taken = try await nodes[1].adapter.takeSession(session.id)
            #expect(taken != nil && taken?.record == nil)
        }
    }

    @Test func handover() async throws {
        try await self.run { nodes, _ in
            nodes[0].adapter.keep(try StreamsSessionTests.session(isAway: false), for: .seconds(120))
            try await nodes[0].client.flush()
            let last = try StreamsSessionTests.session(isNew: false, data: "last")
            nodes[0].host.give(last)
            try await #expect(nodes[1].adapter.takeSession(last.id)?.data == "last")
            #expect(nodes[0].host.lines.last == "hands over")
        }
    }
}
