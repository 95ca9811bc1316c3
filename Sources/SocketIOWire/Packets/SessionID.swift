/// Identifies an Engine.IO session, or a client that comes back after it was away.
///
/// It is secret, because anybody who knows it can take the session over. So its description does not show it, unlike
/// that of a socket's id. A log that gets one by accident says `<session>`. Code that has to tell the id uses
/// ``secret``.
public struct SessionID: Hashable, Sendable {
    private let id: ConnectionID

    package init(high: UInt64, low: UInt64) { self.id = ConnectionID(high: high, low: low) }

    /// An id of 12 random bytes and the low 24 bits of a counter.
    package init(counter: UInt32, using generator: inout some RandomNumberGenerator) {
        self.id = ConnectionID(counter: counter, using: &generator)
    }

    /// Reads the 20 characters of an id.
    ///
    /// - Returns: The id; `nil` for a text of another length or alphabet.
    public init?(_ text: some StringProtocol) {
        guard let id = ConnectionID(text) else { return nil }
        self.id = id
    }

    /// Reads the 20 bytes of an id without a copy.
    package init?(utf8 bytes: UnsafeRawBufferPointer) {
        guard let id = ConnectionID(utf8: bytes) else { return nil }
        self.id = id
    }

    /// The 20 characters, for the client that owns the session, and for the place where it is stored.
    public var secret: String { self.id.description }

    /// The last four characters, for logs.
    ///
    /// They count the server's sessions, and do not help to guess the rest.
    package var label: String { "…" + self.id.description.suffix(4) }
}

extension SessionID: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `<session>`.
    public var description: String { "<session>" }

    /// `<session>`.
    public var debugDescription: String { self.description }

    /// Nothing, because a text that is made of a value's parts must not show the id either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
