public import NIOCore

/// A Socket.IO packet as received, complete with its attachments (protocol 5).
public struct Packet: Sendable {
    /// The kind of packet.
    ///
    /// One with attachments is also an ``PacketType/event`` or ``PacketType/acknowledgement``.
    public let type: PacketType
    /// The namespace; `/` unless the packet names another.
    public let namespace: String
    /// Which event an acknowledgement answers; or for an event, the number that its answer must carry.
    public let id: Int?
    /// What the packet carries; `nil` if it has no payload.
    public let payload: PacketPayload?
    /// The name of an event; `nil` for other packets and without a payload.
    ///
    /// A number is a name as its decimal text.
    public let eventName: String?
    /// Where an event's arguments begin in the payload's text.
    let argumentsStart: Arguments.Start

    /// The name and the arguments of an event.
    ///
    /// - Returns: Name and arguments; `nil` for other packets, and for an event without a payload, which does nothing.
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
    /// The JSON text.
    ///
    /// It shares the storage of the message that it came in.
    public let json: ByteBuffer
    /// The attachments that the placeholders stand for; `nil` if the packet came without any.
    ///
    /// Then nothing is a placeholder, even if it looks like one.
    public let attachments: [ByteBuffer]?

    /// Puts JSON text and attachments together.
    ///
    /// Neither is checked before somebody reads it.
    public init(json: ByteBuffer, attachments: [ByteBuffer]? = nil) {
        self.json = json
        self.attachments = attachments
    }

    /// The payload as a value, with the attachments in place of the placeholders.
    ///
    /// - Throws: ``JSONError`` if the text is not JSON. A decoded packet never throws, because its payload has been
    ///   checked.
    public func value() throws(JSONError) -> JSONValue {
        var reader = self.makeReader()
        let value = try reader.readValue()
        try reader.expectEnd()
        return value
    }

    /// A cursor over the text.
    ///
    /// The decoder has already checked it against its limits.
    func makeReader() -> JSONReader {
        JSONReader(self.json, attachments: self.attachments, limits: Self.greatestLimits)
    }

    /// Limits for text that has already been checked against others.
    static var greatestLimits: JSONLimits {
        var limits = JSONLimits()
        limits.maximumDepth = JSONLimits.greatestDepth
        return limits
    }
}
