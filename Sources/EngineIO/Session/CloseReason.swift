/// Why a session ended, in the words of the reference implementation.
///
/// Clients and applications compare these words.
public struct CloseReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The reason's text.
    public let rawValue: String

    /// A reason with a text of your own.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// An error of the socket, overlapping polls, a heartbeat in the wrong direction, or a message that is too big.
    public static let transportError = Self(rawValue: "transport error")
    /// The peer or the network closed the transport.
    public static let transportClose = Self(rawValue: "transport close")
    /// The client sent no pong within the ping timeout.
    public static let pingTimeout = Self(rawValue: "ping timeout")
    /// The client sent a packet that cannot be decoded.
    public static let parseError = Self(rawValue: "parse error")
    /// The server closed the session.
    public static let forcedClose = Self(rawValue: "forced close")

    /// The reason's text.
    public var description: String { self.rawValue }
}
