import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import Testing

@testable import RESP

/// The client with a watched link, its Redis played by the test.
@Suite(.timeLimit(.minutes(1)))
struct LinkHealthTests {
    let redis = FakeRedis()

    private func client(
        _ configuration: RESPConfiguration = RESPConfiguration(),
        _ record: LogLines = LogLines(),
        level: Logger.Level = .info
    ) throws -> RESPClient {
        let client = RESPClient(
            configuration: configuration,
            eventLoop: self.redis.loop,
            logger: record.logger(level),
            metricsFactory: NOOPMetricsHandler.instance,
            connector: self.redis.connector,
            random: { 0 }
        )
        _ = client.connected()
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello)
        #expect(client.isReady)
        return client
    }

    /// A client whose probes go to `probe`, on connections 0 and 1, and which counts those who subscribe to `peers`.
    private func watched(_ client: RESPClient, peers: Int) throws -> RESPLinkWatch {
        let watch = client.watchLink(probeChannel: "probe", peerChannel: "peers")
        #expect(try self.redis.commands(1) == [["HELLO", "3"]])
        try self.subscribe(1)
        try self.prove(0, 1, number: 1)
        #expect(try self.redis.commands(0) == [["PUBSUB", "NUMSUB", "peers"]])
        try self.redis.reply(0, "*2\r\n+peers\r\n:\(peers)\r\n")
        return watch
    }

    private func subscribe(_ index: Int) throws {
        try self.redis.reply(index, FakeRedis.hello)
        #expect(try self.redis.commands(index) == [["SUBSCRIBE", "probe"]])
        try self.redis.reply(index, ">3\r\n+subscribe\r\n+probe\r\n:1\r\n")
    }

    private func prove(_ commands: Int, _ subscriber: Int, number: Int) throws {
        self.redis.advance(.zero)
        #expect(try self.redis.commands(commands) == [["PUBLISH", "probe", "\(number)"]])
        try self.redis.reply(commands, ":1\r\n")
        let text = "\(number)"
        try self.redis.reply(subscriber, ">3\r\n+message\r\n+probe\r\n$\(text.utf8.count)\r\n\(text)\r\n")
    }

    /// Answers what the client asks of itself.
    ///
    /// - Returns: The other commands.
    private func serve(_ commands: Int, _ subscriber: Int, peers: Int) throws -> [[String]] {
        var others: [[String]] = []
        for command in try self.redis.commands(commands) {
            if command.first == "PUBSUB" {
                try self.redis.reply(commands, "*2\r\n+peers\r\n:\(peers)\r\n")
            } else if command.starts(with: ["PUBLISH", "probe"]), let number = command.last {
                try self.redis.reply(commands, ":1\r\n")
                try self.redis.reply(
                    subscriber,
                    ">3\r\n+message\r\n+probe\r\n$\(number.utf8.count)\r\n\(number)\r\n"
                )
            } else {
                others.append(command)
            }
        }
        return others
    }

    private func reason(_ client: RESPClient) -> RESPError? {
        if case .disconnected(let error) = client.state { error } else { nil }
    }

    // MARK: Proof

    @Test func aMessageToItselfProvesTheLink() throws {
        let client = try self.client()
        let watch = try self.watched(client, peers: 1)
        self.redis.advance(.seconds(1))
        try self.prove(0, 1, number: 2)
        #expect(client.isReady)
        #expect(client.outageSince == nil)
        watch.cancel()
        #expect(try self.redis.commands(1) == [["UNSUBSCRIBE", "probe"]])
        self.redis.advance(.seconds(3))
        #expect(try self.redis.commands(0) == [])
    }

    /// A paused Redis answers questions, and takes no message.
    @Test func silenceKeepsWhatIsPublished() throws {
        let record = LogLines()
        let client = try self.client(RESPConfiguration(), record)
        let watch = try self.watched(client, peers: 1)
        let provenAt = self.redis.loop.now
        self.redis.advance(.seconds(1))
        #expect(try self.redis.commands(0) == [["PUBLISH", "probe", "2"]])
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "on its way")) == .sent)
        self.redis.advance(.milliseconds(1999))
        #expect(client.isReady)
        self.redis.advance(.milliseconds(1))
        #expect(self.reason(client)?.code == .timeout)
        // Of no use since the last proof, and not since that was noticed.
        #expect(client.outageSince == provenAt)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "kept")) == .queued)
        #expect(try self.redis.commands(0) == [["PUBLISH", "c", "on its way"]])
        // The other connection answers: this one is not given up.
        for _ in 0..<3 {
            self.redis.advance(.seconds(4))
            if try self.redis.commands(1) == [["PING"]] { try self.redis.reply(1, "+PONG\r\n") }
        }
        #expect(self.redis.channels.count == 2)
        _ = try self.redis.commands(0)
        // It goes on: the probe, what was on its way, the question of the keep-alive and the count before it.
        try self.redis.reply(0, ":1\r\n:3\r\n*2\r\n+peers\r\n:1\r\n*3\r\n+master\r\n:0\r\n*0\r\n")
        #expect(!client.isReady)
        try self.redis.reply(1, ">3\r\n+message\r\n+probe\r\n$1\r\n2\r\n")
        #expect(client.isReady)
        #expect(try self.redis.commands(0).contains(["PUBLISH", "c", "kept"]))
        let lines = record.all
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("warning Redis is out of reach") == true)
        #expect(lines.last?.hasPrefix("notice Redis is back") == true)
        #expect(lines.last?.contains("publishes.dropped=0 publishes.kept=1") == true)
        watch.cancel()
    }

    @Test func lostRightToPublish() throws {
        let client = try self.client()
        let watch = try self.watched(client, peers: 1)
        self.redis.advance(.seconds(1))
        _ = try self.redis.commands(0)
        try self.redis.reply(0, "-NOPERM this user has no permissions to run the 'publish' command\r\n")
        #expect(self.reason(client)?.serverCode == "NOPERM")
        // Granted again.
        self.redis.advance(.milliseconds(250))
        try self.prove(0, 1, number: 3)
        #expect(client.isReady)
        watch.cancel()
    }

    @Test func startWithoutProofFails() throws {
        let client = try self.client()
        let watch = client.watchLink(probeChannel: "probe", peerChannel: "peers")
        let failure = NIOLockedValueBox<RESPError?>(nil)
        watch.proof.whenFailure { error in failure.withLockedValue { $0 = error as? RESPError } }
        _ = try self.redis.commands(1)
        try self.subscribe(1)
        self.redis.advance(.zero)
        _ = try self.redis.commands(0)
        try self.redis.reply(0, "-NOPERM no\r\n")
        #expect(failure.withLockedValue { $0 }?.serverCode == "NOPERM")
        watch.cancel()
    }

    // MARK: Roles

    @Test(arguments: ["*5\r\n+slave\r\n+10.0.0.7\r\n:6379\r\n+connected\r\n:1\r\n", "-READONLY You can't write.\r\n"])
    func demotedRedisIsLeft(_ reply: String) throws {
        let client = try self.client()
        let isRole = reply.hasPrefix("*")
        if isRole {
            self.redis.advance(.seconds(5))
            #expect(try self.redis.commands(0) == [["ROLE"]])
        } else {
            client.send(RESPCommand("SET", "a", "b")) { _ in }
            _ = try self.redis.commands(0)
        }
        try self.redis.reply(0, reply)
        #expect(!self.redis.channels[0].isActive)
        if isRole { #expect(self.reason(client)?.message.contains("replica of 10.0.0.7:6379") == true) }
        // And not taken again before it is a primary.
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(1)
        try self.redis.reply(1, "%2\r\n+mode\r\n+standalone\r\n+role\r\n+replica\r\n")
        #expect(self.reason(client)?.code == .unsuitable)
        self.redis.advance(.milliseconds(100))
        _ = try self.redis.commands(2)
        try self.redis.reply(2, FakeRedis.hello)
        #expect(client.isReady)
    }

    /// A busy connection is asked as often as an idle one.
    @Test func busyConnectionIsAsked() throws {
        let client = try self.client()
        for _ in 0..<10 {
            self.redis.advance(.milliseconds(500))
            client.send(RESPCommand("GET", "x")) { _ in }
            let commands = try self.redis.commands(0)
            if commands.contains(["ROLE"]) {
                try self.redis.reply(0, "*5\r\n+slave\r\n+h\r\n:1\r\n+connected\r\n:1\r\n")
                break
            }
            try self.redis.reply(0, "$-1\r\n")
        }
        #expect(self.reason(client)?.code == .unsuitable)
    }

    // MARK: Not executed

    @Test(arguments: ["BUSY", "LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN"])
    func whatIsNotExecutedIsKept(_ code: String) throws {
        let client = try self.client()
        for text in ["1", "2", "3"] { try client.publish(channel: "c", message: ByteBuffer(string: text)) }
        let dropped = NIOLockedValueBox(0)
        client.onPublishesDropped { count, _ in dropped.withLockedValue { $0 += count } }
        _ = try self.redis.commands(0)
        try self.redis.reply(0, ":1\r\n-\(code) no\r\n")
        #expect(self.reason(client)?.serverCode == code)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "4")) == .queued)
        try self.redis.reply(0, "-\(code) no\r\n")
        self.redis.advance(.milliseconds(250))
        #expect(try self.redis.commands(0) == [["PING"]])
        try self.redis.reply(0, "-\(code) no\r\n")
        self.redis.advance(.milliseconds(250))
        #expect(try self.redis.commands(0) == [["PING"]])
        try self.redis.reply(0, "+PONG\r\n")
        #expect(client.isReady)
        // In the order in which they were published.
        #expect(try self.redis.commands(0) == ["2", "3", "4"].map { ["PUBLISH", "c", $0] })
        #expect(dropped.withLockedValue { $0 } == 0)
    }

    // MARK: Outcomes

    private func publishing(
        _ client: RESPClient,
        _ texts: String...,
        keeps: Bool = true
    ) -> NIOLockedValueBox<[RESPPublishOutcome]> {
        let outcomes = NIOLockedValueBox<[RESPPublishOutcome]>([])
        client.publish(
            texts.map { (channel: "c", message: ByteBuffer(string: $0)) },
            keeps: keeps,
            timeout: .seconds(2)
        ) { outcome in outcomes.withLockedValue { $0.append(outcome) } }
        return outcomes
    }

    @Test func outcomeIsWhatRedisSays() throws {
        let client = try self.client()
        let published = self.publishing(client, "1", "2")
        let refused = self.publishing(client, "3", "4")
        let busy = self.publishing(client, "5")
        let refusing = self.publishing(client, "6", keeps: false)
        #expect(try self.redis.commands(0).count == 6)
        try self.redis.reply(0, ":1\r\n")
        #expect(published.withLockedValue { $0 } == [])
        try self.redis.reply(0, ":0\r\n:0\r\n-NOPERM no\r\n")
        #expect(published.withLockedValue { $0 } == [.published])
        #expect(refused.withLockedValue { $0 } == [.refused(RESPError(reply: "NOPERM no"))])
        try self.redis.reply(0, "-BUSY no\r\n-BUSY no\r\n")
        #expect(busy.withLockedValue { $0 } == [.queued])
        #expect(refusing.withLockedValue { $0 } == [.refused(RESPError(reply: "BUSY no"))])
        self.redis.advance(.milliseconds(250))
        _ = try self.redis.commands(0)
        try self.redis.reply(0, "+PONG\r\n")
        #expect(try self.redis.commands(0) == [["PUBLISH", "c", "5"]])
    }

    @Test func outcomeWhileRedisIsSilentOrAway() throws {
        let client = try self.client()
        let silent = self.publishing(client, "1")
        let hasty = self.publishing(client, "2", keeps: false)
        self.redis.loop.run()
        self.redis.advance(.seconds(2))
        #expect(silent.withLockedValue { $0 } == [.queued])
        guard case .unconfirmed? = hasty.withLockedValue({ $0.first }) else {
            Issue.record("nobody knows whether Redis has it")
            return
        }
        let lost = self.publishing(client, "3")
        self.redis.loop.run()
        self.redis.drop(0)
        guard case .unconfirmed? = lost.withLockedValue({ $0.first }) else {
            Issue.record("nobody knows whether Redis has it")
            return
        }
        #expect(self.publishing(client, "4").withLockedValue { $0 } == [.queued])
        guard case .refused(let error)? = self.publishing(client, "5", keeps: false).withLockedValue({ $0.first })
        else {
            Issue.record("not refused")
            return
        }
        #expect(error.code == .disconnected)
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        #expect(try self.redis.commands(1) == [["PUBLISH", "c", "4"]])
    }

    // MARK: Others

    @Test(arguments: [true, false])
    func keptMessagesWaitForTheOthers(areBack: Bool) throws {
        let record = LogLines()
        let client = try self.client(RESPConfiguration(), record)
        let watch = try self.watched(client, peers: 3)
        self.redis.drop(0)
        self.redis.drop(1)
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "kept")) == .queued)
        self.redis.advance(.milliseconds(50))
        let (commands, subscriber) = (2, 3)
        _ = try self.redis.commands(commands)
        try self.redis.reply(commands, FakeRedis.hello)
        _ = try self.redis.commands(subscriber)
        try self.subscribe(subscriber)
        #expect(!client.isReady)
        try self.prove(commands, subscriber, number: 2)
        #expect(client.isReady)
        self.redis.advance(.zero)
        #expect(try self.redis.commands(commands) == [["PUBSUB", "NUMSUB", "peers"]])
        try self.redis.reply(commands, "*2\r\n+peers\r\n:1\r\n")
        #expect(try client.publish(channel: "c", message: ByteBuffer(string: "later")) == .queued)
        self.redis.advance(.milliseconds(100))
        #expect(try self.redis.commands(commands) == [["PUBSUB", "NUMSUB", "peers"]])
        if areBack {
            try self.redis.reply(commands, "*2\r\n+peers\r\n:3\r\n")
            #expect(try self.redis.commands(commands) == [["PUBLISH", "c", "kept"], ["PUBLISH", "c", "later"]])
        } else {
            try self.redis.reply(commands, "*2\r\n+peers\r\n:1\r\n")
            var sent: [[String]] = []
            for _ in 0..<31 where sent.isEmpty {
                self.redis.advance(.milliseconds(100))
                sent = try self.serve(commands, subscriber, peers: 1)
            }
            #expect(sent == [["PUBLISH", "c", "kept"], ["PUBLISH", "c", "later"]])
        }
        let end = try #require(record.all.last)
        #expect(end.hasPrefix("notice Redis is back"))
        #expect(end.contains("peers.missing=2") == !areBack)
        #expect(end.contains("publishes.kept=2"))
        watch.cancel()
    }

    // MARK: Telling

    /// Who is cut off because he reads too slowly has not got what was published before the cut, either.
    @Test func whatIsMissedBeginsWithTheLastProof() throws {
        let record = LogLines()
        let client = try self.client(RESPConfiguration(), record)
        let watch = try self.watched(client, peers: 1)
        self.redis.advance(.milliseconds(700))
        self.redis.drop(1)
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(2)
        try self.subscribe(2)
        try self.prove(0, 2, number: 2)
        #expect(client.isReady)
        let end = try #require(record.all.last)
        #expect(end.contains("outage.seconds=0.0"), "\(end)")
        #expect(end.contains("what others published in the last 0.8 s may not have arrived"), "\(end)")
        watch.cancel()
    }

    @Test func anOutageHasTwoLines() throws {
        let record = LogLines()
        let client = try self.client(RESPConfiguration(), record)
        try client.publish(channel: "c", message: ByteBuffer(string: "in flight"))
        self.redis.loop.run()
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        self.redis.drop(0)
        for _ in 0..<20 { self.redis.advance(.milliseconds(500)) }
        // Words of Redis, for the first time.
        self.redis.connectError = nil
        for _ in 0..<2 {
            self.redis.advance(.seconds(2))
            let index = self.redis.channels.count - 1
            _ = try self.redis.commands(index)
            try self.redis.reply(index, "-ERR max number of clients reached\r\n")
        }
        #expect(self.reason(client)?.message == "ERR max number of clients reached")
        self.redis.advance(.seconds(2))
        let index = self.redis.channels.count - 1
        _ = try self.redis.commands(index)
        try self.redis.reply(index, FakeRedis.hello)
        let lines = record.all
        #expect(lines.count == 3, "\(lines)")
        #expect(
            lines.first
                == "warning Redis is out of reach; what is published is kept for it error=Redis closed the connection"
        )
        #expect(lines.dropFirst().first == "info Redis is still out of reach error=ERR max number of clients reached")
        #expect(lines.last?.contains("outage.seconds=1") == true)
        #expect(lines.last?.contains("publishes.dropped=1") == true)
        #expect(lines.last?.contains("publishes.dropped.reasons=unconfirmed: 1") == true)
    }

    @Test func whatIsKeptForTooLongIsDropped() throws {
        var configuration = RESPConfiguration()
        configuration.queue.maximumAge = .seconds(10)
        let record = LogLines()
        let client = try self.client(configuration, record)
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        self.redis.drop(0)
        self.redis.advance(.seconds(3))
        try client.publish(channel: "c", message: ByteBuffer(string: "old"))
        self.redis.advance(.seconds(5))
        try client.publish(channel: "c", message: ByteBuffer(string: "young"))
        let dropped = NIOLockedValueBox(0)
        client.onPublishesDropped { count, _ in dropped.withLockedValue { $0 += count } }
        self.redis.advance(.milliseconds(4900))
        #expect(dropped.withLockedValue { $0 } == 0)
        self.redis.advance(.milliseconds(100))
        #expect(dropped.withLockedValue { $0 } == 1)
        self.redis.connectError = nil
        self.redis.advance(.seconds(2))
        let index = self.redis.channels.count - 1
        _ = try self.redis.commands(index)
        try self.redis.reply(index, FakeRedis.hello)
        #expect(try self.redis.commands(index) == [["PUBLISH", "c", "young"]])
        #expect(record.all.last?.contains("publishes.dropped.reasons=expired: 1") == true)
        // The outage has begun with the word that things are kept, so this does not wait for its end.
        #expect(record.all.dropLast().last?.hasPrefix("info Dropped publishes count=1 ") == true)
    }
}
