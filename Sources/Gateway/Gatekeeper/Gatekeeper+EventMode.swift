import Incidents
import Logging
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// In event mode, clients connect first, and then authenticate with the event `authenticate`.
extension Gatekeeper {
    /// Lets a client connect that has not authenticated yet.
    func tolerate(_ socket: Socket) async throws {
        let address = self.context.address(of: socket)
        try self.context.rules(for: socket).access.checks.check(
            address: address,
            connections: self.context.main.localSocketCount
        )
        try self.countConnection(LimitSubjects(address: address), on: socket)
        let node = self.context.rules(for: socket).configuration.nodeName
        socket.updateData { data in
            var object = PrincipalRecord.unauthorized.merged(into: data).objectValue ?? [:]
            object["address"] = .string(address)
            object["node"] = node.map { .string($0) }
            data = .object(object)
        }
        socket.join(RoomName.unauthorized)
    }

    /// Lets the client send nothing but `authenticate`, for a limited time.
    func awaitAuthentication(of socket: Socket) {
        self.connections.beginAuthentication(
            of: socket,
            timeout: self.context.rules(for: socket).configuration.authentication.timeout
        )
        let connections = self.connections
        socket.use { event in
            guard event.name != "authenticate", !connections.isAuthenticated(event.socket) else { return }
            event.acknowledge(values: [ClientRefusal.notAuthenticated.answer])
            throw RejectedEvent(ClientRefusal.notAuthenticated.message)
        }
    }

    func registerAuthentication() {
        self.context.main.on("authenticate") { (socket: Socket, payload: JSONValue?) async -> JSONValue in
            await self.authenticate(socket, payload: payload)
        }
    }

    func authenticationTimedOut(_ socket: Socket) {
        guard self.connections.advance(socket, { $0.timedOut() }) == true else { return }
        self.context.metrics.refused(.authenticationTimeout)
        socket.disconnect(closingConnection: true)
    }

    private func authenticate(_ socket: Socket, payload: JSONValue?) async -> JSONValue {
        guard self.connections.advance(socket, { $0.requested() }) == true else {
            return ClientRefusal("Authentication is not possible now").answer
        }
        let refusal: EventAuthentication.Refusal
        var retryAfter: Int?
        do {
            let address = self.context.address(of: socket)
            var isCounted = false
            // To look at credentials takes time, in which the rules may be replaced. Then the new ones decide.
            while true {
                let rules = self.context.rules(for: socket)
                let principal = try await self.principal(of: socket, payload: payload, address: address, rules.access)
                guard let found = principal else { throw ConnectionRefusal.invalidCredentials }
                try rules.access.checks.check(found.principal)
                if !isCounted { try self.countConnection(LimitSubjects(found.principal), on: socket) }
                isCounted = true
                try await self.customEvents.admit(socket, found.principal)
                let answer: JSONValue? = try await socket.eventLoop.turn {
                    guard self.context.rules(for: socket).version <= rules.version else { return nil }
                    guard self.connections.advance(socket, { $0.succeeded() }) == true else {
                        return ClientRefusal("Authentication came too late").answer
                    }
                    self.welcome(socket, found, by: rules, address: address)
                    return ["success": true, "id": .string(socket.id.description)]
                }
                if let answer { return answer }
            }
        } catch let reason as ConnectionRefusal {
            self.context.metrics.refused(reason.reason)
            self.context.logger.debug(
                "A client was not let in",
                metadata: [
                    "sio.socket.id": "\(socket.id)", "address": "\(self.context.address(of: socket))",
                    "reason": "\(reason.reason.rawValue)",
                ]
            )
            retryAfter = reason.retryAfterMilliseconds
            switch reason {
            case .invalidToken, .invalidCredentials, .tokenExpired, .tokenRevoked, .noValidRoom,
                .authenticationRequired:
                refusal = .badCredentials
            default:
                refusal = .refused(reason)
            }
        } catch let error as ConnectError {
            self.context.metrics.refused(.application)
            refusal = .refusedByApplication(error.message)
        } catch {
            self.context.metrics.refused(.error)
            self.authenticationFailed(socket, error)
            refusal = .failure
        }
        if self.connections.advance(socket, { $0.failed() }) == true {
            // This is sent on the connection itself and before its end, so that it arrives.
            socket.emit(
                "unauthenticated",
                values: [["message": .string(refusal.message), "time": self.context.isoTime]]
            )
            socket.disconnect(closingConnection: true)
        }
        return ClientRefusal(refusal.message, retryAfterMilliseconds: retryAfter).answer
    }

    /// Who a client is, by the credentials in the payload or else in its handshake; `nil` if there is nobody.
    private func principal(
        of socket: Socket,
        payload: JSONValue?,
        address: String,
        _ rules: AccessRules
    ) async throws -> AuthenticatedPrincipal? {
        var auth = socket.handshake.auth
        if let payload, payload["token"] != nil { auth = payload }
        if let authenticate = self.context.hooks.authenticate {
            let handshake = Self.describe(socket.handshake, auth: socket.handshake.auth)
            return try await authenticate(.init(auth: auth, handshake: handshake, address: address)).map {
                try self.accepted($0, on: socket)
            }
        }
        let found = try await self.authenticate(socket, auth: auth, address: address, rules)
        return found.principal.isAuthenticated ? found : nil
    }

    /// Credentials that a hook of the application has accepted, unless they are revoked.
    func accepted(
        _ found: AuthenticatedPrincipal,
        on socket: Socket
    ) throws(ConnectionRefusal) -> AuthenticatedPrincipal {
        let found = found.issued(at: self.context.now())
        try self.revocations.check(PrincipalRecord(found), at: socket.eventLoop.now)
        return found
    }

    func welcome(
        _ socket: Socket,
        _ found: AuthenticatedPrincipal,
        by rules: Rules,
        address: String
    ) {
        self.connections.endAuthentication(of: socket)
        socket.leave(RoomName.unauthorized)
        socket.emit("ping", values: [["time": self.context.isoTime]])
        _ = self.settle(socket, found, by: rules, address: address)
        // What was revoked meanwhile was looked for before the socket had these credentials.
        if self.cutIfRevoked(socket) { return }
        self.watchCredentials(of: socket)
        self.budgets.shared.watchEvents(of: socket)
        socket.emit(
            "authenticated",
            values: [["id": .string(socket.id.description), "time": self.context.isoTime]]
        )
        self.customEvents.connected(socket)
        self.tellHook(socket)
    }
}
