import Logging
import NIOCore
import NIOPosix
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire

/// The server that the load generator measures: three events, public API only.
///
///     bench-server PORT [REDIS_URL] [--async] [--loops N] [--recovery SECONDS]
///
/// `echo` acknowledges with its argument, `join` joins a room, `broadcast` sends `msg` to a room. With a Redis URL
/// several of them form a cluster through the pub/sub adapter. With `--async` the handler of `echo` is asynchronous;
/// `--loops` says how many event loops there are; one if it does not, as what it is compared with has one thread.
/// `--recovery` lets clients come back that were away for so many seconds.
@main
enum BenchServer {
    static func main() async throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let isAsync = arguments.contains("--async")
        arguments.removeAll { $0 == "--async" }
        var loops: Int? = 1
        if let index = arguments.firstIndex(of: "--loops") {
            loops = arguments.indices.contains(index + 1) ? Int(arguments[index + 1]) : nil
            arguments.removeSubrange(index..<min(index + 2, arguments.count))
        }
        var recovery: ConnectionStateRecovery?
        if let index = arguments.firstIndex(of: "--recovery") {
            let seconds = arguments.indices.contains(index + 1) ? Int64(arguments[index + 1]) : nil
            recovery = seconds.map { ConnectionStateRecovery(maxDisconnectionDuration: .seconds($0)) }
            // Without a number both stay, and there are too many.
            if recovery != nil { arguments.removeSubrange(index...(index + 1)) }
        }
        guard let first = arguments.first, let port = Int(first), let loops, loops > 0, arguments.count <= 2,
            !arguments.contains("--recovery")
        else {
            print("usage: bench-server PORT [REDIS_URL] [--async] [--loops N] [--recovery SECONDS]")
            return
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        var adapter: any AdapterFactory = InMemoryAdapterFactory()
        if arguments.count > 1 {
            // On a loop of the server: a message wakes one loop then, and not two.
            let redis = RESPClient(
                configuration: try RESPConfiguration(url: arguments[1]),
                eventLoopGroup: group,
                logger: Logger(label: "bench-server.redis")
            )
            try await redis.connect()
            adapter = PubSubAdapterFactory(client: redis)
        }
        var configuration = SocketServerConfiguration(host: "127.0.0.1", port: port)
        configuration.connectionStateRecovery = recovery
        let io = SocketServer(
            configuration: configuration,
            eventLoopGroup: group,
            adapter: adapter,
            logger: Logger(label: "bench-server")
        )
        if isAsync {
            io.sockets.on("echo") { (_: Socket, value: JSONValue) async in value }
        } else {
            io.sockets.on("echo") { (_: Socket, value: JSONValue) in value }
        }
        io.sockets.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
        io.sockets.on("broadcast") { (_: Socket, room: String, value: JSONValue) in
            io.sockets.to(Room(room)).emit("msg", value)
        }
        print("listening on http://127.0.0.1:\(port)/socket.io/")
        try await io.run()
    }
}
