/// How much of a reply is accepted, so that a broken or hostile Redis cannot take unlimited memory.
public struct RESPLimits: Sendable, Hashable {
    /// The longest string that is kept, in bytes.
    ///
    /// A longer string is dropped while it arrives. In the reply a ``RESPError`` with the code
    /// ``RESPError/Code/tooLong`` takes its place, and the connection lives on. The default is 64 MiB.
    public var maximumStringLength = 64 * 1024 * 1024
    /// The longest line (a simple string, an error, a number), in bytes.
    ///
    /// A longer one ends the connection.
    public var maximumLineLength = 64 * 1024
    /// How deep arrays, maps and sets may nest.
    ///
    /// A deeper one ends the connection.
    public var maximumDepth = 32
    /// How many values one reply may hold on all levels together.
    ///
    /// More values end the connection.
    public var maximumElements = 1_000_000
    /// How many bytes all strings of one reply may have together.
    ///
    /// More bytes end the connection.
    ///
    /// The default is 256 MiB.
    public var maximumReplyLength = 256 * 1024 * 1024

    /// The default limits.
    public init() {}
}
