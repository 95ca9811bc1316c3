import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// How much each client of this node may still ask for.
final class ClientBudgets: Sendable {
    /// Only clients that have asked for something are listed.
    private let budgets = NIOLockedValueBox<[SocketKey: ClientBudget]>([:])
    /// What all clients of one user may ask for, and the like.
    let shared: ClientLimits

    init(_ shared: ClientLimits) {
        self.shared = shared
    }

    /// Takes the cost of a client's wish, out of the client's own budget and out of those that it shares with others.
    ///
    /// For the shared limits a wish is a question or a join, if `action` does not say what else.
    ///
    /// - Throws: ``ClientRefusal`` with the time to wait if the client, or all together, have asked too often.
    func spend(
        _ kind: ClientBudget.Kind,
        _ count: Int,
        of socket: Socket,
        limits: GatewayConfiguration.Limits,
        as action: LimitedAction? = nil
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
        if case .refused(let milliseconds) = answer {
            throw .rateLimitExceeded(retryAfterMilliseconds: milliseconds)
        }
        let shared: LimitedAction =
            switch kind {
            case .questions: .clusterQuestions
            case .changes: .joins
            }
        try self.shared.spend(action ?? shared, count, of: socket)
    }

    /// The client has left.
    func forget(_ socket: Socket) {
        self.budgets.withLockedValue { _ = $0.removeValue(forKey: SocketKey(socket: socket)) }
    }
}
