import NIOCore

/// Writes a packet's WebSocket frames behind what a buffer holds already.
///
/// What stands before the payload depends on the payload: the frame header on its length, the packet's prefix on the
/// attachments. So the payload is written first, at the place where it belongs if it is short and has no attachments,
/// and moved only if it turns out not to be.
struct FrameBuilder: ~Copyable {
    /// The payload is appended here.
    var buffer: ByteBuffer
    /// Where the frame begins.
    private let start: Int
    /// The bytes kept free for the header and the prefix.
    private let lead: Int

    /// What ``finish(prefixLength:attachments:writePrefix:)`` wrote.
    struct Layout {
        /// Where the first frame begins.
        let start: Int
        /// Where the text lies, without its frame header.
        let text: Range<Int>
        /// Where the attachments lie, without their frame headers.
        let attachments: [Range<Int>]
    }

    /// The bytes before the first frame of a buffer that header and prefix can grow into, so that nothing is moved.
    private static let slack = 16
    private static let shortestHeader = 2

    /// Starts a buffer of its own.
    ///
    /// - Parameters:
    ///   - prefixLength: The bytes of the text before the payload, if there are no attachments.
    ///   - capacity: The payload's estimated length.
    init(prefixLength: Int = 0, capacity: Int) {
        let lead = Self.shortestHeader + prefixLength
        self.buffer = ByteBufferAllocator().buffer(capacity: Self.slack + lead + capacity)
        self.start = Self.slack
        self.lead = lead
        // What stands here is set before anybody reads it.
        self.buffer.moveWriterIndex(forwardBy: Self.slack + lead)
        self.buffer.moveReaderIndex(forwardBy: Self.slack)
    }

    /// Goes on in a buffer.
    ///
    /// The buffer is taken, not copied, as two holders of it would make the first write copy all of it; no empty buffer
    /// is left in its place, as all threads count references to the same one. It comes back with ``complete(to:)`` or
    /// ``abandon(to:)``.
    init(appendingTo buffer: inout ByteBuffer?, prefixLength: Int, capacity: Int) {
        let lead = Self.shortestHeader + prefixLength
        self.buffer = buffer.take() ?? ByteBuffer()
        self.start = self.buffer.writerIndex
        self.lead = lead
        self.buffer.reserveCapacity(minimumWritableBytes: lead + capacity)
        self.buffer.moveWriterIndex(forwardBy: lead)
    }

    /// Gives the buffer back.
    consuming func complete(to buffer: inout ByteBuffer?) { buffer = self.buffer }

    /// Takes back what was written, and gives the buffer back.
    consuming func abandon(to buffer: inout ByteBuffer?) {
        self.buffer.moveWriterIndex(to: self.start)
        buffer = self.buffer
    }

    /// Sets the header and the prefix before the payload, and appends the attachments' frames.
    ///
    /// - Parameters:
    ///   - prefixLength: The bytes of the text before the payload.
    ///   - attachments: The bytes of the attachments.
    ///   - setPrefix: Sets that many bytes.
    /// - Returns: Where everything lies.
    @inline(__always)
    mutating func finish(
        prefixLength: Int,
        attachments: [ByteBuffer],
        setPrefix: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Layout {
        let payloadStart = self.start + self.lead
        let textLength = prefixLength + self.buffer.writerIndex - payloadStart
        let header = WebSocketFrameHeader(opcode: .text, payloadLength: textLength)
        let missing = header.encodedLength + prefixLength - self.lead
        var start = self.start
        if missing > 0 {
            if start >= missing, self.buffer.readerIndex == start {
                // Nothing stands before the frame.
                start -= missing
                self.buffer.moveReaderIndex(to: start)
            } else {
                self.movePayload(from: payloadStart, by: missing)
            }
        }
        let headerLength = header.encodedLength
        let textStart = start + headerLength
        // Put together aside and set at once: each access to the buffer costs more than all of these bytes.
        withUnsafeTemporaryAllocation(byteCount: headerLength + prefixLength, alignment: 1) { lead in
            header.set(at: lead)
            setPrefix(UnsafeMutableRawBufferPointer(rebasing: lead[headerLength...]))
            self.buffer.setBytes(UnsafeRawBufferPointer(lead), at: start)
        }
        let text = textStart..<textStart + textLength
        guard !attachments.isEmpty else { return Layout(start: start, text: text, attachments: []) }
        let added = attachments.reduce(0) { $0 + WebSocketFrameHeader.maximumUnmaskedLength + $1.readableBytes }
        self.buffer.reserveCapacity(minimumWritableBytes: added)
        let places = attachments.map { attachment in
            self.buffer.writeWebSocketFrame(.binary, payload: attachment)
            return self.buffer.writerIndex - attachment.readableBytes..<self.buffer.writerIndex
        }
        return Layout(start: start, text: text, attachments: places)
    }

    /// Makes room before the payload.
    private mutating func movePayload(from payloadStart: Int, by distance: Int) {
        let length = self.buffer.writerIndex - payloadStart
        self.buffer.writeRepeatingByte(0, count: distance)
        let offset = payloadStart - self.buffer.readerIndex
        self.buffer.withUnsafeMutableReadableBytes { bytes in
            let source = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
            UnsafeMutableRawBufferPointer(rebasing: bytes[(offset + distance)...]).copyMemory(from: source)
        }
    }
}
