import SocketIOWire
import Testing

@testable import SocketIOServer

/// Whose answers are waited for, and who is missing.
struct RollCallTests {
    private static func peer(_ id: UTF8Text, isSilent: Bool = false) -> ClusterPeer {
        ClusterPeer(nodeID: id, node: ClusterNode(id: id.string), isSilent: isSilent)
    }

    /// Nobody has come or gone between the count and the question.
    private static func asked(_ roll: ClusterRoll) -> RollCall {
        var call = RollCall(roll)
        call.confirmed(roll)
        return call
    }

    @Test func everybodyIsWaitedFor() {
        var roll = Self.asked(ClusterRoll(nameless: 2, peers: [Self.peer("a")]))
        roll.heard(nil)
        roll.heard("a")
        #expect(!roll.isOver)
        #expect(roll.missing == [ClusterNode()])
        roll.heard("unknown")
        #expect(roll.isOver && roll.isComplete)
        #expect(roll.missing.isEmpty)
    }

    /// Who gives up before it is certain that those were all who were counted names somebody.
    @Test func somebodyMayBeMissingUntilTheCountIsConfirmed() {
        var roll = RollCall(ClusterRoll(nameless: 2))
        roll.heard(nil)
        roll.heard(nil)
        #expect(!roll.isComplete)
        #expect(roll.missing == [ClusterNode()])
        roll.confirmed(ClusterRoll(nameless: 2))
        #expect(roll.isComplete)
        #expect(roll.missing.isEmpty)
    }

    @Test func nobodyWaitsForSilentNodes() {
        let counted = ClusterRoll(nameless: 2, peers: [Self.peer("a"), Self.peer("s", isSilent: true)], silent: 1)
        var roll = Self.asked(counted)
        roll.heard(nil)
        #expect(!roll.isOver)
        roll.heard("a")
        // Both silent ones are missing: it is over, and not complete.
        #expect(roll.isOver && !roll.isComplete)
        #expect(!roll.isOver(with: 0, waitsForSilent: true))
        #expect(roll.missing == [ClusterNode(id: "s"), ClusterNode()])
        #expect(roll.missingWithoutName == 1)
        roll.heard("s")
        roll.heard(nil)
        #expect(roll.isComplete)
    }

    // MARK: Nobody stands for anybody else

    /// One with a name that lives is waited for, however many others have answered.
    @Test func namedNodesCountOnlyForThemselves() {
        var roll = Self.asked(ClusterRoll(nameless: 1, peers: [Self.peer("a")]))
        #expect(!roll.hasHeard("a") && !roll.hasHeard(nil))
        for stranger in ["x", "y", "z"] as [UTF8Text] { roll.heard(stranger) }
        #expect(!roll.isOver)
        #expect(roll.missing == [ClusterNode(id: "a")])
        roll.heard("a")
        #expect(roll.isComplete)
    }

    /// A node that hears this one's first question does not know yet that it has a name for it.
    @Test func namedNodeMayAnswerWithoutItsName() {
        var roll = Self.asked(ClusterRoll(nameless: 1, peers: [Self.peer("a")]))
        roll.heard(nil)
        #expect(!roll.isOver)
        roll.heard(nil)
        #expect(roll.isComplete)
    }

    /// It was not connected when the nodes were counted, and was back before the question.
    @Test func whoWasNotCountedStandsForNobody() {
        let counted = ClusterRoll(nameless: 1, peers: [Self.peer("a")], absent: [Self.peer("b")])
        var roll = Self.asked(counted)
        #expect(roll.expected == 2)
        roll.heard("b")
        roll.heard("a")
        #expect(!roll.isOver)
        #expect(roll.missing == [ClusterNode()])
        roll.heard("b")
        #expect(!roll.isOver, "the same one again")
        roll.heard("c")
        #expect(roll.isComplete)
    }

    // MARK: Nodes that go

    @Test func namedNodesThatGoAreNotWaitedFor() {
        let (a, b) = (Self.peer("a"), Self.peer("b"))
        var roll = Self.asked(ClusterRoll(peers: [a, b]))
        roll.heard("a")
        // Its connection is gone, though its time is not up.
        roll.looked(ClusterRoll(peers: [a], absent: [b]))
        #expect(roll.isComplete)

        // It has said goodbye.
        var left = Self.asked(ClusterRoll(peers: [a, b]))
        left.heard("a")
        left.looked(ClusterRoll(peers: [a]))
        #expect(left.isComplete)

        // Its time is up, and its connection is there: it is missing.
        var silent = Self.asked(ClusterRoll(peers: [a, b]))
        silent.heard("a")
        silent.looked(ClusterRoll(peers: [a, Self.peer("b", isSilent: true)]))
        #expect(silent.isOver && !silent.isComplete)
        #expect(silent.missing == [ClusterNode(id: "b")])
        // After a long time nobody knows it any more.
        silent.looked(ClusterRoll(peers: [a]))
        #expect(silent.missing == [ClusterNode(id: "b")])

        // The broker was not asked for it, because too many others say that they live.
        var unasked = Self.asked(ClusterRoll(peers: [a, b]))
        unasked.heard("a")
        var now = ClusterRoll(nameless: 1, peers: [a])
        now.unknown = ["b"]
        unasked.looked(now)
        #expect(!unasked.isOver)
    }

    /// The one that has died had answered; the one that has not answered is slow.
    @Test(arguments: [true, false]) func whoIsSlowIsMissingThoughAnotherOneHasDied(_ isNamed: Bool) {
        let dead = Self.peer("dead")
        let slow = isNamed ? [Self.peer("slow")] : []
        var roll = Self.asked(ClusterRoll(nameless: isNamed ? 0 : 1, peers: [dead] + slow))
        roll.heard("dead")
        for _ in 0..<5 {
            roll.looked(ClusterRoll(nameless: isNamed ? 0 : 1, peers: slow, absent: [dead]))
            #expect(!roll.isOver && !roll.isComplete && !roll.isInDoubt)
        }
        roll.heard(isNamed ? "slow" : nil)
        #expect(roll.isComplete)
    }

    /// One of two nodes without a name is gone: it may be the one that has answered, or the other one.
    @Test func namelessNodesThatGoAreAReasonToDoubt() {
        for answers in 0...1 {
            var roll = Self.asked(ClusterRoll(nameless: 2))
            for _ in 0..<answers { roll.heard(nil) }
            for _ in 0..<5 { roll.looked(ClusterRoll(nameless: 1)) }
            #expect(roll.isInDoubt && !roll.isOver && !roll.isComplete)
            #expect(roll.missing.count == 2 - answers)
        }
        // Both have answered: there is nothing to doubt.
        var roll = Self.asked(ClusterRoll(nameless: 2))
        roll.heard(nil)
        roll.heard(nil)
        roll.looked(ClusterRoll(nameless: 1))
        #expect(roll.isComplete && !roll.isInDoubt)
    }

    /// A node that has told its name meanwhile is not another one.
    @Test func whoSaysItsNameHasNotCome() {
        var roll = Self.asked(ClusterRoll(nameless: 2))
        roll.looked(ClusterRoll(nameless: 1, peers: [Self.peer("a")]))
        #expect(!roll.isInDoubt)
        roll.heard("a")
        roll.heard(nil)
        #expect(roll.isComplete)
    }

    // MARK: Between the count and the question

    @Test func countsOfNamelessNodesNeedConfirmation() {
        var roll = RollCall(ClusterRoll(nameless: 1))
        roll.heard(nil)
        #expect(!roll.isOver && !roll.isComplete)
        roll.confirmed(ClusterRoll(nameless: 1))
        #expect(roll.isComplete && !roll.isInDoubt)

        // One has come, and may have answered in the place of the one that was counted.
        var more = RollCall(ClusterRoll(nameless: 1))
        more.heard(nil)
        more.confirmed(ClusterRoll(nameless: 2))
        #expect(more.isInDoubt && !more.isComplete)
        more.heard(nil)
        #expect(more.isComplete)

        var fewer = RollCall(ClusterRoll(nameless: 2))
        fewer.confirmed(ClusterRoll(nameless: 1))
        #expect(fewer.isInDoubt && fewer.expected == 2)
        #expect(RollCall(ClusterRoll(peers: [Self.peer("a")])).isConfirmed)
    }

    /// Those who were counted behind the question were asked, though they are gone by then.
    @Test func whoWasAskedBeforeTheCount() {
        var roll = RollCall(ClusterRoll(nameless: 1, absent: [Self.peer("a")]), wasAsked: true)
        #expect(roll.isConfirmed && roll.expected == 2)
        roll.heard(nil)
        roll.looked(ClusterRoll(nameless: 1, absent: [Self.peer("a")]))
        #expect(roll.isComplete)
    }
}

/// Who is there, by what the broker counts and by what nodes say of themselves.
struct ClusterRollTests {
    private static func peer(_ id: UTF8Text) -> ClusterPeer {
        ClusterPeer(nodeID: id, node: ClusterNode(id: id.string), isSilent: false)
    }

    private func roll(_ nodes: Int, _ connections: [UTF8Text: Int]?, _ names: UTF8Text...) -> ClusterRoll {
        ClusterRoll(ClusterCount(nodes: nodes, connections: connections), peers: names.map(Self.peer), silent: 0)
    }

    @Test func namesAndNumbers() {
        let all = self.roll(4, ["a": 1, "b": 1], "a", "b")
        #expect(all.peers.map(\.nodeID) == ["a", "b"])
        #expect(all.nameless == 1 && all.others == 3 && all.absent.isEmpty)

        let oneGone = self.roll(3, ["a": 1, "b": 0], "a", "b")
        #expect(oneGone.peers.map(\.nodeID) == ["a"])
        #expect(oneGone.absent.map(\.nodeID) == ["b"])
        #expect(oneGone.nameless == 1)
    }

    /// Redis has not noticed that a connection is gone, whose node is back.
    @Test func nodesAreCountedOnce() {
        let twice = self.roll(3, ["a": 2], "a")
        #expect(twice.peers.count == 1 && twice.nameless == 0)
    }

    /// It has told its name after the broker was asked.
    @Test func whoWasNotAskedForHasNoName() {
        let roll = self.roll(3, ["a": 1], "a", "new")
        #expect(roll.peers.map(\.nodeID) == ["a"] && roll.nameless == 1)
        #expect(roll.unknown == ["new"])
    }

    @Test func brokersThatOnlyCount() {
        let roll = self.roll(3, nil)
        #expect(roll.nameless == 2 && roll.peers.isEmpty)
        #expect(self.roll(0, nil).others == 0)
    }
}
