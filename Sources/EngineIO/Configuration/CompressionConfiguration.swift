/// Compression of WebSocket messages (RFC 7692, permessage-deflate).
///
/// No compression state outlives a message, in either direction. The zlib streams belong to the event loops. So a
/// connection costs no memory, no matter how many there are, and each loop compresses a broadcast once. The price is
/// that a message cannot refer to the messages before it.
public struct PerMessageDeflate: Sendable {
    /// The server sends messages shorter than this, in bytes, as they are.
    public var threshold = 1024
    /// The level, from 1 (fast) to 9 (small).
    public var level = 6
    /// The binary logarithm of the largest window, 9 to 15; a client may ask for a smaller one.
    public var windowBits = 15
    /// How much memory a loop's compressor takes, 1 to 9.
    public var memoryLevel = 8

    /// The settings that the reference implementation has if the extension is on.
    public init() {}
}

/// Compression of answers to polls, with gzip or deflate, as the client accepts.
public struct HTTPCompression: Sendable {
    /// The server sends bodies shorter than this, in bytes, as they are.
    public var threshold = 1024
    /// The server sends bodies longer than this, in bytes, as they are.
    ///
    /// While it compresses, the other clients of the event loop wait, for some 40 ms for each megabyte.
    public var largestBody = 262_144
    /// The level, from 1 (fast) to 9 (small).
    public var level = 6

    /// The reference implementation's settings, and a limit for long bodies.
    public init() {}
}
