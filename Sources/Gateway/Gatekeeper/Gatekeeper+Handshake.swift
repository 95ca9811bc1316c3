import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// In handshake mode, clients prove who they are before they are connected.
extension Gatekeeper {
    /// Finds out who a client is, before it is connected.
    func admit(_ socket: Socket, to namespace: GatewayNamespace?) async throws {
        let address = self.context.address(of: socket)
        if namespace == nil { try self.countConnection(LimitSubjects(address: address), on: socket) }
        var isCounted = namespace != nil
        // To look at credentials takes time, in which the rules may be replaced. Then the new ones decide.
        while true {
            let rules = self.context.rules(for: socket)
            try rules.access.checks.check(
                address: address,
                connections: namespace == nil ? self.context.main.localSocketCount : 0
            )
            let authenticated: AuthenticatedPrincipal
            if let namespace {
                authenticated = try await self.principal(of: socket, in: namespace, address: address, rules.access)
            } else {
                let auth = socket.handshake.auth
                authenticated = try await self.authenticate(socket, auth: auth, address: address, rules.access)
            }
            try rules.access.checks.check(authenticated.principal)
            if !isCounted { try self.countConnection(LimitSubjects(authenticated.principal), on: socket) }
            isCounted = true
            if namespace == nil { try await self.customEvents.admit(socket, authenticated.principal) }
            let isSettled = try await socket.eventLoop.turn {
                self.settle(socket, authenticated, by: rules, address: address)
            }
            if isSettled { return }
        }
    }

    /// The principal in another namespace.
    ///
    /// It is that of the credentials given there, or else that of the main namespace.
    private func principal(
        of socket: Socket,
        in namespace: GatewayNamespace,
        address: String,
        _ rules: AccessRules
    ) async throws -> AuthenticatedPrincipal {
        let found: AuthenticatedPrincipal
        let auth = socket.handshake.auth
        if Credentials(auth).strategy == .visitor, let main = await socket.sibling(in: self.context.main.name),
            let record = PrincipalRecord(main.data), record.kind != .unauthorized
        {
            found = AuthenticatedPrincipal(
                rules.principal(of: record),
                expiresAt: record.expiresAt,
                issuedAt: record.issuedAt,
                jsonWebTokenID: record.jsonWebTokenID
            )
        } else {
            found = try await self.authenticate(socket, auth: auth, address: address, rules)
        }
        if namespace.requireAuth && !found.principal.isAuthenticated {
            throw ConnectionRefusal.namespaceAuthenticationRequired(namespace.name)
        }
        try namespace.check(found.principal)
        return found
    }

    /// Checks credentials.
    ///
    /// Bad ones count against the address.
    ///
    /// Good ones are never refused because of others at the same address, because everybody behind a proxy or a
    /// company's router shares one address.
    func authenticate(
        _ socket: Socket,
        auth: JSONValue,
        address: String,
        _ rules: AccessRules
    ) async throws -> AuthenticatedPrincipal {
        let request = GatewayHooks.Request(
            auth: auth,
            handshake: Self.describe(socket.handshake, auth: auth),
            address: address
        )
        do {
            let lookup = self.lookup
            let authenticator = Authenticator(rules: rules, hooks: self.context.hooks) { user in
                try await lookup.answer(about: user)
            }
            let found = try await authenticator.authenticate(request, now: self.context.now())
            try self.revocations.check(PrincipalRecord(found), at: socket.eventLoop.now)
            return found
        } catch let refusal as ConnectionRefusal where refusal.isFailedAuthentication {
            let now = socket.eventLoop.now
            let isOneTooMany = self.countFailure(of: address, at: now)
            throw isOneTooMany ? ConnectionRefusal.tooManyAttempts : refusal
        }
    }

    static func describe(_ handshake: Handshake, auth: JSONValue) -> JSONValue {
        [
            "headers": .object(
                JSONObject(handshake.headers.map { (UTF8Text($0.name), .string($0.value)) }) { _, last in last }
            ),
            "query": .object(
                JSONObject(handshake.query.map { (UTF8Text($0.name), .string($0.value)) }) { _, last in last }
            ),
            "address": .string(handshake.address), "xdomain": .bool(handshake.isCrossDomain),
            "secure": .bool(handshake.isSecure), "issued": .int(handshake.issued), "url": .string(handshake.url),
            "auth": auth,
        ]
    }
}
