import EngineIO

/// Why a socket left its namespace, in Socket.IO's own words.
public struct DisconnectReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The reason's text.
    public let rawValue: String

    /// A reason with a text of one's own.
    public init(rawValue: String) { self.rawValue = rawValue }

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

    /// The reason's text.
    public var description: String { self.rawValue }
}
