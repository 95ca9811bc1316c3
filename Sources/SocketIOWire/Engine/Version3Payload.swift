package import NIOCore

// Protocol 3, spoken by Socket.IO clients of versions 1 and 2.

extension EnginePacket {
    /// Reads the text form of protocol 3.
    ///
    /// It is that of protocol 4, but base64 has a type digit, too (`b4AQID`).
    package init?(version3Text text: ByteBuffer) {
        var text = text
        guard text.getInteger(at: text.readerIndex, as: UInt8.self) == UInt8(ascii: "b") else {
            self.init(text: text)
            return
        }
        text.moveReaderIndex(forwardBy: 1)
        guard let digit = text.readInteger(as: UInt8.self), let type = EnginePacketType(rawValue: digit) else {
            return nil
        }
        var bytes = ByteBuffer()
        bytes.writeBase64Decoded(text)
        self.init(type, bytes: bytes)
    }

    /// Reads the binary form of protocol 3: the packet's type as a number, then its data.
    package init?(version3Binary bytes: ByteBuffer) {
        var bytes = bytes
        guard let number = bytes.readInteger(as: UInt8.self), number <= 6,
            let type = EnginePacketType(rawValue: UInt8(ascii: "0") + number)
        else { return nil }
        self.init(type, bytes: bytes.slice())
    }

    /// Bytes are always a message.
    ///
    /// For other packets the type decides.
    private init(_ type: EnginePacketType, bytes: ByteBuffer) {
        if type == .message {
            self.init(binary: bytes)
        } else {
            self.init(type, data: bytes)
        }
    }
}

/// Takes the packets out of the body of a polling request of protocol 3, one after the other.
///
/// In the text form, the length in UTF-16 units stands before each packet: `6:4hello10:b4AQIDBAU=`. In the binary form,
/// before each packet stand a mark (0 for text, 1 for binary), the decimal digits of its length as bytes of these
/// values, and a byte of 255.
package struct Version3PayloadReader: PayloadReader, Sendable {
    private var rest: ByteBuffer
    private let isBinary: Bool
    private var remainingPackets: Int
    private var isFirst = true
    /// A number with more digits is the length of nothing.
    private static let maximumDigits = 10

    /// Starts at the body's first packet.
    ///
    /// - Parameters:
    ///   - body: The whole body. It is valid UTF-8 unless it is binary.
    ///   - isBinary: Whether the request says that it is binary.
    ///   - maximumPackets: The most packets that it may hold.
    package init(_ body: ByteBuffer, isBinary: Bool, maximumPackets: Int = 100_000) {
        self.rest = body
        self.isBinary = isBinary
        self.remainingPackets = maximumPackets
    }

    package var remainingBytes: Int { self.rest.readableBytes }

    /// Takes the next packet.
    ///
    /// - Returns: `nil` after the last packet.
    /// - Throws: An empty body is an error, as is everything after an error.
    package mutating func next() throws(PollingPayloadError) -> EnginePacket? {
        do throws(PollingPayloadError) {
            while self.isFirst || self.rest.readableBytes > 0 {
                self.isFirst = false
                guard self.remainingPackets > 0 else { throw .tooManyPackets }
                self.remainingPackets -= 1
                if let packet = try self.isBinary ? self.nextBinary() : self.nextText() { return packet }
            }
            return nil
        } catch {
            self.rest.clear()
            self.isFirst = true
            self.remainingPackets = 0
            throw error
        }
    }

    /// - Returns: The packet; `nil` for one without length, which is skipped.
    private mutating func nextText() throws(PollingPayloadError) -> EnginePacket? {
        let length = try self.readLength(end: UInt8(ascii: ":")) { $0 &- UInt8(ascii: "0") }
        guard length > 0 else { return nil }
        guard let count = Self.bytes(ofUTF16Units: length, in: self.rest),
            let text = self.rest.readSlice(length: count),
            let packet = EnginePacket(version3Text: text)
        else { throw .undecodablePacket }
        return packet
    }

    private mutating func nextBinary() throws(PollingPayloadError) -> EnginePacket? {
        guard let mark = self.rest.readInteger(as: UInt8.self), mark <= 1 else { throw .undecodablePacket }
        let length = try self.readLength(end: 255) { $0 }
        guard let bytes = self.rest.readSlice(length: length) else { throw .undecodablePacket }
        if mark == 1 {
            guard let packet = EnginePacket(version3Binary: bytes) else { throw .undecodablePacket }
            return packet
        }
        guard bytes.isValidUTF8 else { throw .invalidUTF8 }
        guard let packet = EnginePacket(version3Text: bytes) else { throw .undecodablePacket }
        return packet
    }

    private mutating func readLength(end: UInt8, digit: (UInt8) -> UInt8) throws(PollingPayloadError) -> Int {
        var length = 0
        var digits = 0
        while let byte = self.rest.readInteger(as: UInt8.self) {
            if byte == end {
                guard digits > 0 else { throw .undecodablePacket }
                return length
            }
            let value = digit(byte)
            digits += 1
            guard value <= 9, digits <= Self.maximumDigits else { throw .undecodablePacket }
            length = length * 10 + Int(value)
        }
        throw .undecodablePacket
    }

    /// How many bytes so many UTF-16 units take as UTF-8; `nil` if there are fewer units, or half a character is left.
    private static func bytes(ofUTF16Units count: Int, in text: ByteBuffer) -> Int? {
        text.withUnsafeReadableBytes { bytes in
            var units = 0
            var index = 0
            while units < count {
                guard index < bytes.count else { return nil }
                switch bytes[index] {
                case ..<0xC0: index += 1
                case ..<0xE0: index += 2
                case ..<0xF0: index += 3
                default:
                    index += 4
                    units += 1
                }
                units += 1
            }
            return units == count && index <= bytes.count ? index : nil
        }
    }
}

extension ByteBuffer {
    /// Writes packets as the body of an answer to a poll of protocol 3.
    ///
    /// - Parameters:
    ///   - packets: The packets.
    ///   - isTextOnly: Whether the client asked for base64.
    /// - Returns: Whether the body is binary. It is if one of the packets has attachments.
    package mutating func writeVersion3Payload(_ packets: some Sequence<EncodedPacket>, isTextOnly: Bool) -> Bool {
        let isBinary = !isTextOnly && packets.contains { !$0.attachments.isEmpty }
        for packet in packets {
            if packet.text.readableBytes > 0 {
                if isBinary {
                    self.writeVersion3Length(packet.text.readableBytes, mark: 0)
                } else {
                    self.writeDecimal(packet.text.utf16Length)
                    self.writeInteger(UInt8(ascii: ":"))
                }
                self.writeImmutableBuffer(packet.text)
            }
            for attachment in packet.attachments {
                if isBinary {
                    self.writeVersion3Length(1 + attachment.readableBytes, mark: 1)
                    self.writeInteger(UInt8(4))
                    self.writeImmutableBuffer(attachment)
                } else {
                    self.writeDecimal(2 + ByteBuffer.base64Length(of: attachment.readableBytes))
                    self.writeStaticString(":b4")
                    self.writeBase64Encoded(attachment)
                }
            }
        }
        return isBinary
    }

    private mutating func writeVersion3Length(_ length: Int, mark: UInt8) {
        self.writeInteger(mark)
        for digit in String(length).utf8 { self.writeInteger(digit - UInt8(ascii: "0")) }
        self.writeInteger(UInt8(255))
    }

    /// The UTF-16 units of valid UTF-8.
    private var utf16Length: Int {
        self.withUnsafeReadableBytes { bytes in
            var units = 0
            for byte in bytes {
                // It counts the first byte of each character, and twice for characters that take a pair.
                if byte & 0xC0 != 0x80 { units += 1 }
                if byte >= 0xF0 { units += 1 }
            }
            return units
        }
    }
}
