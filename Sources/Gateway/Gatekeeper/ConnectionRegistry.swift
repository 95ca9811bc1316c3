import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// What the gateway remembers about sockets of this node besides their `data`.
///
/// That is little, and only for few sockets.
final class ConnectionRegistry: Sendable {
    /// A socket as a key.
    ///
    /// It is compared by identity.
    struct Key: Hashable, Sendable {
        let socket: Socket

        static func == (left: Key, right: Key) -> Bool { left.socket === right.socket }
        func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self.socket)) }
    }

    private struct Callbacks {
        var credentialsExpired: (@Sendable (Socket) -> Void)?
        var authenticationTimedOut: (@Sendable (Socket) -> Void)?
    }

    private let callbacks = NIOLockedValueBox(Callbacks())
    /// In event mode: the clients that have not authenticated yet.
    private let flows = NIOLockedValueBox<[Key: EventAuthentication]>([:])
    /// How much each client may still ask for.
    ///
    /// Only clients that have asked for something are listed.
    private let budgets = NIOLockedValueBox<[Key: ClientBudget]>([:])
    private let expiries: DeadlineTimer<Key>
    private let timeouts: DeadlineTimer<Key>

    init(eventLoop: any EventLoop) {
        let callbacks = self.callbacks
        self.expiries = DeadlineTimer(eventLoop: eventLoop) { key in
            callbacks.withLockedValue { $0.credentialsExpired }?(key.socket)
        }
        self.timeouts = DeadlineTimer(eventLoop: eventLoop) { key in
            callbacks.withLockedValue { $0.authenticationTimedOut }?(key.socket)
        }
    }

    /// Sets what happens when credentials expire, or when the time to show them is over.
    func onExpiry(
        credentials: @escaping @Sendable (Socket) -> Void,
        authentication: @escaping @Sendable (Socket) -> Void
    ) {
        self.callbacks.withLockedValue {
            $0 = Callbacks(credentialsExpired: credentials, authenticationTimedOut: authentication)
        }
    }

    /// Watches the end of a socket's credentials.
    func watchCredentials(of socket: Socket, for delay: TimeAmount) {
        self.expiries.set(Key(socket: socket), after: delay)
    }

    /// Begins the time in which a client has to authenticate.
    func beginAuthentication(of socket: Socket, timeout: TimeAmount) {
        self.flows.withLockedValue { $0[Key(socket: socket)] = EventAuthentication() }
        self.timeouts.set(Key(socket: socket), after: timeout)
    }

    /// Tells a client's flow what happened; `nil` if the client has none.
    func advance<Result: Sendable>(
        _ socket: Socket,
        _ body: (inout EventAuthentication) -> sending Result
    ) -> Result? {
        let key = Key(socket: socket)
        return self.flows.withLockedValue { flows in
            guard var flow = flows[key] else { return nil }
            let result = body(&flow)
            flows[key] = flow
            return result
        }
    }

    /// Whether a client may send events.
    ///
    /// It may if it has no flow, or if its flow has ended well.
    func isAuthenticated(_ socket: Socket) -> Bool {
        self.flows.withLockedValue { $0[Key(socket: socket)] }.map { $0.state == .authenticated } ?? true
    }

    /// The client has authenticated, so its time no longer runs.
    func endAuthentication(of socket: Socket) {
        self.timeouts.remove(Key(socket: socket))
    }

    /// Takes the cost of a client's wish.
    ///
    /// - Throws: ``ClientRefusal`` with the time to wait if the client has asked too often.
    func spend(
        _ kind: ClientBudget.Kind,
        _ count: Int,
        of socket: Socket,
        limits: GatewayConfiguration.Limits
    ) throws(ClientRefusal) {
        // A client that has left is forgotten, and must not be remembered again.
        guard socket.isConnected else { return }
        let key = Key(socket: socket)
        let now = socket.eventLoop.now
        let answer = self.budgets.withLockedValue {
            $0[key, default: ClientBudget()].take(kind, count, limits, at: now)
        }
        // The client may have left meanwhile. Then nobody else would forget it.
        if !socket.isConnected { self.budgets.withLockedValue { _ = $0.removeValue(forKey: key) } }
        guard case .refused(let milliseconds) = answer else { return }
        throw .rateLimitExceeded(retryAfterMilliseconds: milliseconds)
    }

    /// The client has left.
    func forget(_ socket: Socket) {
        let key = Key(socket: socket)
        self.budgets.withLockedValue { _ = $0.removeValue(forKey: key) }
        self.expiries.remove(key)
        let hadFlow = self.flows.withLockedValue { $0.removeValue(forKey: key) } != nil
        if hadFlow { self.timeouts.remove(key) }
    }
}
