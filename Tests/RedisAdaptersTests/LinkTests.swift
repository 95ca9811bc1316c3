import NIOCore
import RESP
import RedisTestSupport
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What a node knows of its link to the cluster, with a real Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct LinkTests {
    private static let commands = ["+publish", "+psubscribe", "+subscribe", "+pubsub"]
    private static let channels = ["&socket.io#/#*", "&socket.io-request#/#", "&socket.io-response#/#*"]

    /// Starts a node as a user with these rights.
    private func start(_ rights: [String]) async throws -> (any Error)? {
        try await NarrowUser.startNode(rights) { PubSubAdapterFactory(client: $0, logger: $1) }
    }

    @Test func whatTheErrorAsksForIsEnough() async throws {
        let failure = try await self.start(Self.commands + Self.channels)
        #expect(failure == nil, "\(failure.map { "\($0)" } ?? "")")
    }

    /// Each right alone, for a user who may ask for his rights, and for one who may not.
    @Test(arguments: Self.commands + Self.channels, [true, false])
    func eachMissingRightIsNamed(_ right: String, mayAsk: Bool) async throws {
        let rights = (Self.commands + Self.channels).filter { $0 != right } + (mayAsk ? ["+acl"] : [])
        let failure = try #require(try await self.start(rights))
        let message = "\(failure)"
        #expect(message.contains("NOPERM"))
        if right.hasPrefix("+") {
            #expect(message.uppercased().contains(" MAY NOT \(right.dropFirst().uppercased())") || !mayAsk)
            #expect(message.uppercased().contains(right.dropFirst().uppercased()))
        } else {
            let channel = right.dropFirst().split(separator: "*").first ?? ""
            #expect(message.contains("may not ") && message.contains(" to \(channel)"))
        }
    }

    @Test func outcomeOfAPublish() async throws {
        try await TestCluster.run(.pubSubOfTwo) { cluster in
            let redis = try #require(cluster.redis)
            let client = try await cluster.client(on: 1, in: "r")
            #expect(await cluster.first.to("r").publish("one") == .published)
            #expect(await client.nextText() == "42[\"one\"]")
            #expect(await cluster.first.to("r").local.publish("here") == .localOnly)
            // So that the node knows of the other one.
            #expect(try await cluster.first.sockets.serverCount() == 2)
            let (states, continuation) = AsyncStream<RESPClientState>.makeStream()
            cluster.clients[0].onStateChange { continuation.yield($0) }
            redis.stop()
            for await state in states { if case .disconnected = state { break } }
            // Until the second connection's end was noticed as well, a publish might still find the first one open.
            while await cluster.first.to("r").publish("refused", whileUnreachable: .refuse).isAccepted {}
            #expect(await cluster.first.to("r").publish("kept") == .queued)
            try await redis.start()
            // It left when the other node could hear it.
            var text: String?
            repeat { text = await client.nextText() } while text?.contains("refused") == true
            #expect(text == "42[\"kept\"]")
        }
    }
}
