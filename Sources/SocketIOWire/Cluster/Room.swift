/// The name of a set of sockets that a broadcast can be sent to.
///
/// Every socket is in the room of its own id. Node's numeric rooms (`socket.join(42)`) are their decimal text here.
public struct Room: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The text that names the room on the wire.
    public let name: String

    /// The room of that name.
    public init(_ name: String) { self.name = name }
    /// The room of that name, written as a literal.
    public init(stringLiteral value: String) { self.name = value }

    /// The name.
    public var description: String { self.name }
}
