import SocketIOWire

/// What runs when a client's event arrives.
@usableFromInline
struct EventHandler: Sendable {
    @usableFromInline
    enum Body: Sendable {
        /// Runs on the socket's loop at once.
        case synchronous(@Sendable (ReceivedEvent) throws -> Void)
        /// Runs in the socket's mailbox, after the asynchronous handlers of earlier events.
        ///
        /// `@concurrent`, here and in every signature: on the task's preferred executor, which is the socket's loop.
        case asynchronous(@Sendable @concurrent (ReceivedEvent) async throws -> Void)
    }

    @usableFromInline
    let body: Body
    /// Whether the handler answers an acknowledgement once at most by construction.
    @usableFromInline
    let answersOnce: Bool

    @usableFromInline
    init(body: Body, answersOnce: Bool) {
        self.body = body
        self.answersOnce = answersOnce
    }
}
