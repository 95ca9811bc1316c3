/// Identifies an Engine.IO session, or what a client comes back with after it was away.
///
/// Secret: who knows it can take the session over. So it does not show itself in texts, as the ids of sockets do: a log
/// that gets one by accident says `<session>`. Whoever has to tell it uses ``secret``.
public struct SessionID: Hashable, Sendable {
    private let id: ConnectionID

    package init(high: UInt64, low: UInt64) { self.id = ConnectionID(high: high, low: low) }

    /// An id of 12 random bytes and the low 24 bits of a counter.
    package init(counter: UInt32, using generator: inout some RandomNumberGenerator) {
        self.id = ConnectionID(counter: counter, using: &generator)
    }

    /// Reads the 20 characters of an id.
    ///
    /// - Returns: `nil` for any other length or alphabet.
    public init?(_ text: some StringProtocol) {
        guard let id = ConnectionID(text) else { return nil }
        self.id = id
    }

    /// Reads the 20 bytes of an id where they lie.
    package init?(utf8 bytes: UnsafeRawBufferPointer) {
        guard let id = ConnectionID(utf8: bytes) else { return nil }
        self.id = id
    }

    /// The 20 characters, for the client that the session belongs to, and for where it is kept.
    public var secret: String { self.id.description }

    /// The last four characters, which count the server's sessions and help nobody to find the rest: for logs.
    package var label: String { "…" + self.id.description.suffix(4) }
}

extension SessionID: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `<session>`.
    public var description: String { "<session>" }

    /// `<session>`.
    public var debugDescription: String { self.description }

    /// Nothing: texts that are made of a value's parts must not have it either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
