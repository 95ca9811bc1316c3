public import NIOCore

/// A message published to a channel that is subscribed.
///
/// Its buffers are slices of what was read from the socket: copy what is kept for long.
public struct RESPMessage: Sendable, Hashable {
    /// The channel it was published to.
    public var channel: ByteBuffer
    /// The pattern by which it was received, or `nil` if by the channel's name.
    public var pattern: ByteBuffer?
    /// What was published.
    public var payload: ByteBuffer

    /// Makes a message, for tests of what receives it.
    public init(channel: ByteBuffer, pattern: ByteBuffer? = nil, payload: ByteBuffer) {
        self.channel = channel
        self.pattern = pattern
        self.payload = payload
    }
}
