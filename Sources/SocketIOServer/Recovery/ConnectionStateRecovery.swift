public import NIOCore

/// How clients that were away for a moment get back what they were and what they missed.
///
/// A client that comes back in time has the same id, rooms and `data` as before, ``Socket/isRecovered`` is `true`, and it
/// gets every event that it missed before anything else: all of them, or it is a new client.
///
/// Events without acknowledgement carry one more argument while this is on, their offset, which clients give back when
/// they return; volatile events are not kept. What is kept is kept in this process's memory.
///
/// What a client was sent before it is sent again, because it may not have arrived; one that asks for the same over and
/// over again is a new client at last.
public struct ConnectionStateRecovery: Sendable {
    /// How long a client may be away.
    public var maxDisconnectionDuration: TimeAmount
    /// Whether a client that comes back has no need to pass the middlewares.
    public var skipMiddlewares: Bool
    /// How many clients that are away are remembered, by the whole server.
    ///
    /// Here and of the next two: when there are too many, the namespace with most of them forgets its oldest.
    public var maximumSessions = 100_000
    /// How many events are kept, by the whole server.
    public var maximumEvents = 100_000
    /// How many bytes are kept, by the whole server: of events, and of the rooms and data of clients that are away.
    public var maximumBytes = 64 * 1024 * 1024

    /// Node's defaults: two minutes, and middlewares are skipped.
    public init(maxDisconnectionDuration: TimeAmount = .minutes(2), skipMiddlewares: Bool = true) {
        self.maxDisconnectionDuration = maxDisconnectionDuration
        self.skipMiddlewares = skipMiddlewares
    }
}
