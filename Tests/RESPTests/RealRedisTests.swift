import Dispatch
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisTestSupport
import ServiceLifecycle
import ServiceLifecycleTestKit
import Testing

@testable import RESP

private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A stream of what callbacks report, to wait for.
private struct Events<Element: Sendable>: Sendable {
    private let continuation: AsyncStream<Element>.Continuation
    private let stream: AsyncStream<Element>

    init() { (self.stream, self.continuation) = AsyncStream.makeStream() }
    func send(_ element: Element) { self.continuation.yield(element) }
    /// The first element that fits.
    func first(where isWanted: (Element) -> Bool) async -> Element? {
        for await element in self.stream where isWanted(element) { return element }
        return nil
    }
}

/// Against a real `redis-server`, which each test starts for itself.
@Suite(.timeLimit(.minutes(1)))
struct RealRedisTests {
    private func configuration(_ server: RedisServer, resp3: Bool = true) throws -> RESPConfiguration {
        var configuration = try RESPConfiguration(url: server.url)
        configuration.prefersRESP3 = resp3
        return configuration
    }

    private func connected(_ configuration: RESPConfiguration) async throws -> RESPClient {
        let client = RESPClient(configuration: configuration, logger: logger)
        try await client.connect()
        return client
    }

    @Test(arguments: [true, false])
    func commandsAndSubscriptions(resp3: Bool) async throws {
        let server = try await RedisServer.start()
        let client = try await self.connected(self.configuration(server, resp3: resp3))
        #expect(try await client.send("SET", "greeting", "hello") == .simpleString("OK"))
        #expect(try await client.send("GET", "greeting").stringValue == "hello")
        #expect(try await client.send("GET", "nothing") == .null)
        #expect(try await client.send("HSET", "h", "a", 1, "b", 2).integerValue == 2)
        let map = try await client.send("HGETALL", "h").mapValue ?? []
        #expect(map.map { $0.key.stringValue } == ["a", "b"])
        let error = await #expect(throws: RESPError.self) { try await client.send("LPUSH", "greeting", "x") }
        #expect(error?.serverCode == "WRONGTYPE")

        let messages = Events<String>()
        let subscription = try await client.subscribe(patterns: ["room:*"], channels: ["all"]) { message in
            messages.send("\(String(buffer: message.channel)) \(String(buffer: message.payload))")
        }
        #expect(try await client.send("PUBSUB", "NUMSUB", "all").arrayValue?.last?.integerValue == 1)
        for number in 0..<1000 {
            try client.publish(channel: "room:\(number)", message: ByteBuffer(string: "m"))
        }
        try client.publish(channel: "all", message: ByteBuffer(repeating: 97, count: 1_000_000))
        try await client.flush()
        #expect(await messages.first { $0.hasPrefix("room:999 ") } == "room:999 m")
        #expect(await messages.first { $0.hasPrefix("all ") }?.utf8.count == 1_000_004)
        await subscription.cancel()
        #expect(try await client.send("PUBSUB", "NUMSUB", "all").arrayValue?.last?.integerValue == 0)
        await client.close()
        await #expect(throws: RESPError.self) { try await client.send("PING") }
    }

    @Test(arguments: [true, false])
    func userPasswordAndDatabase(resp3: Bool) async throws {
        let server = try await RedisServer.start(arguments: [
            "--user", "alice", "on", ">se:cret/é", "~*", "&*", "+@all", "--user", "default", "off",
        ])
        var configuration = try RESPConfiguration(url: "redis://alice:se%3Acret%2F%C3%A9@127.0.0.1:\(server.port)/3")
        configuration.prefersRESP3 = resp3
        let client = try await self.connected(configuration)
        #expect(try await client.send("ACL", "WHOAMI").stringValue == "alice")
        #expect(try await client.send("CLIENT", "INFO").stringValue?.contains(" db=3 ") == true)
        await client.close()

        configuration.password = "wrong"
        let wrong = RESPClient(configuration: configuration, logger: logger)
        let refused = await #expect(throws: RESPError.self) { try await wrong.connect() }
        #expect(refused?.code == .authentication)
        #expect(refused?.serverCode == "WRONGPASS")

        configuration = try self.configuration(server, resp3: resp3)
        let nobody = RESPClient(configuration: configuration, logger: logger)
        let needed = await #expect(throws: RESPError.self) {
            try await nobody.connect()
            // RESP2 says nothing at first, so nothing is refused.
            _ = try await nobody.send("PING")
        }
        #expect(needed?.serverCode == "NOAUTH")
        await nobody.close()

        configuration = try RESPConfiguration(url: "redis://alice:se%3Acret%2F%C3%A9@127.0.0.1:\(server.port)/99")
        let outOfRange = RESPClient(configuration: configuration, logger: logger)
        let database = await #expect(throws: RESPError.self) { try await outOfRange.connect() }
        #expect(database?.message.contains("database 99") == true)
    }

    @Test func unreachable() async throws {
        let port = try RedisServer.freePort()
        let client = RESPClient(
            configuration: try RESPConfiguration(url: "redis://:hunter2@127.0.0.1:\(port)"),
            logger: logger
        )
        let error = await #expect(throws: RESPError.self) { try await client.connect() }
        #expect(
            error?.message
                == "can't reach Redis at redis://:***@127.0.0.1:\(port): connection refused. "
                + "Check that Redis is running there, and host and port in the URL."
        )
    }

    @Test func killedSubscriberResubscribes() async throws {
        let server = try await RedisServer.start()
        let client = try await self.connected(self.configuration(server))
        let states = Events<RESPClientState>()
        client.onStateChange { states.send($0) }
        let messages = Events<String>()
        let subscription = try await client.subscribe(patterns: ["p*"], channels: ["c"]) { message in
            messages.send(String(buffer: message.payload))
        }
        #expect(try await client.send("CLIENT", "KILL", "TYPE", "pubsub").integerValue == 1)
        _ = await states.first { if case .disconnected = $0 { true } else { false } }
        _ = await states.first { $0 == .ready }
        try client.publish(channel: "c", message: ByteBuffer(string: "again"))
        #expect(await messages.first { _ in true } == "again")
        await subscription.cancel()
        await client.close()
    }

    @Test func restartedServer() async throws {
        let server = try await RedisServer.start()
        let client = try await self.connected(self.configuration(server))
        let states = Events<RESPClientState>()
        client.onStateChange { states.send($0) }
        let messages = Events<String>()
        let subscription = try await client.subscribe(channels: ["c"]) { message in
            messages.send(String(buffer: message.payload))
        }
        server.stop()
        _ = await states.first { if case .disconnected = $0 { true } else { false } }
        let error = await #expect(throws: RESPError.self) { try await client.send("PING") }
        #expect(error?.code == .disconnected)
        // Until the second connection's end was noticed as well, a publish might still find the first one open.
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "kept")) == .queued)
        try await server.start()
        _ = await states.first { $0 == .ready }
        // Our own subscription stood before it was sent.
        #expect(await messages.first { _ in true } == "kept")
        await subscription.cancel()
        await client.close()
    }

    @Test func frozenServer() async throws {
        let server = try await RedisServer.start()
        var configuration = try self.configuration(server)
        configuration.keepAliveInterval = .milliseconds(200)
        configuration.connectTimeout = .milliseconds(300)
        configuration.commandTimeout = .milliseconds(50)
        let client = try await self.connected(configuration)
        let states = Events<RESPClientState>()
        client.onStateChange { states.send($0) }
        server.freeze()
        let frozenAt = ContinuousClock.now
        let slow = await #expect(throws: RESPError.self) { try await client.send("PING") }
        // On a machine so busy that both are overdue, the connection may be given up first.
        #expect(slow?.code == .timeout || slow?.code == .disconnected)
        _ = await states.first { if case .disconnected = $0 { true } else { false } }
        // Two intervals; the margin is for a busy machine.
        #expect(ContinuousClock.now - frozenAt < .seconds(5))
        server.thaw()
        _ = await states.first { $0 == .ready }
        #expect(try await client.send(RESPCommand("PING"), timeout: .seconds(30)).stringValue == "PONG")
        await client.close()
    }

    @Test func cutSlowSubscriberIsNoticedAsLoss() async throws {
        let server = try await RedisServer.start(arguments: ["--client-output-buffer-limit", "pubsub 1mb 0 0"])
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = RESPClient(configuration: try self.configuration(server), eventLoopGroup: group, logger: logger)
        try await client.connect()
        let states = Events<RESPClientState>()
        client.onStateChange { states.send($0) }
        let publisher = try await self.connected(self.configuration(server))
        // The subscriber's loop stands still from the first message on, until all was published.
        let published = DispatchSemaphore(value: 0)
        let isBlocked = NIOLockedValueBox(false)
        let subscription = try await client.subscribe(channels: ["c"]) { _ in
            let isFirst = isBlocked.withLockedValue { isBlocked in
                defer { isBlocked = true }
                return !isBlocked
            }
            if isFirst { published.wait() }
        }
        for _ in 0..<32 {
            try publisher.publish(channel: "c", message: ByteBuffer(repeating: 120, count: 1_000_000))
        }
        try await publisher.flush(timeout: .seconds(30))
        published.signal()
        _ = await states.first { if case .disconnected = $0 { true } else { false } }
        _ = await states.first { $0 == .ready }
        await subscription.cancel()
        await publisher.close()
        await client.close()
        try await group.shutdownGracefully()
    }

    @Test func runsAsAService() async throws {
        let server = try await RedisServer.start()
        let client = RESPClient(configuration: try self.configuration(server), logger: logger)
        let states = Events<RESPClientState>()
        client.onStateChange { states.send($0) }
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await client.run() }
                _ = await states.first { $0 == .ready }
                #expect(try await client.send("PING").stringValue == "PONG")
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(client.state == .closed)

        let cancelled = RESPClient(configuration: try self.configuration(server), logger: logger)
        cancelled.onStateChange { states.send($0) }
        let task = Task { try await cancelled.run() }
        _ = await states.first { $0 == .ready }
        task.cancel()
        try await task.value
        #expect(cancelled.state == .closed)
    }

    @Test func forgottenClientLetsGo() async throws {
        let server = try await RedisServer.start()
        let observer = try await self.connected(self.configuration(server))
        var client: RESPClient? = try await self.connected(self.configuration(server))
        let id = try await client?.send("CLIENT", "ID").integerValue ?? 0
        client = nil
        var isGone = false
        while !isGone {
            let list = try await observer.send("CLIENT", "LIST").stringValue ?? ""
            isGone = !list.contains("id=\(id) ")
        }
        await observer.close()
    }
}
