import Logging
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Clients that show newer credentials while they are connected.
extension Gatekeeper {
    /// The event with which a client shows them.
    ///
    /// It has `{token, strategy?}`, and the answer is `{success: true, expiresAt}` or `{success: false, error}`.
    private static let refreshEvent = "auth:refresh"

    func registerRefresh() {
        for (namespace, settings) in self.guardedNamespaces {
            namespace.on(Self.refreshEvent) { (socket: Socket, payload: JSONValue?) async -> JSONValue in
                await self.refresh(socket, payload, settings)
            }
        }
    }

    private func refresh(_ socket: Socket, _ payload: JSONValue?, _ settings: GatewayNamespace?) async -> JSONValue {
        do {
            let former = self.connections.demotion(of: socket) ?? PrincipalRecord(socket.data)
            let (found, rules) = try await self.renewed(socket, payload, settings)
            if settings == nil { await self.refreshSiblings(of: socket, from: former, to: found, rules) }
            var answer: JSONObject = ["success": true, "expiresAt": .null]
            if let end = found.expiresAt { answer["expiresAt"] = Self.milliseconds(end) }
            answer["role"] = found.principal.role.map { .string($0.type) }
            return .object(answer)
        } catch let refusal as ConnectionRefusal {
            self.context.metrics.refused(refusal.reason)
            self.context.logger.debug(
                "A client has shown credentials that are not accepted",
                metadata: ["sio.socket.id": "\(socket.id)", "reason": "\(refusal.reason.rawValue)"]
            )
            return ClientRefusal(refusal.message).answer
        } catch let refusal as ClientRefusal {
            return refusal.answer
        } catch {
            self.context.metrics.refused(.error)
            self.authenticationFailed(socket, error)
            return ClientRefusal(error).answer
        }
    }

    /// Checks the credentials, and makes the socket who they say it is.
    private func renewed(
        _ socket: Socket,
        _ payload: JSONValue?,
        _ settings: GatewayNamespace?
    ) async throws -> (AuthenticatedPrincipal, Rules) {
        guard self.connections.isAuthenticated(socket) else { throw ClientRefusal.notAuthenticated }
        guard let payload, let token = payload["token"]?.stringValue, !token.isEmpty else {
            throw ClientRefusal.invalidPayload
        }
        let limits = self.context.rules(for: socket).configuration.limits
        try self.budgets.spend(.changes, 1, of: socket, limits: limits)
        let address = self.context.address(of: socket)
        // To look at credentials takes time, in which the rules may be replaced. Then the new ones decide.
        while true {
            let rules = self.context.rules(for: socket)
            let found = try await self.shown(by: socket, payload, address: address, rules)
            try rules.access.checks.check(found.principal)
            try settings?.check(found.principal)
            let isDone = try await socket.eventLoop.turn {
                guard socket.isConnected else { throw ClientRefusal.notAuthenticated }
                guard self.context.rules(for: socket).version <= rules.version else { return false }
                try self.checkOwnership(of: found.principal, socket)
                self.connections.forgetDemotion(of: socket)
                self.change(socket, to: found, by: rules)
                // What was revoked meanwhile was looked for before the socket had these credentials.
                if self.cutIfRevoked(socket) { throw ConnectionRefusal.tokenRevoked }
                return true
            }
            if isDone { return (found, rules) }
        }
    }

    private func shown(
        by socket: Socket,
        _ auth: JSONValue,
        address: String,
        _ rules: Rules
    ) async throws -> AuthenticatedPrincipal {
        guard rules.configuration.authentication.mode == .event, let authenticate = self.context.hooks.authenticate
        else { return try await self.authenticate(socket, auth: auth, address: address, rules.access) }
        let handshake = Self.describe(socket.handshake, auth: socket.handshake.auth)
        guard let found = try await authenticate(.init(auth: auth, handshake: handshake, address: address)) else {
            throw ConnectionRefusal.invalidCredentials
        }
        return try self.accepted(found, on: socket)
    }

    /// Refuses credentials of somebody else than the socket is, or was until its own ended.
    private func checkOwnership(of principal: Principal, _ socket: Socket) throws(ClientRefusal) {
        let record = self.connections.demotion(of: socket) ?? PrincipalRecord(socket.data)
        let isSame =
            switch (principal, record?.kind) {
            case (.user(let user, _), .user?), (.operator(let user), .operator?):
                // An id means the same user as a number and as a text.
                record?.userID.map { RoomName.user($0) == RoomName.user(user.id) } ?? false
            case (.token(let token), .token?): record?.tokenID == UTF8Text(token.id)
            case (.visitor, _), (.user, _), (.token, _), (.operator, _): false
            }
        guard isSame else { throw .foreignToken }
    }

    /// Makes the same client's sockets in other namespaces, if they came in with the main one's credentials, who it is now.
    private func refreshSiblings(
        of socket: Socket,
        from former: PrincipalRecord?,
        to found: AuthenticatedPrincipal,
        _ rules: Rules
    ) async {
        for (namespace, settings) in self.guardedNamespaces {
            guard let settings, let sibling = await socket.sibling(in: namespace.name) else { continue }
            sibling.eventLoop.execute {
                let record = self.connections.demotion(of: sibling) ?? PrincipalRecord(sibling.data)
                guard sibling.isConnected, let record, record == former else { return }
                do throws(ConnectionRefusal) {
                    try settings.check(found.principal)
                    self.connections.forgetDemotion(of: sibling)
                    self.change(sibling, to: found, by: self.context.rules(for: sibling))
                } catch let refusal {
                    self.context.metrics.expelled(.rulesChanged)
                    self.context.expel(sibling, reason: refusal.message, closingConnection: false)
                }
            }
        }
    }
}
