import NIOCore
import Testing

@testable import RESP

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
