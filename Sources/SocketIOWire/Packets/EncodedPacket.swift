public import NIOCore

/// A packet that has been encoded once, for all connections and transports.
///
/// A server's frames carry no mask, so the same bytes fit every WebSocket. Polling payloads are made from the same
/// storage.
public final class EncodedPacket: Sendable {
    /// Complete WebSocket frames: a text frame with the Engine.IO packet (`42["hi"]`), then one binary frame for each
    /// attachment.
    public let frames: ByteBuffer
    /// Where the text lies, counted from the beginning of ``frames``.
    private let textRange: Range<Int>
    private let attachmentRanges: [Range<Int>]
    /// Whether the packet is worth compressing; most are.
    package let isCompressible: Bool

    /// The Engine.IO packet as text, with its type digit: `42["hi"]`.
    ///
    /// It is a slice of ``frames``. It is empty for a single binary message, which has one attachment and no text.
    public var text: ByteBuffer { self.slice(self.textRange) }

    /// The attachments' bytes, without a frame header, in order.
    ///
    /// They are slices of ``frames``.
    public var attachments: [ByteBuffer] { self.attachmentRanges.map { self.slice($0) } }

    /// Runs a closure on the bytes of ``text``, without a copy.
    fileprivate func withTextBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        self.frames.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[self.textRange])) }
    }

    private func slice(_ range: Range<Int>) -> ByteBuffer {
        self.frames.getSlice(at: self.frames.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    /// Takes frames, and the places of the parts in them, counted from the first readable byte.
    private init(frames: ByteBuffer, text: Range<Int>, attachments: [Range<Int>], isCompressible: Bool = true) {
        self.isCompressible = isCompressible
        self.frames = frames
        self.textRange = text
        self.attachmentRanges = attachments
    }
}

extension EncodedPacket {
    /// A plain Engine.IO packet: `2`, `3probe`, `4hello`.
    package convenience init(_ type: EnginePacketType, data: ByteBuffer = ByteBuffer()) {
        let (frames, layout) = Self.frames { text in
            text.writeInteger(type.rawValue)
            text.writeImmutableBuffer(data)
        }
        self.init(frames: frames, layout)
    }

    /// An open packet.
    package convenience init(_ handshake: EngineHandshake) {
        let (frames, layout) = Self.frames { $0.writeOpenPacket(handshake) }
        self.init(frames: frames, layout)
    }

    /// A plain Engine.IO message of bytes.
    package convenience init(binary: ByteBuffer) {
        var frames = ByteBuffer()
        frames.writeWebSocketFrame(.binary, payload: binary)
        let end = frames.readableBytes
        self.init(frames: frames, text: 0..<0, attachments: [end - binary.readableBytes..<end])
    }

    /// Frames of one or several packets, for a WebSocket only, because their parts are not known.
    package convenience init(webSocketFrames frames: ByteBuffer) {
        self.init(frames: frames, text: 0..<0, attachments: [])
    }

    /// A frame with the text that a closure writes, and no attachments.
    private static func frames(_ write: (inout ByteWriter) -> Void) -> (ByteBuffer, FrameBuilder.Layout) {
        withUnsafeTemporaryAllocation(byteCount: 512, alignment: 16) { scratch in
            var builder = FrameBuilder(ByteWriter(lent: scratch))
            write(&builder.bytes)
            let layout = builder.finish(attachments: [])
            return (builder.bytes.makeBuffer(from: layout.start), layout)
        }
    }

    /// A buffer that ends with one packet, and the layout of that packet.
    convenience init(_ bytes: borrowing ByteWriter, _ layout: FrameBuilder.Layout) {
        self.init(frames: bytes.makeBuffer(from: layout.start), layout)
    }

    private convenience init(frames: ByteBuffer, _ layout: FrameBuilder.Layout) {
        func shifted(_ range: Range<Int>) -> Range<Int> {
            range.lowerBound - layout.start..<range.upperBound - layout.start
        }
        self.init(
            frames: frames,
            text: shifted(layout.text),
            attachments: layout.attachments.isEmpty ? [] : layout.attachments.map(shifted)
        )
    }

    /// The same packet, which will be sent without compression.
    package var uncompressed: EncodedPacket {
        EncodedPacket(
            frames: self.frames,
            text: self.textRange,
            attachments: self.attachmentRanges,
            isCompressible: false
        )
    }

    /// Whether the packet is only a text.
    package var isPlainText: Bool { self.attachmentRanges.isEmpty && !self.textRange.isEmpty }

    /// How many bytes ``text`` has.
    package var textLength: Int { self.textRange.count }

    /// How many Engine.IO packets this is.
    ///
    /// The text is one, and so is each attachment.
    package var partCount: Int { (self.textRange.isEmpty ? 0 : 1) + self.attachmentRanges.count }
}

extension ByteWriter {
    /// Writes the text of a packet.
    package mutating func writeText(of packet: EncodedPacket) {
        packet.withTextBytes { self.writeBytes($0) }
    }
}
