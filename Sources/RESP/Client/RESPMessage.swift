public import NIOCore

/// A message that was published to a subscribed channel.
///
/// Its buffers are slices of what was read from the socket, so copy what you keep for long.
public struct RESPMessage: Sendable, Hashable {
    /// The channel that it was published to.
    public var channel: ByteBuffer
    /// The pattern that matched; `nil` if the channel's name was subscribed.
    public var pattern: ByteBuffer?
    /// What was published.
    public var payload: ByteBuffer
    /// Whether it was published with `SPUBLISH`.
    public var isSharded: Bool

    /// Makes a message, for tests of handlers.
    public init(channel: ByteBuffer, pattern: ByteBuffer? = nil, payload: ByteBuffer, isSharded: Bool = false) {
        self.channel = channel
        self.pattern = pattern
        self.payload = payload
        self.isSharded = isSharded
    }
}
