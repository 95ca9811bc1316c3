import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// The life of a client's credentials: the client is told in time, and does not outlive them.
extension Gatekeeper {
    /// The event that tells a client that its credentials end soon.
    ///
    /// It has `{in, expiresAt}`, both in milliseconds.
    private static let expiringEvent = "auth:expiring"
    /// The event that tells a client that it is nobody in particular any more.
    ///
    /// It has `{role}`.
    private static let expiredEvent = "auth:expired"

    /// Watches over the credentials that a socket has now, instead of those that it had.
    ///
    /// - Parameters:
    ///   - socket: The socket.
    ///   - isNew: Whether the socket has just connected. One that has shown other credentials on request is not told at
    ///     once that these end soon, too.
    func watchCredentials(of socket: Socket, isNew: Bool = true) {
        guard let record = PrincipalRecord(socket.data), let end = record.expiresAt, end.isFinite else {
            self.connections.forgetCredentials(of: socket)
            return
        }
        let now = self.context.now()
        let life = CredentialLife(startsAt: record.issuedAt ?? now, endsAt: end, now: now, tellsOfPast: isNew)
        self.connections.watch(life, of: socket, for: self.delay(until: life.next))
    }

    func credentialsDue(_ socket: Socket) {
        let now = self.context.now()
        guard socket.isConnected, let action = self.connections.wake(socket, at: now) else { return }
        switch action {
        case .wait(let next): self.connections.wait(socket, for: self.delay(until: next))
        case .warn(let next):
            self.connections.wait(socket, for: self.delay(until: next))
            guard let end = PrincipalRecord(socket.data)?.expiresAt else { return }
            socket.emit(
                Self.expiringEvent,
                values: [["in": Self.milliseconds(end - now), "expiresAt": Self.milliseconds(end)]]
            )
        case .end: socket.eventLoop.execute { self.credentialsExpired(socket) }
        }
    }

    /// On the loop: the time of a socket's credentials is over.
    private func credentialsExpired(_ socket: Socket) {
        // Others may have been shown meanwhile.
        guard socket.isConnected, let record = PrincipalRecord(socket.data), let end = record.expiresAt else { return }
        guard end <= self.context.now() else { return self.watchCredentials(of: socket, isNew: false) }
        let rules = self.context.rules(for: socket)
        if rules.configuration.authentication.whenExpired == .demote, let visitor = self.visitor(socket, rules) {
            self.connections.demoted(socket, from: record)
            self.change(socket, to: AuthenticatedPrincipal(.visitor(visitor)), by: rules)
            socket.emit(Self.expiredEvent, values: [["role": .string(visitor.type)]])
            return
        }
        self.context.metrics.expelled(.tokenExpired)
        let isMain = socket.namespace === self.context.main
        self.context.expel(socket, reason: ConnectionRefusal.tokenExpired.message, closingConnection: isMain)
    }

    /// The role that a socket has without credentials; `nil` if it may not stay without any.
    private func visitor(_ socket: Socket, _ rules: Rules) -> Role? {
        guard let role = rules.access.roles.role(type: UTF8Text(rules.access.publicRole)) else { return nil }
        do {
            try rules.access.checks.check(.visitor(role))
            guard let settings = self.settings(of: socket) else { return role }
            guard !settings.requireAuth else { return nil }
            try settings.check(.visitor(role))
            return role
        } catch {
            return nil
        }
    }

    /// How the socket's namespace is configured; `nil` for the main one.
    private func settings(of socket: Socket) -> GatewayNamespace? {
        self.guardedNamespaces.first { $0.0 === socket.namespace }?.1
    }

    /// Rather a little late than early, because a deadline that comes early has to be set again.
    private func delay(until time: Double) -> TimeAmount {
        let seconds = min(max(time - self.context.now(), 0), 1e9)
        return .milliseconds(Int64(seconds * 1000) + 1)
    }

    static func milliseconds(_ seconds: Double) -> JSONValue {
        .int(Int(min(max(seconds, 0), 1e12) * 1000))
    }

    // MARK: Somebody else

    /// On the loop: makes a socket somebody else, with all that follows.
    ///
    /// It leaves the rooms that it may not be in any more, joins those that the gateway puts it into, and is told of both
    /// with `io:permissions`.
    func change(_ socket: Socket, to authenticated: AuthenticatedPrincipal, by rules: Rules) {
        socket.eventLoop.assertInEventLoop()
        let before = rules.access.principal(of: PrincipalRecord(socket.data))
        let judge = SocketJudge(from: rules, to: rules, now: self.context.now())
        var change = judge.change(
            from: before,
            to: authenticated.principal,
            in: socket.rooms,
            own: socket.id.room,
            owners: { self.subscriptions.owners(of: $0, $1) }
        )
        change.record = PrincipalRecord(authenticated)
        self.apply(change, to: socket, telling: true)
    }
}
