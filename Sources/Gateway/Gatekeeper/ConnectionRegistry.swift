import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// What the gateway remembers about sockets of this node besides their `data`.
///
/// That is little, and only for few sockets.
final class ConnectionRegistry: Sendable {
    private struct Callbacks {
        var credentialsExpired: (@Sendable (Socket) -> Void)?
        var authenticationTimedOut: (@Sendable (Socket) -> Void)?
    }

    private let callbacks = NIOLockedValueBox(Callbacks())
    /// In event mode: the clients that have not authenticated yet.
    private let flows = NIOLockedValueBox<[SocketKey: EventAuthentication]>([:])
    /// The clients whose credentials end.
    private let lives = NIOLockedValueBox<[SocketKey: CredentialLife]>([:])
    /// Who clients were that stay without credentials, because their own have ended.
    private let demotions = NIOLockedValueBox<[SocketKey: PrincipalRecord]>([:])
    private let expiries: DeadlineTimer<SocketKey>
    private let timeouts: DeadlineTimer<SocketKey>

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

    /// Watches over a socket's credentials; something is due after a while.
    func watch(_ life: CredentialLife, of socket: Socket, for delay: TimeAmount) {
        let key = SocketKey(socket: socket)
        self.lives.withLockedValue { $0[key] = life }
        self.expiries.set(key, after: delay)
    }

    /// What is due in the life of a socket's credentials; `nil` if nobody watches over them.
    func wake(_ socket: Socket, at now: Double) -> CredentialLife.Action? {
        self.lives.withLockedValue { $0[SocketKey(socket: socket)]?.wake(at: now) }
    }

    /// Something is due after a while.
    func wait(_ socket: Socket, for delay: TimeAmount) {
        let key = SocketKey(socket: socket)
        guard self.lives.withLockedValue({ $0[key] != nil }) else { return }
        self.expiries.set(key, after: delay)
    }

    /// A socket stays without credentials.
    func demoted(_ socket: Socket, from record: PrincipalRecord) {
        self.demotions.withLockedValue { $0[SocketKey(socket: socket)] = record }
    }

    /// Who a socket was that stays without credentials; `nil` for others.
    func demotion(of socket: Socket) -> PrincipalRecord? {
        self.demotions.withLockedValue { $0[SocketKey(socket: socket)] }
    }

    /// A socket has credentials again.
    func forgetDemotion(of socket: Socket) {
        self.demotions.withLockedValue { _ = $0.removeValue(forKey: SocketKey(socket: socket)) }
    }

    /// Forgets the end of a socket's credentials.
    func forgetCredentials(of socket: Socket) {
        let key = SocketKey(socket: socket)
        self.lives.withLockedValue { _ = $0.removeValue(forKey: key) }
        self.expiries.remove(key)
    }

    /// Begins the time in which a client has to authenticate.
    func beginAuthentication(of socket: Socket, timeout: TimeAmount) {
        self.flows.withLockedValue { $0[SocketKey(socket: socket)] = EventAuthentication() }
        self.timeouts.set(SocketKey(socket: socket), after: timeout)
    }

    /// Tells a client's flow what happened; `nil` if the client has none.
    func advance<Result: Sendable>(
        _ socket: Socket,
        _ body: (inout EventAuthentication) -> sending Result
    ) -> Result? {
        let key = SocketKey(socket: socket)
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
        self.flows.withLockedValue { $0[SocketKey(socket: socket)] }.map { $0.state == .authenticated } ?? true
    }

    /// The client has authenticated, so its time no longer runs.
    func endAuthentication(of socket: Socket) {
        self.timeouts.remove(SocketKey(socket: socket))
    }

    /// The client has left.
    func forget(_ socket: Socket) {
        let key = SocketKey(socket: socket)
        self.forgetCredentials(of: socket)
        self.forgetDemotion(of: socket)
        let hadFlow = self.flows.withLockedValue { $0.removeValue(forKey: key) } != nil
        if hadFlow { self.timeouts.remove(key) }
    }
}
