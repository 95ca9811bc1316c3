import NIOConcurrencyHelpers
import SocketIOWire

/// The ids of what this node has asked, for transports that have to know before they read an answer.
///
/// Transports may look from any thread. The core writes, on its loop.
final class AwaitedQuestions: Sendable {
    private let kinds = NIOLockedValueBox<[UTF8Text: ClusterResponse.Question]>([:])

    subscript(id: UTF8Text) -> ClusterResponse.Question? {
        get { self.kinds.withLockedValue { $0[id] } }
        set { self.kinds.withLockedValue { $0[id] = newValue } }
    }
}
