public import NIOCore

/// Turns the messages of one connection into Socket.IO packets.
///
/// Between packets it holds nothing. After the first error the connection cannot be used any more, so close it.
public struct PacketDecoder {
    /// A packet that waits for its attachments.
    private final class Pending {
        let packet: Packet
        let count: Int
        var attachments: [ByteBuffer] = []
        var bytes = 0

        init(packet: Packet, count: Int) {
            self.packet = packet
            self.count = count
        }
    }

    private var pending: Pending?

    /// Makes a decoder that expects the start of a packet.
    public init() {}

    /// Whether attachments of a packet are still missing.
    public var isWaitingForAttachments: Bool { self.pending != nil }

    /// How many bytes of such a packet are kept.
    package var keptBytes: Int {
        guard let pending = self.pending else { return 0 }
        return pending.bytes + (pending.packet.payload?.json.readableBytes ?? 0)
    }

    /// Takes a text message, without Engine.IO's type digit (`2["hi"]`).
    ///
    /// - Returns: The packet; `nil` if its attachments must follow.
    public mutating func decode(
        text: consuming ByteBuffer,
        limits: PacketLimits = .standard
    ) throws(PacketError) -> Packet? {
        let outline = try self.outline(of: text, limits: limits)
        return self.packet(outline, text)
    }

    /// Looks at a text message.
    ///
    /// Only ``packet(_:_:)`` takes it.
    package func outline(
        of text: borrowing ByteBuffer,
        limits: PacketLimits = .standard
    ) throws(PacketError) -> PacketOutline {
        guard self.pending == nil else { throw PacketError(.unexpectedText) }
        return try text.withUnsafeReadableBytes { bytes throws(PacketError) in
            try PacketOutline(bytes, limits: limits)
        }
    }

    /// Takes the text message that the outline was made of.
    ///
    /// - Returns: The packet; `nil` if its attachments must follow.
    package mutating func packet(_ outline: PacketOutline, _ text: consuming ByteBuffer) -> Packet? {
        guard outline.attachmentCount > 0 else { return outline.packet(in: text) }
        self.pending = Pending(packet: outline.packet(in: text.detached()), count: outline.attachmentCount)
        return nil
    }

    /// Takes a binary message, which is the next attachment of the packet that announced it.
    ///
    /// - Returns: The packet; `nil` if more attachments must follow.
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
        pending.attachments.append(binary.detached())
        guard pending.attachments.count == pending.count else { return nil }
        self.pending = nil
        let packet = pending.packet
        guard let json = packet.payload?.json else { return packet }
        try Self.checkPlaceholders(json, count: pending.count, limits: limits.json)
        return Packet(
            type: packet.type,
            namespace: packet.namespace,
            id: packet.id,
            payload: PacketPayload(json: json, attachments: pending.attachments),
            eventName: packet.eventName,
            argumentsStart: packet.argumentsStart
        )
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
