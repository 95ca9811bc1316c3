import Logging
import NIOCore
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire

/// The server that the load generator measures: three events, public API only.
///
///     bench-server PORT [REDIS_URL]
///
/// `echo` acknowledges with its argument, `join` joins a room, `broadcast` sends `msg` to a room. With a Redis URL
/// several of them form a cluster through the pub/sub adapter.
@main
enum BenchServer {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 2, let port = Int(arguments[1]) else {
            print("usage: bench-server PORT [REDIS_URL]")
            return
        }
        var adapter: any AdapterFactory = InMemoryAdapterFactory()
        if arguments.count > 2 {
            let redis = RESPClient(
                configuration: try RESPConfiguration(url: arguments[2]),
                logger: Logger(label: "bench-server.redis")
            )
            try await redis.connect()
            adapter = PubSubAdapterFactory(client: redis)
        }
        let io = SocketServer(
            configuration: SocketServerConfiguration(host: "127.0.0.1", port: port),
            adapter: adapter,
            logger: Logger(label: "bench-server")
        )
        io.sockets.on("echo") { (_: Socket, value: JSONValue) in value }
        io.sockets.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
        io.sockets.on("broadcast") { (_: Socket, room: String, value: JSONValue) in
            io.sockets.to(Room(room)).emit("msg", value)
        }
        print("listening on http://127.0.0.1:\(port)/socket.io/")
        try await io.run()
    }
}
