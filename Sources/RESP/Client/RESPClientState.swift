/// The state of a ``RESPClient``.
public enum RESPClientState: Sendable, Hashable {
    /// ``RESPClient/connect()`` was not called yet, or failed.
    case idle
    /// The client is making its first connection.
    case connecting
    /// Redis executes commands, and all subscriptions are in force.
    case ready
    /// The connection is lost, and the client is restoring it. It will never get the messages that others publish
    /// meanwhile.
    case disconnected(RESPError)
    /// ``RESPClient/close()`` was called.
    case closed
}

/// A handler of changes.
///
/// Cancel it when you do not need it any more.
public final class RESPStateObserver: Sendable {
    private let onCancel: @Sendable () -> Void

    init(onCancel: @escaping @Sendable () -> Void) { self.onCancel = onCancel }

    /// Ends the calls of the handler.
    ///
    /// A call that is under way still ends.
    public func cancel() { self.onCancel() }
}
