/// What sees a socket's events before their handlers do.
enum EventMiddleware: Sendable {
    /// Decides at once, on the socket's loop.
    case synchronous(@Sendable (ReceivedEvent) throws -> Void)
    /// Decides when it has found out: later events wait for it.
    case asynchronous(@Sendable @concurrent (ReceivedEvent) async throws -> Void)
}
