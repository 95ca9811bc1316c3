public import SocketIOWire

extension Socket {
    /// Runs a handler for an event of this client, on the socket's loop; what it returns answers the acknowledgement.
    ///
    /// The handler's parameters are the event's arguments: missing ones are `nil` for optionals and an error otherwise,
    /// more than it takes are ignored. A handler that throws ``RejectedEvent`` tells the client so; one that throws
    /// something else, or whose arguments don't decode, answers a waiting client with `{"error": …}` and reaches
    /// ``onError(_:)``.
    @inlinable
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Reply
    ) {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs a handler for an event of this client, on the socket's loop; an acknowledgement is answered with nothing.
    @inlinable
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Void
    ) {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs an asynchronous handler for an event of this client, after the asynchronous handlers of earlier events.
    ///
    /// It starts on the socket's loop and stays there while it does not suspend.
    @inlinable
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Reply
    ) {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs an asynchronous handler for an event of this client; an acknowledgement is answered with nothing.
    @inlinable
    public func on<each Argument: Decodable & Sendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Void
    ) {
        self.add(
            .typed { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event
        )
    }

    /// Runs a handler that takes the event as it came and acknowledges it when it likes, by
    /// ``ReceivedEvent/acknowledge(_:)``.
    public func onRaw(_ event: String, _ handler: @escaping @Sendable (ReceivedEvent) throws -> Void) {
        self.add(EventHandler(body: .synchronous(handler), answersOnce: false), for: event)
    }

    /// Removes all of this socket's own handlers of an event.
    public func removeHandlers(of event: String) {
        self.onLoop { self.extras?.events[event] = nil }
    }

    /// Sees every event of this client before its handlers do.
    public func onAny(_ listener: @escaping @Sendable (_ event: String, _ arguments: Arguments) -> Void) {
        self.onLoop { self.makeExtras().anyIncoming.append(listener) }
    }

    /// Sees every event that is sent to this client, broadcasts included.
    public func onAnyOutgoing(_ listener: @escaping @Sendable (_ event: String, _ arguments: Arguments) -> Void) {
        self.onLoop {
            self.makeExtras().anyOutgoing.append { name, packet in
                guard let arguments = packet.decodedEvent?.arguments else { return }
                listener(name, arguments)
            }
        }
    }

    /// Runs for every event of this client before its handlers; by throwing it drops the event.
    ///
    /// With a middleware, events are handled in the socket's mailbox, one after the other.
    public func use(_ middleware: @escaping @Sendable @concurrent (ReceivedEvent) async throws -> Void) {
        self.onLoop { self.makeExtras().middlewares.append(middleware) }
    }

    /// Runs when the socket is about to leave the namespace, while it still is in its rooms.
    public func onDisconnecting(_ handler: @escaping @Sendable (DisconnectReason) -> Void) {
        self.onLoop { self.makeExtras().disconnecting.append(handler) }
    }

    /// Runs when the socket has left the namespace.
    public func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) {
        self.onLoop { self.makeExtras().disconnect.append(handler) }
    }

    /// Runs when a handler or middleware fails, and when the client sends something that can't be decoded.
    public func onError(_ handler: @escaping @Sendable (any Error) -> Void) {
        self.onLoop { self.makeExtras().errors.append(handler) }
    }

    @usableFromInline
    func add(_ handler: EventHandler, for event: String) {
        self.onLoop {
            guard self.state != .disconnected else { return }
            self.makeExtras().events[event, default: []].append(handler)
        }
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
