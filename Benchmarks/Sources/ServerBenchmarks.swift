import Dispatch
import EngineIO
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire

/// The whole server, from the kernel's bytes to the kernel's bytes, on one loop.
let serverBenchmarks: [Benchmark] = [
    .events("server.event-string", "[\"say\",\"hello, everybody\"]") { io, done in
        io.sockets.on("say") { (_: Socket, text: String) in
            use(text)
            done.signal()
        }
    },
    .events("server.event-value", "[\"say\",\(sampleText)]") { io, done in
        io.sockets.on("say") { (_: Socket, value: JSONValue) in
            use(value)
            done.signal()
        }
    },
    .events("server.event-struct", "[\"say\",\(sampleText)]") { io, done in
        io.sockets.on("say") { (_: Socket, article: Article) in
            use(article)
            done.signal()
        }
    },
    .events("server.event-async-handler", "[\"say\",\"hello, everybody\"]") { io, done in
        io.sockets.on("say") { (_: Socket, text: String) async in
            use(text)
            done.signal()
        }
    },
    .events("server.join-and-leave", "[\"move\",\"room\"]") { io, done in
        io.sockets.on("move") { (socket: Socket, room: String) in
            socket.join(Room(room))
            socket.leave(Room(room))
            done.signal()
        }
    },
    .answered("server.acknowledgement", "420[\"echo\",\"hello, everybody\"]", answers: 1) { io in
        io.sockets.on("echo") { (_: Socket, text: String) in text }
    },
    .answered("server.emit-10-in-one-tick", "42[\"burst\"]", answers: 10) { io in
        io.sockets.on("burst") { (socket: Socket) in
            for number in 0..<10 { socket.emit("number", number) }
        }
    },
    .broadcast(members: 50),
    .broadcast(members: 100),
    .clusterBroadcast(members: 50),
    .polling,
    .connecting,
]

/// A server that listens.
private final class Host {
    let io: SocketServer
    let loop: any EventLoop
    let port: Int

    init(adapter: any AdapterFactory = InMemoryAdapterFactory(), _ setUp: (SocketServer) -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = SocketServerConfiguration()
        // No heartbeat may fall into a count.
        configuration.engine.pingInterval = .hours(1)
        self.io = SocketServer(configuration: configuration, eventLoopGroup: group, adapter: adapter)
        self.loop = group.next()
        setUp(self.io)
        try await self.io.start()
        self.port = try await self.io.listen(host: "127.0.0.1", port: 0).port ?? 0
    }

    /// Waits until the loop has done what it has to do now.
    func settle() {
        for _ in 0..<2 { try? self.loop.submit {}.wait() }
    }
}

extension Benchmark {
    /// Events that a handler sees; each is sent when the one before has been handled.
    fileprivate static func events(
        _ name: String,
        _ event: String,
        _ setUp: @escaping @Sendable (SocketServer, DispatchSemaphore) -> Void
    ) -> Benchmark {
        Benchmark(name: name) {
            let done = DispatchSemaphore(value: 0)
            let host = try await Host { setUp($0, done) }
            let client = Client.webSocket(port: host.port)
            let frame = Frame("42" + event)
            return { count in
                for _ in 0..<count {
                    client.send(frame.bytes)
                    done.wait()
                }
                host.settle()
            }
        }
    }

    /// Packets that the server answers.
    fileprivate static func answered(
        _ name: String,
        _ packet: String,
        answers: Int,
        _ setUp: @escaping @Sendable (SocketServer) -> Void
    ) -> Benchmark {
        Benchmark(name: name) {
            let host = try await Host(setUp)
            let client = Client.webSocket(port: host.port)
            let frame = Frame(packet)
            return { count in
                for _ in 0..<count {
                    client.send(frame.bytes)
                    for _ in 0..<answers { client.receiveFrame() }
                }
                host.settle()
            }
        }
    }

    fileprivate static func broadcast(members: Int) -> Benchmark {
        Benchmark(name: "server.broadcast-to-\(members)", operations: 200) {
            let host = try await Host { io in io.sockets.onConnection { $0.join("room") } }
            let clients = (0..<members).map { _ in Client.webSocket(port: host.port) }
            host.settle()
            return { count in
                for _ in 0..<count {
                    host.io.to("room").emit("say", "hello, everybody")
                    for client in clients { client.receiveFrame() }
                }
                host.settle()
            }
        }
    }

    fileprivate static func clusterBroadcast(members: Int) -> Benchmark {
        Benchmark(name: "server.cluster-broadcast-to-\(members)", operations: 200) {
            let bus = QuietBus()
            let adapter = PubSubAdapterFactory(
                configuration: PubSubAdapterConfiguration(),
                bus: bus,
                logger: .init(label: "none") { _ in SwiftLogNoOpLogHandler() },
                metricsFactory: MetricsSystem.factory
            )
            let host = try await Host(adapter: adapter) { io in io.sockets.onConnection { $0.join("room") } }
            let clients = (0..<members).map { _ in Client.webSocket(port: host.port) }
            host.settle()
            let message = RESPMessage(
                channel: ByteBuffer(string: "socket.io#/#room#"),
                pattern: ByteBuffer(string: "socket.io#/#*"),
                payload: ClassicEncoder(namespace: "/").broadcast(
                    uid: "abcdef",
                    arguments: ["say", "hello, everybody"],
                    options: BroadcastOptions(rooms: ["room"])
                )
            )
            return { count in
                for _ in 0..<count {
                    bus.receive(message)
                    for client in clients { client.receiveFrame() }
                }
                host.settle()
            }
        }
    }

    /// An event in one request, the answer to it in another.
    fileprivate static var polling: Benchmark {
        Benchmark(name: "server.polling-post-and-get") {
            let host = try await Host { io in
                io.sockets.on("echo") { (socket: Socket, text: String) in socket.emit("echo", text) }
            }
            let client = Client(port: host.port)
            func request(_ method: String, _ query: String, _ body: String = "") -> String {
                "\(method) /socket.io/?EIO=4&transport=polling\(query) HTTP/1.1\r\nHost: localhost\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            let opened = client.answer(request("GET", ""))
            guard let start = opened.firstRange(of: "\"sid\":\"")?.upperBound else {
                throw BenchmarkError(description: "no session: \(opened)")
            }
            let session = "&sid=\(opened[start...].prefix(20))"
            expect(client.answer(request("POST", session, "40")).hasSuffix("ok"), "not connected")
            expect(client.answer(request("GET", session)).contains("40{"), "not connected")
            let post = Array(request("POST", session, "42[\"echo\",\"hello, everybody\"]").utf8)
            let get = Array(request("GET", session).utf8)
            return { count in
                for _ in 0..<count {
                    client.exchange(post)
                    client.exchange(get)
                }
                host.settle()
            }
        }
    }

    /// A WebSocket from its connection to its end.
    fileprivate static var connecting: Benchmark {
        Benchmark(name: "server.connect-and-disconnect", operations: 200) {
            let done = DispatchSemaphore(value: 0)
            let host = try await Host { io in
                io.sockets.onConnection { socket in socket.onDisconnect { _ in done.signal() } }
            }
            return { count in
                for _ in 0..<count {
                    do { _ = Client.webSocket(port: host.port) }
                    done.wait()
                }
                host.settle()
            }
        }
    }
}

/// What other nodes publish, without a Redis.
private final class QuietBus: ClusterBus {
    private struct Subscription: ClusterBusSubscription {
        func confirmed() async throws {}
        func cancel() async {}
    }

    private struct Roster: ClusterBusRoster {
        func insert(_ channel: String, heard: (@Sendable () -> Void)?) { heard?() }
        func remove(_ channel: String) {}
        func cancel() async {}
    }

    private struct Watch: ClusterLinkWatch {
        func proven() async throws {}
        func cancel() {}
    }

    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any()
    private let handler = NIOLockedValueBox<(@Sendable (RESPMessage) -> Void)?>(nil)

    func receive(_ message: RESPMessage) { self.handler.withLockedValue { $0 }?(message) }

    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(RESPError) {}

    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) { completion(.published) }

    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight] { [] }

    func watchLink(probeChannel: String, peerChannel: BusChannel) -> any ClusterLinkWatch { Watch() }

    func addSubscription(
        patterns: [String],
        channels: [BusChannel],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription {
        // The one that hears broadcasts.
        if !patterns.isEmpty { self.handler.withLockedValue { $0 = handler } }
        return Subscription()
    }

    func addRoster(isSharded: Bool, handler: @escaping @Sendable (RESPMessage) -> Void) -> any ClusterBusRoster {
        Roster()
    }

    func countSubscribers(
        of channels: [BusChannel],
        isConfirmation: Bool,
        completion: @escaping @Sendable (Result<[Int], RESPError>) -> Void
    ) { completion(.success(channels.map { _ in 1 })) }

    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void { {} }

    func onGap(_ handler: @escaping @Sendable () -> Void) -> @Sendable () -> Void { {} }
}
