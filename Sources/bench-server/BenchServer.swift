import Logging
import NIOCore
import NIOPosix
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire

/// The server that the load generator measures: four events, public API only.
///
///     bench-server PORT [REDIS_URL] [--adapter redis|sharded|streams] [--subscriptions rooms] [--recovery SECONDS]
///         [--loops N] [--async]
///
/// `echo` acknowledges with its argument, `join` joins a room, `broadcast` sends `msg` to a room, `sockets` is answered
/// with how many sockets the whole cluster has in a room. With a Redis URL
/// several of them form a cluster; `--adapter` says by which adapter, `--subscriptions rooms` that the adapter `redis`
/// hears only the rooms that it has somebody in. `--recovery` says for how long a client may be away. With `--async` the
/// handler of `echo` is asynchronous; `--loops` says how many event loops there are; one if it does not, as what it is
/// compared with has one thread.
@main
enum BenchServer {
    static func main() async throws {
        guard let options = BenchOptions(Array(CommandLine.arguments.dropFirst())) else {
            print(BenchOptions.usage)
            return
        }
        let port = options.port
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.loops)
        var configuration = SocketServerConfiguration(host: "127.0.0.1", port: port)
        configuration.connectionStateRecovery = options.recovery.map {
            ConnectionStateRecovery(maxDisconnectionDuration: .seconds(Int64($0)))
        }
        let io = SocketServer(
            configuration: configuration,
            eventLoopGroup: group,
            adapter: try await Self.adapter(options, group),
            logger: Logger(label: "bench-server")
        )
        if options.isAsync {
            io.sockets.on("echo") { (_: Socket, value: JSONValue) async in value }
        } else {
            io.sockets.on("echo") { (_: Socket, value: JSONValue) in value }
        }
        io.sockets.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
        io.sockets.on("broadcast") { (_: Socket, room: String, value: JSONValue) in
            io.sockets.to(Room(room)).emit("msg", value)
        }
        io.sockets.on("sockets") { (_: Socket, room: String) async throws -> Int in
            try await io.sockets.in(Room(room)).fetchSockets().count
        }
        print("listening on http://127.0.0.1:\(port)/socket.io/")
        try await io.run()
    }

    private static func adapter(
        _ options: BenchOptions,
        _ group: MultiThreadedEventLoopGroup
    ) async throws -> any AdapterFactory {
        guard let url = options.redis else { return InMemoryAdapterFactory() }
        // On a loop of the server: a message wakes one loop then, and not two.
        let redis = RESPClient(
            configuration: try RESPConfiguration(url: url),
            eventLoopGroup: group,
            logger: Logger(label: "bench-server.redis")
        )
        try await redis.connect()
        switch options.adapter {
        case .redis:
            var configuration = PubSubAdapterConfiguration()
            configuration.subscriptions = options.subscribesToRooms ? .rooms : .pattern
            return PubSubAdapterFactory(configuration: configuration, client: redis)
        case .sharded:
            return ShardedAdapterFactory(client: redis)
        case .streams:
            return StreamsAdapterFactory(client: redis)
        }
    }
}
