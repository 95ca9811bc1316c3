import NIOCore
import RESP
import RedisAdapters
import SocketIOServer
import Testing

@testable import socketio_node

/// How the nodes reach each other, and what happens when they don't.
@Suite(.timeLimit(.minutes(1)))
struct AdapterSettingsTests {
    @Test(arguments: [
        ("static", ShardedAdapterConfiguration.SubscriptionMode.static), ("dynamic", .dynamic),
        ("dynamic-private", .dynamicPrivate),
    ])
    func shardedAdapter(text: String, mode: ShardedAdapterConfiguration.SubscriptionMode) throws {
        let loaded = load(
            """
            listen: {host: 10.0.0.7, port: 4000}
            adapter:
              {type: sharded, redis: {url: "redis://h", key: chat, requestsTimeout: 1s}, sharded: {subscriptionMode: \(text)}}
            """
        )
        #expect(loaded.problems == [])
        let redis = try #require(loaded.node.redis)
        #expect(redis.type == .sharded && redis.summary == "sharded redis://h:6379, mode \(text)")
        let adapter = redis.shardedAdapter
        #expect(adapter.channelPrefix == "chat" && adapter.subscriptionMode == mode)
        #expect(adapter.cluster.requestsTimeout == .seconds(1) && adapter.cluster.address == "10.0.0.7:4000")
    }

    @Test func streamsAdapter() throws {
        let loaded = load(
            """
            adapter:
              type: streams
              redis: {url: "redis://h", key: chat, requestsTimeout: 1s, address: a}
              streams: {name: s, count: 3, maximumLength: 7, readCount: 8, shardedPubSub: true, onlyPlaintext: true}
            """
        )
        #expect(loaded.problems == [])
        let redis = try #require(loaded.node.redis)
        #expect(redis.type == .streams && redis.summary == "streams redis://h:6379, stream s")
        let adapter = redis.streamsAdapter
        #expect(adapter.streamName == "s" && adapter.streamCount == 3 && adapter.channelPrefix == "chat")
        #expect(adapter.maximumLength == 7 && adapter.readCount == 8)
        #expect(adapter.usesShardedPubSub && adapter.onlyPlaintext)
        #expect(adapter.cluster.requestsTimeout == .seconds(1) && adapter.cluster.address == "a")
    }

    /// What is left out is as in the libraries.
    @Test func adaptersHaveTheirOwnDefaults() throws {
        for type in NodeConfiguration.AdapterType.allCases where type != .memory {
            let redis = try #require(load("adapter: {type: \(type.rawValue), redis: {url: \"redis://h\"}}").node.redis)
            var cluster = ClusterConfiguration()
            cluster.address = redis.cluster.address
            #expect(redis.classic.cluster == cluster && redis.shardedAdapter.cluster == cluster)
            let (classic, sharded) = (PubSubAdapterConfiguration(), ShardedAdapterConfiguration())
            #expect(redis.classic.key == classic.key && redis.classic.subscriptions == classic.subscriptions)
            #expect(redis.classic.publishOnSpecificResponseChannel == classic.publishOnSpecificResponseChannel)
            #expect(redis.shardedAdapter.channelPrefix == sharded.channelPrefix)
            #expect(redis.shardedAdapter.subscriptionMode == sharded.subscriptionMode)
            let (mine, streams) = (redis.streamsAdapter, StreamsAdapterConfiguration())
            #expect(mine.streamName == streams.streamName && mine.streamCount == streams.streamCount)
            #expect(mine.maximumLength == streams.maximumLength && mine.readCount == streams.readCount)
            #expect(mine.usesShardedPubSub == streams.usesShardedPubSub && mine.channelPrefix == streams.channelPrefix)
            #expect(mine.onlyPlaintext == streams.onlyPlaintext && mine.cluster == cluster)
            #expect(redis.whenLost == .serveLocal)
        }
    }

    /// Other nodes are told a name by which this machine can be found.
    @Test(arguments: [
        ("0.0.0.0", 3000, "web-1:3000"), ("::", 3000, "web-1:3000"), ("127.0.0.1", 80, "web-1:80"),
        ("localhost", 1, "web-1:1"), ("::1", 0, "web-1"), ("10.0.0.7", 3000, "10.0.0.7:3000"),
        ("fd00::7", 3000, "[fd00::7]:3000"), ("node.internal", 0, "node.internal"),
    ])
    func addressForOtherNodes(host: String, port: Int, address: String) {
        let listen = NodeConfiguration.Listen(host: host, port: port, threads: 1)
        #expect(NodeConfiguration.Adapter.address(of: listen, hostName: "web-1") == address)
    }

    /// The shortest grace after which something happens decides how often the link is proven.
    @Test func probesFitIntoEveryGrace() throws {
        func probe(_ settings: String) throws -> RESPConfiguration.Probe {
            let yaml = "adapter: {type: redis, redis: {url: \"redis://h\", \(settings)}}"
            return try #require(load(yaml).node.redis).connection.probe
        }
        let short = NodeConfiguration.Adapter.probe(grace: .milliseconds(400))
        #expect(try probe("readinessGrace: 1m, whenLost: stopAccepting, whenLostGrace: 400ms") == short)
        #expect(try probe("readinessGrace: 400ms, whenLost: notReady, whenLostGrace: 1m") == short)
        #expect(try probe("readinessGrace: 400ms, whenLostGrace: 100ms") == short)
        #expect(try probe("readinessGrace: 400ms, whenLost: stopAccepting, whenLostGrace: 0") == short)
    }

    @Test(arguments: [
        "type: cluster", "redis: {subscriptions: all}", "redis: {whenLost: panic}", "redis: {whenLostGrace: 5}",
        "redis: {address: \"\"}", "sharded: {subscriptionMode: private}", "sharded: {mode: dynamic}",
    ])
    func adapterSettingsThatMeanNothing(yaml: String) {
        #expect(load("adapter: {\(yaml)}").problems.count == 1)
    }
}
