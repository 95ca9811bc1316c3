package import NIOCore

/// The places of the parts of a packet's text.
///
/// All checks have been made, and no values yet.
///
/// It holds no bytes and counts no references, so it costs nothing to pass it on. It is valid only for the text that it
/// was made of.
package struct PacketOutline {
    /// The first element of an event's payload.
    struct EventName {
        /// Where its text lies, for a string without the quotes.
        let text: Range<Int>
        let isString: Bool
        let hasEscapes: Bool
        /// The name itself, if it is short and has no escapes.
        let short: ShortName?
        /// Where the first argument begins; `nil` if there is none.
        var firstArgument: Int?
    }

    private let header: PacketHeader
    private let name: EventName?
    private let hasPayload: Bool

    /// The kind of packet, as it stands in the text.
    package var type: PacketType { self.header.type }
    /// Which event an acknowledgement answers; or for an event, the number that its answer must carry.
    package var id: Int? { self.header.id }
    /// How many attachments are announced.
    var attachmentCount: Int { self.header.attachmentCount ?? 0 }
    /// Whether the packet is for the namespace `/`.
    package var isForMainNamespace: Bool { self.header.namespace == nil }

    /// Checks a packet's text, in one pass.
    init(_ bytes: UnsafeRawBufferPointer, limits: PacketLimits) throws(PacketError) {
        self.header = try PacketHeader(bytes, limits: limits)
        self.hasPayload = self.header.length < bytes.count
        self.name = self.hasPayload ? try Self.checkPayload(bytes, self.header, limits: limits.json) : nil
    }

    // MARK: What the text says

    /// The namespace; `/` unless the packet names another.
    package func namespace(in text: ByteBuffer) -> String {
        guard let range = self.header.namespace else { return "/" }
        return text.getString(at: text.readerIndex + range.lowerBound, length: range.count) ?? "/"
    }

    /// An event's name, if that is short.
    package var shortEventName: ShortName? { self.name?.short }

    /// An event's name.
    ///
    /// - Returns: The name; `nil` for other packets, and for an event without a payload, which does nothing.
    package func eventName(in text: borrowing ByteBuffer) -> String? {
        guard let name = self.name else { return nil }
        return text.withUnsafeReadableBytes { name.string(in: $0) }
    }

    /// An event's arguments.
    package func arguments(in text: consuming ByteBuffer) -> Arguments {
        // The rest of the text is the payload. So nobody else holds its bytes, and no reference is counted.
        text.moveReaderIndex(forwardBy: self.header.length)
        return Arguments(text, start: self.argumentsStart)
    }

    private var argumentsStart: Arguments.Start {
        guard let first = self.name?.firstArgument else { return .none }
        return .at(first - self.header.length)
    }

    /// The packet, without its attachments.
    func packet(in text: consuming ByteBuffer) -> Packet {
        let type: PacketType =
            switch self.type {
            case .binaryEvent: .event
            case .binaryAcknowledgement: .acknowledgement
            case .connect, .disconnect, .event, .acknowledgement, .connectError: self.type
            }
        let namespace = self.namespace(in: text)
        let name = self.eventName(in: text)
        text.moveReaderIndex(forwardBy: self.header.length)
        return Packet(
            type: type,
            namespace: namespace,
            id: self.id,
            payload: self.hasPayload ? PacketPayload(json: text) : nil,
            eventName: name,
            argumentsStart: self.argumentsStart
        )
    }

    // MARK: Checking

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
            if header.type == .event || header.type == .binaryEvent {
                let name = try Self.checkEvent(bytes, &scanner)
                try scanner.expectEnd()
                if let name { return name }
            } else {
                let kind = try scanner.peekKind()
                try scanner.skipValue()
                try scanner.expectEnd()
                switch (header.type, kind) {
                case (.connect, .object), (.connectError, .object), (.connectError, .string),
                    (.acknowledgement, .array), (.binaryAcknowledgement, .array):
                    return nil
                default:
                    break
                }
            }
        } catch {
            throw PacketError(.invalidPayload, underlying: error)
        }
        throw PacketError(.invalidPayload)
    }

    /// Checks an event's payload.
    ///
    /// - Returns: The name; `nil` if the payload is not an array that begins with a name.
    static func checkEvent(
        _ bytes: UnsafeRawBufferPointer,
        _ scanner: inout JSONScanner
    ) throws(JSONError) -> EventName? {
        guard try scanner.peekKind() == .array else {
            try scanner.skipValue()
            return nil
        }
        try scanner.enterArray()
        if try scanner.skipIfNext(UInt8(ascii: "]")) { return nil }
        let kind = try scanner.peekKind()
        let start = scanner.offset
        var name: EventName?
        switch kind {
        case .string:
            scanner.advance()
            let hasEscapes = try scanner.skipStringBody()
            let text = start + 1..<scanner.offset - 1
            let body = scanner.text(from: text.lowerBound, to: text.upperBound)
            if !Self.isReserved(body, hasEscapes: hasEscapes) {
                let short = hasEscapes ? nil : ShortName(body)
                name = EventName(text: text, isString: true, hasEscapes: hasEscapes, short: short)
            }
        case .number:
            _ = try scanner.skipNumber()
            name = EventName(text: start..<scanner.offset, isString: false, hasEscapes: false, short: nil)
        case .null, .bool, .array, .object:
            try scanner.skipValue()
        }
        guard try scanner.skipSeparator(orEnd: UInt8(ascii: "]")) else { return name }
        name?.firstArgument = scanner.offset
        repeat { try scanner.skipValue() } while try scanner.skipSeparator(orEnd: UInt8(ascii: "]"))
        return name
    }

    /// Whether these bytes are a name that the protocol reserves.
    private static func isReserved(_ body: UnsafeRawBufferPointer, hasEscapes: Bool) -> Bool {
        guard !hasEscapes else { return isReservedEventName(JSONText.string(of: body, hasEscapes: true)) }
        switch body.first {
        case UInt8(ascii: "c"), UInt8(ascii: "d"), UInt8(ascii: "n"), UInt8(ascii: "r"):
            return body.count <= 14 && isReservedEventName(JSONText.string(of: body, hasEscapes: false))
        default:
            return false
        }
    }
}

extension PacketOutline.EventName {
    /// The name.
    ///
    /// A number becomes a name as JavaScript writes it.
    fileprivate func string(in bytes: UnsafeRawBufferPointer) -> String {
        let body = UnsafeRawBufferPointer(rebasing: bytes[self.text])
        guard !self.isString else { return JSONText.string(of: body, hasEscapes: self.hasEscapes) }
        return JSONNumber.string(of: body)
    }
}
