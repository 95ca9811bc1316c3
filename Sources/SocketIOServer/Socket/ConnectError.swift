public import SocketIOWire

/// Thrown by a middleware: refuses the client, which gets it as `connect_error`.
///
/// The client sees `err.message` and `err.data`. For any other error that a middleware throws, the client gets
/// `Internal server error`, so that nothing internal leaks, and the log gets the error.
public struct ConnectError: Error, Sendable, Hashable {
    /// Why, for the client.
    public var message: String
    /// Details for the client, or `nil` for none.
    public var data: JSONValue?

    /// A refusal in words, with details if there are any.
    public init(_ message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}
