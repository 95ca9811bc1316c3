import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import RESP
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters

/// Nodes whose streams are logs, on one loop whose time the test decides.
final class LogCluster: Sendable {
    struct Node: Sendable {
        let name: String
        let host: LogHost
        let adapter: StreamsAdapter

        /// Publishes an event of that name, and notes when this node's clients get it.
        func publish(_ name: String) {
            let host = self.host
            self.adapter.publish(Self.broadcast(name)) { host.note("own \(LogHost.text($0)) \(name)") }
        }

        static func broadcast(_ name: String, volatile: Bool = false) -> Broadcast {
            var options = BroadcastOptions()
            if volatile { options.flags.set(.volatile(true)) }
            return Broadcast(arguments: [.string(name)], options: options)
        }
    }

    let loop = NIOAsyncTestingEventLoop()
    let redis = InProcessStreams()
    let nodes: [Node]

    init(
        _ count: Int = 2,
        namespace: String = "/",
        configure: (inout StreamsAdapterConfiguration) -> Void = { _ in }
    ) throws {
        var nodes: [Node] = []
        for number in 0..<count {
            let name = ["A", "B", "C"][number]
            let host = LogHost(name: namespace, eventLoop: self.loop)
            var configuration = StreamsAdapterConfiguration()
            let ids = NIOLockedValueBox(0)
            configuration.makeID = {
                ids.withLockedValue { count in
                    count += 1
                    return count == 1 ? "uid of \(name)" : "request \(count) of \(name)"
                }
            }
            configure(&configuration)
            let factory = StreamsAdapterFactory.ofTest(configuration, self.redis.bus(name, on: self.loop))
            let adapter = try #require(factory.makeAdapter(for: host) as? StreamsAdapter)
            nodes.append(Node(name: name, host: host, adapter: adapter))
        }
        self.nodes = nodes
    }

    static func run(
        _ count: Int = 2,
        readCount: Int = 100,
        streamCount: Int = 1,
        _ body: (LogCluster) async throws -> Void
    ) async throws {
        let cluster = try LogCluster(count) { configuration in
            configuration.readCount = readCount
            configuration.streamCount = streamCount
        }
        for node in cluster.nodes { try await node.adapter.start() }
        await cluster.settle()
        for node in cluster.nodes { node.host.forget() }
        cluster.redis.redis.forgetCommands()
        try await body(cluster)
        for node in cluster.nodes { await node.adapter.close() }
        await cluster.loop.shutdownGracefully()
    }

    /// Waits until everything has been read that can be.
    func settle() async { await self.loop.run() }

    /// Lets time pass, here and in Redis.
    func advance(by milliseconds: Int64) async {
        self.redis.advance(by: UInt64(milliseconds))
        await self.loop.advanceTime(by: .milliseconds(milliseconds))
    }

    subscript(_ index: Int) -> Node { self.nodes[index] }
}
