public import NIOCore

/// How a client that was away for a moment gets back what it was and what it missed.
///
/// A client that comes back in time has the same id, rooms and `data` as before, and its ``Socket/isRecovered`` is
/// `true`. Before anything else it gets every event that it missed. If the server no longer has all of them, it is a
/// new client.
///
/// While this is on, an event without acknowledgement carries one more argument: its offset, which the client gives
/// back when it returns. The server keeps events in this process's memory. It does not keep volatile ones.
///
/// The server sends an event again if the client says that it has not seen it, because the event may not have arrived.
/// A client that asks for the same over and over again is a new client in the end.
public struct ConnectionStateRecovery: Sendable {
    /// How long a client may be away.
    public var maxDisconnectionDuration: TimeAmount
    /// Whether a client that comes back has no need to pass the middlewares.
    public var skipMiddlewares: Bool
    /// How many clients that are away the whole server remembers.
    ///
    /// For this limit and the next two: when there are too many, the namespace with most of them forgets its oldest.
    public var maximumSessions = 100_000
    /// How many events the whole server keeps.
    public var maximumEvents = 100_000
    /// How many bytes the whole server keeps: of events, and of the rooms and data of clients that are away.
    public var maximumBytes = 64 * 1024 * 1024

    /// Node's defaults: two minutes, and middlewares are skipped.
    public init(maxDisconnectionDuration: TimeAmount = .minutes(2), skipMiddlewares: Bool = true) {
        self.maxDisconnectionDuration = maxDisconnectionDuration
        self.skipMiddlewares = skipMiddlewares
    }
}
