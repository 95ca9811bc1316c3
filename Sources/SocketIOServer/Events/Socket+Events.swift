public import EngineIO
import NIOCore
public import SocketIOWire

extension Socket {
    /// Runs a handler for an event of this client, on the socket's loop; what it returns answers the acknowledgement.
    ///
    /// The handler's parameters are the event's arguments. A missing argument is `nil` for an optional and an error
    /// otherwise; surplus arguments are ignored. A handler that throws ``RejectedEvent`` tells the client why. If it
    /// throws something else, or its arguments don't decode, a waiting client gets `{"error": …}` and
    /// ``onError(_:)-((Error,ReceivedEvent?)->Void)`` hears of it.
    ///
    /// - Returns: What ``off(_:)`` removes the handler with.
    @inlinable
    @discardableResult
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Reply
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs a handler for an event of this client, on the socket's loop; an acknowledgement is answered with nothing.
    @inlinable
    @discardableResult
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Void
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs an asynchronous handler for an event of this client, after the asynchronous handlers of earlier events.
    ///
    /// It starts on the socket's loop and stays there while it does not suspend.
    @inlinable
    @discardableResult
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Reply
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs an asynchronous handler for an event of this client; an acknowledgement is answered with nothing.
    @inlinable
    @discardableResult
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Void
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs a handler for the next event of that name only; otherwise the same as `on`.
    @inlinable
    @discardableResult
    public func once<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Reply
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event,
            once: true
        )
    }

    /// Runs a handler for the next event of that name; an acknowledgement is answered with nothing.
    @inlinable
    @discardableResult
    public func once<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Void
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event,
            once: true
        )
    }

    /// Runs an asynchronous handler for the next event of that name; what it returns answers the acknowledgement.
    @inlinable
    @discardableResult
    public func once<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Reply
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event,
            once: true
        )
    }

    /// Runs an asynchronous handler for the next event of that name; an acknowledgement is answered with nothing.
    @inlinable
    @discardableResult
    public func once<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Void
    ) -> EventListener {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event,
            once: true
        )
    }

    /// Runs a handler that takes the event as it came and acknowledges it when it likes, by
    /// ``ReceivedEvent/acknowledge(_:)``.
    @discardableResult
    public func onRaw(_ event: String, _ handler: @escaping @Sendable (ReceivedEvent) throws -> Void) -> EventListener {
        self.add(EventHandler(body: .synchronous(handler), answersOnce: false), for: event)
    }

    /// Removes a handler or listener of this socket.
    public func off(_ listener: EventListener) {
        self.onLoop { self.extras?.remove(listener) }
    }

    /// Removes all of this socket's own handlers of an event; those of its namespace stay.
    public func removeHandlers(of event: String) {
        self.onLoop { self.extras?.events[UTF8Text(event)] = nil }
    }

    /// Removes all of this socket's own handlers of events.
    public func removeAllHandlers() {
        self.onLoop { self.extras?.events = [:] }
    }

    /// How many handlers of that event the socket has of its own; ask on the socket's loop only.
    public func handlerCount(of event: String) -> Int {
        self.eventLoop.preconditionInEventLoop()
        return self.extras?.events[UTF8Text(event)]?.count ?? 0
    }

    /// The events that the socket has handlers of its own for, in no order; ask on the socket's loop only.
    public var handledEvents: [String] {
        self.eventLoop.preconditionInEventLoop()
        return self.extras.map { $0.events.keys.map(\.string) } ?? []
    }

    // MARK: Catch-all

    /// Sees every event of this client before its handlers do.
    @discardableResult
    public func onAny(
        _ listener: @escaping @Sendable (_ event: UTF8Text, _ arguments: Arguments) -> Void
    )
        -> EventListener
    {
        self.listen(listener) { $0.anyIncoming.append($1) }
    }

    /// Sees every event of this client, before the listeners that there are already.
    @discardableResult
    public func prependAny(
        _ listener: @escaping @Sendable (_ event: UTF8Text, _ arguments: Arguments) -> Void
    )
        -> EventListener
    {
        self.listen(listener) { $0.anyIncoming.insert($1, at: 0) }
    }

    /// Removes every listener of ``onAny(_:)`` and ``prependAny(_:)``; ``off(_:)`` removes one.
    public func offAny() {
        self.onLoop { self.extras?.anyIncoming = [] }
    }

    /// Sees every event that is sent to this client, broadcasts included, acknowledgements not.
    @discardableResult
    public func onAnyOutgoing(
        _ listener: @escaping @Sendable (_ event: UTF8Text, _ arguments: Arguments) -> Void
    )
        -> EventListener
    {
        self.listen(Self.outgoing(listener)) { $0.anyOutgoing.append($1) }
    }

    /// Sees every event that is sent to this client, before the listeners that there are already.
    @discardableResult
    public func prependAnyOutgoing(
        _ listener: @escaping @Sendable (_ event: UTF8Text, _ arguments: Arguments) -> Void
    )
        -> EventListener
    {
        self.listen(Self.outgoing(listener)) { $0.anyOutgoing.insert($1, at: 0) }
    }

    /// Removes every listener of ``onAnyOutgoing(_:)`` and ``prependAnyOutgoing(_:)``; ``off(_:)`` removes one.
    public func offAnyOutgoing() {
        self.onLoop { self.extras?.anyOutgoing = [] }
    }

    /// How many listeners see every event of this client, and every event sent to it; on the socket's loop only.
    public var catchAllListenerCounts: (incoming: Int, outgoing: Int) {
        self.eventLoop.preconditionInEventLoop()
        return (self.extras?.anyIncoming.count ?? 0, self.extras?.anyOutgoing.count ?? 0)
    }

    private static func outgoing(
        _ listener: @escaping @Sendable (_ event: UTF8Text, _ arguments: Arguments) -> Void
    ) -> @Sendable (UTF8Text, EncodedPacket) -> Void {
        { name, packet in
            guard let arguments = packet.decodedEvent?.arguments else { return }
            listener(name, arguments)
        }
    }

    // MARK: The socket's own events

    /// Runs for every event of this client before its handlers, on the socket's loop; by throwing it drops the event.
    ///
    /// Middlewares run in the order in which they were added. With synchronous ones alone, an event that they let pass is
    /// handled at once, as without middlewares.
    public func use(_ middleware: @escaping @Sendable (ReceivedEvent) throws -> Void) {
        self.onLoop { self.makeExtras().middlewares.append(.synchronous(middleware)) }
    }

    /// Runs an asynchronous middleware for every event of this client before its handlers; by throwing it drops the
    /// event.
    ///
    /// Events pass the middleware one after the other, in the order of their arrival. While it waits, the client's
    /// later events wait behind it, those of synchronous handlers too. A handler that waits keeps no later event from
    /// the middleware.
    public func use(_ middleware: @escaping @Sendable @concurrent (ReceivedEvent) async throws -> Void) {
        self.onLoop { self.makeExtras().middlewares.append(.asynchronous(middleware)) }
    }

    /// Runs when the socket is about to leave the namespace, while it still is in its rooms.
    @discardableResult
    public func onDisconnecting(_ handler: @escaping @Sendable (DisconnectReason) -> Void) -> EventListener {
        self.listen(handler) { $0.disconnecting.append($1) }
    }

    /// Runs when the socket has left the namespace.
    @discardableResult
    public func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) -> EventListener {
        self.listen(handler) { $0.disconnect.append($1) }
    }

    /// Runs when a handler or middleware of this client's events fails, when the client sends something that can't be
    /// decoded, and when it exceeds a limit (``LimitExceeded``).
    ///
    /// If nobody listens, the log gets a warning.
    @discardableResult
    public func onError(_ handler: @escaping @Sendable (any Error) -> Void) -> EventListener {
        self.onError { error, _ in handler(error) }
    }

    /// Runs when a handler or middleware of this client's events fails, with the event that it failed for; when the
    /// client sends something that can't be decoded, and when it exceeds a limit (``LimitExceeded``), without an event.
    ///
    /// ``HandlerRegistry/onError(_:)`` does the same for all clients of a namespace.
    @discardableResult
    public func onError(
        _ handler: @escaping @Sendable (_ error: any Error, _ event: ReceivedEvent?) -> Void
    ) -> EventListener {
        self.listen(handler) { $0.errors.append($1) }
    }

    /// Runs when the client's connection changes from polling to another transport.
    @discardableResult
    public func onTransportChange(_ handler: @escaping @Sendable (TransportName) -> Void) -> EventListener {
        self.listen(handler) { $0.transportChanges.append($1) }
    }

    private func listen<Body: Sendable>(
        _ body: Body,
        _ add: @escaping @Sendable (SocketExtras, Registered<Body>) -> Void
    ) -> EventListener {
        let registered = Registered(listener: EventListener(), body: body)
        self.onLoop {
            guard self.state != .disconnected else { return }
            add(self.makeExtras(), registered)
        }
        return registered.listener
    }

    @usableFromInline
    func add(_ handler: EventHandler, for event: String, once: Bool = false) -> EventListener {
        let listener = EventListener()
        self.namespace.mistakes.check(event, on: .socket, of: self.namespace.name)
        let added = handler.listening(as: listener, once: once)
        self.onLoop {
            guard self.state != .disconnected else { return }
            self.makeExtras().events[UTF8Text(event), default: []].append(added)
        }
        return listener
    }
}

extension EventHandler {
    @inlinable
    static func typed<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Reply
    ) -> EventHandler {
        EventHandler(
            body: .synchronous { event in
                var reader = event.arguments.makeReader()
                let reply = try handler(event.socket, repeat try reader.next((each Argument).self))
                if event.expectsAcknowledgement { event.acknowledge { try $0.write(reply) } }
            },
            answersOnce: true
        )
    }

    @inlinable
    static func typed<each Argument: Decodable & Sendable>(
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Void
    ) -> EventHandler {
        EventHandler(
            body: .synchronous { event in
                var reader = event.arguments.makeReader()
                try handler(event.socket, repeat try reader.next((each Argument).self))
                if event.expectsAcknowledgement { event.acknowledge { _ in } }
            },
            answersOnce: true
        )
    }

    @inlinable
    static func typed<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Reply
    ) -> EventHandler {
        EventHandler(
            body: .asynchronous { event in
                var reader = event.arguments.makeReader()
                let reply = try await handler(event.socket, repeat try reader.next((each Argument).self))
                if event.expectsAcknowledgement { event.acknowledge { try $0.write(reply) } }
            },
            answersOnce: true
        )
    }

    @inlinable
    static func typed<each Argument: Decodable & Sendable>(
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Void
    ) -> EventHandler {
        EventHandler(
            body: .asynchronous { event in
                var reader = event.arguments.makeReader()
                try await handler(event.socket, repeat try reader.next((each Argument).self))
                if event.expectsAcknowledgement { event.acknowledge { _ in } }
            },
            answersOnce: true
        )
    }
}
