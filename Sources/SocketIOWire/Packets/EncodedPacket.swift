public import NIOCore

/// A packet, encoded once, ready for every connection and transport.
///
/// Frames that a server sends carry no mask, so the same bytes fit every WebSocket; polling payloads are made from the
/// same storage.
public final class EncodedPacket: Sendable {
    /// Complete WebSocket frames: a text frame holding the Engine.IO packet (`42["hi"]`), then one binary frame for each
    /// attachment.
    public let frames: ByteBuffer
    /// The Engine.IO packet as text, with its type digit: `42["hi"]`.
    ///
    /// A slice of ``frames``; empty for a lone binary message, which has one attachment and no text.
    public let text: ByteBuffer
    /// The attachments' bytes, without a frame header, in order.
    ///
    /// Slices of ``frames``.
    public let attachments: [ByteBuffer]

    package init(frames: ByteBuffer, text: ByteBuffer, attachments: [ByteBuffer]) {
        self.frames = frames
        self.text = text
        self.attachments = attachments
    }
}

extension EncodedPacket {
    /// A plain Engine.IO packet: `2`, `3probe`, `4hello`.
    package convenience init(_ type: EnginePacketType, data: ByteBuffer = ByteBuffer()) {
        var builder = Builder(capacity: 1 + data.readableBytes)
        builder.buffer.writeInteger(type.rawValue)
        builder.buffer.writeImmutableBuffer(data)
        self.init(builder.finish(attachments: []))
    }

    /// An open packet.
    package convenience init(_ handshake: EngineHandshake) {
        var builder = Builder(capacity: 160)
        builder.buffer.writeOpenPacket(handshake)
        self.init(builder.finish(attachments: []))
    }

    /// A plain Engine.IO message of bytes.
    package convenience init(binary: ByteBuffer) {
        var frames = ByteBuffer()
        frames.writeWebSocketFrame(.binary, payload: binary)
        let start = frames.writerIndex - binary.readableBytes
        let bytes = frames.getSlice(at: start, length: binary.readableBytes) ?? binary
        self.init(frames: frames, text: ByteBuffer(), attachments: [bytes])
    }

    /// The frames for a client that asked for base64 instead of binary: attachments become text frames (`bAQID`).
    package func writeBase64Frames(into buffer: inout ByteBuffer) {
        if self.text.readableBytes > 0 {
            buffer.writeWebSocketFrame(.text, payload: self.text)
        }
        for attachment in self.attachments {
            let length = 1 + ByteBuffer.base64Length(of: attachment.readableBytes)
            buffer.writeWebSocketFrameHeader(WebSocketFrameHeader(opcode: .text, payloadLength: length))
            buffer.writeInteger(UInt8(ascii: "b"))
            buffer.writeBase64Encoded(attachment)
        }
    }

    /// Writes a packet's text behind space for its WebSocket header, whose length depends on the text's.
    struct Builder {
        private static let headroom = WebSocketFrameHeader.maximumUnmaskedLength

        /// The packet's text is appended here.
        var buffer: ByteBuffer

        init(capacity: Int) {
            self.buffer = ByteBuffer()
            self.buffer.reserveCapacity(Self.headroom + capacity)
            self.buffer.writeRepeatingByte(0, count: Self.headroom)
        }

        /// The bytes of text so far.
        var textLength: Int { self.buffer.writerIndex - Self.headroom }

        /// Sets the header directly before the text and appends the attachments' frames.
        consuming func finish(attachments: [ByteBuffer]) -> Parts {
            let length = self.textLength
            let header = WebSocketFrameHeader(opcode: .text, payloadLength: length)
            let start = Self.headroom - header.encodedLength
            self.buffer.setWebSocketFrameHeader(header, at: start)
            var starts: [Int] = []
            if !attachments.isEmpty {
                let added = attachments.reduce(0) {
                    $0 + WebSocketFrameHeader.maximumUnmaskedLength + $1.readableBytes
                }
                self.buffer.reserveCapacity(minimumWritableBytes: added)
                for attachment in attachments {
                    self.buffer.writeWebSocketFrame(.binary, payload: attachment)
                    starts.append(self.buffer.writerIndex - attachment.readableBytes)
                }
            }
            self.buffer.moveReaderIndex(to: start)
            let frames = self.buffer
            let text = frames.getSlice(at: Self.headroom, length: length) ?? ByteBuffer()
            let slices = zip(starts, attachments).map { start, attachment in
                frames.getSlice(at: start, length: attachment.readableBytes) ?? attachment
            }
            return Parts(frames: frames, text: text, attachments: slices)
        }
    }

    /// What a packet consists of.
    struct Parts {
        let frames: ByteBuffer
        let text: ByteBuffer
        let attachments: [ByteBuffer]
    }

    convenience init(_ parts: Parts) {
        self.init(frames: parts.frames, text: parts.text, attachments: parts.attachments)
    }
}
