public import SocketIOWire

/// Something on which an application registers middlewares and handlers for many clients at once: a ``Namespace``, all
/// children of a ``ParentNamespace``, or a ``SocketServer``, which means its main namespace.
public protocol HandlerRegistry: Sendable {
    /// Adds what the other methods make.
    func register(_ registration: HandlerRegistration)
}

/// A middleware or handler on its way to where it is registered; made by the methods of ``HandlerRegistry``.
public struct HandlerRegistration: Sendable {
    @usableFromInline
    enum Kind: Sendable {
        case middleware(@Sendable @concurrent (Socket) async throws -> Void)
        case connection(@Sendable (Socket) -> Void)
        case disconnecting(@Sendable (Socket, DisconnectReason) -> Void)
        case disconnect(@Sendable (Socket, DisconnectReason) -> Void)
        case error(@Sendable (Socket, any Error, ReceivedEvent?) -> Void)
        case missedEvents(@Sendable (Socket, MissedEvent) -> Bool)
        case event(String, EventHandler)
        case unhandled(EventHandler)
        case serverSide(String, @Sendable ([JSONValue], ServerSideReply?) -> Void)
    }

    @usableFromInline
    let kind: Kind

    @usableFromInline
    init(_ kind: Kind) { self.kind = kind }
}

extension HandlerRegistry {
    /// Runs for every client that wants to connect, after the middlewares that were registered before.
    ///
    /// By throwing ``ConnectError`` it refuses the client, which gets the error's message and data as `connect_error`.
    public func use(_ middleware: @escaping @Sendable @concurrent (Socket) async throws -> Void) {
        self.register(HandlerRegistration(.middleware(middleware)))
    }

    /// Runs for every client that has connected, on its loop, before anything else that the client sends is handled.
    public func onConnection(_ handler: @escaping @Sendable (Socket) -> Void) {
        self.register(HandlerRegistration(.connection(handler)))
    }

    /// Decides for each event that a client has missed whether it gets it now that it has come back: on the socket's loop,
    /// after the middlewares (see ``ConnectionStateRecovery/skipMiddlewares``) and before anything is sent.
    ///
    /// An event may have been for whom the client was then, and not be for whom it is now. All filters have to agree.
    public func filterMissedEvents(_ filter: @escaping @Sendable (_ socket: Socket, _ event: MissedEvent) -> Bool) {
        self.register(HandlerRegistration(.missedEvents(filter)))
    }

    /// Runs when any socket of the namespace is about to leave it, while it still is in its rooms.
    public func onDisconnecting(_ handler: @escaping @Sendable (Socket, DisconnectReason) -> Void) {
        self.register(HandlerRegistration(.disconnecting(handler)))
    }

    /// Runs when any socket of the namespace has left it.
    public func onDisconnect(_ handler: @escaping @Sendable (Socket, DisconnectReason) -> Void) {
        self.register(HandlerRegistration(.disconnect(handler)))
    }

    /// Runs when a handler or middleware of any client's events fails, with the event that it failed for; when a client
    /// sends something that can't be decoded, and when it exceeds a limit (``LimitExceeded``), without an event.
    ///
    /// Listeners of the socket itself (`Socket.onError`) hear of it first. If nobody listens, the log gets a warning.
    public func onError(
        _ handler: @escaping @Sendable (_ socket: Socket, _ error: any Error, _ event: ReceivedEvent?) -> Void
    ) {
        self.register(HandlerRegistration(.error(handler)))
    }

    /// Runs a handler for an event of any client; what it returns answers the acknowledgement.
    ///
    /// Such a handler costs no memory per connection, unlike one that is registered on each socket. `Socket.on` says
    /// more about arguments and errors.
    @inlinable
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Reply
    ) {
        self.register(HandlerRegistration(.event(event, .typed(handler))))
    }

    /// Runs a handler for an event of any client; an acknowledgement is answered with nothing.
    @inlinable
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Void
    ) {
        self.register(HandlerRegistration(.event(event, .typed(handler))))
    }

    /// Runs an asynchronous handler for an event of any client, after the asynchronous handlers of its earlier events.
    @inlinable
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Reply
    ) {
        self.register(HandlerRegistration(.event(event, .typed(handler))))
    }

    /// Runs an asynchronous handler for an event of any client; an acknowledgement is answered with nothing.
    @inlinable
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Void
    ) {
        self.register(HandlerRegistration(.event(event, .typed(handler))))
    }

    /// Runs a handler that takes any client's event as it came and acknowledges it when it likes.
    public func onRaw(_ event: String, _ handler: @escaping @Sendable (ReceivedEvent) throws -> Void) {
        let handler = EventHandler(body: .synchronous(handler), answersOnce: false)
        self.register(HandlerRegistration(.event(event, handler)))
    }

    /// Runs an asynchronous handler that takes any client's event as it came, after the asynchronous handlers of its
    /// earlier events.
    ///
    /// It acknowledges the event when it likes. If it throws, the client gets the answer of a failed handler.
    public func onRaw(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (ReceivedEvent) async throws -> Void
    ) {
        let handler = EventHandler(body: .asynchronous(handler), answersOnce: false)
        self.register(HandlerRegistration(.event(event, handler)))
    }

    /// Runs for each event of any client that has no handler, on the client's loop, behind the middlewares.
    ///
    /// Without it the server ignores such an event, and a client that waits for an acknowledgement waits in vain. The
    /// handler that was registered last counts.
    public func onUnhandled(_ handler: @escaping @Sendable (ReceivedEvent) throws -> Void) {
        self.register(HandlerRegistration(.unhandled(EventHandler(body: .synchronous(handler), answersOnce: false))))
    }

    /// Runs when another server of the cluster sends an event by `serverSideEmit`.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - handler: Gets the arguments and, if the sender waits for an answer, the reply to give it with.
    public func onServerSide(
        _ event: String,
        _ handler: @escaping @Sendable (_ arguments: [JSONValue], _ reply: ServerSideReply?) -> Void
    ) {
        self.register(HandlerRegistration(.serverSide(event, handler)))
    }
}

/// The middlewares and handlers of a namespace.
struct HandlerSet: Sendable {
    private(set) var middlewares: [@Sendable @concurrent (Socket) async throws -> Void] = []
    private(set) var connection: [@Sendable (Socket) -> Void] = []
    private(set) var disconnecting: [@Sendable (Socket, DisconnectReason) -> Void] = []
    private(set) var disconnect: [@Sendable (Socket, DisconnectReason) -> Void] = []
    private(set) var error: [@Sendable (Socket, any Error, ReceivedEvent?) -> Void] = []
    private(set) var missedEvents: [@Sendable (Socket, MissedEvent) -> Bool] = []
    private(set) var events: [UTF8Text: [EventHandler]] = [:]
    private(set) var unhandled: EventHandler?
    private(set) var serverSide: [UTF8Text: [@Sendable ([JSONValue], ServerSideReply?) -> Void]] = [:]

    mutating func add(_ registration: HandlerRegistration) {
        switch registration.kind {
        case .middleware(let middleware): self.middlewares.append(middleware)
        case .connection(let handler): self.connection.append(handler)
        case .disconnecting(let handler): self.disconnecting.append(handler)
        case .disconnect(let handler): self.disconnect.append(handler)
        case .error(let handler): self.error.append(handler)
        case .missedEvents(let filter): self.missedEvents.append(filter)
        case .event(let name, let handler): self.events[UTF8Text(name), default: []].append(handler)
        case .unhandled(let handler): self.unhandled = handler
        case .serverSide(let name, let handler): self.serverSide[UTF8Text(name), default: []].append(handler)
        }
    }
}

/// Answers another server's `serverSideEmitWithAck`; only the first answer counts.
public struct ServerSideReply: Sendable {
    let once = AnsweredOnce()
    let send: @Sendable (JSONValue?) -> Void

    /// Answers; `nil` answers with nothing.
    public func callAsFunction(_ value: JSONValue?) {
        if self.once.isFirst() { self.send(value) }
    }
}
