import SocketIOWire
import Testing

@testable import SocketIOServer

@Suite struct ClusterAudienceTests {
    private static func peer(_ id: String, isSilent: Bool = false) -> ClusterPeer {
        ClusterPeer(nodeID: UTF8Text(id), node: ClusterNode(id: id), isSilent: isSilent)
    }

    /// The nodes are counted behind the broadcast: one whose connection is gone by then has got it.
    @Test func whoHasGotItWillReport() {
        let roll = ClusterRoll(nameless: 1, peers: [Self.peer("a")], absent: [Self.peer("b")])
        #expect(ClusterAudience(roll).nodes == 3)
    }

    @Test func silentNodesHaveNames() {
        let peers = [Self.peer("a"), Self.peer("b", isSilent: true)]
        let audience = ClusterAudience(ClusterRoll(nameless: 2, peers: peers, silent: 1))
        #expect(audience.nodes == 4)
        #expect(audience.silent == [ClusterNode(id: "b"), ClusterNode()])
    }
}
