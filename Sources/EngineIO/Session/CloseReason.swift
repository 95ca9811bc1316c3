/// Why a session ended, in the words of the reference implementation (which clients and applications match on).
public struct CloseReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The reason's text.
    public let rawValue: String

    /// A reason with a text of one's own.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A socket, read or write error, overlapping polls, a wrong heartbeat direction, too big a message.
    public static let transportError = Self(rawValue: "transport error")
    /// The peer or the network closed the transport.
    public static let transportClose = Self(rawValue: "transport close")
    /// No pong within the ping timeout.
    public static let pingTimeout = Self(rawValue: "ping timeout")
    /// A packet that could not be decoded.
    public static let parseError = Self(rawValue: "parse error")
    /// The server closed the session.
    public static let forcedClose = Self(rawValue: "forced close")

    /// The reason's text.
    public var description: String { self.rawValue }
}
