import SocketIOWire
import Testing

@testable import SocketIOServer

@Suite struct ClusterAudienceTests {
    private static func peer(_ id: String, isSilent: Bool = false) -> ClusterPeer {
        ClusterPeer(nodeID: UTF8Text(id), node: ClusterNode(id: id), isSilent: isSilent)
    }

    /// Redis counts a node less while this node's own subscriptions are gone.
    @Test func aNodeThatLivesWillReport() {
        let peers = [Self.peer("a"), Self.peer("b")]
        #expect(ClusterAudience(ClusterRoll(others: 1, peers: peers)).nodes == 2)
        #expect(ClusterAudience(ClusterRoll(others: 3, peers: peers)).nodes == 3)
    }

    @Test func aSilentNodeCountsIfRedisCountsIt() {
        let peers = [Self.peer("a"), Self.peer("b", isSilent: true)]
        #expect(ClusterAudience(ClusterRoll(others: 1, peers: peers)).nodes == 1)
        let audience = ClusterAudience(ClusterRoll(others: 2, peers: peers))
        #expect(audience.nodes == 2)
        #expect(audience.silent == [ClusterNode(id: "b")])
    }
}
