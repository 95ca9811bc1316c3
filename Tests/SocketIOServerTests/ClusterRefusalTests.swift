import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// Clients that come back to a cluster and can't get all that they missed are told so.
@Suite(.timeLimit(.minutes(1))) struct ClusterRefusalTests {
    /// Without an answer in time an event goes out without an offset: who got it can't say so.
    @Test func eventWithoutAnOffsetMakesAClientUnrecoverableForAWhile() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            for isLater in [false, true] {
                let (first, offset) = try await RecoveryCluster.member(nodes[0])
                log.fallSick()
                nodes[0].io.sockets.to("r").emit("unnumbered")
                await log.expire()
                #expect(await first.client.nextText() == "42[\"unnumbered\"]")
                await log.recover()
                // Whoever has not had it gets it now, and nobody gets it twice.
                var last = offset
                if isLater {
                    nodes[1].io.sockets.to("r").emit("later")
                    let later = try await first.event()
                    #expect(later.text == "42[\"later\"]")
                    last = later.offset
                }
                await RecoveryCluster.leave(first, nodes[0])
                let (missed, second) = try await nodes[1].back(first, last)
                #expect(missed == [])
                #expect((second.sid == first.sid) == isLater)
                await RecoveryCluster.leave(second, nodes[1])
            }
        }
    }

    /// Who was away when such an event went out has missed it for good, unless it was for others.
    @Test func whoWasAwayHasMissedAnEventWithoutAnOffset() async throws {
        try await RecoveryCluster.run(1) { nodes, log in
            for isConcerned in [true, false] {
                let (first, offset) = try await RecoveryCluster.member(nodes[0])
                await RecoveryCluster.leave(first, nodes[0])
                log.fallSick()
                nodes[0].io.sockets.to(isConcerned ? "r" : "other").emit("unnumbered")
                await log.expire()
                await log.recover(losing: true)
                let (missed, second) = try await nodes[0].back(first, offset)
                #expect(missed == [] && (second.sid == first.sid) == !isConcerned)
            }
        }
    }

    /// It reaches the other nodes late, and is part of what their clients have missed.
    @Test func lateEventReachesThoseWhoHaveNotHadIt() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let (here, _) = try await RecoveryCluster.member(nodes[0])
            let (there, offset) = try await RecoveryCluster.member(nodes[1])
            _ = try await here.event()
            await RecoveryCluster.leave(there, nodes[1])
            log.fallSick()
            nodes[0].io.sockets.to("r").emit("late")
            await log.expire()
            #expect(await here.client.nextText() == "42[\"late\"]")
            await log.recover()
            let (missed, again) = try await nodes[0].back(there, offset)
            #expect(missed == ["42[\"late\"]"] && again.sid == there.sid)
            nodes[1].io.sockets.to("r").emit("next")
            try await #expect(here.event().text == "42[\"next\"]")
            try await #expect(again.event().text == "42[\"next\"]")
        }
    }

    @Test func eventOfThisNodeAloneIsNotMissedInSilence() async throws {
        try await RecoveryCluster.run(2) { nodes, _ in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            nodes[0].io.sockets.local.emit("local")
            #expect(await first.client.nextText() == "42[\"local\"]")
            await RecoveryCluster.leave(first, nodes[0])
            let (_, second) = try await nodes[1].back(first, offset)
            #expect(second.sid != first.sid)
        }
    }

    @Test func eventsThatMayBeMissingAreNotPassedOver() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            for number in [0, 1] {
                let (first, offset) = try await RecoveryCluster.member(nodes[0])
                await RecoveryCluster.leave(first, nodes[0])
                await log.loseTrack(number)
                let (_, second) = try await nodes[number].back(first, offset)
                #expect(second.sid != first.sid)
                // From the next event on it is known again what there is.
                let (third, next) = try await RecoveryCluster.member(nodes[number])
                await RecoveryCluster.leave(third, nodes[number])
                let (_, fourth) = try await nodes[number].back(third, next)
                #expect(fourth.sid == third.sid)
            }
        }
    }

    /// Flushed, restarted empty, or a copy promoted that had not got the last entries.
    @Test(arguments: [true, false]) func offsetsOfAnotherHistoryAreWorthNothing(_ isEmpty: Bool) async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let before = log.last
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            await RecoveryCluster.leave(first, nodes[0])
            await log.beginAnew("second", after: isEmpty ? nil : before)
            // Offsets are given out again, until there is more than before.
            for node in nodes + nodes { node.io.sockets.to("r").emit("reissued") }
            await log.settle()
            for node in nodes {
                let (missed, second) = try await node.back(first, offset)
                #expect(missed == [] && second.sid != first.sid)
            }
        }
    }

    /// Who stays connected must be sent something of the new history that no offset of the old one can be taken for.
    @Test func clientIsOfTheHistoryOfWhatItHasSeen() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let tail = log.last
            for round in 0..<2 {
                let (first, old) = try await RecoveryCluster.member(nodes[0])
                var last = old
                // It is sent an offset far beyond what the new history begins with.
                for _ in 0..<4 {
                    nodes[0].io.sockets.to("r").emit("old")
                    last = try await first.event().offset
                }
                await log.beginAnew("history \(round)", after: tail)
                for _ in 0..<(round == 0 ? 2 : 9) {
                    nodes[1].io.sockets.to("r").emit("new")
                    last = round == 0 ? last : try await first.event().offset
                    if round == 0 { _ = try await first.event() }
                }
                await RecoveryCluster.leave(first, nodes[0])
                let (_, second) = try await nodes[1].back(first, last)
                #expect((second.sid == first.sid) == (round == 1))
                await RecoveryCluster.leave(second, nodes[1])
            }
        }
    }

    /// What comes where something else was before has no place in this node's copy: nothing of that is trusted any
    /// more.
    @Test func eventsOutOfOrderAreNotKept() async throws {
        try await RecoveryCluster.run(1) { nodes, log in
            let recovery = try #require(nodes[0].io.sockets.recovery)
            for isLate in [false, true] {
                let (first, offset) = try await RecoveryCluster.member(nodes[0])
                let packet = PacketEncoder.event("odd", arguments: [])
                recovery.arrived(packet, BroadcastOptions(rooms: ["other"]), at: .start, isLate: isLate)
                await RecoveryCluster.leave(first, nodes[0])
                let (missed, second) = try await nodes[0].back(first, offset)
                #expect(missed == [] && second.sid != first.sid)
            }
        }
    }

    // MARK: Node.js nodes

    @Test func clientOfANodeNodeGoesOnIfItsOffsetIsThere() async throws {
        try await RecoveryCluster.run(1) { nodes, log in
            nodes[0].io.sockets.to("r").emit("seen")
            await log.settle()
            let seen = log.last.text
            nodes[0].io.sockets.to("r").emit("missed")
            nodes[0].io.sockets.to("other").emit("never")
            await log.settle()
            // Anything may stand where clients send an offset; the beginning has nothing before it.
            for (number, offset) in [seen, "5-5", nil, "junk", "0-0", "0-1", "8796093022207-1048575"].enumerated() {
                let id = "abcdefghijklmnopqrs\(number)"
                let client = try await TestClient.connect(to: nodes[0].address)
                let session = KeptSession(
                    id: try #require(SessionID(id)),
                    socketID: try #require(SocketID("ABCDEFGHIJKLMNOPQRST")),
                    rooms: ["r"],
                    data: ["a": 1]
                )
                log.keep(official: session)
                let known = offset.map { ",\"offset\":\"\($0)\"" } ?? ""
                try await client.send("40{\"pid\":\"\(id)\"\(known)}")
                var texts = [try #require(await client.nextText())]
                if offset == seen {
                    try #expect(RecoveryTests.split(texts[0]).text == "42[\"missed\"]")
                    texts.append(try #require(await client.nextText()))
                }
                #expect(texts.last?.contains("ABCDEFGHIJKLMNOPQRST") == (offset == seen))
                await client.close()
                _ = await nodes[0].disconnects.next()
            }
        }
    }
}
