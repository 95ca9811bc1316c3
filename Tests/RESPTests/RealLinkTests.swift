import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RedisTestSupport
import Testing

@testable import RESP

/// What only a real Redis shows of the link: replicas, clusters, rights, pauses, full houses.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct RealLinkTests {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func client(
        _ url: String,
        resp3: Bool = true,
        keepAlive: TimeAmount = .milliseconds(200)
    ) throws -> RESPClient {
        var configuration = try RESPConfiguration(url: url)
        configuration.prefersRESP3 = resp3
        configuration.keepAliveInterval = keepAlive
        configuration.probe.interval = .milliseconds(50)
        configuration.probe.timeout = .milliseconds(300)
        return RESPClient(configuration: configuration, logger: self.logger)
    }

    private func states(_ client: RESPClient) -> AsyncStream<RESPClientState> {
        let (stream, continuation) = AsyncStream<RESPClientState>.makeStream()
        client.onStateChange { continuation.yield($0) }
        return stream
    }

    /// The reason of the next outage.
    private func outage(_ states: AsyncStream<RESPClientState>) async -> RESPError? {
        for await state in states { if case .disconnected(let error) = state { return error } }
        return nil
    }

    private func ready(_ states: AsyncStream<RESPClientState>) async {
        for await state in states where state == .ready { return }
    }

    @Test(arguments: [true, false])
    func replicaIsRefused(resp3: Bool) async throws {
        let primary = try await RedisServer.start()
        let replica = try await RedisServer.start(arguments: ["--replicaof", "127.0.0.1 \(primary.port)"])
        let client = try self.client(replica.url, resp3: resp3)
        let error = await #expect(throws: RESPError.self) { try await client.connect() }
        #expect(error?.code == .unsuitable)
        #expect(error?.message.contains("replica") == true)
        #expect(error?.message.contains(replica.url) == true)
        await client.close()
    }

    @Test(arguments: [true, false], ["", "/1"])
    func nodeOfARedisClusterIsRefused(resp3: Bool, path: String) async throws {
        let file = "w\(UInt32.random(in: .min ... .max)).conf"
        let server = try await RedisServer.start(arguments: [
            "--cluster-enabled", "yes", "--cluster-config-file", file, "--dir", "/tmp",
        ])
        defer { unlink("/tmp/\(file)") }
        let client = try self.client(server.url + path, resp3: resp3)
        let error = await #expect(throws: RESPError.self) { try await client.connect() }
        #expect(error?.code == .unsuitable)
        #expect(error?.message.contains("one node of a Redis Cluster") == true)
        await client.close()
    }

    /// Also by a user who may not ask for the role.
    @Test(arguments: [true, false])
    func demotionIsNoticed(mayAsk: Bool) async throws {
        let server = try await RedisServer.start(arguments: [
            "--user", "narrow", "on", ">p", "~*", "&*", "+publish", "+subscribe", "+psubscribe", "+pubsub",
        ])
        let url = mayAsk ? server.url : "redis://narrow:p@127.0.0.1:\(server.port)"
        let client = try self.client(url)
        try await client.connect()
        let watch = client.watchLink(probeChannel: "probe", peerChannel: "peers")
        try await watch.proven()
        let states = self.states(client)
        let other = try self.client(server.url)
        try await other.connect()
        _ = try await other.send("REPLICAOF", "127.0.0.1", "1")
        let error = await self.outage(states)
        #expect(error?.code == .unsuitable)
        #expect(!client.isReady)
        // The other one has noticed, too, or will.
        await other.close()
        let promoter = try await RawRedis.command(server.port, "REPLICAOF NO ONE")
        #expect(promoter == "+OK")
        await self.ready(states)
        watch.cancel()
        await client.close()
    }

    @Test func pausedWritesAreAnOutage() async throws {
        let server = try await RedisServer.start()
        let client = try self.client(server.url, keepAlive: .seconds(1))
        try await client.connect()
        let received = AsyncStream<String>.makeStream()
        let subscription = try await client.subscribe(channels: ["c"]) { message in
            received.continuation.yield(String(buffer: message.payload))
        }
        let watch = client.watchLink(probeChannel: "probe", peerChannel: "peers")
        try await watch.proven()
        let states = self.states(client)
        // Longer than a silent connection is believed in: what was on its way must not be lost.
        _ = try await RawRedis.command(server.port, "CLIENT PAUSE 2500 WRITE")
        try client.publish(channel: "c", message: ByteBuffer(string: "on its way"))
        let error = await self.outage(states)
        #expect(error?.code == .timeout)
        #expect(client.outageSince != nil)
        let outcome = await client.publish([("c", ByteBuffer(string: "kept"))], keeps: true, timeout: .seconds(2))
        #expect(outcome == .queued)
        guard case .refused = await client.publish([("c", ByteBuffer())], keeps: false, timeout: .seconds(2)) else {
            Issue.record("not refused")
            return
        }
        await self.ready(states)
        var iterator = received.stream.makeAsyncIterator()
        #expect(await iterator.next() == "on its way")
        #expect(await iterator.next() == "kept")
        #expect(await client.publish([("c", ByteBuffer())], keeps: false, timeout: .seconds(2)) == .published)
        watch.cancel()
        await subscription.cancel()
        await client.close()
    }

    @Test func frozenRedisIsAnOutage() async throws {
        let server = try await RedisServer.start()
        let client = try self.client(server.url)
        try await client.connect()
        let watch = client.watchLink(probeChannel: "probe", peerChannel: "peers")
        try await watch.proven()
        let states = self.states(client)
        let frozenAt = NIODeadline.now()
        server.freeze()
        #expect(await self.outage(states) != nil)
        // From the last proof on.
        #expect(try #require(client.outageSince) <= frozenAt + .milliseconds(200))
        server.thaw()
        await self.ready(states)
        watch.cancel()
        await client.close()
    }

    @Test func lostRights() async throws {
        let server = try await RedisServer.start(arguments: ["--user", "user", "on", ">p", "~*", "&*", "+@all"])
        let client = try self.client("redis://user:p@127.0.0.1:\(server.port)")
        try await client.connect()
        let watch = client.watchLink(probeChannel: "probe", peerChannel: "peers")
        try await watch.proven()
        let states = self.states(client)
        _ = try await RawRedis.command(server.port, "ACL SETUSER user -publish")
        let error = await self.outage(states)
        #expect(error?.serverCode == "NOPERM")
        #expect(error?.message.contains("publish") == true)
        _ = try await RawRedis.command(server.port, "ACL SETUSER user +publish")
        await self.ready(states)
        watch.cancel()
        await client.close()
    }

    /// Redis says it and closes the connection, before it was asked anything.
    @Test(arguments: [true, false])
    func fullRedis(resp3: Bool) async throws {
        let server = try await RedisServer.start(arguments: ["--maxclients", "1"])
        let first = try self.client(server.url)
        try await first.connect()
        let second = try self.client(server.url, resp3: resp3)
        let error = await #expect(throws: RESPError.self) { try await second.connect() }
        #expect(error?.message.contains("max number of clients reached") == true)
        #expect(error?.message.contains("maxclients") == true)
        // The first one's subscriptions find no room, either: later, and in the same words.
        let subscription = first.addSubscription(channels: ["c"]) { _ in }
        let later = await #expect(throws: RESPError.self) { try await subscription.confirmed() }
        #expect(later?.message.contains("max number of clients reached") == true)
        guard case .disconnected(let reason) = first.state else {
            Issue.record("state is \(first.state)")
            return
        }
        #expect(reason.message.contains("max number of clients reached"))
        await second.close()
        await first.close()
    }

    @Test func protectedMode() async throws {
        // What a Redis in protected mode says to those from elsewhere; here everybody is from the loopback.
        let words = "-DENIED Redis is running in protected mode because protected mode is enabled.\r\n"
        let port = try await RawRedis.serveOnce(words)
        let client = try self.client("redis://127.0.0.1:\(port)")
        let error = await #expect(throws: RESPError.self) { try await client.connect() }
        #expect(error?.message.contains("DENIED Redis is running in protected mode") == true)
        #expect(error?.message.contains("Set a password") == true)
        await client.close()
    }

    @Test func busyScriptKeepsWhatIsPublished() async throws {
        let server = try await RedisServer.start(arguments: ["--lua-time-limit", "50"])
        let client = try self.client(server.url)
        try await client.connect()
        let received = AsyncStream<String>.makeStream()
        let subscription = try await client.subscribe(channels: ["c"]) { message in
            received.continuation.yield(String(buffer: message.payload))
        }
        let states = self.states(client)
        let script = "local t = redis.call('TIME')[1] + 0 while redis.call('TIME')[1] - t < 2 do end return 1"
        async let done = RawRedis.command(server.port, ["EVAL", script, "0"])
        var number = 0
        while client.isReady {
            number += 1
            try client.publish(channel: "c", message: ByteBuffer(string: "\(number)"))
            try await client.eventLoop.scheduleTask(in: .milliseconds(10)) {}.futureResult.get()
        }
        #expect(await self.outage(states)?.serverCode == "BUSY")
        await self.ready(states)
        _ = try await done
        var iterator = received.stream.makeAsyncIterator()
        for expected in 1...number { #expect(await iterator.next() == "\(expected)") }
        await subscription.cancel()
        await client.close()
    }
}
