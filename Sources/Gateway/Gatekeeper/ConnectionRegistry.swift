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

    /// Watches the end of a socket's credentials.
    func watchCredentials(of socket: Socket, for delay: TimeAmount) {
        self.expiries.set(SocketKey(socket: socket), after: delay)
    }

    /// Forgets the end of a socket's credentials.
    func forgetCredentials(of socket: Socket) {
        self.expiries.remove(SocketKey(socket: socket))
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
        self.expiries.remove(key)
        let hadFlow = self.flows.withLockedValue { $0.removeValue(forKey: key) } != nil
        if hadFlow { self.timeouts.remove(key) }
    }
}
