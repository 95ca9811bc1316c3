public import SocketIOServer
public import SocketIOWire

/// An event of a client, for a function of the application.
public struct EventCall: Sendable {
    /// The event's name, `connection` or `disconnect`.
    public let name: String
    /// What follows the name; for `disconnect` the reason.
    public let arguments: [JSONValue]
    /// The client's socket; for `connection` it is not connected yet.
    public let socket: Socket
    /// Who the client is.
    public let principal: Principal
}

/// A function of the application that handles events of clients.
///
/// If it throws `RejectedEvent`, the client is told why. Of any other error only the log is told. For `connection`,
/// `ConnectError` refuses the client, as ``EventReply/refuse(_:data:)`` does.
public typealias CustomEventHandler = @Sendable (EventCall) async throws -> EventReply
