import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// How often each client of this node may still send each custom event.
final class EventBudgets: Sendable {
    /// Only clients that have sent such an event are listed, and only events that are configured.
    private let buckets = NIOLockedValueBox<[SocketKey: [UTF8Text: TokenBucket]]>([:])

    /// Takes one event from a client's bucket.
    ///
    /// - Throws: ``ClientRefusal`` with the time to wait if the client sends the event too often.
    func spend(_ event: UTF8Text, of socket: Socket, _ rate: RateLimit) throws(ClientRefusal) {
        guard socket.isConnected else { return }
        let key = SocketKey(socket: socket)
        let now = socket.eventLoop.now
        let answer = self.buckets.withLockedValue {
            $0[key, default: [:]][event, default: TokenBucket()].take(1, of: rate, at: now)
        }
        // The client may have left meanwhile. Then nobody else would forget it.
        if !socket.isConnected { self.forget(socket) }
        guard case .refused(let milliseconds) = answer else { return }
        throw .rateLimitExceeded(retryAfterMilliseconds: milliseconds)
    }

    /// The client has left.
    func forget(_ socket: Socket) {
        self.buckets.withLockedValue { _ = $0.removeValue(forKey: SocketKey(socket: socket)) }
    }
}
