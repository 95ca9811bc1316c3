import NIOCore
import SocketIOServer

extension GatewayContext {
    /// Decides about a client's wish, and grants it while the rules that decided still hold.
    ///
    /// To decide may take time, in which the rules may be replaced. Then it is decided again, by the new ones. Otherwise
    /// the client would be granted what nobody ends: those who replaced the rules have looked before it was there.
    ///
    /// - Parameters:
    ///   - socket: The client's socket.
    ///   - decide: Decides by some rules.
    ///   - grant: Does what was decided, on the socket's loop.
    /// - Returns: What was decided.
    /// - Throws: What `decide` throws.
    func decide<Decision: Sendable>(
        for socket: Socket,
        _ decide: (Rules) async throws -> Decision,
        grant: @escaping @Sendable (Decision) -> Void
    ) async throws -> Decision {
        while true {
            let rules = self.rules(for: socket)
            let record = PrincipalRecord(socket.data)
            let decision = try await decide(rules)
            let isGranted = try await socket.eventLoop.turn {
                // The loop may not have heard yet of rules that are already the newest.
                guard self.rules(for: socket).version <= rules.version else { return false }
                // The socket may have become somebody else, too.
                guard record == PrincipalRecord(socket.data) else { return false }
                grant(decision)
                return true
            }
            if isGranted { return decision }
        }
    }
}
