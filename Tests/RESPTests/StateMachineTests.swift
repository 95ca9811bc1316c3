import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import RESP

private func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }
private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .milliseconds(milliseconds) }
/// The answer to `HELLO 3`.
private func hello(mode: String = "standalone", role: String = "master") -> RESPValue {
    .map([
        RESPMapEntry(key: bulk("mode"), value: bulk(mode)), RESPMapEntry(key: bulk("role"), value: bulk(role)),
    ])
}
private func push(_ texts: String..., count: Int? = nil) -> RESPValue {
    .push(texts.map(bulk) + (count.map { [.integer($0)] } ?? []))
}

@Suite(.timeLimit(.minutes(1)))
struct RESPHandshakeTests {
    private func handshake(
        user: String? = nil,
        password: String? = nil,
        database: Int = 0,
        name: String? = nil,
        resp3: Bool = true
    ) -> RESPHandshake {
        var configuration = RESPConfiguration(database: database)
        configuration.username = user
        configuration.password = password
        configuration.clientName = name
        configuration.prefersRESP3 = resp3
        return RESPHandshake(configuration: configuration, selectsDatabase: true)
    }

    @Test func resp3() {
        var handshake = self.handshake(user: "u", password: "p", database: 2, name: "n")
        #expect(handshake.start() == .send(["HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"]))
        #expect(handshake.received(hello()) == .send(["SELECT", "2"]))
        #expect(handshake.received(.simpleString("OK")) == .done)
        #expect(handshake.protocolVersion == 3)
    }

    @Test(arguments: ["ERR unknown command `HELLO`", "NOPROTO unsupported protocol version", "NOPERM no permission"])
    func fallsBackToRESP2(_ reply: String) {
        var handshake = self.handshake(user: "u", password: "p", database: 2, name: "n")
        _ = handshake.start()
        #expect(handshake.received(.error(RESPError(reply: reply))) == .send(["AUTH", "u", "p"]))
        #expect(handshake.received(.simpleString("OK")) == .send(["CLIENT", "SETNAME", "n"]))
        #expect(handshake.received(.error(RESPError(reply: "NOPERM"))) == .send(["ROLE"]))
        #expect(handshake.received(.error(RESPError(reply: "NOPERM"))) == .send(["INFO", "cluster"]))
        #expect(handshake.received(.error(RESPError(reply: "NOPERM"))) == .send(["SELECT", "2"]))
        #expect(handshake.received(.simpleString("OK")) == .done)
        #expect(handshake.protocolVersion == 2)
    }

    @Test func passwordOfTheDefaultUser() {
        var handshake = self.handshake(password: "p")
        #expect(handshake.start() == .send(["HELLO", "3", "AUTH", "default", "p"]))
        #expect(handshake.received(.error(RESPError(reply: "ERR unknown command"))) == .send(["AUTH", "p"]))
        #expect(handshake.received(.simpleString("OK")) == .send(["ROLE"]))
        #expect(handshake.received(.array([bulk("master"), .integer(0), .array([])])) == .send(["INFO", "cluster"]))
        #expect(handshake.received(bulk("# Cluster\r\ncluster_enabled:0\r\n")) == .done)
    }

    /// Also who has no password to show asks something: or what Redis says to everybody would be heard too late.
    @Test func somethingIsAlwaysAsked() {
        var handshake = self.handshake(resp3: false)
        #expect(handshake.start() == .send(["ROLE"]))
        #expect(
            handshake.received(.error(RESPError(reply: "NOAUTH Authentication required.")))
                == .fail(
                    RESPError(code: .authentication, message: "NOAUTH Authentication required.", serverCode: "NOAUTH")
                )
        )
    }

    /// A HELLO that does not tell the role is no reason to believe anything.
    @Test func roleThatHELLODoesNotTellIsAsked() {
        var handshake = self.handshake()
        _ = handshake.start()
        #expect(handshake.received(.map([])) == .send(["ROLE"]))
        let replica = RESPValue.array([bulk("slave"), bulk("10.0.0.7"), .integer(6379), bulk("connected"), .integer(1)])
        guard case .fail(let error) = handshake.received(replica) else {
            Issue.record("a replica was taken for a primary")
            return
        }
        #expect(error.code == .unsuitable)
        #expect(error.message.contains("replica of 10.0.0.7:6379"))
    }

    @Test(arguments: [
        (hello(role: "replica"), "a replica"), (hello(role: "slave"), "a replica"),
        (hello(mode: "cluster"), "one node of a Redis Cluster"),
        (hello(mode: "sentinel", role: "master"), "a Sentinel"),
    ])
    func unsuitable(_ reply: RESPValue, _ words: String) {
        var handshake = self.handshake(user: "u", password: "p")
        _ = handshake.start()
        guard case .fail(let error) = handshake.received(reply) else {
            Issue.record("\(words) was accepted")
            return
        }
        #expect(error.code == .unsuitable)
        #expect(error.message.contains(words))
    }

    @Test func clusterNodeOfAnOldProtocol() {
        var handshake = self.handshake(resp3: false)
        _ = handshake.start()
        _ = handshake.received(.array([bulk("master"), .integer(0), .array([])]))
        guard case .fail(let error) = handshake.received(bulk("# Cluster\r\ncluster_enabled:1\r\n")) else {
            Issue.record("a node of a cluster was accepted")
            return
        }
        #expect(error.code == .unsuitable)
    }

    /// Words that come instead of an answer, whatever was asked.
    @Test(arguments: [
        "ERR max number of clients reached", "ERR max number of clients + cluster connections reached",
        "DENIED Redis is running in protected mode because protected mode is enabled.",
        "LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script.",
        "MASTERDOWN Link with MASTER is down",
    ])
    func wordsInsteadOfAnAnswer(_ words: String) {
        for answers in 0..<3 {
            var handshake = self.handshake(resp3: false)
            _ = handshake.start()
            for _ in 0..<min(answers, 1) { _ = handshake.received(.array([bulk("master")])) }
            guard case .fail(let error) = handshake.received(.error(RESPError(reply: words))) else {
                Issue.record("\(words) was taken for an answer")
                return
            }
            #expect(error.code == .connect)
            #expect(error.message == words)
        }
    }

    @Test func refused() {
        for (reply, code) in [("WRONGPASS invalid", "WRONGPASS"), ("NOAUTH HELLO must be", "NOAUTH")] {
            var handshake = self.handshake(password: "p")
            _ = handshake.start()
            #expect(
                handshake.received(.error(RESPError(reply: reply)))
                    == .fail(RESPError(code: .authentication, message: reply, serverCode: code))
            )
        }
        var old = self.handshake(password: "p", resp3: false)
        _ = old.start()
        #expect(
            old.received(.error(RESPError(reply: "ERR invalid password")))
                == .fail(RESPError(code: .authentication, message: "ERR invalid password", serverCode: "ERR"))
        )
        var wrongDatabase = self.handshake(database: 99)
        _ = wrongDatabase.start()
        _ = wrongDatabase.received(hello())
        #expect(
            wrongDatabase.received(.error(RESPError(reply: "ERR DB index is out of range")))
                == .fail(
                    RESPError(
                        code: .connect,
                        message: "selecting database 99: ERR DB index is out of range",
                        serverCode: "ERR"
                    )
                )
        )
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ConnectionLifecycleTests {
    private func lifecycle(retriesFirstAttempt: Bool = false) -> ConnectionLifecycle {
        var configuration = RESPConfiguration()
        configuration.connectTimeout = .seconds(2)
        configuration.keepAliveInterval = .seconds(1)
        configuration.backoff.maximum = .seconds(2)
        return ConnectionLifecycle(
            configuration: configuration,
            selectsDatabase: false,
            retriesFirstAttempt: retriesFirstAttempt
        )
    }

    private func ready(at start: Int64 = 0) -> ConnectionLifecycle {
        var lifecycle = self.lifecycle()
        #expect(lifecycle.start(at: at(start)) == .connect)
        #expect(lifecycle.connected(at: at(start)) == .send(["HELLO", "3"]))
        #expect(lifecycle.handshakeReply(hello()) == .restore(protocolVersion: 3))
        #expect(!lifecycle.isReady)
        #expect(lifecycle.restored(at: at(start)) == true)
        #expect(lifecycle.isReady)
        return lifecycle
    }

    private let lost = RESPError(code: .disconnected, message: "lost")

    @Test func firstAttemptIsNotRetried() {
        var lifecycle = self.lifecycle()
        #expect(lifecycle.start(at: at(0)) == .connect)
        #expect(lifecycle.start(at: at(0)) == .none)
        #expect(lifecycle.closed(self.lost, at: at(1)) == .giveUp(self.lost))
        #expect(lifecycle.isIdle)
        #expect(lifecycle.start(at: at(2)) == .connect)
    }

    @Test func subscriberRetriesItsFirstAttempt() {
        var lifecycle = self.lifecycle(retriesFirstAttempt: true)
        _ = lifecycle.start(at: at(0))
        #expect(lifecycle.closed(self.lost, at: at(1)) == .reconnect(attempt: 0, self.lost))
        #expect(lifecycle.start(at: at(2)) == .connect)
        #expect(lifecycle.closed(self.lost, at: at(3)) == .reconnect(attempt: 1, self.lost))
    }

    @Test func silentHandshakeTimesOut() {
        var lifecycle = self.lifecycle()
        _ = lifecycle.start(at: at(0))
        _ = lifecycle.connected(at: at(10))
        #expect(lifecycle.wakeAt == at(2000))
        #expect(lifecycle.timerFired(at: at(1999)) == .none)
        #expect(lifecycle.timerFired(at: at(2000)) == .close)
        // What the timer found is the reason, not the close that follows.
        #expect(
            lifecycle.closed(self.lost, at: at(2001))
                == .giveUp(RESPError(code: .connect, message: "no answer within 2.0 s"))
        )
    }

    @Test func refusedCredentialsCloseTheConnection() {
        var lifecycle = self.lifecycle()
        _ = lifecycle.start(at: at(0))
        _ = lifecycle.connected(at: at(0))
        #expect(lifecycle.isHandshaking)
        #expect(lifecycle.handshakeReply(.error(RESPError(reply: "NOAUTH x"))) == .close)
        #expect(
            lifecycle.closed(self.lost, at: at(1))
                == .giveUp(RESPError(code: .authentication, message: "NOAUTH x", serverCode: "NOAUTH"))
        )
    }

    @Test func deadPeerIsNoticedWithinTwoIntervals() {
        var lifecycle = self.ready()
        #expect(lifecycle.wakeAt == at(1000))
        lifecycle.heard(at: at(500))
        // A busy connection is asked, too: what answers may have become something else.
        #expect(lifecycle.wakeAt == at(1000))
        #expect(lifecycle.timerFired(at: at(1000)) == .ask)
        lifecycle.heard(at: at(1100))
        #expect(lifecycle.timerFired(at: at(1999)) == .none)
        #expect(lifecycle.timerFired(at: at(2000)) == .ask)
        #expect(lifecycle.wakeAt == at(3100))
        #expect(lifecycle.timerFired(at: at(3100)) == .close)
        #expect(
            lifecycle.closed(self.lost, at: at(3100))
                == .reconnect(
                    attempt: 0,
                    RESPError(code: .disconnected, message: "silent for 2.0 s, a question was not answered")
                )
        )
    }

    /// A process that was frozen heard nothing because it did not listen.
    @Test(arguments: [Int64(500), 1500])
    func frozenProcessReadsBeforeItJudges(_ frozenAt: Int64) {
        var lifecycle = self.ready()
        let isAsked = frozenAt >= 1000
        if isAsked { #expect(lifecycle.timerFired(at: at(1000)) == .ask) }
        // It wakes 20 s later, and its timers fire before it has read anything.
        #expect(lifecycle.timerFired(at: at(21_000)) == (isAsked ? .none : .ask))
        #expect(lifecycle.wakeAt == at(22_000))
        var deaf = lifecycle
        lifecycle.heard(at: at(21_001))
        #expect(lifecycle.timerFired(at: at(22_000)) == .ask)
        #expect(lifecycle.isReady)
        // Nothing had come: then Redis is gone.
        #expect(deaf.timerFired(at: at(22_000)) == .close)
    }

    /// A paused Redis answers elsewhere: that is believed for a while.
    @Test func silenceIsExcusedForAWhile() {
        var lifecycle = self.ready()
        #expect(lifecycle.timerFired(at: at(1000), isExcused: true) == .ask)
        for second in 2...5 {
            #expect(lifecycle.wakeAt == at(Int64(second) * 1000))
            #expect(lifecycle.timerFired(at: at(Int64(second) * 1000), isExcused: true) == .none)
            #expect(lifecycle.isReady)
        }
        #expect(lifecycle.timerFired(at: at(6000), isExcused: true) == .close)
        var other = self.ready()
        _ = other.timerFired(at: at(1000))
        #expect(other.timerFired(at: at(2000), isExcused: true) == .none)
        #expect(other.timerFired(at: at(3000)) == .close)
    }

    /// Redis may say why before it closes the connection, and to another question than we asked.
    @Test func wordsOfRedisAreTheReason() {
        for reply in ["ERR something new", "NOPROTO unsupported protocol version"] {
            var lifecycle = self.lifecycle()
            _ = lifecycle.start(at: at(0))
            _ = lifecycle.connected(at: at(0))
            #expect(lifecycle.handshakeReply(.error(RESPError(reply: reply))) == .send(["ROLE"]))
            #expect(lifecycle.closed(self.lost, at: at(1)) == .giveUp(RESPError(reply: reply)))
        }
    }

    @Test func failuresCountUntilTheConnectionHasHeldForAWhile() {
        var lifecycle = self.ready()
        #expect(lifecycle.closed(self.lost, at: at(100)) == .reconnect(attempt: 0, self.lost))
        for attempt in 1...3 {
            _ = lifecycle.start(at: at(200))
            #expect(lifecycle.closed(self.lost, at: at(200)) == .reconnect(attempt: attempt, self.lost))
        }
        _ = lifecycle.start(at: at(300))
        _ = lifecycle.connected(at: at(300))
        _ = lifecycle.handshakeReply(hello())
        _ = lifecycle.restored(at: at(300))
        // Dropped at once: no fast retries in a loop.
        #expect(lifecycle.closed(self.lost, at: at(310)) == .reconnect(attempt: 4, self.lost))
        _ = lifecycle.start(at: at(400))
        _ = lifecycle.connected(at: at(400))
        _ = lifecycle.handshakeReply(hello())
        _ = lifecycle.restored(at: at(400))
        #expect(lifecycle.closed(self.lost, at: at(2400)) == .reconnect(attempt: 0, self.lost))
    }

    @Test func closedForGood() {
        var lifecycle = self.ready()
        lifecycle.close()
        #expect(lifecycle.closed(self.lost, at: at(1)) == .none)
        #expect(lifecycle.start(at: at(1)) == .none)
        #expect(lifecycle.wakeAt == .distantFuture)
        #expect(lifecycle.timerFired(at: at(99999)) == .none)
    }

    @Test func connectedAfterGivingUpIsClosed() {
        var lifecycle = self.lifecycle()
        _ = lifecycle.start(at: at(0))
        #expect(lifecycle.timerFired(at: at(2000)) == .close)
        #expect(lifecycle.connected(at: at(2001)) == .close)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct CommandPipelineTests {
    private func describe(_ event: CommandPipeline<Int>.Event) -> String {
        switch event {
        case .reply(let token, let value): "\(token): \(value.integerValue ?? -1)"
        case .published(let bytes, let token): "published \(bytes)\(token.map { " \($0)" } ?? "")"
        case .refused(let bytes, let error, let token):
            "refused \(String(buffer: bytes)) \(error.message)\(token.map { " \($0)" } ?? "")"
        case .executed(let bytes, let token, _): "executed \(bytes) \(token)"
        case .keptRefused(let bytes, let resends, let error, let token):
            "refused \(String(buffer: bytes)) \(error.message) \(token) \(resends)"
        case .answered(let value): "answered \(value.stringValue ?? "")"
        case .probed(let number, let value): "probed \(number) \(value.integerValue ?? -1)"
        case .counted(let number, let value): "counted \(number) \(value.integerValue ?? -1)"
        case .none: "none"
        case .violation: "violation"
        }
    }

    @Test func repliesInOrder() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100), bytes: 3)
        pipeline.sentPublish(bytes: 7)
        pipeline.sentQuestion()
        pipeline.sent(2, deadline: at(50), bytes: 3)
        pipeline.sentProbe(8)
        pipeline.sentCount(9)
        #expect(pipeline.wakeAt == at(50))
        #expect(self.describe(pipeline.received(.integer(10))) == "1: 10")
        #expect(self.describe(pipeline.received(.push([]))) == "none")
        #expect(self.describe(pipeline.received(.integer(3))) == "published 7")
        #expect(self.describe(pipeline.received(.simpleString("PONG"))) == "answered PONG")
        #expect(self.describe(pipeline.received(.integer(20))) == "2: 20")
        #expect(self.describe(pipeline.received(.integer(1))) == "probed 8 1")
        #expect(self.describe(pipeline.received(.integer(2))) == "counted 9 2")
        #expect(self.describe(pipeline.received(.integer(20))) == "violation")
    }

    @Test func expiredCommandKeepsItsPlace() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100), bytes: 1)
        pipeline.sent(2, deadline: at(300), bytes: 1)
        pipeline.sentPublish(3, deadline: at(100), bytes: 1)
        #expect(pipeline.expire(at: at(99)) == [])
        #expect(pipeline.expire(at: at(100)) == [1, 3])
        #expect(pipeline.wakeAt == at(300))
        #expect(self.describe(pipeline.received(.integer(1))) == "none")
        #expect(self.describe(pipeline.received(.integer(2))) == "2: 2")
        // Nobody waits any more, but the books want to know.
        #expect(self.describe(pipeline.received(.integer(3))) == "published 1")
    }

    @Test func whatIsLost() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100), bytes: 1)
        pipeline.sentPublish(bytes: 5)
        pipeline.sentPublish(2, deadline: at(100), bytes: 6)
        pipeline.sentQuestion()
        let lost = pipeline.disconnected()
        #expect(lost.tokens == [1, 2])
        #expect(lost.publishes == 2)
        #expect(lost.publishedBytes == 11)
        #expect(pipeline.count == 0)
        #expect(pipeline.wakeAt == .distantFuture)
    }

    /// The bytes of each publish are at hand when it comes back, whatever was answered before in which piece.
    @Test func refusedPublishesHaveTheirBytes() {
        var pipeline = CommandPipeline<Int>()
        pipeline.wrote(ByteBuffer(string: "getONEget"))
        pipeline.sent(1, deadline: at(100), bytes: 3)
        pipeline.sentPublish(bytes: 3)
        pipeline.sent(2, deadline: at(10), bytes: 3)
        pipeline.sentProbe(1)
        pipeline.wrote(ByteBuffer(string: "TWOthree"))
        pipeline.sentPublish(7, deadline: at(100), bytes: 3)
        pipeline.sentPublish(bytes: 5)
        _ = pipeline.expire(at: at(10))
        let busy = RESPValue.error(RESPError(reply: "BUSY no"))
        #expect(self.describe(pipeline.received(.integer(1))) == "1: 1")
        #expect(self.describe(pipeline.received(busy)) == "refused ONE BUSY no")
        #expect(self.describe(pipeline.received(.integer(1))) == "none")
        #expect(self.describe(pipeline.received(busy)) == "probed 1 -1")
        #expect(self.describe(pipeline.received(busy)) == "refused TWO BUSY no 7")
        #expect(self.describe(pipeline.received(busy)) == "refused three BUSY no")
    }

    /// What Redis says unasked is the reason.
    @Test func unaskedErrorIsTheReason() {
        var pipeline = CommandPipeline<Int>()
        guard case .violation(let error) = pipeline.received(.error(RESPError(reply: "ERR max number of clients")))
        else {
            Issue.record("no violation")
            return
        }
        #expect(error.message == "ERR max number of clients")
    }
}

@Suite(.timeLimit(.minutes(1)))
struct SubscriptionTableTests {
    private func describe(_ event: SubscriptionTable<String>.Event) -> String {
        switch event {
        case .none: "none"
        case .message(let handlers, let message):
            "\(handlers) \(String(buffer: message.channel)) \(String(buffer: message.payload))"
        case .unusable: "unusable"
        case .confirmed(let id): "confirmed \(id)"
        case .refused(let id, let error): "refused \(id) \(error.serverCode ?? "")"
        case .violation: "violation"
        default: "\(event)"
        }
    }

    @Test func confirmationsAndMessages() {
        var table = SubscriptionTable<String>()
        let commands = table.add(1, patterns: ["p*"], channels: ["a", "b"], handler: "one", isConnected: true)
        #expect(commands == [["PSUBSCRIBE", "p*"], ["SUBSCRIBE", "a", "b"]])
        #expect(!table.isRestored)
        #expect(self.describe(table.received(push("psubscribe", "p*", count: 1))) == "none")
        // A message may come before the confirmation of its neighbour.
        #expect(self.describe(table.received(push("pmessage", "p*", "px", "hi"))) == #"["one"] px hi"#)
        #expect(self.describe(table.received(push("subscribe", "a", count: 2))) == "none")
        #expect(self.describe(table.received(push("subscribe", "b", count: 3))) == "confirmed 1")
        #expect(table.isRestored)
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["one"] a x"#)
        #expect(self.describe(table.received(push("message", "unknown", "x"))) == "none")
        #expect(self.describe(table.received(push("invalidate", "x"))) == "none")
    }

    @Test func sharedNamesAreUnsubscribedByTheLast() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: [], channels: ["a", "b"], handler: "one", isConnected: true)
        _ = table.add(2, patterns: [], channels: ["a"], handler: "two", isConnected: true)
        for _ in 0..<3 { _ = table.received(push("subscribe", "a", count: 1)) }
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["one", "two"] a x"#)
        #expect(table.remove(1, isConnected: true) == [["UNSUBSCRIBE", "b"]])
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["two"] a x"#)
        #expect(table.remove(2, isConnected: true) == [["UNSUBSCRIBE", "a"]])
        #expect(self.describe(table.received(push("unsubscribe", "b", count: 1))) == "none")
        #expect(self.describe(table.received(push("unsubscribe", "a", count: 0))) == "none")
        #expect(table.isEmpty)
    }

    @Test func sharedNamesStayUntilTheLastLeavesInAnyOrder() {
        var table = SubscriptionTable<String>()
        _ = table.add(7, patterns: ["p*"], channels: ["a", "a"], handler: "one", isConnected: false)
        _ = table.add(3, patterns: ["p*"], channels: ["a"], handler: "two", isConnected: false)
        // Not in the order of the ids.
        #expect(table.restore().map(\.count) == [2, 3, 2, 2])
        #expect(table.remove(3, isConnected: true) == [])
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["one", "one"] a x"#)
        #expect(table.remove(7, isConnected: true) == [["PUNSUBSCRIBE", "p*"], ["UNSUBSCRIBE", "a", "a"]])
        #expect(table.remove(7, isConnected: true) == [])
        #expect(self.describe(table.received(push("message", "a", "x"))) == "none")
        #expect(table.isRestored)
        #expect(table.isEmpty)
    }

    /// Who leaves unconfirmed is not waited for.
    @Test func thoseWhoLeaveAreNotRestored() {
        var table = SubscriptionTable<String>()
        for id in 1...2 { _ = table.add(id, patterns: [], channels: ["\(id)"], handler: "", isConnected: true) }
        #expect(self.describe(table.received(push("subscribe", "1", count: 1))) == "confirmed 1")
        #expect(!table.isRestored)
        _ = table.remove(2, isConnected: true)
        #expect(table.isRestored)
        _ = table.restore()
        #expect(!table.isRestored)
        #expect(table.disconnected() == [1])
    }

    /// Work that grows with the square of the number would end this test by its time limit; how much it is exactly,
    /// `linear.resp-subscriptions` counts.
    @Test func manyNamesCostAsMuchEachAsFew() {
        var table = SubscriptionTable<Int>()
        for id in 0..<100_000 { _ = table.add(id, patterns: [], channels: ["\(id)"], handler: id, isConnected: true) }
        for id in 0..<100_000 { _ = table.remove(id, isConnected: false) }
        #expect(table.isEmpty)
    }

    @Test func refusal() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: ["x*"], channels: ["a"], handler: "one", isConnected: true)
        _ = table.add(2, patterns: [], channels: ["b"], handler: "two", isConnected: true)
        #expect(self.describe(table.received(.error(RESPError(reply: "NOPERM x")))) == "refused 1 NOPERM")
        #expect(self.describe(table.received(push("subscribe", "a", count: 1))) == "none")
        #expect(self.describe(table.received(push("subscribe", "b", count: 2))) == "confirmed 2")
    }

    @Test func restoresInOrder() {
        var table = SubscriptionTable<String>()
        #expect(table.add(1, patterns: ["p"], channels: ["a"], handler: "one", isConnected: false) == [])
        _ = table.add(2, patterns: [], channels: ["b"], handler: "two", isConnected: false)
        #expect(table.restore() == [["PSUBSCRIBE", "p"], ["SUBSCRIBE", "a"], ["SUBSCRIBE", "b"]])
        _ = table.received(push("psubscribe", "p", count: 1))
        _ = table.received(push("subscribe", "a", count: 2))
        #expect(table.disconnected() == [2])
        #expect(table.restore().count == 3)
        #expect(!table.isRestored)
        for (kind, name) in [("psubscribe", "p"), ("subscribe", "a"), ("subscribe", "b")] {
            _ = table.received(push(kind, name, count: 1))
        }
        #expect(table.isRestored)
    }

    @Test func pingBetweenConfirmations() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: [], channels: ["a"], handler: "one", isConnected: true)
        table.sentPing()
        #expect(self.describe(table.received(push("subscribe", "a", count: 1))) == "confirmed 1")
        #expect(self.describe(table.received(.simpleString("PONG"))) == "none")
        #expect(self.describe(table.received(.simpleString("PONG"))) == "violation")
    }

    @Test func resp2WritesArrays() {
        var table = SubscriptionTable<String>()
        table.protocolVersion = 2
        _ = table.add(1, patterns: [], channels: ["a"], handler: "one", isConnected: true)
        #expect(self.describe(table.received(.array([bulk("subscribe"), bulk("a"), .integer(1)]))) == "confirmed 1")
        #expect(self.describe(table.received(.array([bulk("message"), bulk("a"), bulk("x")]))) == #"["one"] a x"#)
        table.sentPing()
        #expect(self.describe(table.received(.array([bulk("pong"), bulk("")]))) == "none")
    }

    @Test func unusableMessages() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: [], channels: ["a"], handler: "one", isConnected: true)
        #expect(self.describe(table.received(.push([]))) == "unusable")
        #expect(self.describe(table.received(.push([bulk("message"), bulk("a")]))) == "unusable")
        #expect(self.describe(table.received(.push([bulk("message"), bulk("a"), .integer(1)]))) == "unusable")
        let tooLong = RESPValue.error(RESPError(code: .tooLong, message: ""))
        #expect(self.describe(table.received(.push([bulk("message"), bulk("a"), tooLong]))) == "unusable")
    }
}

@Suite(.timeLimit(.minutes(1)))
struct CommandQueueTests {
    private func queue(count: Int = 3, bytes: Int = 1000) -> CommandQueue {
        var limits = RESPConfiguration.Queue()
        limits.maximumCount = count
        limits.maximumBytes = bytes
        return CommandQueue(limits: limits)
    }

    @Test func oneDrainForManyCommands() throws {
        var queue = self.queue()
        _ = queue.setGate(.open, at: at(0))
        let first = try queue.publish(channel: "c", message: ByteBuffer(string: "1"), now: at(0))
        #expect(first.isSent && first.schedule)
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "2"), now: at(0)).schedule == false)
        #expect(try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in } == false)
        let batch = queue.take()
        #expect(batch.entries.count == 3)
        #expect(batch.publishes == 2)
        #expect(String(buffer: batch.bytes).hasSuffix("*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"))
        #expect(queue.take().isEmpty)
        #expect(throws: RESPError.self) { try queue.publish(channel: "c", message: ByteBuffer(), now: at(0)) }
        queue.finished(count: 3, bytes: batch.bytes.readableBytes)
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "3"), now: at(0)).schedule == true)
    }

    @Test func publishesAreKeptAndCommandsRefusedWhileDown() throws {
        var queue = self.queue()
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "1"), now: at(0)).isSent == false)
        let error = try #require(throws: RESPError.self) {
            try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in }
        }
        #expect(error.code == .disconnected)
        _ = queue.setGate(.restoring, at: at(0))
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "2"), now: at(0)).isSent == false)
        #expect(try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in } == true)
        let change = queue.setGate(.open, at: at(0))
        #expect(change.shouldDrain == false, "a drain is scheduled already")
        let text = String(buffer: queue.take().bytes)
        let places = try ["$1\r\n1\r\n", "$1\r\n2\r\n", "GET"].map { try #require(text.firstRange(of: $0)?.lowerBound) }
        #expect(places == places.sorted())
    }

    @Test func unsentPublishesAreKeptWhenTheConnectionIsLost() throws {
        var queue = self.queue()
        _ = queue.setGate(.open, at: at(0))
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "1"), now: at(0))
        _ = try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in }
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "2"), now: at(0))
        let change = queue.setGate(.down, at: at(0))
        #expect(change.refused.count == 1)
        #expect(queue.heldCount == 2)
        _ = queue.setGate(.open, at: at(0))
        #expect(queue.take().publishes == 2)
    }

    @Test func bounds() throws {
        var queue = self.queue(count: 100, bytes: 200)
        while (try? queue.publish(channel: "c", message: ByteBuffer(string: "0123456789"), now: at(0))) != nil {}
        #expect(queue.heldCount == 5)
        let error = try #require(throws: RESPError.self) {
            try queue.publish(channel: "c", message: ByteBuffer(string: "0123456789"), now: at(0))
        }
        #expect(error.code == .queueFull)
        let change = queue.setGate(.closed, at: at(0))
        #expect(change.droppedPublishes == 5)
        #expect { try queue.publish(channel: "c", message: ByteBuffer(), now: at(0)) } throws: {
            ($0 as? RESPError)?.code == .closed
        }
    }

    /// What Redis has not executed is older than all that is kept, in the order in which it was sent.
    @Test func whatComesBackIsTheOldest() throws {
        var queue = self.queue(count: 100)
        _ = queue.setGate(.open, at: at(0))
        for text in ["1", "2", "3"] {
            _ = try queue.publish(channel: "c", message: ByteBuffer(string: text), now: at(0))
        }
        let sent = queue.take()
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "4"), now: at(0))
        _ = queue.setGate(.restoring, at: at(1))
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "5"), now: at(1))
        var bytes = sent.bytes
        for (entry, length) in sent.entries {
            var batch = CommandQueue.Batch()
            batch.append(entry, bytes.readSlice(length: length) ?? ByteBuffer())
            queue.putBack(batch, at: at(2))
        }
        #expect(queue.heldCount == 5)
        let change = queue.setGate(.open, at: at(3))
        #expect(change.releasedPublishes == 5)
        var parser = RESPParser()
        parser.append(queue.take().bytes)
        var texts: [String] = []
        while let command = try parser.next() { texts.append(command.arrayValue?.last?.stringValue ?? "") }
        #expect(texts == ["1", "2", "3", "4", "5"])
    }

    @Test func oldPublishesAreDropped() throws {
        var limits = RESPConfiguration.Queue()
        limits.maximumAge = .seconds(10)
        limits.maximumCount = 4
        var queue = CommandQueue(limits: limits)
        for (text, time) in [("1", 0), ("2", 50), ("3", 1000), ("4", 20_000)] as [(String, Int64)] {
            _ = try queue.publish(channel: "c", message: ByteBuffer(string: text), now: at(time))
        }
        #expect(queue.expiresAt == at(10_000))
        #expect(queue.expire(at: at(9999)).droppedPublishes == 0)
        #expect(queue.expire(at: at(10_050)).droppedPublishes == 2)
        #expect(queue.expiresAt == at(11_000))
        #expect(queue.expire(at: at(11_000)).droppedPublishes == 1)
        // They take no room any more.
        for _ in 0..<3 { _ = try queue.publish(channel: "c", message: ByteBuffer(string: "5"), now: at(20_000)) }
        #expect(throws: RESPError.self) {
            try queue.publish(channel: "c", message: ByteBuffer(string: "6"), now: at(20_000))
        }
        _ = queue.setGate(.open, at: at(20_000))
        let batch = queue.take()
        #expect(batch.publishes == 4)
        #expect(String(buffer: batch.bytes).hasPrefix("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\n4\r\n"))
        #expect(queue.expiresAt == .distantFuture)
    }

    @Test func awaitedPublishesAreTakenTogetherOrNotAtAll() throws {
        var queue = self.queue(count: 3)
        let outcome = NIOLockedValueBox<RESPPublishOutcome?>(nil)
        let messages = ["1", "2"].map { (channel: "c", message: ByteBuffer(string: $0)) }
        func ticket(keeps: Bool) -> PublishTicket {
            PublishTicket(count: 2, keeps: keeps) { result in outcome.withLockedValue { $0 = result } }
        }
        // Away: kept, or refused.
        let refused = #expect(throws: RESPError.self) {
            try queue.publish(messages, ticket: ticket(keeps: false), timeout: .seconds(1), now: at(0))
        }
        #expect(refused?.code == .disconnected)
        #expect(queue.heldCount == 0)
        #expect(
            try queue.publish(messages, ticket: ticket(keeps: true), timeout: .seconds(1), now: at(0)).isSent == false
        )
        #expect(queue.heldCount == 2)
        // Not half of it.
        let full = #expect(throws: RESPError.self) {
            try queue.publish(messages, ticket: ticket(keeps: true), timeout: .seconds(1), now: at(0))
        }
        #expect(full?.code == .queueFull)
        #expect(queue.heldCount == 2)
        _ = queue.setGate(.open, at: at(0))
        queue.finished(count: 2, bytes: queue.take().bytes.readableBytes)
        // Handed over and not written when the connection is lost.
        let keeping = ticket(keeps: true)
        _ = try queue.publish(messages, ticket: keeping, timeout: .seconds(1), now: at(0))
        let change = queue.setGate(.down, at: at(0))
        #expect(change.kept.count == 2)
        #expect(change.kept.allSatisfy { $0 === keeping })
        #expect(queue.heldCount == 2)
    }

    @Test func worstOfAllOutcomesCounts() {
        let error = RESPError(code: .disconnected, message: "")
        for (outcomes, worst) in [
            ([.published, .published], .published), ([.queued, .published], .queued),
            ([.queued, .refused(error)], .refused(error)),
            ([.unconfirmed(error), .refused(error)], .unconfirmed(error)),
        ] as [([RESPPublishOutcome], RESPPublishOutcome)] {
            let results = NIOLockedValueBox<[RESPPublishOutcome]>([])
            let ticket = PublishTicket(count: 2, keeps: true) { result in results.withLockedValue { $0.append(result) }
            }
            ticket.settle(outcomes[0])
            #expect(results.withLockedValue { $0 } == [])
            ticket.settle(outcomes[1])
            ticket.settle(.published)
            #expect(results.withLockedValue { $0 } == [worst])
        }
    }
}
