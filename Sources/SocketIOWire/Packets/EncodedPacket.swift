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
        self.init(builder.finish())
    }

    /// An open packet.
    package convenience init(_ handshake: EngineHandshake) {
        var builder = Builder(capacity: 160)
        builder.buffer.writeOpenPacket(handshake)
        self.init(builder.finish())
    }

    /// A plain Engine.IO message of bytes.
    package convenience init(binary: ByteBuffer) {
        var frames = ByteBuffer()
        frames.writeWebSocketFrame(.binary, payload: binary)
        let start = frames.writerIndex - binary.readableBytes
        let bytes = frames.getSlice(at: start, length: binary.readableBytes) ?? binary
        self.init(frames: frames, text: ByteBuffer(), attachments: [bytes])
    }

    convenience init(_ parts: Builder.Parts) {
        self.init(frames: parts.frames, text: parts.text, attachments: parts.attachments)
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

    /// Writes a packet into one buffer whose beginning is written last: what stands before the payload depends on it.
    struct Builder {
        /// What a packet consists of.
        struct Parts {
            let frames: ByteBuffer
            let text: ByteBuffer
            let attachments: [ByteBuffer]
        }

        /// The payload is appended here.
        var buffer: ByteBuffer
        /// Where the payload begins; the text's prefix ends here.
        private let payloadStart: Int

        /// Makes room for a payload and for what will stand before it.
        ///
        /// - Parameters:
        ///   - prefixCapacity: The longest prefix that ``finish(prefixLength:attachments:writePrefix:)`` may be given.
        ///   - capacity: The payload's estimated length.
        init(prefixCapacity: Int = 0, capacity: Int) {
            self.payloadStart = WebSocketFrameHeader.maximumUnmaskedLength + prefixCapacity
            self.buffer = ByteBufferAllocator().buffer(capacity: self.payloadStart + capacity)
            // What stands here is set before anybody reads it.
            self.buffer.moveWriterIndex(forwardBy: self.payloadStart)
        }

        /// The payload is all of the text, and there are no attachments.
        consuming func finish() -> Parts {
            self.finish(prefixLength: 0, attachments: []) { _, _ in }
        }

        /// Sets the prefix directly before the payload and the WebSocket header directly before the prefix, and appends
        /// the attachments' frames.
        ///
        /// - Parameters:
        ///   - prefixLength: The bytes of the text before the payload.
        ///   - attachments: The bytes of the attachments.
        ///   - writePrefix: Sets that many bytes at the index that it is given.
        /// - Returns: The packet's parts, which share one buffer.
        consuming func finish(
            prefixLength: Int,
            attachments: [ByteBuffer],
            writePrefix: (inout ByteBuffer, Int) -> Void
        ) -> Parts {
            let textStart = self.payloadStart - prefixLength
            let textLength = self.buffer.writerIndex - textStart
            let header = WebSocketFrameHeader(opcode: .text, payloadLength: textLength)
            let start = textStart - header.encodedLength
            precondition(start >= 0, "the prefix is longer than the space left for it")
            writePrefix(&self.buffer, textStart)
            self.buffer.setWebSocketFrameHeader(header, at: start)
            guard !attachments.isEmpty else {
                self.buffer.moveReaderIndex(to: start)
                return Parts(
                    frames: self.buffer,
                    text: self.buffer.getSlice(at: textStart, length: textLength) ?? ByteBuffer(),
                    attachments: []
                )
            }
            let added = attachments.reduce(0) { $0 + WebSocketFrameHeader.maximumUnmaskedLength + $1.readableBytes }
            self.buffer.reserveCapacity(minimumWritableBytes: added)
            var starts: [Int] = []
            starts.reserveCapacity(attachments.count)
            for attachment in attachments {
                self.buffer.writeWebSocketFrame(.binary, payload: attachment)
                starts.append(self.buffer.writerIndex - attachment.readableBytes)
            }
            self.buffer.moveReaderIndex(to: start)
            let frames = self.buffer
            let slices = zip(starts, attachments).map { start, attachment in
                frames.getSlice(at: start, length: attachment.readableBytes) ?? attachment
            }
            let text = frames.getSlice(at: textStart, length: textLength) ?? ByteBuffer()
            return Parts(frames: frames, text: text, attachments: slices)
        }
    }
}
