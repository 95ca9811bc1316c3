import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import Testing

@testable import RESP

/// What an operator reads of a client of Redis, and what nobody may read there.
@Suite(.timeLimit(.minutes(1)))
struct ClientLogTests {
    let redis = FakeRedis()
    let lines = LogLines()

    private func client(
        _ configuration: RESPConfiguration = RESPConfiguration(),
        _ level: Logger.Level = .info
    ) -> RESPClient {
        RESPClient(
            configuration: configuration,
            eventLoop: self.redis.loop,
            logger: self.lines.logger(level),
            metricsFactory: NOOPMetricsHandler.instance,
            connector: self.redis.connector,
            random: { 0 }
        )
    }

    /// The client and the connection that it talks on.
    private func connected(_ configuration: RESPConfiguration = RESPConfiguration()) throws -> RESPClient {
        let client = self.client(configuration)
        _ = client.connected()
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello)
        return client
    }

    // MARK: Drops

    /// While Redis is there no line about an outage tells of them.
    @Test func publishesThatAreNotTakenAreCounted() throws {
        var configuration = RESPConfiguration()
        configuration.queue.maximumCount = 2
        let client = try self.connected(configuration)
        for number in 0..<102 { _ = try? client.publish(channel: "c", message: ByteBuffer(string: "\(number)")) }
        self.redis.loop.run()
        let first = self.lines.take()
        #expect(first.count == 1)
        #expect(first.first?.hasPrefix("info Dropped publishes count=1 error=") == true)
        #expect(first.first?.hasSuffix("reason=queue_full") == true)
        self.redis.advance(.seconds(60))
        let later = self.lines.take().filter { $0.contains("reason=queue_full") }
        #expect(later.count == 1)
        #expect(later.first?.contains(" count=99 ") == true)
    }

    @Test func publishesThatRedisRefusesAreCounted() throws {
        let client = try self.connected()
        for _ in 0..<5 { try client.publish(channel: "c", message: ByteBuffer(string: "m")) }
        _ = try self.redis.commands(0)
        for _ in 0..<5 { try self.redis.reply(0, "-NOPERM no permissions to access a channel\r\n") }
        self.redis.advance(.seconds(1))
        let drops = self.lines.all.filter { $0.contains("Dropped publishes") }
        #expect(drops.count == 1)
        #expect(drops.first?.hasSuffix("reason=refused") == true)
    }

    /// Redis never comes back to this client, so no other line would say what was lost.
    @Test func whatWasKeptWhenTheClientIsClosedIsTold() throws {
        let client = try self.connected()
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        self.redis.drop(0)
        for _ in 0..<3 { try client.publish(channel: "c", message: ByteBuffer(string: "m")) }
        self.redis.advance(.seconds(2))
        _ = client.closed()
        self.redis.loop.run()
        let last = try #require(self.lines.all.last)
        #expect(last.hasPrefix("notice The client of Redis was closed before Redis was back "))
        #expect(last.contains("publishes.dropped.reasons=closed: 3"))
    }

    @Test func aClientThatIsClosedInPeaceSaysNothing() throws {
        let client = try self.connected()
        _ = client.closed()
        self.redis.loop.run()
        #expect(self.lines.all.isEmpty)
    }

    // MARK: Secrets

    /// How a Redis, or what stands before it, may answer the first question.
    static let answers = [
        "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `planted-user`, `planted-password`, ",
        "-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'planted-user' 'planted-password' ",
        "-ERR I don't understand planted-password planted-password",
        "-WRONGPASS invalid username-password pair planted-password",
        "-NOAUTH planted-password is wrong", "-DENIED planted-password", "-planted-password", "+planted-password",
        "$16\r\nplanted-password", "*1\r\n$16\r\nplanted-password", "%1\r\n+role\r\n+planted-password",
        "-ERR max number of clients reached", "planted-password", "-NOPERM planted-password",
    ]

    /// Whatever Redis answers and whenever it leaves: what the client says, logs and throws holds no credentials.
    @Test(arguments: Self.answers, ["", Self.answers[0], Self.answers[2], "+OK"])
    func noCredentials(first: String, second: String) throws {
        let secret = "planted-password"
        let configuration = try RESPConfiguration(url: "redis://planted-user:\(secret)@192.0.2.1:6379/3")
        let client = self.client(configuration, .trace)
        var texts: [String] = []
        let started = client.connected()
        let outcome = NIOLockedValueBox("")
        for answer in [first, second] where !answer.isEmpty {
            _ = try? self.redis.commands(0)
            try? self.redis.reply(0, "\(answer)\r\n")
        }
        self.redis.drop(0)
        self.redis.advance(.seconds(2))
        started.whenComplete { result in outcome.withLockedValue { $0 = "\(result)" } }
        texts += [outcome.withLockedValue { $0 }, "\(client.state)"]
        texts.append("\(configuration)")
        _ = client.closed()
        self.redis.loop.run()
        texts += self.lines.all
        #expect(!texts.isEmpty)
        #expect(texts.filter { $0.contains(secret) } == [])
    }

    /// Nor what is published, once Redis does not know the command any more.
    @Test func noPayloads() throws {
        let client = try self.connected()
        try client.publish(channel: "c", message: ByteBuffer(string: "planted-token"))
        _ = try self.redis.commands(0)
        let answer = "-ERR unknown command 'PUBLISH', with args beginning with: 'c' 'planted-token' \r\n"
        try self.redis.reply(0, answer)
        self.redis.advance(.seconds(1))
        #expect(self.lines.all.contains { $0.contains("error=ERR unknown command 'PUBLISH'") })
        #expect(self.lines.all.filter { $0.contains("planted") } == [])
    }
}
