package import NIOCore
import OrderedCollections

/// The kind of the next value.
package enum MessagePackKind: Sendable {
    case null
    case bool
    case integer
    case float
    case string
    case binary
    case array
    case map
    case ext
}

/// A cursor over MessagePack that reads one value after the other, as its caller asks for them.
///
/// It accepts every width of every type, as notepack.io does, and understands the extensions of old versions. It
/// repairs malformed UTF-8 with U+FFFD, as Node.js does. If there are fewer bytes than a length says, that is an error
/// before anything is allocated.
package struct MessagePackReader {
    /// The greatest depth of arrays and maps that a caller can ask for.
    package static let greatestDepth = JSONLimits.greatestDepth
    /// The most byte strings in a packet that becomes JSON.
    ///
    /// It is a hundred times what an official client takes.
    package static let mostAttachments = 1_024
    /// The longest JSON text that a packet may become.
    ///
    /// In MessagePack the same packet may have a sixth of that length.
    package static let longestText = 64 * 1024 * 1024

    /// The bytes.
    ///
    /// Offsets count from the first readable one.
    package let bytes: ByteBuffer
    /// Where the next value starts.
    package private(set) var offset = 0
    private let maximumDepth: Int

    /// Starts at the first readable byte.
    ///
    /// By default the depth is twice that of JSON text, because a client's packet travels inside of another one.
    package init(_ bytes: ByteBuffer, maximumDepth: Int = 256) {
        self.bytes = bytes
        self.maximumDepth = min(maximumDepth, Self.greatestDepth)
    }

    /// Whether every byte has been read.
    package var isAtEnd: Bool { self.offset == self.bytes.readableBytes }

    /// Checks that no byte is left.
    package func expectEnd() throws(MessagePackError) {
        guard self.isAtEnd else { throw MessagePackError(.trailingBytes, at: self.offset) }
    }

    // MARK: One part of a value

    /// The kind of the next value, as its first byte tells.
    package func peekKind() throws(MessagePackError) -> MessagePackKind {
        guard let type: UInt8 = self.bytes.getInteger(at: self.bytes.readerIndex + self.offset) else {
            throw MessagePackError(.unexpectedEnd, at: self.offset)
        }
        switch type {
        case 0x00...0x7F, 0xE0...0xFF, 0xCC...0xD3: return .integer
        case 0x80...0x8F, 0xDE, 0xDF: return .map
        case 0x90...0x9F, 0xDC, 0xDD: return .array
        case 0xA0...0xBF, 0xD9...0xDB: return .string
        case 0xC0: return .null
        case 0xC2, 0xC3: return .bool
        case 0xC4...0xC6: return .binary
        case 0xC7...0xC9, 0xD4...0xD8: return .ext
        case 0xCA, 0xCB: return .float
        default: throw MessagePackError(.unusedByte, at: self.offset)
        }
    }

    /// Steps into an array.
    ///
    /// - Returns: How many values it has. They come next.
    package mutating func readArrayHeader() throws(MessagePackError) -> Int {
        try self.read { cursor throws(MessagePackError) -> Int? in
            guard case .array(let count) = try cursor.readHeader() else { return nil }
            return count
        }
    }

    /// Steps into a map.
    ///
    /// - Returns: How many pairs of a key and a value it has. They come next.
    package mutating func readMapHeader() throws(MessagePackError) -> Int {
        try self.read { cursor throws(MessagePackError) -> Int? in
            guard case .map(let count) = try cursor.readHeader() else { return nil }
            return count
        }
    }

    package mutating func readString() throws(MessagePackError) -> String {
        try self.read { cursor throws(MessagePackError) -> String? in
            guard case .string(let length) = try cursor.readHeader() else { return nil }
            return String(decoding: cursor.take(length), as: UTF8.self)
        }
    }

    /// Reads a key.
    ///
    /// It is a string, or the text that JavaScript makes of bytes, a number, a boolean or `nil`.
    ///
    /// - Returns: The key; `nil` if it is a list or a map, which is skipped.
    package mutating func readKey() throws(MessagePackError) -> UTF8Text? {
        try self.read { cursor throws(MessagePackError) -> UTF8Text?? in
            .some(try cursor.readMemberName().map { UTF8Text($0) })
        }
    }

    /// The next value if it is a string of at most 15 bytes, which needs no memory.
    ///
    /// The value is not read.
    package func peekShortString() -> UTF8Text? {
        var copy = self
        let text = try? copy.read { cursor throws(MessagePackError) -> UTF8Text? in
            guard case .string(let length) = try cursor.readHeader(), length <= 15 else { return nil }
            return UTF8Text(decoding: cursor.take(length))
        }
        return text
    }

    /// Reads an integer that fits.
    ///
    /// It may be written as a float.
    package mutating func readInt() throws(MessagePackError) -> Int {
        try self.read { cursor throws(MessagePackError) -> Int? in
            switch try cursor.readHeader() {
            case .int(let value): return Int(exactly: value)
            case .float(let value): return Int(exactly: value)
            case .double(let value): return Int(exactly: value)
            default: return nil
            }
        }
    }

    /// Reads a number.
    package mutating func readDouble() throws(MessagePackError) -> Double {
        try self.read { cursor throws(MessagePackError) -> Double? in
            switch try cursor.readHeader() {
            case .int(let value): return Double(value)
            case .uint(let value): return Double(value)
            case .float(let value): return Double(value)
            case .double(let value): return value
            default: return nil
            }
        }
    }

    package mutating func readBool() throws(MessagePackError) -> Bool {
        try self.read { cursor throws(MessagePackError) -> Bool? in
            guard case .bool(let value) = try cursor.readHeader() else { return nil }
            return value
        }
    }

    /// Reads bytes, as a slice of the buffer.
    package mutating func readBinary() throws(MessagePackError) -> ByteBuffer {
        let (end, length) = try self.read { cursor throws(MessagePackError) -> (end: Int, length: Int)? in
            guard case .binary(let length) = try cursor.readHeader() else { return nil }
            _ = cursor.take(length)
            return (cursor.offset, length)
        }
        return self.slice(end - length, end)
    }

    /// Skips a `nil`, or what old versions of notepack wrote for `undefined`, if it comes next.
    package mutating func skipNothing() throws(MessagePackError) -> Bool {
        guard try self.peekKind() == .null else { return try self.skipUndefined() }
        self.offset += 1
        return true
    }

    /// Skips what old versions of notepack wrote for `undefined`, if it comes next.
    package mutating func skipUndefined() throws(MessagePackError) -> Bool {
        guard try self.peekKind() == .ext else { return false }
        return try self.read { cursor throws(MessagePackError) -> Bool? in
            guard cursor.isAtUndefined else { return false }
            try cursor.skipValue()
            return true
        }
    }

    // MARK: Whole values

    /// Skips the next value of any kind and depth.
    package mutating func skipValue() throws(MessagePackError) {
        try self.read { cursor throws(MessagePackError) -> Void? in try cursor.skipValue() }
    }

    /// The bytes of the next value, as a slice of the buffer.
    package mutating func readRawValue() throws(MessagePackError) -> ByteBuffer {
        let start = self.offset
        try self.skipValue()
        return self.slice(start, self.offset)
    }

    /// The next value with all its types.
    package mutating func readValue() throws(MessagePackError) -> MessagePackValue {
        let (bytes, depth) = (self.bytes, self.maximumDepth)
        return try self.read { cursor throws(MessagePackError) -> MessagePackValue? in
            try Self.value(from: &cursor, of: bytes, depth: depth)
        }
    }

    /// The next value as a Node.js server passes it on to clients; see ``JSONValue/init(_:)``.
    package mutating func readJSONValue() throws(MessagePackError) -> JSONValue {
        let (bytes, depth) = (self.bytes, self.maximumDepth)
        return try self.read { cursor throws(MessagePackError) -> JSONValue? in
            try Self.jsonValue(from: &cursor, of: bytes, depth: depth)
        }
    }

    private static func value(
        from cursor: inout MessagePackCursor,
        of buffer: ByteBuffer,
        depth: Int
    ) throws(MessagePackError) -> MessagePackValue {
        let start = cursor.offset
        switch try cursor.readHeader() {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .uint(let value): return .uint(value)
        case .float(let value): return .float(value)
        case .double(let value): return .double(value)
        case .string(let length): return .string(String(decoding: cursor.take(length), as: UTF8.self))
        case .binary(let length): return .binary(cursor.slice(length, of: buffer))
        case .timestamp(let value): return .timestamp(value)
        case .ext(let type, let length): return .ext(type: type, bytes: cursor.slice(length, of: buffer))
        case .array(let count):
            guard depth > 0 else { throw MessagePackError(.tooDeep, at: start) }
            var elements: [MessagePackValue] = []
            for _ in 0..<count { elements.append(try self.value(from: &cursor, of: buffer, depth: depth - 1)) }
            return .array(elements)
        case .map(let count):
            guard depth > 0 else { throw MessagePackError(.tooDeep, at: start) }
            var entries: [MessagePackValue.Entry] = []
            for _ in 0..<count {
                let key = try self.value(from: &cursor, of: buffer, depth: depth - 1)
                let value = try self.value(from: &cursor, of: buffer, depth: depth - 1)
                entries.append(MessagePackValue.Entry(key: key, value: value))
            }
            return .map(entries)
        }
    }

    private static func jsonValue(
        from cursor: inout MessagePackCursor,
        of buffer: ByteBuffer,
        depth: Int
    ) throws(MessagePackError) -> JSONValue {
        let start = cursor.offset
        switch try cursor.readHeader() {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .int(let value): return Int(exactly: value).map(JSONValue.int) ?? .double(Double(value))
        case .uint(let value): return .double(Double(value))
        case .float(let value): return .double(Double(value))
        case .double(let value): return .double(value)
        case .string(let length): return .string(String(decoding: cursor.take(length), as: UTF8.self))
        case .binary(let length): return .binary(cursor.slice(length, of: buffer))
        case .timestamp(let value): return value.iso8601.map(JSONValue.string) ?? .null
        case .ext(let type, let length): return .array([.int(Int(type)), .binary(cursor.slice(length, of: buffer))])
        case .array(let count):
            guard depth > 0 else { throw MessagePackError(.tooDeep, at: start) }
            var elements: [JSONValue] = []
            for _ in 0..<count { elements.append(try self.jsonValue(from: &cursor, of: buffer, depth: depth - 1)) }
            return .array(elements)
        case .map(let count):
            guard depth > 0 else { throw MessagePackError(.tooDeep, at: start) }
            var members = JSONObject()
            for _ in 0..<count {
                guard let key = try cursor.readMemberName(), !cursor.isAtUndefined else {
                    try cursor.skipValue()
                    continue
                }
                members[UTF8Text(key)] = try self.jsonValue(from: &cursor, of: buffer, depth: depth - 1)
            }
            return .object(members)
        }
    }

    /// Turns the next value into the JSON text that a Node.js server would send to its clients.
    ///
    /// It makes no tree of values.
    ///
    /// Bytes become placeholders, timestamps become ISO 8601 text, and extensions become `[type, bytes]`. The result is
    /// valid JSON text of at most the allowed depth. If it throws an error, it has written nothing.
    ///
    /// - Parameters:
    ///   - text: Where the text is appended.
    ///   - attachments: Where the bytes are appended, as slices. The numbers of the placeholders are the indices here.
    /// - Throws: ``MessagePackError``.
    package mutating func transcodeToJSON(
        into text: inout ByteWriter,
        attachments: inout [ByteBuffer]
    ) throws(MessagePackError) {
        let count = text.count
        let attachmentCount = attachments.count
        let (bytes, depth) = (self.bytes, self.maximumDepth)
        do throws(MessagePackError) {
            try self.read { cursor throws(MessagePackError) -> Void? in
                try Self.transcode(&cursor, of: bytes, into: &text, attachments: &attachments, depth: depth)
            }
        } catch {
            text.truncate(to: count)
            attachments.removeSubrange(attachmentCount...)
            throw error
        }
    }

    private static func transcode(
        _ cursor: inout MessagePackCursor,
        of buffer: ByteBuffer,
        into text: inout ByteWriter,
        attachments: inout [ByteBuffer],
        depth: Int
    ) throws(MessagePackError) {
        let start = cursor.offset
        guard text.count <= self.longestText else { throw MessagePackError(.tooLong, at: start) }
        switch try cursor.readHeader() {
        case .null: text.writeStaticString("null")
        case .bool(let value): text.writeJSONBool(value)
        case .int(let value): text.writeJSONInteger(value)
        case .uint(let value): text.writeJSONInteger(value)
        case .float(let value): text.writeJSONNumber(Double(value))
        case .double(let value): text.writeJSONNumber(value)
        case .string(let length): text.writeJSONString(repairingUTF8: cursor.take(length))
        case .binary(let length):
            guard attachments.count < self.mostAttachments else {
                throw MessagePackError(.tooManyAttachments, at: start)
            }
            text.writeJSONPlaceholder(number: attachments.count)
            attachments.append(cursor.slice(length, of: buffer))
        case .timestamp(let value):
            if let iso8601 = value.iso8601 { text.writeJSONString(iso8601) } else { text.writeStaticString("null") }
        case .ext(let type, let length):
            guard attachments.count < self.mostAttachments else {
                throw MessagePackError(.tooManyAttachments, at: start)
            }
            text.writeInteger(UInt8(ascii: "["))
            text.writeJSONInteger(Int(type))
            text.writeInteger(UInt8(ascii: ","))
            text.writeJSONPlaceholder(number: attachments.count)
            text.writeInteger(UInt8(ascii: "]"))
            attachments.append(cursor.slice(length, of: buffer))
        case .array(let count):
            guard depth > 0 else { throw MessagePackError(.tooDeep, at: start) }
            text.writeInteger(UInt8(ascii: "["))
            for index in 0..<count {
                if index > 0 { text.writeInteger(UInt8(ascii: ",")) }
                try self.transcode(&cursor, of: buffer, into: &text, attachments: &attachments, depth: depth - 1)
            }
            text.writeInteger(UInt8(ascii: "]"))
        case .map(let count):
            guard depth > 0 else { throw MessagePackError(.tooDeep, at: start) }
            text.writeInteger(UInt8(ascii: "{"))
            var isFirst = true
            for _ in 0..<count {
                let end = text.count
                if !isFirst { text.writeInteger(UInt8(ascii: ",")) }
                guard try cursor.transcodeMemberName(into: &text), !cursor.isAtUndefined else {
                    text.truncate(to: end)
                    try cursor.skipValue()
                    continue
                }
                isFirst = false
                text.writeInteger(UInt8(ascii: ":"))
                try self.transcode(&cursor, of: buffer, into: &text, attachments: &attachments, depth: depth - 1)
            }
            text.writeInteger(UInt8(ascii: "}"))
        }
    }

    // MARK: Helpers

    private func slice(_ start: Int, _ end: Int) -> ByteBuffer {
        self.bytes.getSlice(at: self.bytes.readerIndex + start, length: end - start) ?? ByteBuffer()
    }

    /// Runs the body on a cursor, and moves only if it succeeds.
    ///
    /// The body returns `nil` if the next value is of another type.
    private mutating func read<T>(
        _ body: (inout MessagePackCursor) throws(MessagePackError) -> T?
    ) throws(MessagePackError) -> T {
        let (value, end) = try self.bytes.withUnsafeReadableBytes { bytes in
            Result { () throws(MessagePackError) in
                var cursor = MessagePackCursor(bytes, from: self.offset)
                guard let value = try body(&cursor) else { throw MessagePackError(.unexpectedType, at: self.offset) }
                return (value, cursor.offset)
            }
        }.get()
        self.offset = end
        return value
    }
}

extension MessagePackCursor {
    /// Takes bytes that a header has announced, as a slice of the buffer.
    ///
    /// The cursor's bytes are the readable bytes of that buffer.
    fileprivate mutating func slice(_ length: Int, of buffer: ByteBuffer) -> ByteBuffer {
        let start = buffer.readerIndex + self.offset
        _ = self.take(length)
        return buffer.getSlice(at: start, length: length) ?? ByteBuffer()
    }

    /// Whether what old versions of notepack wrote for `undefined` comes next.
    ///
    /// JavaScript leaves out members with that value.
    fileprivate var isAtUndefined: Bool {
        self.offset + 2 < self.bytes.count && self.bytes[self.offset] == 0xD4 && self.bytes[self.offset + 1] == 0
    }

    /// Reads a key and makes a member's name of it, as JavaScript does.
    ///
    /// - Returns: The name; `nil` if the key is a list or a map, which is skipped. Nobody means the name that
    ///   JavaScript makes of these.
    fileprivate mutating func readMemberName() throws(MessagePackError) -> String? {
        let start = self
        let header = try self.readHeader()
        switch header {
        case .string(let length), .binary(let length): return String(decoding: self.take(length), as: UTF8.self)
        default: break
        }
        if let name = header.memberName { return name }
        self = start
        try self.skipValue()
        return nil
    }

    /// Reads a key and writes it as a JSON string.
    ///
    /// - Returns: Whether it has written a key. A key that is a list or a map is only skipped.
    fileprivate mutating func transcodeMemberName(into text: inout ByteWriter) throws(MessagePackError) -> Bool {
        let start = self
        let header = try self.readHeader()
        switch header {
        case .string(let length), .binary(let length): text.writeJSONString(repairingUTF8: self.take(length))
        default:
            guard let name = header.memberName else {
                self = start
                try self.skipValue()
                return false
            }
            text.writeJSONString(name)
        }
        return true
    }
}

extension MessagePackHeader {
    /// The name for a key that is no string.
    fileprivate var memberName: String? {
        switch self {
        case .null: MessagePackValue.null.memberName
        case .bool(let value): MessagePackValue.bool(value).memberName
        case .int(let value): MessagePackValue.int(value).memberName
        case .uint(let value): MessagePackValue.uint(value).memberName
        case .float(let value): MessagePackValue.float(value).memberName
        case .double(let value): MessagePackValue.double(value).memberName
        case .timestamp(let value): MessagePackValue.timestamp(value).memberName
        case .string, .binary, .array, .map, .ext: nil
        }
    }
}

extension MessagePackValue {
    /// Reads exactly one MessagePack value.
    package init(parsing bytes: ByteBuffer) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        self = try reader.readValue()
        try reader.expectEnd()
    }
}

extension JSONValue {
    /// Reads exactly one MessagePack value, as a Node.js server passes it on to clients.
    package init(parsingMessagePack bytes: ByteBuffer) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        self = try reader.readJSONValue()
        try reader.expectEnd()
    }
}
