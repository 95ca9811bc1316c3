import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import RESP

/// What a future or a callback came to, once it did.
private final class Outcome<Value: Sendable>: Sendable {
    private let box = NIOLockedValueBox<[Result<Value, any Error>]>([])
    var results: [Result<Value, any Error>] { self.box.withLockedValue { $0 } }
    var value: Value? { try? self.results.first?.get() }
    var error: RESPError? {
        if case .failure(let error) = self.results.first { error as? RESPError } else { nil }
    }
    func add(_ result: Result<Value, any Error>) { self.box.withLockedValue { $0.append(result) } }
}

extension EventLoopFuture where Value: Sendable {
    fileprivate var outcome: Outcome<Value> {
        let outcome = Outcome<Value>()
        self.whenComplete { outcome.add($0) }
        return outcome
    }
}

extension RESPClient {
    fileprivate func sending(_ command: RESPCommand, timeout: TimeAmount? = nil) -> Outcome<RESPValue> {
        let outcome = Outcome<RESPValue>()
        self.send(command, timeout: timeout) { outcome.add($0.mapError { $0 as any Error }) }
        return outcome
    }
}

@Suite(.timeLimit(.minutes(1)))
struct RESPClientTests {
    let redis = FakeRedis()

    private func connected(_ client: RESPClient, index: Int = 0) throws {
        let outcome = client.connected().outcome
        #expect(try self.redis.commands(index) == [["HELLO", "3"]])
        try self.redis.reply(index, FakeRedis.hello)
        #expect(outcome.value != nil)
        #expect(client.state == .ready)
    }

    /// Subscribes channel `c` and answers for Redis, on connection 1.
    private func subscribed(
        _ client: RESPClient,
        _ messages: NIOLockedValueBox<[String]> = NIOLockedValueBox([])
    ) throws -> RESPSubscription {
        let subscription = client.addSubscription(patterns: ["p*"], channels: ["c"]) { message in
            messages.withLockedValue { $0.append(String(buffer: message.payload)) }
        }
        let outcome = subscription.confirmation.outcome
        #expect(try self.redis.commands(1) == [["HELLO", "3"]])
        try self.redis.reply(1, FakeRedis.hello)
        #expect(try self.redis.commands(1) == [["PSUBSCRIBE", "p*"], ["SUBSCRIBE", "c"]])
        #expect(outcome.value == nil)
        try self.redis.reply(1, ">3\r\n+psubscribe\r\n+p*\r\n:1\r\n>3\r\n+subscribe\r\n+c\r\n:2\r\n")
        #expect(outcome.value != nil)
        return subscription
    }

    @Test func commandsOfOneTickLeaveInOneWrite() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        let replies = (0..<10).map { client.sending(RESPCommand("GET", .int($0))) }
        try client.publish(channel: "c", message: ByteBuffer(string: "x"))
        #expect(try self.redis.writes(0) == 1)
        try self.redis.reply(0, (0..<10).map { ":\($0)\r\n" }.joined() + ":2\r\n")
        #expect(replies.map { $0.value?.integerValue } == Array(0..<10))
    }

    @Test func errorReplyKeepsItsCode() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        let reply = client.sending(RESPCommand("LPUSH", "text", "x"))
        self.redis.loop.run()
        try self.redis.reply(0, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
        #expect(reply.error?.code == .server)
        #expect(reply.error?.serverCode == "WRONGTYPE")
    }

    @Test func commandDeadline() throws {
        let metrics = TestMetrics()
        let client = self.redis.makeClient(metricsFactory: metrics)
        try self.connected(client)
        let slow = client.sending(RESPCommand("GET", "slow"), timeout: .milliseconds(100))
        let next = client.sending(RESPCommand("GET", "next"))
        self.redis.advance(.milliseconds(99))
        #expect(slow.results.isEmpty)
        self.redis.advance(.milliseconds(1))
        #expect(slow.error?.code == .timeout)
        try self.redis.reply(0, ":1\r\n:2\r\n")
        #expect(next.value == .integer(2))
        #expect(slow.results.count == 1)
        #expect(try metrics.expectCounter("redis_command_timeouts_total").totalValue == 1)
    }

    @Test func unreachableAtStart() throws {
        var configuration = try RESPConfiguration(url: "redis://user:hunter2@redis.example:6390/2")
        configuration.connectTimeout = .seconds(1)
        let client = self.redis.makeClient(configuration)
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        let outcome = client.connected().outcome
        self.redis.loop.run()
        let message = try #require(outcome.error?.message)
        #expect(message.contains("redis://user:***@redis.example:6390/2"))
        #expect(message.contains("connection refused"))
        #expect(message.contains("Check that Redis is running"))
        #expect(!message.contains("hunter2"))
        #expect(client.state == .idle)
        // Told again, it tries again.
        self.redis.connectError = nil
        let second = client.connected().outcome
        #expect(try self.redis.commands(0) == [["HELLO", "3", "AUTH", "user", "hunter2"]])
        try self.redis.reply(0, FakeRedis.hello)
        #expect(try self.redis.commands(0) == [["SELECT", "2"]])
        try self.redis.reply(0, "+OK\r\n")
        #expect(second.value != nil)
    }

    @Test func wrongPasswordAtStart() throws {
        let client = self.redis.makeClient(try RESPConfiguration(url: "redis://:hunter2@localhost"))
        let outcome = client.connected().outcome
        _ = try self.redis.commands(0)
        try self.redis.reply(0, "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
        let error = try #require(outcome.error)
        #expect(error.code == .authentication)
        #expect(error.message.contains("redis://:***@localhost:6379"))
        #expect(error.message.contains("refused user or password"))
        #expect(!error.message.contains("hunter2"))
    }

    @Test func silentServerAtStart() throws {
        let client = self.redis.makeClient()
        let outcome = client.connected().outcome
        self.redis.loop.run()
        self.redis.advance(.seconds(5))
        #expect(outcome.error?.message.contains("no answer within 5.0 s") == true)
    }

    @Test func notRedisAtAll() throws {
        let client = self.redis.makeClient()
        let outcome = client.connected().outcome
        self.redis.loop.run()
        try self.redis.reply(0, "HTTP/1.1 400 Bad Request\r\n\r\n")
        #expect(outcome.error?.message.contains("is no Redis") == true)
    }

    @Test func resp2Fallback() throws {
        let client = self.redis.makeClient()
        let outcome = client.connected().outcome
        _ = try self.redis.commands(0)
        try self.redis.reply(0, "-ERR unknown command 'HELLO'\r\n")
        #expect(try self.redis.commands(0) == [["ROLE"]])
        try self.redis.reply(0, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")
        #expect(try self.redis.commands(0) == [["INFO", "cluster"]])
        try self.redis.reply(0, "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n")
        #expect(outcome.value != nil)
        let messages = NIOLockedValueBox<[String]>([])
        let subscription = client.addSubscription(channels: ["c"]) { message in
            messages.withLockedValue { $0.append(String(buffer: message.payload)) }
        }
        let confirmation = subscription.confirmation.outcome
        _ = try self.redis.commands(1)
        try self.redis.reply(1, "-ERR unknown command 'HELLO'\r\n")
        // Nobody has to let us ask.
        try self.redis.reply(1, "-NOPERM no\r\n-ERR unknown command 'INFO'\r\n")
        #expect(try self.redis.commands(1) == [["ROLE"], ["INFO", "cluster"], ["SUBSCRIBE", "c"]])
        try self.redis.reply(1, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
        #expect(confirmation.value != nil)
        try self.redis.reply(1, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n")
        #expect(messages.withLockedValue { $0 } == ["hi"])
        // The keep-alive's answer looks different in RESP2 once something is subscribed.
        self.redis.advance(.seconds(5))
        #expect(try self.redis.commands(1) == [["PING"]])
        #expect(try self.redis.commands(0) == [["ROLE"]])
        try self.redis.reply(1, "*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        try self.redis.reply(0, "-NOPERM no\r\n")
        #expect(client.isReady)
        // Without HELLO there is no other question.
        self.redis.advance(.seconds(5))
        #expect(try self.redis.commands(0) == [["PING"]])
        try self.redis.reply(0, "+PONG\r\n")
        #expect(client.isReady)
    }

    @Test func lostConnectionComesBackRestored() throws {
        let metrics = TestMetrics()
        let client = self.redis.makeClient(metricsFactory: metrics)
        let states = NIOLockedValueBox<[RESPClientState]>([])
        client.onStateChange { state in states.withLockedValue { $0.append(state) } }
        try self.connected(client)
        let messages = NIOLockedValueBox<[String]>([])
        let subscription = try self.subscribed(client, messages)
        #expect(try metrics.expectMeter("redis_up").lastValue == 1)

        let waiting = client.sending(RESPCommand("GET", "x"))
        self.redis.loop.run()
        self.redis.drop(1)
        self.redis.drop(0)
        #expect(waiting.error?.code == .disconnected)
        guard case .disconnected = client.state else {
            Issue.record("state is \(client.state)")
            return
        }
        #expect(try metrics.expectMeter("redis_up").lastValue == 0)
        // Commands fail at once, publishes are kept.
        #expect(client.sending(RESPCommand("GET", "x")).error?.code == .disconnected)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "kept")) == .queued)

        // 50 ms, less up to a half by chance (here none).
        self.redis.advance(.milliseconds(49))
        #expect(self.redis.channels.count == 2)
        self.redis.advance(.milliseconds(1))
        #expect(self.redis.channels.count == 4)
        // The subscriber was lost first and comes back first: commands, then subscriptions.
        let (subscriberIndex, commandsIndex) = (2, 3)
        _ = try self.redis.commands(commandsIndex)
        try self.redis.reply(commandsIndex, FakeRedis.hello)
        #expect(!client.isReady, "subscriptions are not back yet")
        #expect(try self.redis.commands(commandsIndex) == [], "publishes wait for them")
        let numsub = client.sending(RESPCommand("PUBSUB", "NUMSUB", "c"))
        #expect(try self.redis.commands(commandsIndex) == [["PUBSUB", "NUMSUB", "c"]], "commands don't")
        try self.redis.reply(commandsIndex, "*2\r\n+c\r\n:0\r\n")
        #expect(numsub.value != nil)

        _ = try self.redis.commands(subscriberIndex)
        try self.redis.reply(subscriberIndex, FakeRedis.hello)
        #expect(try self.redis.commands(subscriberIndex) == [["PSUBSCRIBE", "p*"], ["SUBSCRIBE", "c"]])
        try self.redis.reply(subscriberIndex, ">3\r\n+psubscribe\r\n+p*\r\n:1\r\n")
        #expect(!client.isReady)
        try self.redis.reply(subscriberIndex, ">3\r\n+subscribe\r\n+c\r\n:2\r\n")
        #expect(client.isReady)
        #expect(try self.redis.commands(commandsIndex) == [["PUBLISH", "c", "kept"]])
        try self.redis.reply(commandsIndex, ":1\r\n")
        try self.redis.reply(subscriberIndex, ">3\r\n+message\r\n+c\r\n$4\r\nkept\r\n")
        #expect(messages.withLockedValue { $0 } == ["kept"])
        #expect(
            states.withLockedValue { $0.map { if case .disconnected = $0 { "disconnected" } else { "\($0)" } } }
                == ["connecting", "ready", "disconnected", "ready"]
        )
        #expect(
            try metrics.expectCounter("redis_connections_lost_total", [("connection", "commands")]).totalValue == 1
        )
        #expect(
            try metrics.expectCounter("redis_connections_lost_total", [("connection", "subscriptions")]).totalValue == 1
        )
        _ = subscription
    }

    @Test func lostSubscriberAloneHoldsNoPublish() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        let subscription = try self.subscribed(client)
        self.redis.drop(1)
        #expect(!client.isReady)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "x")) == .sent)
        #expect(try self.redis.commands(0) == [["PUBLISH", "c", "x"]])
        try self.redis.reply(0, ":0\r\n")
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(2)
        try self.redis.reply(2, FakeRedis.hello)
        _ = try self.redis.commands(2)
        try self.redis.reply(2, ">3\r\n+psubscribe\r\n+p*\r\n:1\r\n>3\r\n+subscribe\r\n+c\r\n:2\r\n")
        #expect(client.isReady)
        _ = subscription
    }

    @Test func refusedRestorationIsRetried() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        let subscription = try self.subscribed(client)
        self.redis.drop(1)
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(2)
        try self.redis.reply(2, FakeRedis.hello)
        try self.redis.reply(2, "-NOPERM this user has no permissions to access one of the channels\r\n")
        #expect(!self.redis.channels[2].isActive)
        #expect(!client.isReady)
        if case .disconnected(let error) = client.state { #expect(error.serverCode == "NOPERM") }
        self.redis.advance(.milliseconds(100))
        #expect(self.redis.channels.count == 4)
        _ = subscription
    }

    @Test func refusedSubscription() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        let subscription = client.addSubscription(channels: ["c"]) { _ in }
        let outcome = subscription.confirmation.outcome
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        _ = try self.redis.commands(1)
        try self.redis.reply(1, "-NOPERM no\r\n")
        #expect(outcome.error?.serverCode == "NOPERM")
        #expect(client.isReady)
    }

    @Test func frozenServerIsNoticedWithinTwoIntervals() throws {
        let metrics = TestMetrics()
        let client = self.redis.makeClient(metricsFactory: metrics)
        try self.connected(client)
        self.redis.advance(.seconds(5))
        #expect(try self.redis.commands(0) == [["ROLE"]])
        let dropped = NIOLockedValueBox(0)
        client.onPublishesDropped { count, _ in dropped.withLockedValue { $0 += count } }
        try client.publish(channel: "c", message: ByteBuffer(string: "into the void"))
        self.redis.advance(.seconds(5))
        #expect(!self.redis.channels[0].isActive)
        // Nobody knows whether Redis got it: that is said, not hidden.
        #expect(dropped.withLockedValue { $0 } == 1)
        #expect(
            try metrics.expectCounter("redis_publishes_dropped_total", [("reason", "unconfirmed")]).totalValue == 1
        )
        #expect(!client.isReady)
    }

    @Test func backoffGrowsAndIsRandom() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        self.redis.randoms = [0.5, 0]
        self.redis.drop(0)
        // 50 ms less a quarter, then 100 ms.
        self.redis.advance(.microseconds(37_500))
        self.redis.connectError = nil
        self.redis.advance(.milliseconds(99))
        #expect(self.redis.channels.count == 1)
        self.redis.advance(.milliseconds(1))
        #expect(self.redis.channels.count == 2)
    }

    @Test func fullQueueIsAnError() throws {
        let metrics = TestMetrics()
        var configuration = RESPConfiguration()
        configuration.queue.maximumCount = 2
        let client = self.redis.makeClient(configuration, metricsFactory: metrics)
        try self.connected(client)
        self.redis.drop(0)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "1")) == .queued)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "2")) == .queued)
        let error = #expect(throws: RESPError.self) {
            try client.publish(channel: "c", message: ByteBuffer(string: "3"))
        }
        #expect(error?.code == .queueFull)
        self.redis.loop.run()
        #expect(try metrics.expectCounter("redis_publishes_dropped_total", [("reason", "queue_full")]).totalValue == 1)
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        #expect(try self.redis.commands(1) == [["PUBLISH", "c", "1"], ["PUBLISH", "c", "2"]])
    }

    @Test func flushWaitsForConfirmation() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        try client.publish(channel: "c", message: ByteBuffer(string: "1"))
        let flushed = client.flushed(timeout: nil).outcome
        #expect(try self.redis.commands(0) == [["PUBLISH", "c", "1"], ["PING"]])
        #expect(flushed.results.isEmpty)
        try self.redis.reply(0, ":0\r\n+PONG\r\n")
        #expect(flushed.value != nil)

        try client.publish(channel: "c", message: ByteBuffer(string: "2"))
        let refused = client.flushed(timeout: nil).outcome
        self.redis.loop.run()
        try self.redis.reply(0, "-NOPERM no\r\n+PONG\r\n")
        #expect(refused.error != nil)

        self.redis.drop(0)
        try client.publish(channel: "c", message: ByteBuffer(string: "3"))
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        let away = client.flushed(timeout: .seconds(1)).outcome
        self.redis.advance(.seconds(1))
        #expect(away.error?.code == .timeout)
    }

    @Test func protocolViolationReconnects() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        try self.redis.reply(0, "+nobody asked\r\n")
        #expect(!self.redis.channels[0].isActive)
        self.redis.advance(.milliseconds(50))
        #expect(self.redis.channels.count == 2)
    }

    @Test func closeSendsWhatIsWaitingAndFailsTheRest() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        try client.publish(channel: "c", message: ByteBuffer(string: "last"))
        let pending = client.sending(RESPCommand("GET", "x"))
        let closed = client.closed().outcome
        #expect(try self.redis.commands(0) == [["PUBLISH", "c", "last"], ["GET", "x"]])
        #expect(closed.results.isEmpty)
        try self.redis.reply(0, ":0\r\n")
        self.redis.advance(.seconds(1))
        #expect(closed.value != nil)
        #expect(pending.error?.code == .closed)
        #expect(client.state == .closed)
        #expect(!self.redis.channels[0].isActive)
        #expect(client.sending(RESPCommand("GET", "x")).error?.code == .closed)
        #expect(throws: RESPError.self) { try client.publish(channel: "c", message: ByteBuffer()) }
        let again = client.connected().outcome
        self.redis.loop.run()
        #expect(again.error?.code == .closed)
    }

    @Test func closeWhileReconnecting() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        self.redis.drop(0)
        let closed = client.closed().outcome
        self.redis.loop.run()
        #expect(closed.value != nil)
        self.redis.advance(.seconds(10))
        #expect(self.redis.channels.count == 1)
    }

    @Test func subscriptionMadeWhileAwayIsMadeLater() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        self.redis.drop(0)
        let subscription = client.addSubscription(channels: ["c"]) { _ in }
        let outcome = subscription.confirmation.outcome
        self.redis.loop.run()
        #expect(outcome.error != nil, "who waits is told at once")
        // The subscriber starts at once, the commands after a pause.
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        #expect(try self.redis.commands(1) == [["SUBSCRIBE", "c"]])
        try self.redis.reply(1, ">3\r\n+subscribe\r\n+c\r\n:1\r\n")
        #expect(!client.isReady)
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(2)
        try self.redis.reply(2, FakeRedis.hello)
        #expect(client.isReady)
    }

    @Test func cancelledSubscriptionIsUnsubscribed() throws {
        let client = self.redis.makeClient()
        try self.connected(client)
        let messages = NIOLockedValueBox<[String]>([])
        let subscription = try self.subscribed(client, messages)
        let cancelled = subscription.onCancel().outcome
        #expect(try self.redis.commands(1) == [["PUNSUBSCRIBE", "p*"], ["UNSUBSCRIBE", "c"]])
        #expect(cancelled.value != nil)
        try self.redis.reply(1, ">3\r\n+message\r\n+c\r\n$4\r\nlate\r\n")
        #expect(messages.withLockedValue { $0 }.isEmpty)
    }
}
