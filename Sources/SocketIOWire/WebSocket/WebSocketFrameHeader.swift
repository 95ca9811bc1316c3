package import NIOCore

/// The bytes before a frame's payload (RFC 6455, section 5.2): 2 to 14 of them.
///
/// Of the reserved bits the first may be set, on a message's first frame, if compression has been agreed on. A length
/// written with more bytes than it needs is accepted: it is harmless, and the reference implementation accepts it.
package struct WebSocketFrameHeader: Hashable, Sendable {
    /// Whether the message ends with this frame.
    package var isFinal: Bool
    /// Whether the message is compressed (RFC 7692); said by its first frame.
    package var isCompressed: Bool
    package var opcode: WebSocketOpcode
    /// Whether the payload is masked; a client's is, a server's is not.
    package var mask: WebSocketMask?
    /// The payload's bytes.
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

    /// The longest header that a server writes: no mask.
    package static let maximumUnmaskedLength = 10

    /// The bytes of a header without mask before a payload of that length.
    package static func unmaskedLength(forPayloadOf length: Int) -> Int {
        length <= 125 ? 2 : length <= 0xFFFF ? 4 : 10
    }

    /// The bytes that this header takes when written.
    package var encodedLength: Int {
        Self.unmaskedLength(forPayloadOf: self.payloadLength) + (self.mask == nil ? 0 : 4)
    }
}

extension ByteBuffer {
    /// Reads a frame header; what its first two bytes forbid is an error before the rest has come.
    ///
    /// - Parameter allowsCompression: Whether the bit that marks a compressed message may be set.
    /// - Returns: `nil` while the header is incomplete. The reader index moves only on success.
    /// - Throws: ``WebSocketError`` if no further bytes could make this a header.
    package mutating func readWebSocketFrameHeader(
        allowsCompression: Bool = false
    ) throws(WebSocketError) -> WebSocketFrameHeader? {
        guard let start = self.getInteger(at: self.readerIndex, as: UInt16.self) else { return nil }
        guard start & (allowsCompression ? 0x3000 : 0x7000) == 0 else { throw .reservedBitSet }
        let isCompressed = start & 0x4000 != 0
        guard let opcode = WebSocketOpcode(rawValue: UInt8(truncatingIfNeeded: start >> 8) & 0x0F) else {
            throw .unknownOpcode
        }
        let isFinal = start & 0x8000 != 0
        let isMasked = start & 0x0080 != 0
        let shortLength = Int(start & 0x007F)
        if isCompressed, opcode.isControl || opcode == .continuation { throw .reservedBitSet }
        if opcode.isControl {
            guard isFinal else { throw .controlFrameFragmented }
            guard shortLength <= 125 else { throw .controlFrameTooLong }
        }
        var offset = self.readerIndex + 2
        let payloadLength: Int
        switch shortLength {
        case 126:
            guard let length = self.getInteger(at: offset, as: UInt16.self) else { return nil }
            payloadLength = Int(length)
            offset += 2
        case 127:
            guard let length = self.getInteger(at: offset, as: UInt64.self) else { return nil }
            guard let representable = Int(exactly: length) else { throw .invalidLength }
            payloadLength = representable
            offset += 8
        default:
            payloadLength = shortLength
        }
        var mask: WebSocketMask?
        if isMasked {
            guard let key = self.getInteger(at: offset, as: UInt32.self) else { return nil }
            mask = WebSocketMask(key)
            offset += 4
        }
        self.moveReaderIndex(to: offset)
        return WebSocketFrameHeader(
            opcode: opcode,
            isFinal: isFinal,
            isCompressed: isCompressed,
            mask: mask,
            payloadLength: payloadLength
        )
    }

    /// Writes a frame header with the shortest form of its length.
    package mutating func writeWebSocketFrameHeader(_ header: WebSocketFrameHeader) {
        self.moveWriterIndex(forwardBy: self.setWebSocketFrameHeader(header, at: self.writerIndex))
    }

    /// Writes a frame header at an index, which may lie before the reader index.
    ///
    /// - Returns: The bytes written.
    @discardableResult
    package mutating func setWebSocketFrameHeader(_ header: WebSocketFrameHeader, at index: Int) -> Int {
        let first = header.opcode.rawValue | (header.isFinal ? 0x80 : 0) | (header.isCompressed ? 0x40 : 0)
        let maskBit: UInt8 = header.mask == nil ? 0 : 0x80
        // One access for both bytes.
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

    /// Writes a complete frame as a server does: one frame, no mask.
    package mutating func writeWebSocketFrame(_ opcode: WebSocketOpcode, payload: ByteBuffer) {
        self.reserveCapacity(minimumWritableBytes: WebSocketFrameHeader.maximumUnmaskedLength + payload.readableBytes)
        self.writeWebSocketFrameHeader(WebSocketFrameHeader(opcode: opcode, payloadLength: payload.readableBytes))
        self.writeImmutableBuffer(payload)
    }

    /// Writes a frame as a client does: masked.
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
    ///   - code: `nil`: without a payload; the peer sees code 1005.
    ///   - reason: Cut to what a control frame holds.
    package mutating func writeWebSocketClose(_ code: WebSocketCloseCode?, reason: String = "") {
        var payload = ByteBuffer()
        if let code {
            payload.writeInteger(code.rawValue)
            // Cut between characters: a control frame holds 125 bytes, two of which are the code.
            var reason = Substring(reason)
            while reason.utf8.count > 123 { reason.removeLast() }
            payload.writeSubstring(reason)
        }
        self.writeWebSocketFrame(.close, payload: payload)
    }
}
