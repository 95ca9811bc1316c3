/// The name of a set of sockets that a broadcast can be sent to.
///
/// Every socket is in the room of its own id. Rooms are told apart by the bytes of their names. Node's numeric rooms
/// (`socket.join(42)`) are their decimal text here.
public struct Room: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    CustomStringConvertible
{
    private let text: UTF8Text

    /// The text that names the room on the wire.
    public var name: String { self.text.string }

    /// The room of that name.
    public init(_ name: String) { self.text = UTF8Text(name) }
    /// The room of that name, written as a literal: `"lobby"` or `"user:\(id)"`.
    public init(stringLiteral value: String) { self.text = UTF8Text(value) }

    /// The name.
    public var description: String { self.name }
}
