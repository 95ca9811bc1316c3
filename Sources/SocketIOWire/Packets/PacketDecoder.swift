public import NIOCore

/// Turns the messages of one connection into Socket.IO packets.
///
/// Between packets it is one empty word. The first error makes the connection unusable: close it.
public struct PacketDecoder {
    /// A packet that waits for its attachments.
    private final class Pending {
        let packet: Packet
        let json: ByteBuffer?
        let count: Int
        var attachments: [ByteBuffer] = []
        var bytes = 0

        init(packet: Packet, json: ByteBuffer?, count: Int) {
            self.packet = packet
            self.json = json
            self.count = count
        }
    }

    private var pending: Pending?

    /// A decoder that expects the start of a packet.
    public init() {}

    /// Whether attachments of a packet are still due.
    public var isWaitingForAttachments: Bool { self.pending != nil }

    /// Takes a text message, without Engine.IO's type digit (`2["hi"]`).
    ///
    /// - Returns: The packet, or `nil` if its attachments are to follow.
    public mutating func decode(
        text: consuming ByteBuffer,
        limits: PacketLimits = .standard
    ) throws(PacketError) -> Packet? {
        guard self.pending == nil else { throw PacketError(.unexpectedText) }
        let (header, name) = try text.withUnsafeReadableBytes { bytes throws(PacketError) in
            let header = try PacketHeader(bytes, limits: limits)
            guard header.length < bytes.count else { return (header, EventName?.none) }
            return (header, try Self.checkPayload(bytes, header, limits: limits.json))
        }
        // What is left of the text is the payload: no other holder of its bytes, no count of references.
        text.moveReaderIndex(forwardBy: header.length)
        let json = text.readableBytes > 0 ? text : nil
        let type: PacketType =
            switch header.type {
            case .binaryEvent: .event
            case .binaryAcknowledgement: .acknowledgement
            case .connect, .disconnect, .event, .acknowledgement, .connectError: header.type
            }
        let packet = Packet(
            type: type,
            namespace: header.namespace,
            id: header.id,
            payload: json.map { PacketPayload(json: $0) },
            eventName: name?.text,
            eventNameEnd: name.map { $0.end - header.length } ?? 0
        )
        guard let count = header.attachmentCount, count > 0 else { return packet }
        self.pending = Pending(packet: packet, json: json, count: count)
        return nil
    }

    /// Takes a binary message: the next attachment of the packet that announced it.
    ///
    /// - Returns: The packet, or `nil` if more attachments are to follow.
    public mutating func decode(
        binary: ByteBuffer,
        limits: PacketLimits = .standard
    ) throws(PacketError) -> Packet? {
        guard let pending = self.pending else { throw PacketError(.unexpectedBinary) }
        pending.bytes += binary.readableBytes
        guard pending.bytes <= limits.maximumAttachmentBytes else {
            self.pending = nil
            throw PacketError(.tooManyAttachmentBytes)
        }
        pending.attachments.append(binary)
        guard pending.attachments.count == pending.count else { return nil }
        self.pending = nil
        let packet = pending.packet
        guard let json = pending.json else { return packet }
        try Self.checkPlaceholders(json, count: pending.count, limits: limits.json)
        return Packet(
            type: packet.type,
            namespace: packet.namespace,
            id: packet.id,
            payload: PacketPayload(json: json, attachments: pending.attachments),
            eventName: packet.eventName,
            eventNameEnd: packet.eventNameEnd
        )
    }

    /// The first element of an event's payload.
    private struct EventName {
        let text: String
        /// Where the element ends.
        let end: Int
    }

    /// Checks that the payload is JSON, and of the kind that the packet's type carries.
    ///
    /// - Returns: The name of an event.
    private static func checkPayload(
        _ bytes: UnsafeRawBufferPointer,
        _ header: PacketHeader,
        limits: JSONLimits
    ) throws(PacketError) -> EventName? {
        do throws(JSONError) {
            var scanner = JSONScanner(bytes, from: header.length, limits: limits)
            let kind = try scanner.peekKind()
            try scanner.skipValue()
            try scanner.expectEnd()
            switch (header.type, kind) {
            case (.connect, .object), (.connectError, .object), (.connectError, .string), (.acknowledgement, .array),
                (.binaryAcknowledgement, .array):
                return nil
            case (.event, .array), (.binaryEvent, .array):
                if let name = try Self.eventName(bytes, from: header.length) { return name }
            default:
                break
            }
        } catch {
            throw PacketError(.invalidPayload, underlying: error)
        }
        throw PacketError(.invalidPayload)
    }

    /// The first element of a checked array, if it can be an event's name.
    private static func eventName(
        _ bytes: UnsafeRawBufferPointer,
        from offset: Int
    ) throws(JSONError) -> EventName? {
        var scanner = JSONScanner(bytes, from: offset)
        guard try scanner.skipIfNext(UInt8(ascii: "[")), try !scanner.skipIfNext(UInt8(ascii: "]")) else { return nil }
        switch try scanner.peekKind() {
        case .string:
            scanner.advance()
            let start = scanner.offset
            let hasEscapes = try scanner.skipStringBody()
            let name = JSONText.string(of: scanner.text(from: start, to: scanner.offset - 1), hasEscapes: hasEscapes)
            return isReservedEventName(name) ? nil : EventName(text: name, end: scanner.offset)
        case .number:
            let start = scanner.offset
            _ = try scanner.skipNumber()
            let name = JSONNumber.string(of: scanner.text(from: start, to: scanner.offset))
            return EventName(text: name, end: scanner.offset)
        case .null, .bool, .array, .object:
            return nil
        }
    }

    /// Checks that every placeholder stands for an attachment.
    private static func checkPlaceholders(
        _ json: ByteBuffer,
        count: Int,
        limits: JSONLimits
    ) throws(PacketError) {
        do throws(JSONError) {
            try json.withUnsafeReadableBytes { bytes throws(JSONError) in
                var scanner = JSONScanner(bytes, limits: limits)
                try scanner.skipValue(attachmentCount: count)
            }
        } catch {
            throw PacketError(.illegalAttachments, underlying: error)
        }
    }
}
