import NIOCore
import Testing

@testable import RESP

@Suite(.timeLimit(.minutes(1)))
struct LinkProbeTests {
    private let noPermission = RESPError(reply: "NOPERM this user has no permissions to run the 'publish' command")

    /// One a second, with two seconds of patience.
    private func probe(returns: Bool = true, from start: Int64 = 0) -> LinkProbe {
        var probe = LinkProbe(configuration: RESPConfiguration.Probe())
        probe.require(returns)
        probe.start(at: at(start))
        return probe
    }

    private func proven() -> LinkProbe {
        var probe = self.probe()
        #expect(probe.timerFired(at: at(0)) == .send(1))
        #expect(probe.answered(1, .integer(1), at: at(1)) == .none)
        #expect(probe.returned(1, at: at(2)) == .none)
        #expect(probe.verdict == .proven)
        return probe
    }

    @Test func provenAgainAndAgain() {
        var probe = self.proven()
        #expect(probe.provenAt == at(2))
        #expect(probe.heardAllBefore == at(0))
        #expect(probe.wakeAt == at(1002))
        #expect(probe.timerFired(at: at(1001)) == .none)
        #expect(probe.timerFired(at: at(1002)) == .send(2))
        // The message may be faster than the answer, and an old one proves nothing.
        #expect(probe.returned(1, at: at(1003)) == .none)
        #expect(probe.heardAllBefore == at(0))
        #expect(probe.returned(2, at: at(1003)) == .none)
        #expect(probe.heardAllBefore == at(1002))
        #expect(probe.provenAt == at(2))
        #expect(probe.answered(2, .integer(1), at: at(1004)) == .none)
        #expect(probe.provenAt == at(1004))
    }

    /// Paused, frozen, cut off: all look like this.
    @Test func silenceIsAFailure() {
        var probe = self.proven()
        #expect(probe.timerFired(at: at(1002)) == .send(2))
        #expect(!probe.isBlocking)
        #expect(probe.timerFired(at: at(3001)) == .none)
        #expect(probe.timerFired(at: at(3002)) == .failed)
        #expect(probe.isBlocking)
        // The keep-alive decides about the connection.
        #expect(probe.wakeAt == .distantFuture)
        // Late is not never, and the message has its time after the answer.
        _ = probe.answered(2, .integer(1), at: at(22_000))
        #expect(probe.timerFired(at: at(22_001)) == .none)
        _ = probe.returned(2, at: at(22_001))
        #expect(probe.verdict == .proven)
    }

    /// A burst that takes Redis a while is no outage, as long as it goes on.
    @Test func progressIsNoSilence() {
        var probe = self.proven()
        _ = probe.timerFired(at: at(1002))
        for time in stride(from: Int64(2000), to: 11_000, by: 1000) {
            probe.progressed(at: at(time), isReply: true)
            #expect(probe.timerFired(at: at(time + 999)) == .none)
        }
        // Messages of others say nothing about what is published here.
        var other = self.proven()
        _ = other.timerFired(at: at(1002))
        other.progressed(at: at(3000), isReply: false)
        #expect(other.timerFired(at: at(3002)) == .failed)
        // But not for ever.
        probe.progressed(at: at(11_000), isReply: true)
        #expect(probe.timerFired(at: at(11_002)) == .failed)
    }

    @Test func refusalIsAFailureAndTriedAgain() {
        var probe = self.proven()
        _ = probe.timerFired(at: at(1002))
        #expect(probe.answered(2, .error(self.noPermission), at: at(1003)) == .failed)
        #expect(probe.verdict == .failed(self.noPermission))
        #expect(probe.timerFired(at: at(1253)) == .send(3))
        // No news.
        #expect(probe.answered(3, .error(self.noPermission), at: at(1254)) == .none)
        #expect(probe.timerFired(at: at(1504)) == .send(4))
        _ = probe.answered(4, .integer(1), at: at(1505))
        _ = probe.returned(4, at: at(1505))
        #expect(probe.verdict == .proven)
    }

    /// Two servers: what is published on the one is heard by nobody of ours.
    @Test func whatNobodyReceivesLeadsAstray() {
        var probe = self.proven()
        _ = probe.timerFired(at: at(1002))
        // Once may be a subscription that has just been cut.
        #expect(probe.answered(2, .integer(0), at: at(1003)) == .none)
        #expect(!probe.isBlocking)
        #expect(probe.timerFired(at: at(1253)) == .send(3))
        guard case .reconnect(let error) = probe.answered(3, .integer(0), at: at(1254)) else {
            Issue.record("the connections were kept")
            return
        }
        #expect(error.code == .astray)
        #expect(probe.isBlocking)
    }

    @Test func whatDoesNotComeBackLeadsAstray() {
        var probe = self.proven()
        _ = probe.timerFired(at: at(1002))
        _ = probe.answered(2, .integer(1), at: at(1003))
        #expect(probe.timerFired(at: at(3003)) == .failed)
        guard case .failed(let error) = probe.verdict else {
            Issue.record("not a failure")
            return
        }
        #expect(error.code == .astray)
        #expect(probe.timerFired(at: at(11_002)) == .none)
        #expect(probe.timerFired(at: at(11_003)) == .reconnect(error))
    }

    @Test func afterALossItHasToBeProvenFirst() {
        var probe = self.proven()
        probe.stop()
        #expect(probe.isBlocking)
        #expect(probe.wakeAt == .distantFuture)
        probe.start(at: at(5000))
        #expect(probe.isBlocking)
        #expect(probe.timerFired(at: at(5000)) == .send(2))
        // What the connection before was sent.
        #expect(probe.answered(1, .integer(1), at: at(5001)) == .none)
        _ = probe.answered(2, .integer(1), at: at(5001))
        _ = probe.returned(2, at: at(5001))
        #expect(!probe.isBlocking)
    }

    /// Without a channel there is nothing to do but when Redis executes nothing.
    @Test func withoutAChannelOnlyDoubtIsProbed() {
        var probe = self.probe(returns: false)
        #expect(probe.wakeAt == .distantFuture)
        probe.doubt(RESPError(reply: "BUSY x"), at: at(100))
        #expect(probe.isBlocking)
        #expect(probe.timerFired(at: at(350)) == .send(1))
        #expect(probe.answered(1, .error(RESPError(reply: "BUSY x")), at: at(351)) == .none)
        #expect(probe.timerFired(at: at(601)) == .send(2))
        // May not PING: an answer all the same.
        _ = probe.answered(2, .error(RESPError(reply: "NOPERM x")), at: at(602))
        #expect(!probe.isBlocking)
        #expect(probe.wakeAt == .distantFuture)
        probe.stop()
        #expect(!probe.isBlocking)
    }

    @Test func nothingIsRequiredAnyMore() {
        var probe = self.proven()
        probe.stop()
        probe.require(false)
        #expect(!probe.isBlocking)
        probe.start(at: at(20))
        #expect(probe.wakeAt == .distantFuture)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct PeerWatchTests {
    private func counts(_ counts: Int...) -> RESPValue {
        .array(counts.flatMap { [.simpleString("channel"), .integer($0)] })
    }

    private func watch(_ known: Int...) -> PeerWatch {
        var watch = PeerWatch(patience: .seconds(3))
        for index in known.indices { watch.add("channel \(index)") }
        let reply = RESPValue.array(known.flatMap { [.simpleString("channel"), .integer($0)] })
        for _ in 0..<2 { #expect(watch.counted(reply, version: watch.version, at: at(0)) == .none) }
        return watch
    }

    @Test func waitsUntilAsManyAreBack() {
        var watch = self.watch(3, 2)
        watch.interrupted()
        #expect(watch.resumed(at: at(1000)) == true)
        #expect(watch.timerFired(at: at(1000)) == true)
        #expect(watch.counted(self.counts(1, 1), version: watch.version, at: at(1001)) == .none)
        #expect(watch.isWaiting)
        #expect(watch.timerFired(at: at(1099)) == false)
        #expect(watch.timerFired(at: at(1100)) == true)
        // In every namespace.
        #expect(watch.counted(self.counts(3, 1), version: watch.version, at: at(1101)) == .none)
        #expect(watch.counted(self.counts(3, 2), version: watch.version, at: at(1201)) == .resume(missing: 0))
        #expect(!watch.isWaiting)
        #expect(watch.resumed(at: at(1202)) == false)
    }

    @Test func waitsNoLongerThanItsPatience() {
        var watch = self.watch(4)
        watch.interrupted()
        #expect(watch.resumed(at: at(1000)) == true)
        #expect(watch.counted(self.counts(2), version: watch.version, at: at(3999)) == .none)
        #expect(watch.counted(self.counts(2), version: watch.version, at: at(4000)) == .resume(missing: 2))
        // From then on there are two.
        watch.interrupted()
        _ = watch.resumed(at: at(5000))
        #expect(watch.counted(self.counts(2), version: watch.version, at: at(5001)) == .resume(missing: 0))
    }

    /// Whoever counts for another reason knows it as well.
    @Test func countsOfOthersAreNoted() {
        var watch = self.watch(1, 1)
        watch.noted(3, of: "channel 1")
        watch.noted(9, of: "channel 2")
        watch.interrupted()
        // Not now: it may be that few are back.
        watch.noted(1, of: "channel 1")
        #expect(watch.resumed(at: at(0)) == true)
        #expect(watch.counted(self.counts(1, 2), version: watch.version, at: at(1)) == .none)
        #expect(watch.counted(self.counts(1, 3), version: watch.version, at: at(2)) == .resume(missing: 0))
    }

    @Test func whoIsAloneWaitsForNobody() {
        var watch = self.watch(1)
        watch.interrupted()
        #expect(watch.resumed(at: at(0)) == false)
    }

    /// A count of the moment in which all connections were being cut says nothing.
    @Test func lastCountBeforeAnOutageIsDoubted() {
        var watch = self.watch(3)
        _ = watch.counted(self.counts(0), version: watch.version, at: at(10))
        watch.interrupted()
        #expect(watch.resumed(at: at(20)) == true)
        #expect(watch.counted(self.counts(1), version: watch.version, at: at(21)) == .none)
    }

    @Test(arguments: [
        RESPValue.error(RESPError(reply: "NOPERM no")), .null, .array([]), .array([.simpleString("c"), .null]),
    ])
    func whoMayNotCountWaitsForTheBound(_ reply: RESPValue) {
        var watch = self.watch(3)
        watch.interrupted()
        #expect(watch.resumed(at: at(0)) == true)
        #expect(watch.counted(reply, version: watch.version, at: at(2999)) == .none)
        #expect(watch.counted(reply, version: watch.version, at: at(3000)) == .resume(missing: 0))
    }

    /// Names are told apart by their bytes, and shared ones stay until the last is gone.
    @Test func names() {
        var watch = PeerWatch(patience: .seconds(3))
        watch.add("caf\u{e9}")
        watch.add("cafe\u{301}")
        watch.add("caf\u{e9}")
        #expect(watch.names.count == 2)
        watch.remove("caf\u{e9}")
        #expect(watch.names.count == 2)
        let version = watch.version
        watch.remove("caf\u{e9}")
        #expect(watch.names.map { Array($0.utf8) } == [Array("cafe\u{301}".utf8)])
        // An answer to an older question.
        #expect(watch.version != version)
        for number in 0..<1000 { watch.add("\(number)") }
        #expect(watch.names.count == PeerWatch.maximumChannels)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct OutageTests {
    @Test func summary() {
        var outage = Outage(
            since: at(1000),
            reason: RESPError(code: .disconnected, message: "Redis closed the connection")
        )
        outage.dropped(2, .unconfirmed)
        outage.dropped(1, .queueFull)
        outage.dropped(1, .unconfirmed)
        outage.released(5)
        let summary = outage.summary(end: at(13_340), missing: 1, hasSubscriptions: true)
        let texts = Dictionary(uniqueKeysWithValues: summary.map { ($0.key, $0.value) })
        #expect(texts["outage.seconds"] == "12.3")
        #expect(texts["outage.reason"] == "Redis closed the connection")
        #expect(texts["publishes.kept"] == "5")
        #expect(texts["publishes.dropped"] == "4")
        #expect(texts["publishes.dropped.reasons"] == "unconfirmed: 3, queue_full: 1")
        #expect(texts["missed"] == "what others published in the last 12.4 s may not have arrived here")
        #expect(texts["peers.missing"]?.hasPrefix("1 ") == true)
        #expect(outage.summary(end: at(0), missing: 0, hasSubscriptions: false).count == 5)
    }

    /// Redis throws away what a subscriber has not read when it cuts it off: that was published before the cut.
    @Test(arguments: [(Int64(400), "1.7"), (1000, "1.1"), (1700, "1.1")])
    func missedIsWhatCameBehindTheLastProof(_ heardAllBefore: Int64, _ seconds: String) {
        let outage = Outage(
            since: at(1000),
            heardAllBefore: at(heardAllBefore),
            reason: RESPError(code: .disconnected, message: "Redis closed the connection")
        )
        let summary = outage.summary(end: at(2050), missing: 0, hasSubscriptions: true)
        #expect(summary.contains { $0.key == "missed" && $0.value.contains("in the last \(seconds) s ") })
    }

    @Test func wordsOfRedisAreToldOnce() {
        var outage = Outage(since: at(0), reason: RESPError(code: .disconnected, message: "lost"))
        #expect(outage.goesOn(RESPError(code: .connect, message: "connection refused")) == false)
        #expect(outage.goesOn(RESPError(reply: "ERR max number of clients reached")) == true)
        #expect(outage.goesOn(RESPError(reply: "ERR max number of clients reached")) == false)
        #expect(outage.goesOn(RESPError(reply: "WRONGPASS x")) == true)
        #expect(outage.goesOn(RESPError(code: .unsuitable, message: "a replica")) == true)
        #expect(outage.reason.message == "a replica")
        // Whatever Redis says, the lines have an end.
        for number in 0..<100 { _ = outage.goesOn(RESPError(reply: "CODE\(number) x")) }
        #expect(outage.goesOn(RESPError(reply: "ANOTHER x")) == false)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ErrorTextTests {
    @Test func codesAreBytes() {
        #expect(RESPError(reply: "NOPERM this").hasServerCode("NOPERM"))
        #expect(!RESPError(reply: "NOPERM\u{301} this").hasServerCode("NOPERM"))
        // A space with a mark on it is a space all the same.
        #expect(RESPError(reply: "NOPERM \u{301}this").hasServerCode("NOPERM"))
        #expect(RESPError(reply: "caf\u{e9}") != RESPError(reply: "cafe\u{301}"))
        for code in ["BUSY", "LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"] {
            #expect(RESPError(reply: "\(code) x").isNotExecuted)
        }
        #expect(!RESPError(reply: "NOPERM x").isNotExecuted)
        #expect(!RESPError(code: .connect, message: "BUSY").isNotExecuted)
    }

    @Test func briefIsOneLine() {
        #expect(RESPError(reply: "DENIED one\nDENIED two").brief == "DENIED one")
        #expect(RESPError(reply: String(repeating: "é", count: 10_000)).brief.utf8.count <= 310)
    }

    /// Work that grows with the square of the length would end this test by its time limit.
    @Test func longWordsCostAsMuchAsTheyHaveBytes() {
        let text = "a" + String(repeating: "\u{301}", count: 200_000) + String(repeating: "\u{323}", count: 200_000)
        let error = RESPError(reply: text)
        #expect(error.serverCode == nil)
        #expect(error == RESPError(reply: text))
        #expect(RESPClientState.disconnected(error) == .disconnected(error))
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ServerRoleTests {
    private func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }

    @Test func ofROLE() {
        #expect(ServerRole(.array([self.bulk("master"), .integer(0), .array([])])) == .primary)
        #expect(ServerRole(.array([self.bulk("slave"), self.bulk("h"), .integer(7)])) == .replica(of: "h:7"))
        #expect(ServerRole(.array([self.bulk("slave")])) == .replica(of: nil))
        #expect(ServerRole(.array([self.bulk("sentinel"), .array([])])) == .sentinel)
        for value in [RESPValue.array([]), .null, .array([self.bulk("maste\u{301}r")]), .error(RESPError(reply: "x"))] {
            #expect(ServerRole(value) == .unknown)
        }
    }

    @Test func questionForThoseWhoMayNotAsk() {
        var question = RoleQuestion()
        question.connected(protocolVersion: 3)
        #expect(question.words == ["ROLE"])
        #expect(question.answered(.error(RESPError(reply: "NOPERM x"))) == .unknown)
        #expect(question.words == ["HELLO", "3"])
        question.connected(protocolVersion: 2)
        #expect(question.words == ["ROLE"])
        _ = question.answered(.error(RESPError(reply: "NOPERM x")))
        #expect(question.words == ["PING"])
    }
}
