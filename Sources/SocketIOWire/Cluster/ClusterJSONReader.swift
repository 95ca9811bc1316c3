import NIOCore
import OrderedCollections

/// The name of a member, where it stands in JSON text.
struct JSONMemberName {
    fileprivate let body: UnsafeRawBufferPointer
    fileprivate let hasEscapes: Bool

    @inline(__always)
    func isEqual(to name: StaticString) -> Bool {
        JSONText.isEqual(self.body, hasEscapes: self.hasEscapes, to: name)
    }
}

/// Reads a message in JSON text.
///
/// What this node needs to know becomes values. What clients get stays text.
struct ClusterJSONReader {
    private let bytes: UnsafeRawBufferPointer
    private let text: ByteBuffer
    var scanner: JSONScanner

    /// Starts at the beginning of the bytes, which are the readable ones of the buffer.
    init(_ bytes: UnsafeRawBufferPointer, of text: ByteBuffer) {
        self.bytes = bytes
        self.text = text
        self.scanner = JSONScanner(bytes, limits: ClusterProtocol.jsonLimits)
    }

    /// The text from an offset up to the scanner.
    func slice(from start: Int) -> ByteBuffer {
        self.text.getSlice(at: self.text.readerIndex + start, length: self.scanner.offset - start) ?? ByteBuffer()
    }

    /// The next value.
    mutating func readValue() throws(JSONError) -> JSONValue {
        var parser = JSONParser(
            self.bytes,
            from: self.scanner.offset,
            attachments: nil,
            limits: ClusterProtocol.jsonLimits
        )
        let value = try parser.readValue()
        self.scanner = parser.scanner
        return value
    }

    /// Walks through the object that is next.
    ///
    /// - Parameter body: Reads or skips the value of the member with that name.
    /// - Throws: ``JSONError`` if it is no object, or malformed.
    mutating func readMembers(
        _ body: (JSONMemberName, inout ClusterJSONReader) throws(JSONError) -> Void
    ) throws(JSONError) {
        guard try self.scanner.peekKind() == .object else {
            throw JSONError(.unexpectedByte, at: self.scanner.offset)
        }
        self.scanner.advance()
        if try self.scanner.skipIfNext(UInt8(ascii: "}")) { return }
        repeat {
            guard try self.scanner.peekKind() == .string else {
                throw JSONError(.unexpectedByte, at: self.scanner.offset)
            }
            self.scanner.advance()
            let start = self.scanner.offset
            let hasEscapes = try self.scanner.skipStringBody()
            let name = JSONMemberName(
                body: self.scanner.text(from: start, to: self.scanner.offset &- 1),
                hasEscapes: hasEscapes
            )
            try self.scanner.skipColon()
            self.scanner.skipWhitespace()
            try body(name, &self)
        } while try self.scanner.skipSeparator(orEnd: UInt8(ascii: "}"))
    }

    // MARK: Events

    /// Reads the event of a packet; `nil` if clients can't be sent such an event.
    ///
    /// In both cases the scanner stands behind it afterwards.
    mutating func readEvent() throws(JSONError) -> EventPayload? {
        guard try self.scanner.peekKind() != .object else { return Self.numberedEvent(try self.readValue()) }
        let start = self.scanner.offset
        guard try PacketOutline.checkEvent(self.bytes, &self.scanner) != nil else { return nil }
        return .json(self.slice(from: start))
    }

    /// The event in a list that PHP has written as a map.
    private static func numberedEvent(_ value: JSONValue) -> EventPayload? {
        guard case .object(let members) = value, !members.isEmpty,
            members.keys.enumerated().allSatisfy({ UTF8Text(String($0.offset)) == $0.element })
        else { return nil }
        switch members.values[0] {
        case .string(let name) where !isReservedEventName(name): break
        case .int, .double: break
        default: return nil
        }
        var text = ByteBuffer()
        text.writeJSON(.array(Array(members.values)))
        return .json(text)
    }

    // MARK: Options

    /// The sockets that a broadcast addresses; an error if that is unclear.
    mutating func readOptions() throws(JSONError) -> Result<BroadcastOptions?, ClusterProtocolError> {
        guard try self.scanner.peekKind() == .object else {
            let value = try self.readValue()
            return Result { () throws(ClusterProtocolError) in try ClusterOptions.parse(value) }
        }
        var rooms: RoomList? = RoomList()
        var except: RoomList? = RoomList()
        var flags = BroadcastFlags()
        try self.readMembers { name, reader throws(JSONError) in
            if name.isEqual(to: "rooms") {
                rooms = try reader.readRooms()
            } else if name.isEqual(to: "except") {
                except = try reader.readRooms()
            } else if name.isEqual(to: "flags") {
                flags = ClusterOptions.flags(try reader.readValue())
            } else {
                try reader.scanner.skipValue()
            }
        }
        guard let rooms, let except else {
            return .failure(ClusterProtocolError(.unexpectedShape, "rooms that are no list"))
        }
        guard !rooms.isNobody else { return .success(nil) }
        return .success(BroadcastOptions(rooms: rooms.rooms, except: except.rooms, flags: flags))
    }

    /// A list of rooms; `nil` if it is unclear which rooms are meant.
    private mutating func readRooms() throws(JSONError) -> RoomList? {
        guard try self.scanner.peekKind() == .array else { return RoomList(try self.readValue()) }
        var list = RoomList()
        self.scanner.advance()
        if try self.scanner.skipIfNext(UInt8(ascii: "]")) { return list }
        repeat {
            list.append(Room(try self.readValue()))
        } while try self.scanner.skipSeparator(orEnd: UInt8(ascii: "]"))
        return list
    }
}
