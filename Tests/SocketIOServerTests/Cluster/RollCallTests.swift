import SocketIOWire
import Testing

@testable import SocketIOServer

/// Whose answers are waited for, and who is missing.
struct RollCallTests {
    private static func peer(_ id: UTF8Text, isSilent: Bool = false) -> ClusterPeer {
        ClusterPeer(nodeID: id, node: ClusterNode(id: id.string), isSilent: isSilent)
    }

    @Test func everybodyIsWaitedFor() {
        var roll = RollCall(ClusterRoll(others: 3, peers: [Self.peer("a")]))
        roll.heard(nil)
        roll.heard("a")
        #expect(!roll.isOver)
        #expect(roll.missing == [ClusterNode()])
        roll.heard("unknown")
        #expect(roll.isOver && roll.isComplete)
        #expect(roll.missing.isEmpty)
    }

    @Test func nobodyWaitsForSilentNodes() {
        var roll = RollCall(ClusterRoll(others: 4, peers: [Self.peer("a"), Self.peer("s", isSilent: true)], silent: 1))
        roll.heard(nil)
        #expect(!roll.isOver)
        roll.heard("a")
        // Both silent ones are missing: it is over, and not complete.
        #expect(roll.isOver && !roll.isComplete)
        #expect(roll.missing == [ClusterNode(id: "s"), ClusterNode()])
        #expect(roll.missingWithoutName == 1)
        roll.heard("s")
        roll.heard(nil)
        #expect(roll.isComplete)
    }

    /// One with a name that lives is waited for, however many others have answered.
    @Test func namedNodesCountOnlyForThemselves() {
        var roll = RollCall(ClusterRoll(others: 2, peers: [Self.peer("a")], silent: 1))
        roll.heard(nil)
        #expect(!roll.isOver)
        #expect(!roll.hasHeard("a") && !roll.hasHeard(nil))
        roll.heard("a")
        #expect(roll.isComplete)
    }

    /// More live than were counted: a count may be late.
    @Test func whoLivesIsExpected() {
        let roll = RollCall(ClusterRoll(others: 0, peers: [Self.peer("a")]))
        #expect(roll.expected == 1)
        #expect(!roll.isOver)
    }

    @Test func nodesThatGoAreNotWaitedFor() {
        var roll = RollCall(ClusterRoll(others: 2, peers: [Self.peer("a"), Self.peer("b")]))
        roll.heard("a")
        // Its lease is gone, and Redis counts one less.
        roll.looked(ClusterRoll(others: 1, peers: [Self.peer("a")]))
        #expect(roll.isComplete)

        var silent = RollCall(ClusterRoll(others: 2, peers: [Self.peer("a"), Self.peer("b")]))
        silent.heard("a")
        silent.looked(ClusterRoll(others: 2, peers: [Self.peer("a"), Self.peer("b", isSilent: true)]))
        #expect(silent.isOver && !silent.isComplete)
        #expect(silent.missing == [ClusterNode(id: "b")])
    }

    /// Answers without a name: one that has come may be that of the node that has gone.
    @Test func namelessNodesThatGo() {
        var roll = RollCall(ClusterRoll(others: 3))
        roll.heard(nil)
        roll.heard(nil)
        roll.looked(ClusterRoll(others: 2))
        #expect(!roll.isOver, "something came since the last look")
        roll.looked(ClusterRoll(others: 2))
        #expect(roll.isOver)
    }
}
