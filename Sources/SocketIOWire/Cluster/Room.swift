/// The name of a set of sockets that a broadcast can be sent to.
///
/// Every socket is in the room of its own id. Node's numeric rooms (`socket.join(42)`) are their decimal text here.
public struct Room: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let name: String

    public init(_ name: String) { self.name = name }
    public init(stringLiteral value: String) { self.name = value }

    public var description: String { self.name }
}
