import EngineIO
import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// Decides who may connect, and sees to it that nobody outlives his credentials.
///
/// What is right it learns from ``AccessRules``; here that is joined to sockets.
final class Gatekeeper: Sendable {
    let context: GatewayContext
    let connections: ConnectionRegistry
    /// How much each client may still ask for.
    let budgets: ClientBudgets
    /// Knows who owns what clients follow.
    let subscriptions: Subscriptions
    /// Called when it is known who a client is, and it is connected.
    private let admitted = NIOLockedValueBox<(@Sendable (Socket) -> Void)?>(nil)
    /// Lets the application decide about clients, too.
    let customEvents: CustomEvents
    /// Knows which tokens are revoked.
    let revocations: Revocations
    /// Looks for sockets with revoked tokens.
    let sweep = RepeatedSweep()
    /// Asks a directory about those who log in.
    let lookup: UserLookup
    private let limiter: NIOLockedValueBox<FailureLimiter>

    init(
        _ context: GatewayContext,
        budgets: ClientBudgets,
        subscriptions: Subscriptions,
        customEvents: CustomEvents
    ) {
        let authentication = context.configuration.authentication
        self.context = context
        self.budgets = budgets
        self.subscriptions = subscriptions
        self.customEvents = customEvents
        self.revocations = Revocations(context)
        self.lookup = UserLookup(context)
        self.connections = ConnectionRegistry(eventLoop: context.main.eventLoop)
        self.limiter = NIOLockedValueBox(
            FailureLimiter(maximum: authentication.maximumFailures, length: authentication.failureWindow)
        )
    }

    /// Sets what happens when it is known who a client is, and it is connected.
    func onAdmission(_ handler: @escaping @Sendable (Socket) -> Void) {
        self.admitted.withLockedValue { $0 = handler }
    }

    func tellAdmission(of socket: Socket) { self.admitted.withLockedValue { $0 }?(socket) }

    /// Makes every connection to the gateway's namespaces pass its checks.
    func register() {
        self.connections.onExpiry(
            credentials: { [weak self] in self?.credentialsDue($0) },
            authentication: { [weak self] in self?.authenticationTimedOut($0) }
        )
        let mode = self.context.configuration.authentication.mode
        // The handlers keep the gateway alive. So nothing changes if the application forgets its reference.
        self.context.main.use { socket in
            let former = PrincipalRecord(socket.data)
            try await self.answer(socket) { gatekeeper in
                switch mode {
                case .handshake: try await gatekeeper.admit(socket, to: nil)
                case .event: try await gatekeeper.tolerate(socket)
                }
            }
            try self.checkRecovery(of: socket, former)
        }
        self.context.main.onConnection { socket in
            switch mode {
            case .handshake: self.connected(socket, to: nil)
            case .event: self.awaitAuthentication(of: socket)
            }
        }
        self.context.main.onDisconnect { socket, _ in self.forget(socket) }
        for configured in self.context.configuration.namespaces {
            let namespace = self.context.server.of(configured.name)
            guard configured.inheritsChecks else { continue }
            namespace.use { socket in
                let former = PrincipalRecord(socket.data)
                try await self.answer(socket) { gatekeeper in
                    try await gatekeeper.admit(socket, to: configured)
                }
                try self.checkRecovery(of: socket, former)
            }
            namespace.onConnection { socket in self.connected(socket, to: configured) }
            namespace.onDisconnect { socket, _ in self.forget(socket) }
        }
        if mode == .event {
            // What anybody sends to everybody, even an emitter of another language, is not for clients that have not
            // yet authenticated.
            self.context.main.keepOut(membersOf: RoomName.unauthorized)
            self.registerAuthentication()
        }
        self.registerRefresh()
        self.revocations.start { [weak self] in self?.cutRevoked() }
    }

    /// Lets a client that comes back go on where it was only if it still is who it was.
    ///
    /// What it has missed, and the rooms that it was in, were meant for that one. Somebody else is a new client. So is one
    /// whose permissions have changed while it was away: what it has missed was chosen by other rules.
    private func checkRecovery(of socket: Socket, _ former: PrincipalRecord?) throws {
        guard socket.isRecovered else { return }
        guard let former, let current = PrincipalRecord(socket.data), current.isSamePrincipal(as: former),
            !self.hasChangedLately(current, at: socket.eventLoop.now)
        else { throw RecoveryRefusal() }
    }

    /// Turns refusals into the errors that clients see.
    private func answer(_ socket: Socket, _ body: (Gatekeeper) async throws -> Void) async throws {
        do {
            try await body(self)
        } catch let refusal as ConnectionRefusal {
            self.context.metrics.refused(refusal.reason)
            self.context.logger.debug(
                "A client was not let in",
                metadata: [
                    "sio.socket.id": "\(socket.id)", "address": "\(self.context.address(of: socket))",
                    "reason": "\(refusal.reason.rawValue)",
                ]
            )
            throw ConnectError(refusal.message, data: refusal.data)
        } catch let error as ConnectError {
            // The application has decided.
            self.context.metrics.refused(.application)
            throw error
        } catch {
            // A hook failed. Its error is for the log and not for the client.
            self.context.metrics.refused(.error)
            self.authenticationFailed(socket, error)
            throw ConnectError(ConnectionRefusal.invalidCredentials.message)
        }
    }

    /// What checks credentials has failed, so that nobody knows who a client is.
    func authenticationFailed(_ socket: Socket, _ error: any Error) {
        self.context.incidents.record(
            "Clients could not be authenticated",
            reason: "hook",
            pace: .failures,
            details: [
                "sio.socket.id": "\(socket.id)", "address": "\(self.context.address(of: socket))", "error": "\(error)",
            ]
        )
    }

    /// Counts an address's failure to authenticate.
    ///
    /// - Returns: Whether it was one too many.
    func countFailure(of address: String, at now: NIODeadline) -> Bool {
        let isTooManyHere = self.limiter.withLockedValue { $0.failed(address, at: now) }
        let rates = self.context.configuration.limits.cluster
        let subjects = LimitSubjects(address: address)
        return self.budgets.shared.take(.failedLogins, 1, of: subjects, rates, at: now) != nil || isTooManyHere
    }

    /// Counts a connection of an address, or that of a principal whose address was counted before.
    func countConnection(_ subjects: LimitSubjects, on socket: Socket) throws(ConnectionRefusal) {
        let rates = self.context.rules(for: socket).configuration.limits.cluster
        let wait = self.budgets.shared.take(.connections, 1, of: subjects, rates, at: socket.eventLoop.now)
        if let wait { throw .rateLimited(retryAfterMilliseconds: wait) }
    }

    /// Changes how many failures are too many, and forgets those that were counted if that is something else than before.
    func limitFailures(
        _ authentication: GatewayConfiguration.Authentication,
        before: GatewayConfiguration.Authentication
    ) {
        guard
            authentication.maximumFailures != before.maximumFailures
                || authentication.failureWindow != before.failureWindow
        else { return }
        let limiter = FailureLimiter(maximum: authentication.maximumFailures, length: authentication.failureWindow)
        self.limiter.withLockedValue { $0 = limiter }
    }

    /// The client has left.
    private func forget(_ socket: Socket) {
        self.budgets.forget(socket)
        self.connections.forget(socket)
    }
}
