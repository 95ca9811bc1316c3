/// What became of a command of ``RESPClient/keep(_:resends:completion:)``.
public enum RESPKeptOutcome: Sendable, Hashable {
    /// Redis has executed it; never ``RESPValue/error(_:)``.
    case replied(RESPValue)
    /// Redis said no.
    case refused(RESPError)
    /// The connection was lost before the reply came: it was executed once, or not at all.
    case unconfirmed(RESPError)
    /// It was never executed: it waited for too long, or the client was closed.
    case dropped(RESPError)
}
