import NIOCore
import SocketIOWire
import Testing

@testable import SocketIOServer

@Suite(.timeLimit(.minutes(1))) struct AcknowledgementCollectorTests {
    /// Counts of clients come over Redis from whoever may publish there.
    @Test func absurdCountsDoNotOverflow() async throws {
        let collector = AcknowledgementCollector()
        collector.localClients(1)
        collector.remoteClients(.max)
        collector.remoteClients(.max)
        collector.remoteClients(.min)
        collector.otherNodes(ClusterAudience(nodes: 1))
        collector.timeOut()
        await #expect(throws: AcknowledgementError.self) { try await collector.answers() }
    }
}
