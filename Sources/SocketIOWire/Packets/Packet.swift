public import NIOCore

/// A Socket.IO packet as received, complete with its attachments (protocol 5).
public struct Packet: Sendable {
    /// The kind of packet; one with attachments is an ``PacketType/event`` or ``PacketType/acknowledgement`` like any
    /// other.
    public let type: PacketType
    /// The namespace; `/` unless the packet names another.
    public let namespace: String
    /// Which event an acknowledgement answers, or the number under which an event wants to be answered.
    public let id: Int?
    /// What the packet carries, or `nil` if it ends before a payload.
    public let payload: PacketPayload?
    /// The name of an event, a number's as decimal text; `nil` for other packets and without a payload.
    public let eventName: String?
    /// Where an event's arguments begin in the payload's text.
    let argumentsStart: Arguments.Start

    /// The name and the arguments of an event.
    ///
    /// - Returns: `nil` for other packets, and for an event without a payload, which does nothing.
    public consuming func event() -> (name: String, arguments: Arguments)? {
        guard let name = self.eventName, let payload = self.payload else { return nil }
        return (name, Arguments(payload, start: self.argumentsStart))
    }

    /// The arguments of an acknowledgement, none if it has no payload.
    public consuming func acknowledgementArguments() -> Arguments {
        self.payload.map { Arguments($0) } ?? Arguments([])
    }
}

/// What a packet carries: JSON text and the attachments its placeholders stand for.
public struct PacketPayload: Sendable, Hashable {
    /// The JSON text; it shares the storage of the message that it came in.
    public let json: ByteBuffer
    /// What the placeholders stand for; `nil` if it came without attachments, so that what looks like a placeholder is
    /// none.
    public let attachments: [ByteBuffer]?

    /// Puts JSON text and attachments together; neither is checked before it is read.
    public init(json: ByteBuffer, attachments: [ByteBuffer]? = nil) {
        self.json = json
        self.attachments = attachments
    }

    /// The payload as a value, with the attachments in place of the placeholders.
    ///
    /// - Throws: ``JSONError`` if it was not decoded from a packet, whose payload has been checked.
    public func value() throws(JSONError) -> JSONValue {
        var reader = self.makeReader()
        let value = try reader.readValue()
        try reader.expectEnd()
        return value
    }

    /// A cursor over the text, which was held against the decoder's limits before.
    func makeReader() -> JSONReader {
        JSONReader(self.json, attachments: self.attachments, limits: Self.greatestLimits)
    }

    /// Limits for text that has been held against others.
    static var greatestLimits: JSONLimits {
        var limits = JSONLimits()
        limits.maximumDepth = JSONLimits.greatestDepth
        return limits
    }
}
