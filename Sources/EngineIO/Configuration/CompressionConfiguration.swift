/// Compression of WebSocket messages (RFC 7692, permessage-deflate).
///
/// No compression state outlives a message, in either direction: the zlib streams belong to the event loops, so a
/// connection costs no memory however many there are, and a broadcast is compressed once a loop. The price is what one
/// message could have borrowed from those before it.
public struct PerMessageDeflate: Sendable {
    /// Messages shorter than this, in bytes, are sent as they are.
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
    /// Bodies shorter than this, in bytes, are sent as they are.
    public var threshold = 1024
    /// Bodies longer than this, in bytes, are sent as they are: compressing keeps a loop's other clients waiting, a megabyte
    /// for some 40 ms.
    public var largestBody = 262_144
    /// From 1, fast, to 9, small.
    public var level = 6

    /// The reference implementation's settings, and a bound.
    public init() {}
}
