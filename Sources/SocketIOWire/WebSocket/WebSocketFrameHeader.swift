package import NIOCore

/// The bytes before a frame's payload (RFC 6455, section 5.2): 2 to 14 of them.
///
/// The first of the reserved bits may be set on a message's first frame, if both sides have agreed on compression. A
/// length with more bytes than it needs is accepted. It is harmless, and the reference implementation accepts it, too.
package struct WebSocketFrameHeader: Hashable, Sendable {
    /// Whether the message ends with this frame.
    package var isFinal: Bool
    /// Whether the message is compressed (RFC 7692).
    ///
    /// Its first frame says so.
    package var isCompressed: Bool
    package var opcode: WebSocketOpcode
    /// Whether the payload is masked.
    ///
    /// A client's is, and a server's is not.
    package var mask: WebSocketMask?
    /// How many bytes the payload has.
    package var payloadLength: Int

    package init(
        opcode: WebSocketOpcode,
        isFinal: Bool = true,
        isCompressed: Bool = false,
        mask: WebSocketMask? = nil,
        payloadLength: Int
    ) {
        self.isFinal = isFinal
        self.isCompressed = isCompressed
        self.opcode = opcode
        self.mask = mask
        self.payloadLength = payloadLength
    }

    /// The longest header that a server writes.
    ///
    /// It has no mask.
    package static let maximumUnmaskedLength = 10

    /// How many bytes a header without mask has before a payload of that length.
    package static func unmaskedLength(forPayloadOf length: Int) -> Int {
        length <= 125 ? 2 : length <= 0xFFFF ? 4 : 10
    }

    /// How many bytes this header takes.
    package var encodedLength: Int {
        Self.unmaskedLength(forPayloadOf: self.payloadLength) + (self.mask == nil ? 0 : 4)
    }
}

extension WebSocketFrameHeader {
    /// Reads the header at the beginning of some bytes.
    ///
    /// If its first two bytes are wrong, it throws before the rest has come.
    ///
    /// - Returns: The header and how many bytes it takes; `nil` while it is incomplete.
    @inline(__always)
    static func parse(
        _ bytes: UnsafeRawBufferPointer,
        allowsCompression: Bool
    ) throws(WebSocketError) -> (header: WebSocketFrameHeader, length: Int)? {
        guard bytes.count >= 2 else { return nil }
        let first = bytes[0]
        let second = bytes[1]
        guard first & (allowsCompression ? 0x30 : 0x70) == 0 else { throw .reservedBitSet }
        let isCompressed = first & 0x40 != 0
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .unknownOpcode }
        let isFinal = first & 0x80 != 0
        let shortLength = Int(second & 0x7F)
        if isCompressed, opcode.isControl || opcode == .continuation { throw .reservedBitSet }
        if opcode.isControl {
            guard isFinal else { throw .controlFrameFragmented }
            guard shortLength <= 125 else { throw .controlFrameTooLong }
        }
        var length = 2
        let payloadLength: Int
        switch shortLength {
        case 126:
            guard bytes.count >= 4 else { return nil }
            payloadLength = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            length = 4
        case 127:
            guard bytes.count >= 10 else { return nil }
            let announced = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard let representable = Int(exactly: announced) else { throw .invalidLength }
            payloadLength = representable
            length = 10
        default:
            payloadLength = shortLength
        }
        var mask: WebSocketMask?
        if second & 0x80 != 0 {
            guard bytes.count >= length + 4 else { return nil }
            mask = WebSocketMask(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: length, as: UInt32.self)))
            length += 4
        }
        let header = WebSocketFrameHeader(
            opcode: opcode,
            isFinal: isFinal,
            isCompressed: isCompressed,
            mask: mask,
            payloadLength: payloadLength
        )
        return (header, length)
    }
}

extension WebSocketFrameHeader {
    /// Sets a header without mask at the start of some memory.
    @inline(__always)
    func set(at bytes: UnsafeMutableRawBufferPointer) {
        bytes[0] = self.opcode.rawValue | (self.isFinal ? 0x80 : 0) | (self.isCompressed ? 0x40 : 0)
        switch self.payloadLength {
        case ...125:
            bytes[1] = UInt8(truncatingIfNeeded: self.payloadLength)
        case ...0xFFFF:
            bytes[1] = 126
            let length = UInt16(truncatingIfNeeded: self.payloadLength).bigEndian
            bytes.storeBytes(of: length, toByteOffset: 2, as: UInt16.self)
        default:
            bytes[1] = 127
            bytes.storeBytes(of: UInt64(self.payloadLength).bigEndian, toByteOffset: 2, as: UInt64.self)
        }
    }
}

extension ByteBuffer {
    /// Reads a frame header.
    ///
    /// If its first two bytes are wrong, it throws before the rest has come.
    ///
    /// - Parameter allowsCompression: Whether the bit that marks a compressed message may be set.
    /// - Returns: The header; `nil` while it is incomplete. The reader index moves only on success.
    /// - Throws: ``WebSocketError`` if no further bytes could make this a header.
    package mutating func readWebSocketFrameHeader(
        allowsCompression: Bool = false
    ) throws(WebSocketError) -> WebSocketFrameHeader? {
        let parsed = try self.withUnsafeReadableBytes { bytes throws(WebSocketError) in
            try WebSocketFrameHeader.parse(bytes, allowsCompression: allowsCompression)
        }
        guard let (header, length) = parsed else { return nil }
        self.moveReaderIndex(forwardBy: length)
        return header
    }

    /// Writes a frame header with the shortest form of its length.
    package mutating func writeWebSocketFrameHeader(_ header: WebSocketFrameHeader) {
        self.moveWriterIndex(forwardBy: self.setWebSocketFrameHeader(header, at: self.writerIndex))
    }

    /// Writes a frame header at an index.
    ///
    /// The index may lie before the reader index.
    ///
    /// - Returns: The bytes written.
    @discardableResult
    package mutating func setWebSocketFrameHeader(_ header: WebSocketFrameHeader, at index: Int) -> Int {
        let first = header.opcode.rawValue | (header.isFinal ? 0x80 : 0) | (header.isCompressed ? 0x40 : 0)
        let maskBit: UInt8 = header.mask == nil ? 0 : 0x80
        // One access writes both bytes.
        func start(_ second: UInt8) -> UInt16 { UInt16(first) << 8 | UInt16(second | maskBit) }
        var end = index
        switch header.payloadLength {
        case ...125:
            end += self.setInteger(start(UInt8(header.payloadLength)), at: end)
        case ...0xFFFF:
            end += self.setInteger(UInt32(start(126)) << 16 | UInt32(header.payloadLength), at: end)
        default:
            end += self.setInteger(start(127), at: end)
            end += self.setInteger(UInt64(header.payloadLength), at: end)
        }
        if let mask = header.mask {
            end += self.setInteger(mask.key, at: end)
        }
        return end - index
    }

    /// Writes a complete frame as a server does, without a mask.
    package mutating func writeWebSocketFrame(_ opcode: WebSocketOpcode, payload: ByteBuffer) {
        self.reserveCapacity(minimumWritableBytes: WebSocketFrameHeader.maximumUnmaskedLength + payload.readableBytes)
        self.writeWebSocketFrameHeader(WebSocketFrameHeader(opcode: opcode, payloadLength: payload.readableBytes))
        self.writeImmutableBuffer(payload)
    }

    /// Writes a frame as a client does, with a mask.
    package mutating func writeMaskedWebSocketFrame(
        _ opcode: WebSocketOpcode,
        payload: ByteBuffer,
        mask: WebSocketMask,
        isFinal: Bool = true,
        isCompressed: Bool = false
    ) {
        self.writeWebSocketFrameHeader(
            WebSocketFrameHeader(
                opcode: opcode,
                isFinal: isFinal,
                isCompressed: isCompressed,
                mask: mask,
                payloadLength: payload.readableBytes
            )
        )
        self.writeXORed(payload.readableBytesView, with: mask, offset: 0)
    }

    /// Writes the close frame of a server.
    ///
    /// - Parameters:
    ///   - code: Why. If it is `nil`, the frame has no payload, and the peer sees code 1005.
    ///   - reason: A text, which is cut to the length that a control frame holds.
    package mutating func writeWebSocketClose(_ code: WebSocketCloseCode?, reason: String = "") {
        var payload = ByteBuffer()
        if let code {
            payload.writeInteger(code.rawValue)
            // It is cut between characters. A control frame holds 125 bytes, and the code takes two of them.
            var reason = Substring(reason)
            while reason.utf8.count > 123 { reason.removeLast() }
            payload.writeSubstring(reason)
        }
        self.writeWebSocketFrame(.close, payload: payload)
    }
}
