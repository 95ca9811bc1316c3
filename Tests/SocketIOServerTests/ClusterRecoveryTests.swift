import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// Clients that come back to any node get all that they missed, and are taken once.
@Suite(.timeLimit(.minutes(1))) struct ClusterRecoveryTests {
    typealias Visitor = RecoveryTests.Visitor

    @Test func clientComesBackToAnyNode() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            try await #expect(RecoveryCluster.ask(first, "[\"remember\",{\"name\":\"x\"}]") == "430[]")
            await RecoveryCluster.leave(first, nodes[0])
            nodes[0].io.sockets.to("r").emit("missed", 1)
            nodes[1].io.sockets.to("r").emit("missed", 2)
            nodes[0].io.sockets.emit("missed", 3)
            nodes[1].io.sockets.to(Room(first.sid)).emit("missed", 4)
            for node in nodes {
                node.io.sockets.to("other").emit("never")
                node.io.sockets.except("r").emit("never")
                node.io.sockets.volatile.emit("never")
            }
            // Nobody answers, and it is not kept.
            _ = try? await nodes[0].io.sockets.timeout(.milliseconds(1)).emitWithAck("never")
            await log.settle()
            let (missed, second) = try await nodes[1].back(first, offset)
            #expect(missed == (1...4).map { "42[\"missed\",\($0)]" })
            #expect(second.sid == first.sid && second.pid == first.pid)
            let rooms = [first.sid, "r"].sorted().joined(separator: "\",\"")
            try await #expect(RecoveryCluster.ask(second, "[\"rooms\"]") == "430[[\"\(rooms)\"]]")
            try await #expect(RecoveryCluster.ask(second, "[\"data\"]") == "430[{\"name\":\"x\"}]")
            nodes[0].io.sockets.to("r").emit("live")
            let (live, next) = try await second.event()
            #expect(live == "42[\"live\"]")
            // And home again.
            await RecoveryCluster.leave(second, nodes[1])
            nodes[1].io.sockets.emit("missed", 5)
            await log.settle()
            let (more, third) = try await nodes[0].back(second, next)
            #expect(more == ["42[\"missed\",5]"])
            #expect(third.sid == first.sid)
            #expect(nodes[0].io.sockets.localSocketCount == 1 && nodes[1].io.sockets.localSocketCount == 0)
        }
    }

    /// The last offset says exactly what was not seen only if everybody sees the same order, the publisher included.
    @Test func everyNodeSeesOneOrder() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let visitors = [
                try await Visitor.connect(to: nodes[0].address), try await Visitor.connect(to: nodes[1].address),
            ]
            await withTaskGroup(of: Void.self) { group in
                for node in nodes {
                    let (io, number) = (node.io, node.number)
                    group.addTask { for index in 0..<100 { io.sockets.emit("e", number, index) } }
                }
            }
            var seen: [[String]] = []
            for visitor in visitors {
                var texts: [String] = []
                for _ in 0..<200 { texts.append(try #require(await visitor.client.nextText())) }
                seen.append(texts)
            }
            #expect(seen[0] == seen[1])
            let offsets = try seen[0].map { try #require(EventOffset(RecoveryTests.split($0).offset)) }
            #expect(offsets == offsets.sorted())
        }
    }

    /// Known failure 12: no event received yet.
    @Test(arguments: [0, 1]) func clientThatNeverGotAnEventComesBack(to number: Int) async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            nodes[0].io.sockets.emit("before")
            await log.settle()
            let first = try await Visitor.connect(to: nodes[0].address)
            await RecoveryCluster.leave(first, nodes[0])
            nodes[1].io.sockets.emit("missed")
            await log.settle()
            let (missed, second) = try await nodes[number].back(first, nil)
            #expect(missed == ["42[\"missed\"]"])
            #expect(second.sid == first.sid)
        }
    }

    /// Known failure 12: the node died, and could not say what its clients were when they were disconnected.
    @Test(arguments: [true, false]) func clientOfAKilledNodeComesBack(_ hasSeenAnEvent: Bool) async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let first = try await Visitor.connect(to: nodes[0].address)
            try await #expect(RecoveryCluster.ask(first, "[\"join\",\"r\"]") == "430[]")
            try await #expect(RecoveryCluster.ask(first, "[\"remember\",7]") == "430[]")
            nodes[0].io.sockets.to("r").emit("e", 1)
            nodes[0].io.sockets.to("r").emit("e", 2)
            let offset = try await first.event().offset
            log.kill(0)
            nodes[1].io.sockets.to("r").emit("e", 3)
            await log.settle()
            let (missed, second) = try await nodes[1].back(first, hasSeenAnEvent ? offset : nil)
            #expect(missed == (hasSeenAnEvent ? [2, 3] : [1, 2, 3]).map { "42[\"e\",\($0)]" })
            #expect(second.sid == first.sid)
            try await #expect(RecoveryCluster.ask(second, "[\"data\"]") == "430[7]")
            // What it has seen by its own account stays so.
            await RecoveryCluster.leave(second, nodes[1])
            let (none, third) = try await nodes[1].back(second, log.last.text)
            #expect(none == [] && third.sid == first.sid)
            // The dead node's own idea of the client counts no more.
            await first.client.close()
            _ = await nodes[0].disconnects.next()
            await RecoveryCluster.leave(third, nodes[1])
            let (_, fourth) = try await nodes[1].back(third, log.last.text)
            #expect(fourth.sid == first.sid)
        }
    }

    /// Known failure 12: it is back before its old connection is known to be lost.
    @Test(arguments: [0, 1]) func clientTakesItsOldConnectionOver(at number: Int) async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            nodes[1].io.sockets.to("r").emit("missed")
            await log.settle()
            let (missed, second) = try await nodes[number].back(first, offset)
            #expect(await nodes[0].disconnects.next() == .connectionReplaced)
            #expect(missed == ["42[\"missed\"]"])
            #expect(second.sid == first.sid)
            #expect(nodes.map(\.io.sockets.localSocketCount).reduce(0, +) == 1)
            nodes[0].io.sockets.to("r").emit("live")
            try await #expect(second.event().text == "42[\"live\"]")
            #expect(log.sessionCount == 1)
        }
    }

    /// A client was a member for some events and not for others, on a node that is not asked any more.
    @Test func onlyWhatAMemberGotIsSentAgain() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            nodes[1].io.sockets.to("s").emit("before")
            await log.settle()
            try await #expect(RecoveryCluster.ask(first, "[\"join\",\"s\"]") == "430[]")
            nodes[1].io.sockets.to("s").emit("during")
            try await #expect(first.event().text == "42[\"during\"]")
            try await #expect(RecoveryCluster.ask(first, "[\"leave\",\"s\"]") == "430[]")
            nodes[1].io.sockets.to("s").emit("after")
            nodes[1].io.sockets.to("r").except("s").emit("kept")
            await log.settle()
            try await #expect(first.event().text == "42[\"kept\"]")
            await RecoveryCluster.leave(first, nodes[0])
            nodes[0].io.sockets.to("s").emit("away")
            nodes[0].io.sockets.except("r").emit("away")
            await log.settle()
            // It says that it has seen none of them.
            let (missed, second) = try await nodes[1].back(first, offset)
            #expect(missed == ["42[\"during\"]", "42[\"kept\"]"])
            #expect(second.sid == first.sid)
        }
    }

    /// A node that has just begun, or keeps little itself, reads what the log has; and refuses when that has less.
    @Test(arguments: [true, false]) func nodeReadsWhatItDoesNotKeep(_ isTrimmed: Bool) async throws {
        let log = InProcessEventLog()
        try await RecoveryCluster.run(1, RecoveryCluster.configuration(), log) { nodes, _ in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            await RecoveryCluster.leave(first, nodes[0])
            for number in 0..<10 {
                nodes[0].io.sockets.to(number % 2 == 0 ? "r" : "other").emit("missed", number)
            }
            nodes[0].io.sockets.to("r").except(Room(first.sid)).emit("never")
            await log.settle()
            try await RecoveryCluster.run(2, RecoveryCluster.configuration(), log, nodes: nodes) { nodes, _ in
                nodes[0].io.sockets.emit("missed", 10)
                await log.settle()
                if isTrimmed { log.trim(keeping: 11) }
                let (missed, second) = try await nodes[1].back(first, offset)
                #expect(log.pages == (isTrimmed ? 1 : 4))
                #expect(missed == (isTrimmed ? [] : [0, 2, 4, 6, 8, 10].map { "42[\"missed\",\($0)]" }))
                #expect((second.sid == first.sid) == !isTrimmed)
            }
        }
    }

    /// A namespace in which nothing happens shares its log with others: who has missed nothing comes back, though what
    /// was there when he came is long gone.
    @Test(arguments: [true, false]) func quietNamespaceInABusyLog(_ isReached: Bool) async throws {
        let log = InProcessEventLog()
        try await RecoveryCluster.run(1, RecoveryCluster.configuration(), log) { nodes, _ in
            let first = try await Visitor.connect(to: nodes[0].address)
            let offset = log.last.text
            log.othersAdd(20)
            if isReached { await log.reach() }
            await RecoveryCluster.leave(first, nodes[0])
            log.trimEverything()
            log.othersAdd(1)
            // A node that begins now has to ask the log.
            try await RecoveryCluster.run(2, RecoveryCluster.configuration(), log, nodes: nodes) { nodes, _ in
                let (missed, second) = try await nodes[1].back(first, offset)
                #expect(missed == [])
                #expect((second.sid == first.sid) == isReached)
            }
        }
    }

    /// How far a log was read is no promise for what this node has missed before that: the log itself has to have it.
    @Test(arguments: [true, false]) func whatIsMissingIsNotForgottenByReadingOn(_ isTrimmed: Bool) async throws {
        try await RecoveryCluster.run(1) { nodes, log in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            await RecoveryCluster.leave(first, nodes[0])
            await log.loseTrack(0)
            log.othersAdd(5)
            if isTrimmed { log.trimEverything() }
            await log.reach()
            let (_, second) = try await nodes[0].back(first, offset)
            #expect((second.sid == first.sid) == !isTrimmed)
        }
    }

    /// The client has seen more than its new node has read: it gets what comes behind that, and nothing twice.
    @Test func nodeMayBeBehindTheOneBefore() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let (first, _) = try await RecoveryCluster.member(nodes[0])
            await log.freeze(1)
            nodes[0].io.sockets.to("r").emit("seen", 2)
            let (text, offset) = try await first.event()
            #expect(text == "42[\"seen\",2]")
            await RecoveryCluster.leave(first, nodes[0])
            nodes[0].io.sockets.to("r").emit("missed")
            let (missed, second) = try await nodes[1].back(first, offset)
            #expect(second.sid == first.sid && missed == [])
            await log.freeze(1, false)
            #expect(try await second.event().text == "42[\"missed\"]")
            nodes[0].io.sockets.to("r").emit("after")
            #expect(try await second.event().text == "42[\"after\"]")
        }
    }

    /// What is sent at once must not be more than a connection may have waiting, wherever it is read.
    @Test func tooMuchIsNotRead() async throws {
        let log = InProcessEventLog()
        var configuration = RecoveryCluster.configuration()
        configuration.engine.limits.maxQueuedPackets = 8
        try await RecoveryCluster.run(1, configuration, log) { nodes, _ in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            await RecoveryCluster.leave(first, nodes[0])
            for number in 0..<10 { nodes[0].io.sockets.to("r").emit("missed", number) }
            await log.settle()
            try await RecoveryCluster.run(2, configuration, log, nodes: nodes) { nodes, _ in
                let (missed, second) = try await nodes[1].back(first, offset)
                #expect(missed == [] && second.sid != first.sid)
                #expect(log.pages == 2)
            }
        }
    }

    // MARK: Once

    /// The second may take over what the first has got; at no time have both.
    @Test func onlyOneOfTwoThatComeAtOnceGoesOn() async throws {
        try await RecoveryCluster.run(3) { nodes, log in
            for isConnected in [false, true] {
                let (first, offset) = try await RecoveryCluster.member(nodes[0])
                if !isConnected { await RecoveryCluster.leave(first, nodes[0]) }
                let clients = [
                    try await TestClient.connect(to: nodes[1].address),
                    try await TestClient.connect(to: nodes[2].address),
                ]
                for client in clients {
                    try await client.send("40{\"pid\":\"\(first.pid)\",\"offset\":\"\(offset)\"}")
                }
                var sids: [String] = []
                for client in clients { sids.append(try Visitor(client, answer: await client.nextText()).sid) }
                #expect(sids.contains(first.sid))
                let id = try #require(SocketID(first.sid))
                #expect(nodes.filter { $0.io.sockets.index.contains(id) }.count == 1)
                if isConnected { _ = await nodes[0].disconnects.next() }
            }
        }
    }

    /// What one node has taken, no other gives; also if that other one has known the client itself.
    @Test func whatIsTakenIsGone() async throws {
        try await RecoveryCluster.run(2) { nodes, log in
            let (first, offset) = try await RecoveryCluster.member(nodes[0])
            await RecoveryCluster.leave(first, nodes[0])
            let (_, second) = try await nodes[1].back(first, offset)
            #expect(second.sid == first.sid)
            log.kill(1)
            await RecoveryCluster.leave(second, nodes[1])
            // The second node has taken it, and what it wrote is what counts.
            let (_, third) = try await nodes[0].back(first, offset)
            #expect(third.sid == first.sid)
            // It leaves for good: nothing that the second node still knows brings it back.
            try await third.client.send("41")
            #expect(await nodes[0].disconnects.next() == .clientNamespaceDisconnect)
            let (_, fourth) = try await nodes[1].back(first, offset)
            #expect(fourth.sid != first.sid)
        }
    }

    // MARK: What it costs

    /// One write for a client that connects and joins rooms in the handler of its connection; one for all that are prolonged.
    @Test func sessionsAreWrittenOnceAndProlongedTogether() throws {
        let log = InProcessEventLog()
        var configuration = RecoveryCluster.configuration()
        configuration.engine.pingInterval = .minutes(5)
        let server = StillServer(configuration: configuration, adapter: log.node(0))
        server.io.sockets.onConnection { socket in
            socket.join("a", "b")
            socket.data = ["x": 1]
        }
        let clients = [try server.join(), try server.join(), try server.join()]
        #expect(log.writes == 0, "nothing is known of the log yet")
        server.io.sockets.recovery?.logBegins("first", after: log.last)
        server.loop.run()
        #expect(log.writes == 3)
        let other = try server.join()
        #expect(log.writes == 4)
        server.loop.advanceTime(by: .seconds(30))
        #expect(log.prolonged.map(\.count) == [4])
        for client in clients { try client.close() }
        #expect(log.writes == 7)
        try other.close()
        #expect(log.writes == 8)
    }

    /// A client in many rooms that goes in and out of one of them does not have all of them written each time.
    @Test func longSessionsAreWrittenAtAPace() throws {
        let log = InProcessEventLog()
        let server = StillServer(configuration: RecoveryCluster.configuration(), adapter: log.node(0))
        server.io.sockets.recovery?.logBegins("first", after: log.last)
        server.io.sockets.onConnection { socket in socket.join((0..<900).map { Room("\($0)") }) }
        server.io.sockets.on("move") { (socket: Socket, number: Int) in
            if number % 2 == 0 { socket.join("x") } else { socket.leave("x") }
        }
        let client = try server.join()
        #expect(log.writes == 1)
        for number in 0..<100 { try client.send("42[\"move\",\(number)]") }
        #expect(log.writes == 1)
        server.loop.advanceTime(by: .seconds(1))
        #expect(log.writes == 2)
        // When it has been quiet for long enough, the next change is told at once.
        try client.send("42[\"move\",0]")
        #expect(log.writes == 3)
        // And its end in any case.
        try client.send("42[\"move\",1]")
        try client.close()
        server.loop.advanceTime(by: .seconds(1))
        #expect(log.writes == 4)
    }
}
