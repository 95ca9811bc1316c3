package import NIOCore

/// How a packet becomes WebSocket messages.
package enum WebSocketForm: Hashable, Sendable {
    /// Text, and bytes as they are, in the same form as in ``EncodedPacket/frames``.
    case standard
    /// Bytes as base64 (`bAQID`), for clients that have asked for it.
    case base64
    /// Protocol 3: bytes behind the packet's type.
    case version3
    /// Protocol 3: bytes as base64 behind the packet's type (`b4AQID`).
    case version3Base64

    /// The form for a client.
    package init(isVersion3: Bool, isTextOnly: Bool) {
        self =
            switch (isVersion3, isTextOnly) {
            case (false, false): .standard
            case (false, true): .base64
            case (true, false): .version3
            case (true, true): .version3Base64
            }
    }
}

extension EncodedPacket {
    /// Hands out the messages of this packet, in order.
    package func forEachMessage(as form: WebSocketForm, _ body: (WebSocketOpcode, ByteBuffer) -> Void) {
        if self.text.readableBytes > 0 { body(.text, self.text) }
        for attachment in self.attachments {
            var message = ByteBuffer()
            switch form {
            case .standard:
                message = attachment
            case .base64, .version3Base64:
                message.writeStaticString(form == .base64 ? "b" : "b4")
                message.writeBase64Encoded(attachment)
            case .version3:
                message.writeInteger(UInt8(4))
                message.writeImmutableBuffer(attachment)
            }
            body(form == .standard || form == .version3 ? .binary : .text, message)
        }
    }
}
