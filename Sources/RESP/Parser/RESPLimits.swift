/// How much of a reply is accepted from Redis, so that a broken or hostile one costs bounded memory.
public struct RESPLimits: Sendable, Hashable {
    /// The longest string kept, in bytes.
    ///
    /// A longer one is read and dropped as it comes, and stands in its reply as a ``RESPError`` with the code
    /// ``RESPError/Code/tooLong``: the connection lives on. 64 MiB by default.
    public var maximumStringLength = 64 * 1024 * 1024
    /// The longest line (a simple string, an error, a number), in bytes; a longer one ends the connection.
    public var maximumLineLength = 64 * 1024
    /// How deep arrays, maps and sets may nest; deeper ends the connection.
    public var maximumDepth = 32
    /// How many values one reply may hold, those of all levels together; more ends the connection.
    public var maximumElements = 1_000_000
    /// How many bytes of strings one reply may hold together; more ends the connection.
    ///
    /// 256 MiB by default.
    public var maximumReplyLength = 256 * 1024 * 1024

    /// The default limits.
    public init() {}
}
