public import SocketIOWire

// Handlers whose result can't be sent. Without these, `{ (n: Int) in ["ok": true, "n": n] }` would be a handler without a
// result for the compiler, which throws the list away, and the client would get an empty answer. They are deprecated and
// not unavailable, because the compiler takes anything before it takes what is unavailable.

extension Socket {
    /// Not to be called: this is where the compiler says that a handler's result can't be sent.
    @available(
        *,
        deprecated,
        message: "the result can't be sent: return something Encodable & Sendable, as a JSONValue, or write '-> Void'"
    )
    @inlinable
    @discardableResult
    public func on<each Argument: Decodable & Sendable, Unsendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Unsendable
    ) -> EventListener {
        self.add(
            .unsendable { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event
        )
    }

    /// Not to be called: this is where the compiler says that a handler's result can't be sent.
    @available(
        *,
        deprecated,
        message: "the result can't be sent: return something Encodable & Sendable, as a JSONValue, or write '-> Void'"
    )
    @inlinable
    @discardableResult
    public func on<each Argument: Decodable & Sendable, Unsendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Unsendable
    ) -> EventListener {
        self.add(
            .unsendable { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event
        )
    }

    /// Not to be called: this is where the compiler says that a handler's result can't be sent.
    @available(
        *,
        deprecated,
        message: "the result can't be sent: return something Encodable & Sendable, as a JSONValue, or write '-> Void'"
    )
    @inlinable
    @discardableResult
    public func once<each Argument: Decodable & Sendable, Unsendable>(
        _ event: String,
        _ handler: @escaping @Sendable (repeat each Argument) throws -> Unsendable
    ) -> EventListener {
        self.add(
            .unsendable { (_: Socket, arguments: repeat each Argument) in try handler(repeat each arguments) },
            for: event,
            once: true
        )
    }

    /// Not to be called: this is where the compiler says that a handler's result can't be sent.
    @available(
        *,
        deprecated,
        message: "the result can't be sent: return something Encodable & Sendable, as a JSONValue, or write '-> Void'"
    )
    @inlinable
    @discardableResult
    public func once<each Argument: Decodable & Sendable, Unsendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Unsendable
    ) -> EventListener {
        self.add(
            .unsendable { (_: Socket, arguments: repeat each Argument) in try await handler(repeat each arguments) },
            for: event,
            once: true
        )
    }
}

extension HandlerRegistry {
    /// Not to be called: this is where the compiler says that a handler's result can't be sent.
    @available(
        *,
        deprecated,
        message: "the result can't be sent: return something Encodable & Sendable, as a JSONValue, or write '-> Void'"
    )
    @inlinable
    public func on<each Argument: Decodable & Sendable, Unsendable>(
        _ event: String,
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Unsendable
    ) {
        self.register(HandlerRegistration(.event(event, .unsendable(handler))))
    }

    /// Not to be called: this is where the compiler says that a handler's result can't be sent.
    @available(
        *,
        deprecated,
        message: "the result can't be sent: return something Encodable & Sendable, as a JSONValue, or write '-> Void'"
    )
    @inlinable
    public func on<each Argument: Decodable & Sendable, Unsendable>(
        _ event: String,
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Unsendable
    ) {
        self.register(HandlerRegistration(.event(event, .unsendable(handler))))
    }
}

extension EventHandler {
    @inlinable
    static func unsendable<each Argument: Decodable & Sendable, Unsendable>(
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Unsendable
    ) -> EventHandler {
        EventHandler(
            body: .synchronous { event in
                var reader = event.arguments.makeReader()
                _ = try handler(event.socket, repeat try reader.next((each Argument).self))
                if event.expectsAcknowledgement { throw UnsendableResult(type: "\(Unsendable.self)") }
            },
            answersOnce: true
        )
    }

    @inlinable
    static func unsendable<each Argument: Decodable & Sendable, Unsendable>(
        _ handler: @escaping @Sendable @concurrent (Socket, repeat each Argument) async throws -> Unsendable
    ) -> EventHandler {
        EventHandler(
            body: .asynchronous { event in
                var reader = event.arguments.makeReader()
                _ = try await handler(event.socket, repeat try reader.next((each Argument).self))
                if event.expectsAcknowledgement { throw UnsendableResult(type: "\(Unsendable.self)") }
            },
            answersOnce: true
        )
    }
}

/// A client waits for the answer of a handler whose result can't be sent.
@usableFromInline
struct UnsendableResult: Error, CustomStringConvertible {
    @usableFromInline
    let type: String

    @usableFromInline
    init(type: String) { self.type = type }

    @usableFromInline
    var description: String {
        "the handler returned \(self.type), which can't be sent: it has to be Encodable and Sendable"
    }
}
