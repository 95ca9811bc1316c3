package import NIOCore

/// Why a polling payload cannot be read any further.
///
/// The packets before that place are valid and have been delivered.
package enum PollingPayloadError: Error, Hashable, Sendable {
    /// A packet is empty or of no known type.
    case undecodablePacket
    case invalidUTF8
    case tooManyPackets
}

/// Takes packets out of the body of a polling request, one after the other.
package protocol PayloadReader {
    /// Takes the next packet.
    ///
    /// - Returns: `nil` after the last packet.
    mutating func next() throws(PollingPayloadError) -> EnginePacket?

    /// The bytes of the packets that have not been taken.
    var remainingBytes: Int { get }
}

/// Takes the packets out of the body of a polling request (`4first<1E>4second<1E>bAQID`), one after the other.
package struct PollingPayloadReader: PayloadReader, Sendable {
    /// The byte between two packets.
    package static let separator: UInt8 = 0x1E

    private var rest: ByteBuffer
    private var isAtEnd = false
    private var remainingPackets: Int

    /// Starts at the body's first packet.
    ///
    /// - Parameters:
    ///   - body: The whole body.
    ///   - maximumPackets: The most packets that it may hold.
    package init(_ body: ByteBuffer, maximumPackets: Int = 100_000) {
        self.rest = body
        self.remainingPackets = maximumPackets
    }

    package var remainingBytes: Int { self.rest.readableBytes }

    /// Takes the next packet.
    ///
    /// It is a slice of the body unless it is base64.
    ///
    /// - Returns: `nil` after the last packet.
    /// - Throws: If the body is empty, if a packet is wrong, and at every call after an error.
    package mutating func next() throws(PollingPayloadError) -> EnginePacket? {
        guard !self.isAtEnd else { return nil }
        guard self.remainingPackets > 0 else { throw .tooManyPackets }
        self.remainingPackets -= 1
        let view = self.rest.readableBytesView
        let end = view.firstIndex(of: Self.separator)
        let length = (end ?? view.endIndex) - view.startIndex
        guard let text = self.rest.readSlice(length: length) else { throw .undecodablePacket }
        if end == nil {
            self.isAtEnd = true
        } else {
            self.rest.moveReaderIndex(forwardBy: 1)
        }
        guard let packet = EnginePacket(text: text) else {
            self.remainingPackets = 0
            self.isAtEnd = false
            throw .undecodablePacket
        }
        guard packet.isBinary || packet.data.isValidUTF8 else {
            self.remainingPackets = 0
            self.isAtEnd = false
            throw .invalidUTF8
        }
        return packet
    }
}

extension ByteBuffer {
    /// Appends a packet and its attachments to the body of a polling response, after a separator if it is not the first.
    package mutating func writePollingPacket(_ packet: EncodedPacket) {
        let text = packet.text
        if text.readableBytes > 0 {
            self.beginPollingPacket()
            self.writeImmutableBuffer(text)
        }
        for attachment in packet.attachments {
            self.beginPollingPacket()
            self.writeInteger(UInt8(ascii: "b"))
            self.writeBase64Encoded(attachment)
        }
    }

    /// Appends a packet to the body of a polling request or response, after a separator if it is not the first.
    package mutating func writePollingPacket(_ packet: EnginePacket) {
        self.beginPollingPacket()
        if packet.isBinary {
            self.writeInteger(UInt8(ascii: "b"))
            self.writeBase64Encoded(packet.data)
        } else {
            self.writeInteger(packet.type.rawValue)
            self.writeImmutableBuffer(packet.data)
        }
    }

    private mutating func beginPollingPacket() {
        if self.readableBytes > 0 { self.writeInteger(PollingPayloadReader.separator) }
    }
}

extension EncodedPacket {
    /// The bytes that this packet adds to a polling response, with a separator before each of its parts.
    package var pollingLength: Int {
        var length = self.text.readableBytes > 0 ? self.text.readableBytes + 1 : 0
        for attachment in self.attachments {
            length += 2 + ByteBuffer.base64Length(of: attachment.readableBytes)
        }
        return length
    }
}
