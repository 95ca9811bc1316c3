import EngineIO

/// Why a socket left its namespace, in Socket.IO's own words.
public struct DisconnectReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The reason's text.
    public let rawValue: String
    /// More for people and logs, such as what was wrong with the client's last message; `nil` if there is no more to say.
    ///
    /// Two reasons that differ only in this are equal.
    public var details: String?

    /// A reason with a text of one's own.
    public init(rawValue: String) { self.rawValue = rawValue }

    init(rawValue: String, details: String?) {
        self.rawValue = rawValue
        self.details = details
    }

    /// Compares the texts.
    public static func == (one: DisconnectReason, other: DisconnectReason) -> Bool { one.rawValue == other.rawValue }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) { hasher.combine(self.rawValue) }

    /// The connection failed.
    public static let transportError = DisconnectReason(rawValue: "transport error")
    /// The client or the network closed the connection.
    public static let transportClose = DisconnectReason(rawValue: "transport close")
    /// The client did not answer a ping in time.
    public static let pingTimeout = DisconnectReason(rawValue: "ping timeout")
    /// The client sent something that is no Engine.IO packet.
    public static let parseError = DisconnectReason(rawValue: "parse error")
    /// The server closed the connection: a protocol violation, or no namespace joined in time.
    public static let forcedClose = DisconnectReason(rawValue: "forced close")
    /// The server is shutting down.
    public static let serverShuttingDown = DisconnectReason(rawValue: "server shutting down")
    /// The client left the namespace.
    public static let clientNamespaceDisconnect = DisconnectReason(rawValue: "client namespace disconnect")
    /// The server disconnected the socket.
    public static let serverNamespaceDisconnect = DisconnectReason(rawValue: "server namespace disconnect")
    /// The client has come back over another connection, before this one was known to be lost.
    public static let connectionReplaced = DisconnectReason(rawValue: "connection replaced")
    /// The client sent far more than ``SocketLimits`` allows.
    public static let rateLimitExceeded = DisconnectReason(rawValue: "rate limit exceeded")

    /// Whether it was nobody's intention, so that the client may come back and go on.
    var isRecoverable: Bool {
        switch self {
        case .parseError, .clientNamespaceDisconnect, .serverNamespaceDisconnect, .rateLimitExceeded: false
        default: true
        }
    }

    /// The reason's text.
    public var description: String { self.rawValue }
}
