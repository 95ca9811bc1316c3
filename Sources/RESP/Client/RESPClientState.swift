/// What a ``RESPClient`` is up to.
public enum RESPClientState: Sendable, Hashable {
    /// ``RESPClient/connect()`` was not called yet, or failed.
    case idle
    /// The first connection is being made.
    case connecting
    /// Commands are executed, and everything that was subscribed is.
    case ready
    /// Lost; being restored. Messages published meanwhile don't arrive here, ever.
    case disconnected(RESPError)
    /// ``RESPClient/close()`` was called.
    case closed
}

/// A handler of state changes; cancel it when it has served.
public final class RESPStateObserver: Sendable {
    private let onCancel: @Sendable () -> Void

    init(onCancel: @escaping @Sendable () -> Void) { self.onCancel = onCancel }

    /// The handler isn't called any more, but for a call that is under way.
    public func cancel() { self.onCancel() }
}
