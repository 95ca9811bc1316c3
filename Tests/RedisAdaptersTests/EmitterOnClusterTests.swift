import Logging
import NIOCore
import RESP
import RedisTestSupport
import SocketIOEmitter
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Two servers, a client of each, and an emitter that has nothing but their Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct EmitterOnClusterTests {
    enum Pairing: Sendable, CaseIterable {
        case pubSub
        case pubSubByRooms
        case shardedStatic
        case shardedDynamic
        case shardedDynamicPrivate
        case streams
        case severalStreams

        var cluster: ClusterKind {
            switch self {
            case .pubSub: .pubSubOfTwo
            case .pubSubByRooms: .pubSubByRooms
            case .shardedStatic: .shardedStatic
            case .shardedDynamic: .shardedDynamic
            case .shardedDynamicPrivate: .shardedDynamicPrivate
            case .streams: .streams
            case .severalStreams: .streamsSharded
            }
        }

        var transport: Emitter.Transport {
            switch self {
            case .pubSub, .pubSubByRooms: .pubSub()
            case .shardedStatic: .sharded(subscriptionMode: .static)
            case .shardedDynamic: .sharded()
            case .shardedDynamicPrivate: .sharded(subscriptionMode: .dynamicPrivate)
            case .streams: .streams()
            case .severalStreams: .streams(streamCount: 3)
            }
        }

        /// Whether bytes for servers arrive as bytes.
        var carriesBytesToServers: Bool { self != .pubSub && self != .pubSubByRooms }
    }

    @Test(arguments: Pairing.allCases)
    func emitterReachesClientsOfAllNodes(_ pairing: Pairing) async throws {
        try await TestCluster.run(pairing.cluster) { cluster in
            let redis = try #require(cluster.redis)
            let client = RESPClient(
                configuration: try RESPConfiguration(url: redis.url),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            try await client.connect()
            let emitter = Emitter(client, transport: pairing.transport)
            let (events, continuation) = AsyncStream<[JSONValue]>.makeStream()
            for (number, node) in cluster.nodes.enumerated() {
                node.sockets.onServerSide("io") { arguments, _ in continuation.yield([.int(number)] + arguments) }
            }
            let clients = try await cluster.clientOfEach(in: "r")
            try emitter.to("r").emit("hello", 1, ByteBuffer(bytes: [7]))
            try emitter.to("r").except("r").emit("never")
            for client in clients { try emitter.to(Room(client.id)).emit("you") }
            try emitter.to("r").socketsJoin("x")
            // Of several rooms every node hears at once.
            try emitter.to("x", "nobody").emit("joined")
            try emitter.to("x").socketsLeave("x")
            try emitter.to("x", "nobody").emit("never")
            try emitter.of("other").emit("never")
            try emitter.serverSideEmit("io", ByteBuffer(bytes: [7]))
            try emitter.disconnectSockets()
            for client in clients {
                #expect(await client.nextText() == "451-[\"hello\",1,{\"_placeholder\":true,\"num\":0}]")
                #expect(await client.next() == .binary([7]))
                #expect(await client.nextText() == "42[\"you\"]")
                #expect(await client.nextText() == "42[\"joined\"]")
                #expect(await client.nextText() == "41")
            }
            let bytes: JSONValue =
                pairing.carriesBytesToServers
                ? .binary(ByteBuffer(bytes: [7])) : ["type": "Buffer", "data": [7]]
            var iterator = events.makeAsyncIterator()
            let first = try #require(await iterator.next(isolation: #isolation))
            let second = try #require(await iterator.next(isolation: #isolation))
            #expect(Set([first[0], second[0]]) == [0, 1])
            #expect([first[1], second[1]] == [bytes, bytes])
            await client.close()
        }
    }
}
