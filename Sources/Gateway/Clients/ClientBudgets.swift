import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// How much each client of this node may still ask for.
final class ClientBudgets: Sendable {
    /// Only clients that have asked for something are listed.
    private let budgets = NIOLockedValueBox<[SocketKey: ClientBudget]>([:])

    /// Takes the cost of a client's wish.
    ///
    /// - Throws: ``ClientRefusal`` with the time to wait if the client has asked too often.
    func spend(
        _ kind: ClientBudget.Kind,
        _ count: Int,
        of socket: Socket,
        limits: GatewayConfiguration.Limits
    ) throws(ClientRefusal) {
        // A client that has left is forgotten, and must not be remembered again.
        guard socket.isConnected else { return }
        let key = SocketKey(socket: socket)
        let now = socket.eventLoop.now
        let rate = limits.rate(of: kind)
        let answer = self.budgets.withLockedValue {
            $0[key, default: ClientBudget()].take(kind, count, of: rate, at: now)
        }
        // The client may have left meanwhile. Then nobody else would forget it.
        if !socket.isConnected { self.budgets.withLockedValue { _ = $0.removeValue(forKey: key) } }
        guard case .refused(let milliseconds) = answer else { return }
        throw .rateLimitExceeded(retryAfterMilliseconds: milliseconds)
    }

    /// The client has left.
    func forget(_ socket: Socket) {
        self.budgets.withLockedValue { _ = $0.removeValue(forKey: SocketKey(socket: socket)) }
    }
}
