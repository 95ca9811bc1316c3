import NIOConcurrencyHelpers
import SocketIOServer

/// Clients whose tokens are revoked while they are connected.
extension Gatekeeper {
    /// Looks for sockets of this node whose tokens are revoked, and disconnects them.
    ///
    /// Many revocations that come together need one look.
    func cutRevoked() {
        guard self.sweep.begin() else { return }
        // It ends when all sockets were looked at, and nothing was revoked meanwhile.
        Task {
            repeat {
                for (namespace, _) in self.guardedNamespaces {
                    for socket in await namespace.localSockets() { _ = self.cutIfRevoked(socket) }
                }
            } while self.sweep.goesOn()
        }
    }

    /// Disconnects a socket if its token is revoked.
    ///
    /// - Returns: Whether it was.
    func cutIfRevoked(_ socket: Socket) -> Bool {
        guard let record = PrincipalRecord(socket.data), self.revocations.revokes(record) else { return false }
        self.context.metrics.expelled(.tokenRevoked)
        let isMain = socket.namespace === self.context.main
        self.context.expel(socket, reason: ConnectionRefusal.tokenRevoked.message, closingConnection: isMain)
        return true
    }
}

/// Work that is done once more if it is asked for while it is being done.
final class RepeatedSweep: Sendable {
    private enum State { case idle, working, workingAndAgain }

    private let state = NIOLockedValueBox(State.idle)

    /// Asks for the work.
    ///
    /// - Returns: Whether the caller does it; if not, whoever is at it does it once more.
    func begin() -> Bool {
        self.state.withLockedValue { state in
            defer { state = state == .idle ? .working : .workingAndAgain }
            return state == .idle
        }
    }

    /// The work is done.
    ///
    /// - Returns: Whether to do it once more.
    func goesOn() -> Bool {
        self.state.withLockedValue { state in
            defer { state = state == .workingAndAgain ? .working : .idle }
            return state == .workingAndAgain
        }
    }
}
