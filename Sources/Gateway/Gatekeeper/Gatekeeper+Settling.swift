import Incidents
import Logging
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What happens to a client that was let in, until its credentials expire.
extension Gatekeeper {
    /// Writes down who a socket is and puts it into its rooms, on its loop.
    ///
    /// - Parameters:
    ///   - socket: The socket.
    ///   - authenticated: Who it is.
    ///   - rules: The rules that say so.
    ///   - address: Where it comes from.
    /// - Returns: Whether these rules still hold. If others do, nothing was done.
    func settle(
        _ socket: Socket,
        _ authenticated: AuthenticatedPrincipal,
        by rules: Rules,
        address: String
    ) -> Bool {
        // The loop may not have heard yet of rules that are already the newest.
        guard self.context.rules(for: socket).version <= rules.version else { return false }
        let principal = authenticated.principal
        let record = PrincipalRecord(authenticated)
        let node = rules.configuration.nodeName
        socket.updateData { data in
            var object = record.merged(into: data).objectValue ?? [:]
            object["address"] = .string(address)
            object["node"] = node.map { .string($0) }
            data = .object(object)
        }
        socket.join(rules.rooms(of: principal))
        socket.mark = Self.mark(of: rules)
        self.context.metrics.admitted(record.kind)
        self.context.logger.debug(
            "A client was let in",
            metadata: [
                "sio.socket.id": "\(socket.id)", "address": "\(address)", "kind": "\(record.kind)",
                "user": "\(principal.user.map { "\($0.id)" } ?? "none")",
                "role": "\(principal.role?.type ?? "none")",
            ]
        )
        return true
    }

    func connected(_ socket: Socket, to namespace: GatewayNamespace?) {
        // Middlewares of the application may have taken their time since.
        guard self.renewIfOutdated(socket, namespace) else { return }
        // What was revoked meanwhile was looked for among those who were connected.
        if self.cutIfRevoked(socket) { return }
        self.watchCredentials(of: socket)
        self.budgets.shared.watchEvents(of: socket)
        self.customEvents.connected(socket)
        self.tellHook(socket)
    }

    /// Tells the application that the gateway has let a client in.
    func tellHook(_ socket: Socket) {
        self.tellAdmission(of: socket)
        guard let clientConnected = self.context.hooks.clientConnected else { return }
        let principal = self.context.principal(of: socket)
        let incidents = self.context.incidents
        // Nobody waits for this task. It ends when the application's function does.
        Task {
            do {
                try await clientConnected(socket.id.description, principal)
            } catch {
                incidents.record(
                    "The hook for connected clients failed",
                    reason: "hook",
                    pace: .failures,
                    details: ["sio.socket.id": "\(socket.id)", "error": "\(error)"]
                )
            }
        }
    }
}
