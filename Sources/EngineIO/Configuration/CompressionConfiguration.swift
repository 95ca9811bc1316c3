/// Compression of WebSocket messages (RFC 7692, permessage-deflate).
///
/// No compression state outlives a message, in either direction. The zlib streams belong to the event loops, so a
/// connection costs no memory, however many there are, and each loop compresses a broadcast once. The price is that a
/// message cannot borrow from the messages before it.
public struct PerMessageDeflate: Sendable {
    /// The server sends messages shorter than this, in bytes, as they are.
    public var threshold = 1024
    /// From 1, fast, to 9, small.
    public var level = 6
    /// The binary logarithm of the largest window, 9 to 15; a client may ask for a smaller one.
    public var windowBits = 15
    /// How much memory a loop's compressor takes, 1 to 9.
    public var memoryLevel = 8

    /// The reference implementation's settings, if it is told to use the extension.
    public init() {}
}

/// Compression of answers to polls, in what the client accepts of gzip and deflate.
public struct HTTPCompression: Sendable {
    /// The server sends bodies shorter than this, in bytes, as they are.
    public var threshold = 1024
    /// The server sends bodies longer than this, in bytes, as they are: while it compresses, the loop's other clients
    /// wait, some 40 ms for a megabyte.
    public var largestBody = 262_144
    /// From 1, fast, to 9, small.
    public var level = 6

    /// The reference implementation's settings, and a bound.
    public init() {}
}
