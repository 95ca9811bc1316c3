public import NIOCore

/// A Socket.IO packet, encoded once, ready for every connection and transport.
///
/// Frames that a server sends carry no mask, so the same bytes fit every WebSocket; polling payloads are made from the
/// same storage.
public final class EncodedPacket: Sendable {
    /// Complete WebSocket frames: a text frame holding the Engine.IO packet (`42["hi"]`), then one binary frame for each
    /// attachment.
    public let frames: ByteBuffer
    /// The Engine.IO packet as text, with its type digit: `42["hi"]`. A slice of ``frames``.
    public let text: ByteBuffer
    /// The attachments' bytes, without a frame header, in order.
    public let attachments: [ByteBuffer]

    package init(frames: ByteBuffer, text: ByteBuffer, attachments: [ByteBuffer]) {
        self.frames = frames
        self.text = text
        self.attachments = attachments
    }
}
