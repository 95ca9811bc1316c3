/// Thrown by a middleware for a client that comes back: it can't go on where it was, but may connect as a new client.
///
/// For example because it is somebody else now. The middlewares run once more, for the new socket.
public struct RecoveryRefusal: Error, Sendable {
    /// A refusal.
    public init() {}
}
