import EngineIO
public import NIOCore
public import SocketIOWire

extension Socket {
    /// Sends an event to this client: `[event, argument...]`.
    ///
    /// An event that can't be encoded, or has a name that the protocol keeps for itself, is not sent. The server logs
    /// that, and counts it in `socketio_unencodable_events_total`.
    @inlinable
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        self.emit(event, options: EmitOptions()) { writer in
            repeat try writer.write(each arguments)
        }
    }

    /// Sends an event with these arguments to this client.
    public func emit(_ event: String, values: [JSONValue]) {
        self.emit(event, options: EmitOptions()) { writer in
            writer.write(contentsOf: values)
        }
    }

    /// Sends the event `message`.
    @inlinable
    public func send<each Argument: Encodable & Sendable>(_ arguments: repeat each Argument) {
        self.emit("message", repeat each arguments)
    }

    /// Sends an event and waits for the client's acknowledgement, decoded from its first argument.
    ///
    /// Without a timeout (``timeout(_:)``, or the server's default) this waits until the client answers or leaves.
    ///
    /// - Throws: ``AcknowledgementError``: timed out, the client disconnected, or the answer is of another type.
    @inlinable
    public func emitWithAck<each Argument: Encodable & Sendable, Answer: Decodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        returning answer: Answer.Type = Answer.self
    ) async throws -> Answer {
        try await self.emitWithAck(event, options: EmitOptions(), decoding: answer) { writer in
            repeat try writer.write(each arguments)
        }
    }

    /// Sends an event and waits for the client's acknowledgement, whatever is in it.
    ///
    /// Without a timeout (``timeout(_:)``, or the server's default) this waits until the client answers or leaves.
    ///
    /// - Returns: The acknowledgement's first argument; `null` if it has none.
    /// - Throws: ``AcknowledgementError``: timed out, or the client disconnected.
    @inlinable
    @discardableResult
    public func emitWithAck<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) async throws -> JSONValue {
        try await self.emitWithAck(event, options: EmitOptions(), decoding: JSONValue?.self) { writer in
            repeat try writer.write(each arguments)
        } ?? .null
    }

    /// Drops the event if more than the engine's `limits.volatileThreshold` of bytes wait for the client.
    public var volatile: SocketOperator { SocketOperator(socket: self, options: EmitOptions(isVolatile: true)) }

    /// Whether the event may be compressed, in answers to polls and in WebSocket messages; `true` unless said otherwise.
    public func compress(_ allowed: Bool) -> SocketOperator {
        SocketOperator(socket: self, options: EmitOptions(allowsCompression: allowed))
    }

    /// How long to wait for the client's acknowledgement.
    public func timeout(_ timeout: TimeAmount) -> SocketOperator {
        SocketOperator(socket: self, options: EmitOptions(timeout: timeout))
    }
}

/// How one event is sent to one client.
@usableFromInline
struct EmitOptions: Sendable {
    var isVolatile = false
    var allowsCompression = true
    var timeout: TimeAmount?

    @usableFromInline
    init() {}

    init(isVolatile: Bool = false, allowsCompression: Bool = true, timeout: TimeAmount? = nil) {
        self.isVolatile = isVolatile
        self.allowsCompression = allowsCompression
        self.timeout = timeout
    }
}

/// A socket with modifiers for the next event sent to it.
public struct SocketOperator: Sendable {
    @usableFromInline
    let socket: Socket
    @usableFromInline
    var options: EmitOptions

    /// Drops the event if more than the engine's `limits.volatileThreshold` of bytes wait for the client.
    public var volatile: SocketOperator {
        var copy = self
        copy.options.isVolatile = true
        return copy
    }

    /// Whether the event may be compressed, in answers to polls and in WebSocket messages; `true` unless said otherwise.
    public func compress(_ allowed: Bool) -> SocketOperator {
        var copy = self
        copy.options.allowsCompression = allowed
        return copy
    }

    /// How long to wait for the client's acknowledgement.
    public func timeout(_ timeout: TimeAmount) -> SocketOperator {
        var copy = self
        copy.options.timeout = timeout
        return copy
    }

    /// Sends an event to the client.
    @inlinable
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        self.socket.emit(event, options: self.options) { writer in
            repeat try writer.write(each arguments)
        }
    }

    /// Sends an event with these arguments to the client.
    public func emit(_ event: String, values: [JSONValue]) {
        self.socket.emit(event, options: self.options) { writer in
            writer.write(contentsOf: values)
        }
    }

    /// Sends the event `message`.
    @inlinable
    public func send<each Argument: Encodable & Sendable>(_ arguments: repeat each Argument) {
        self.emit("message", repeat each arguments)
    }

    /// Sends an event and waits for the client's acknowledgement; see ``Socket/emitWithAck(_:_:returning:)``.
    @inlinable
    public func emitWithAck<each Argument: Encodable & Sendable, Answer: Decodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        returning answer: Answer.Type = Answer.self
    ) async throws -> Answer {
        try await self.socket.emitWithAck(event, options: self.options, decoding: answer) { writer in
            repeat try writer.write(each arguments)
        }
    }

    /// Sends an event and waits for the client's acknowledgement, whatever is in it.
    ///
    /// See ``Socket/emitWithAck(_:_:)``.
    ///
    /// - Returns: The acknowledgement's first argument; `null` if it has none.
    /// - Throws: ``AcknowledgementError``: timed out, or the client disconnected.
    @inlinable
    @discardableResult
    public func emitWithAck<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) async throws -> JSONValue {
        try await self.socket.emitWithAck(event, options: self.options, decoding: JSONValue?.self) { writer in
            repeat try writer.write(each arguments)
        } ?? .null
    }
}

extension Socket {
    @usableFromInline
    func emit(_ event: String, options: EmitOptions, write: (inout PayloadWriter) throws -> Void) {
        if let recovery = self.namespace.recovery, !options.isVolatile {
            guard let packet = self.namespace.encode(event, id: nil, write: write) else { return }
            recovery.emit(packet, to: self, compress: options.allowsCompression)
            return
        }
        guard self.eventLoop.inEventLoop, self.isUpToDate, options.allowsCompression,
            self.extras?.anyOutgoing.isEmpty ?? true
        else {
            guard let packet = self.namespace.encode(event, id: nil, write: write) else { return }
            self.onLoop { self.transmit(packet, options: options) }
            return
        }
        guard self.state != .disconnected else { return }
        let namespace = self.namespace.name
        do {
            guard !isReservedEventName(event) else { throw ReservedEventName(name: event) }
            try self.session.send(
                volatile: options.isVolatile,
                appending: {
                    try PacketEncoder.appendEvent(event, namespace: namespace, id: nil, to: &$0, write: write)
                },
                orEncoding: { try PacketEncoder.event(event, namespace: namespace, write: write) }
            )
        } catch {
            self.namespace.reportUnencodable(event: event, error: error)
        }
    }

    /// Sends an event that is not volatile; on the socket's loop.
    func transmit(_ packet: EncodedPacket, compress: Bool) {
        self.transmit(packet, options: EmitOptions(allowsCompression: compress))
    }

    private func transmit(_ packet: EncodedPacket, options: EmitOptions) {
        self.eventLoop.assertInEventLoop()
        guard self.state != .disconnected else { return }
        if self.extras != nil { self.notifyOutgoing(packet) }
        self.session.send(packet, volatile: options.isVolatile, compress: options.allowsCompression)
    }

    @usableFromInline
    func emitWithAck<Answer: Decodable & Sendable>(
        _ event: String,
        options: EmitOptions,
        decoding: Answer.Type,
        write: (inout PayloadWriter) throws -> Void
    ) async throws -> Answer {
        let id = self.namespace.nextAcknowledgementID()
        guard let packet = self.namespace.encode(event, id: id, write: write) else {
            throw AcknowledgementError.unencodable
        }
        let timeout = options.timeout ?? self.namespace.acknowledgementTimeout
        let arguments: Arguments = try await withCheckedThrowingContinuation { continuation in
            self.onLoop {
                guard self.state != .disconnected else {
                    continuation.resume(throwing: AcknowledgementError.disconnected)
                    return
                }
                let limit = self.namespace.limits.pendingAcknowledgements
                guard self.extras?.acknowledgements.count ?? 0 < limit else {
                    self.client.rejected("pending_acknowledgements")
                    continuation.resume(throwing: AcknowledgementError.tooMany(limit))
                    return
                }
                let pending = PendingAcknowledgement(id: id, socket: self, continuation: continuation)
                self.makeExtras().acknowledgements[id] = pending
                self.client.adjustReading()
                if let timeout { pending.startTimer(timeout, on: self.session) }
                self.transmit(packet, options: options)
            }
        }
        var reader = arguments.makeReader()
        do {
            return try reader.next(Answer.self)
        } catch {
            throw AcknowledgementError(
                code: .unexpectedAnswer,
                message: "the acknowledgement of \"\(event)\" is no \(Answer.self): \(error)"
            )
        }
    }

    /// Handles an ACK packet.
    func acknowledged(_ packet: Packet) {
        guard let id = packet.id else { return }
        if let pending = self.extras?.acknowledgements.removeValue(forKey: id) {
            pending.succeed(packet.acknowledgementArguments())
        } else if let pending = self.shard.broadcastAcknowledgements[id] {
            pending.acknowledged(by: self, packet.acknowledgementArguments())
        }
    }
}
