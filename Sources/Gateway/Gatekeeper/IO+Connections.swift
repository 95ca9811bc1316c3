import EngineIO
import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension IO {
    /// Makes every connection to the gateway's namespaces pass its checks.
    func registerConnections() {
        self.connections.onExpiry(
            credentials: { [weak self] in self?.credentialsExpired($0) },
            authentication: { [weak self] in self?.authenticationTimedOut($0) }
        )
        let mode = self.configuration.authentication.mode
        // The handlers keep the gateway alive. So nothing changes if the application forgets its reference.
        self.main.use { socket in
            let former = PrincipalRecord(socket.data)
            try await self.answer(socket) { io in
                switch mode {
                case .handshake: try await io.admit(socket, to: nil)
                case .event: try await io.tolerate(socket)
                }
            }
            try Self.checkRecovery(of: socket, former)
        }
        self.main.onConnection { socket in
            switch mode {
            case .handshake: self.connected(socket)
            case .event: self.awaitAuthentication(of: socket)
            }
        }
        self.main.onDisconnect { socket, _ in self.connections.forget(socket) }
        for configured in self.configuration.namespaces {
            let namespace = self.server.of(configured.name)
            guard configured.inheritsChecks else { continue }
            namespace.use { socket in
                let former = PrincipalRecord(socket.data)
                try await self.answer(socket) { io in try await io.admit(socket, to: configured) }
                try Self.checkRecovery(of: socket, former)
            }
            namespace.onConnection { socket in self.connected(socket) }
            namespace.onDisconnect { socket, _ in self.connections.forget(socket) }
        }
        if mode == .event {
            // What anybody sends to everybody, even an emitter of another language, is not for clients that have not
            // yet authenticated.
            self.main.keepOut(membersOf: RoomName.unauthorized)
            self.registerAuthentication()
        }
    }

    /// Lets a client that comes back go on where it was only if it still is who it was.
    ///
    /// What it has missed, and the rooms that it was in, were meant for that one. Somebody else is a new client.
    private static func checkRecovery(of socket: Socket, _ former: PrincipalRecord?) throws {
        guard socket.isRecovered else { return }
        guard let former, let current = PrincipalRecord(socket.data), current.isSamePrincipal(as: former) else {
            throw RecoveryRefusal()
        }
    }

    /// Turns refusals into the errors that clients see.
    private func answer(_ socket: Socket, _ body: (IO) async throws -> Void) async throws {
        do {
            try await body(self)
        } catch let refusal as ConnectionRefusal {
            self.metrics.refused(refusal.reason)
            self.logger.debug(
                "A client was not let in",
                metadata: [
                    "sio.socket.id": "\(socket.id)", "address": "\(self.address(of: socket))",
                    "reason": "\(refusal.reason.rawValue)",
                ]
            )
            throw ConnectError(refusal.message)
        } catch {
            // A hook failed. Its error is for the log and not for the client.
            self.metrics.refused(.error)
            self.authenticationFailed(socket, error)
            throw ConnectError(ConnectionRefusal.invalidCredentials.message)
        }
    }

    /// What checks credentials has failed, so that nobody knows who a client is.
    func authenticationFailed(_ socket: Socket, _ error: any Error) {
        self.incidents.record(
            "Clients could not be authenticated",
            reason: "hook",
            pace: .failures,
            details: [
                "sio.socket.id": "\(socket.id)", "address": "\(self.address(of: socket))", "error": "\(error)",
            ]
        )
    }

    /// The address of a client, which trusted proxies may have told.
    func address(of socket: Socket) -> String { self.server.engine.clientAddress(of: socket.handshake.request) }

    // MARK: Handshake mode

    /// Finds out who a client is, before it is connected.
    private func admit(_ socket: Socket, to namespace: GatewayNamespace?) async throws {
        let address = self.address(of: socket)
        let model = self.model
        try model.checks.check(
            address: address,
            connections: namespace == nil ? self.main.localSocketCount : 0
        )
        let authenticated: AuthenticatedPrincipal
        if let namespace {
            authenticated = try await self.principal(of: socket, in: namespace, address: address)
        } else {
            authenticated = try await self.authenticate(socket, auth: socket.handshake.auth, address: address)
        }
        try model.checks.check(authenticated.principal)
        self.settle(socket, authenticated, address: address)
    }

    /// The principal in another namespace.
    ///
    /// It is that of the credentials given there, or else that of the main namespace.
    private func principal(
        of socket: Socket,
        in namespace: GatewayNamespace,
        address: String
    ) async throws -> AuthenticatedPrincipal {
        let found: AuthenticatedPrincipal
        let auth = socket.handshake.auth
        if Credentials(auth).strategy == .visitor, let main = await socket.sibling(in: self.main.name),
            let record = PrincipalRecord(main.data), record.kind != .unauthorized
        {
            found = AuthenticatedPrincipal(self.model.principal(of: record), expiresAt: record.expiresAt)
        } else {
            found = try await self.authenticate(socket, auth: auth, address: address)
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
    func authenticate(_ socket: Socket, auth: JSONValue, address: String) async throws -> AuthenticatedPrincipal {
        let request = GatewayHooks.Request(
            auth: auth,
            handshake: Self.describe(socket.handshake, auth: auth),
            address: address
        )
        do {
            return try await Authenticator(model: self.model, hooks: self.hooks).authenticate(request, now: self.now())
        } catch let refusal as ConnectionRefusal where refusal.isFailedAuthentication {
            let now = socket.eventLoop.now
            let isOneTooMany = self.limiter.withLockedValue { $0.failed(address, at: now) }
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

    /// Writes down who a socket is and puts it into its rooms.
    func settle(_ socket: Socket, _ authenticated: AuthenticatedPrincipal, address: String) {
        let principal = authenticated.principal
        let record = PrincipalRecord(principal, expiresAt: authenticated.expiresAt)
        let model = self.model
        let node = model.configuration.nodeName
        socket.updateData { data in
            var object = record.merged(into: data).objectValue ?? [:]
            object["address"] = .string(address)
            object["node"] = node.map { .string($0) }
            data = .object(object)
        }
        socket.join(self.rooms(of: principal, model: model))
        self.metrics.admitted(record.kind)
        self.logger.debug(
            "A client was let in",
            metadata: [
                "sio.socket.id": "\(socket.id)", "address": "\(address)", "kind": "\(record.kind)",
                "user": "\(principal.user.map { "\($0.id)" } ?? "none")",
                "role": "\(principal.role?.type ?? "none")",
            ]
        )
    }

    private func rooms(of principal: Principal, model: GatewayModel) -> [Room] {
        var rooms = [principal.audienceRoom]
        if let user = principal.user {
            rooms.append(RoomName.user(user.id))
            if case .operator = principal { rooms.append(RoomName.operatorUser(user.id)) }
            if model.hasOwnedTypes { rooms.append(RoomName.owner(user.id, audience: principal.audienceRoom)) }
        }
        rooms += principal.role?.autoJoin.map { Room($0) } ?? []
        if principal.isAuthenticated { rooms += model.configuration.rooms.defaultRooms.map { Room($0) } }
        return rooms
    }

    private func connected(_ socket: Socket) {
        self.watchCredentials(of: socket)
        self.tellHook(socket)
    }

    /// Tells the application that the gateway has let a client in.
    func tellHook(_ socket: Socket) {
        guard let clientConnected = self.hooks.clientConnected else { return }
        let principal = self.principal(of: socket)
        let incidents = self.incidents
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

    /// Who a socket of this node is.
    func principal(of socket: Socket) -> Principal {
        self.model.principal(of: PrincipalRecord(socket.data))
    }

    // MARK: Expiry

    /// Makes sure that a socket does not outlive its credentials.
    func watchCredentials(of socket: Socket) {
        guard let expiry = PrincipalRecord(socket.data)?.expiresAt, expiry.isFinite else { return }
        let seconds = min(max(expiry - self.now(), 0), 1e9)
        // Rather a little late than early, because a deadline that comes early has to be set again.
        self.connections.watchCredentials(of: socket, for: .milliseconds(Int64(seconds * 1000) + 1))
    }

    private func credentialsExpired(_ socket: Socket) {
        guard socket.isConnected, let expiry = PrincipalRecord(socket.data)?.expiresAt else { return }
        guard expiry <= self.now() else {
            self.watchCredentials(of: socket)
            return
        }
        self.metrics.expelled(.tokenExpired)
        let isMain = socket.namespace.name == self.main.name
        self.expel(socket, reason: ConnectionRefusal.tokenExpired.message, closingConnection: isMain)
    }
}
