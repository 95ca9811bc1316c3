import NIOCore

/// Writes a packet's WebSocket frames, into a buffer of its own or behind what is already written.
///
/// It leaves room for the shortest frame header in front of the text, and sets the header at the end, when the text's
/// length is known. A few packets need more: a longer header, or the number of attachments. That is inserted then.
struct FrameBuilder: ~Copyable {
    /// The text is appended here.
    var bytes: ByteWriter
    /// Where the frame begins.
    private var start: Int
    /// Whether nobody uses the bytes before the first frame, so that a longer header can grow into them.
    private let hasSlack: Bool

    /// What ``finish(attachments:)`` wrote.
    struct Layout {
        /// Where the first frame begins.
        let start: Int
        /// Where the text lies, without its frame header.
        let text: Range<Int>
        /// Where the attachments lie, without their frame headers.
        let attachments: [Range<Int>]
    }

    /// How many bytes before the first frame a longer header may use, so that nothing has to be moved.
    private static var slack: Int { 8 }
    private static var shortestHeader: Int { 2 }

    /// Begins with a frame.
    init(_ bytes: consuming ByteWriter) {
        self.bytes = bytes
        self.start = Self.slack
        self.hasSlack = true
        self.bytes.removeAll()
        self.bytes.skip(Self.slack + Self.shortestHeader)
    }

    /// Continues behind what is already written.
    ///
    /// ``complete(to:)`` or ``abandon(to:)`` gives the writer back.
    init(appendingTo bytes: inout ByteWriter?) {
        self.bytes = bytes.take() ?? ByteWriter()
        self.start = self.bytes.count
        self.hasSlack = false
        self.bytes.skip(Self.shortestHeader)
    }

    /// Gives the writer back.
    consuming func complete(to bytes: inout ByteWriter?) { bytes = .some(self.bytes) }

    /// Removes what was written, and gives the writer back.
    consuming func abandon(to bytes: inout ByteWriter?) {
        self.bytes.truncate(to: self.start)
        bytes = .some(self.bytes)
    }

    /// Sets the header, and appends the attachments' frames.
    ///
    /// - Parameter attachments: The bytes of the attachments that the text has announced.
    /// - Returns: Where everything lies.
    @inline(__always)
    mutating func finish(attachments: [ByteBuffer]) -> Layout {
        var textStart = self.start + Self.shortestHeader
        let textLength = self.bytes.count - textStart
        let header = WebSocketFrameHeader(opcode: .text, payloadLength: textLength)
        let missing = header.encodedLength - Self.shortestHeader
        if missing > 0 {
            if self.hasSlack, missing <= Self.slack {
                self.start -= missing
            } else {
                self.bytes.insertRoom(of: missing, at: textStart)
                textStart += missing
            }
        }
        self.bytes.withUnsafeMutableBytes(from: self.start) { header.set(at: $0) }
        let text = textStart..<textStart + textLength
        guard !attachments.isEmpty else { return Layout(start: self.start, text: text, attachments: []) }
        return Layout(start: self.start, text: text, attachments: self.append(attachments))
    }

    /// Makes the text of an event or an acknowledgement announce attachments: `42[…]` becomes `451-[…]`.
    mutating func announce(_ count: Int) {
        // Behind the two digits of the packets' types.
        let place = self.start + Self.shortestHeader + 2
        let length = count.decimalLength
        self.bytes.insertRoom(of: length + 1, at: place)
        self.bytes.withUnsafeMutableBytes(from: place - 1) { bytes in
            bytes[0] += PacketType.binaryEvent.rawValue - PacketType.event.rawValue
            bytes.setDecimal(count, at: 1)
            bytes[length + 1] = UInt8(ascii: "-")
        }
    }

    private mutating func append(_ attachments: [ByteBuffer]) -> [Range<Int>] {
        let added = attachments.reduce(0) { $0 + WebSocketFrameHeader.maximumUnmaskedLength + $1.readableBytes }
        self.bytes.reserveCapacity(minimumWritableBytes: added)
        return attachments.map { attachment in
            let header = WebSocketFrameHeader(opcode: .binary, payloadLength: attachment.readableBytes)
            let start = self.bytes.count
            self.bytes.skip(header.encodedLength)
            self.bytes.withUnsafeMutableBytes(from: start) { header.set(at: $0) }
            self.bytes.writeImmutableBuffer(attachment)
            return self.bytes.count - attachment.readableBytes..<self.bytes.count
        }
    }
}
