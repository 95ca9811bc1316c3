import NIOCore
import SocketIOServer

/// In event mode: what an application does with a client instead of waiting for it.
extension Gatekeeper {
    /// Begins a client's time to authenticate, unless it has begun.
    func adopt(_ socket: Socket) {
        guard socket.isConnected, self.connections.advance(socket, { $0.state }) == nil else { return }
        self.awaitAuthentication(of: socket)
    }

    /// Lets a client in without its asking.
    ///
    /// - Returns: Whether that was possible.
    func letIn(_ socket: Socket, as found: AuthenticatedPrincipal) async -> Bool {
        let isLetIn = try? await socket.eventLoop.submit {
            // A client that asks at this moment is let in by that.
            guard socket.isConnected,
                self.connections.advance(socket, { $0.requested() && $0.succeeded() }) == true
            else { return false }
            let rules = self.context.rules(for: socket)
            self.welcome(socket, found, by: rules, address: self.context.address(of: socket))
            return true
        }.get()
        return isLetIn ?? false
    }
}
