import EngineIO
import Logging
import NIOCore
import NIOPosix
import SocketIOServer
import SocketIOWire

/// The servers that the official protocol test suites expect.
///
///     conformance-server engine|socket|websocket|recovery PORT [--loops N]
///     conformance-server packets
///
/// The first two ping every 300 ms, wait 200 ms for the pong, accept 1,000,000 bytes, allow every origin, and listen on
/// IPv4 and IPv6. The third is what Autobahn's suite talks to: plain WebSockets, with permessage-deflate, messages of up
/// to 64 MiB. The fourth has rooms, and remembers clients that lose their links for three seconds. `--loops` says how many
/// event loops there are; without it there are as many as the machine has cores.
@main
enum ConformanceServer {
    static func main() async throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        if arguments == ["packets"] { return PacketDump.run() }
        var loops: Int? = System.coreCount
        if let index = arguments.firstIndex(of: "--loops") {
            loops = arguments.indices.contains(index + 1) ? Int(arguments[index + 1]) : nil
            arguments.removeSubrange(index..<min(index + 2, arguments.count))
        }
        guard arguments.count == 2, let port = Int(arguments[1]), let loops, loops > 0 else {
            print(self.usage)
            return
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        switch arguments[0] {
        case "engine": try await self.runEngine(port: port, on: group)
        case "socket": try await self.runSocket(port: port, on: group)
        case "websocket": try await self.runWebSocket(port: port, on: group)
        case "recovery": try await self.runRecovery(port: port, on: group)
        default: print(self.usage)
        }
    }

    private static let usage =
        "usage: conformance-server engine|socket|websocket|recovery PORT [--loops N], or conformance-server packets"

    private static func engineConfiguration(path: String) -> EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.path = path
        configuration.pingInterval = .milliseconds(300)
        configuration.pingTimeout = .milliseconds(200)
        configuration.maxHTTPBufferSize = 1_000_000
        configuration.cors = CORSConfiguration()
        return configuration
    }

    /// Each message comes back as it was: text as text, binary as binary.
    private static func runEngine(port: Int, on group: MultiThreadedEventLoopGroup) async throws {
        let server = EngineServer(
            configuration: self.engineConfiguration(path: "/engine.io"),
            eventLoopGroup: group,
            logger: Logger(label: "conformance-server"),
            onSession: { _ in Echo() }
        )
        try await self.serve(server, port: port)
    }

    /// Each message comes back, without anything of Engine.IO around it.
    private static func runWebSocket(port: Int, on group: MultiThreadedEventLoopGroup) async throws {
        var configuration = EngineConfiguration()
        configuration.path = "/"
        configuration.maxHTTPBufferSize = 64 * 1024 * 1024
        configuration.perMessageDeflate = PerMessageDeflate()
        configuration.perMessageDeflate?.threshold = 0
        configuration.echoesWebSockets = true
        let server = EngineServer(
            configuration: configuration,
            eventLoopGroup: group,
            logger: Logger(label: "conformance-server"),
            onSession: { _ in nil }
        )
        try await self.serve(server, port: port)
    }

    private static func serve(_ server: EngineServer, port: Int) async throws {
        _ = try await server.listen(host: "127.0.0.1", port: port)
        _ = try await server.listen(host: "::1", port: port)
        print("listening on port \(port)")
        try await Task.sleep(for: .seconds(1_000_000))
    }

    private static func runSocket(port: Int, on group: MultiThreadedEventLoopGroup) async throws {
        var configuration = SocketServerConfiguration(engine: self.engineConfiguration(path: "/socket.io"))
        configuration.connectTimeout = .seconds(1)
        configuration.listeners = [.init(host: "127.0.0.1", port: port), .init(host: "::1", port: port)]
        let io = SocketServer(
            configuration: configuration,
            eventLoopGroup: group,
            logger: Logger(label: "conformance-server")
        )
        for namespace in [io.sockets, io.of("/custom")] {
            namespace.onConnection { socket in socket.emit("auth", socket.handshake.auth) }
        }
        io.sockets.onRaw("message") { event in
            event.socket.emit("message-back", values: try event.arguments.values())
        }
        io.sockets.onRaw("message-with-ack") { event in
            event.acknowledge(values: try event.arguments.values())
        }
        print("listening on port \(port)")
        try await io.run()
    }

    private static func runRecovery(port: Int, on group: MultiThreadedEventLoopGroup) async throws {
        var configuration = SocketServerConfiguration(host: "127.0.0.1", port: port)
        configuration.connectionStateRecovery = ConnectionStateRecovery(maxDisconnectionDuration: .seconds(3))
        let io = SocketServer(
            configuration: configuration,
            eventLoopGroup: group,
            logger: Logger(label: "conformance-server")
        )
        io.sockets.on("join") { (socket: Socket, room: String) -> String in
            socket.join(Room(room))
            return room
        }
        io.sockets.on("publish") { (_: Socket, room: String, value: JSONValue) in
            io.sockets.to(Room(room)).emit("event", value)
        }
        print("listening on port \(port)")
        try await io.run()
    }
}

private final class Echo: EngineSessionDelegate {
    func session(_ session: EngineSession, didReceiveText text: ByteBuffer) { session.send(text: text) }
    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer) { session.send(binary: bytes) }
    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?) {}
}
