import NIOCore
import OrderedCollections

/// Makes values of JSON text and checks the text on the way.
struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    /// The attachments that placeholders stand for.
    ///
    /// If it is `nil`, a placeholder stays the object that it looks like.
    private let attachments: [ByteBuffer]?
    private(set) var scanner: JSONScanner

    init(_ bytes: UnsafeRawBufferPointer, from offset: Int, attachments: [ByteBuffer]?, limits: JSONLimits) {
        self.bytes = bytes
        self.attachments = attachments
        self.scanner = JSONScanner(bytes, from: offset, limits: limits)
    }

    /// The next value.
    mutating func readValue(depth: Int = 0) throws(JSONError) -> JSONValue {
        switch try self.scanner.peekKind() {
        case .null:
            try self.scanner.skipLiteral("null")
            return .null
        case .bool:
            let isTrue = self.bytes[self.scanner.offset] == UInt8(ascii: "t")
            try self.scanner.skipLiteral(isTrue ? "true" : "false")
            return .bool(isTrue)
        case .number:
            let start = self.scanner.offset
            let isInteger = try self.scanner.skipNumber()
            return JSONNumber.value(of: self.scanner.text(from: start, to: self.scanner.offset), isInteger: isInteger)
        case .string:
            return .string(try self.readString())
        case .array:
            return .array(try self.readArray(depth: depth))
        case .object:
            return try self.readObject(depth: depth)
        }
    }

    /// What follows an element of an array.
    ///
    /// - Returns: Whether another one comes next.
    mutating func readSeparator() throws(JSONError) -> Bool {
        try self.scanner.skipSeparator(orEnd: UInt8(ascii: "]"))
    }

    /// The next string.
    ///
    /// Its opening quote comes next.
    @inline(__always)
    mutating func readString() throws(JSONError) -> String {
        self.scanner.advance()
        let start = self.scanner.offset
        let hasEscapes = try self.scanner.skipStringBody()
        return JSONText.string(of: self.scanner.text(from: start, to: self.scanner.offset &- 1), hasEscapes: hasEscapes)
    }

    private mutating func readArray(depth: Int) throws(JSONError) -> [JSONValue] {
        try self.enter(depth: depth)
        var elements: [JSONValue] = []
        if try self.scanner.skipIfNext(UInt8(ascii: "]")) { return elements }
        repeat {
            elements.append(try self.readValue(depth: depth &+ 1))
        } while try self.scanner.skipSeparator(orEnd: UInt8(ascii: "]"))
        return elements
    }

    private mutating func readObject(depth: Int) throws(JSONError) -> JSONValue {
        let start = self.scanner.offset
        try self.enter(depth: depth)
        var members = JSONObject()
        if try self.scanner.skipIfNext(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            guard try self.scanner.peekKind() == .string else {
                throw JSONError(.unexpectedByte, at: self.scanner.offset)
            }
            let key = try self.readString()
            try self.scanner.skipColon()
            // A repeated key keeps its first place and gets its last value, as in JavaScript.
            members[key] = try self.readValue(depth: depth &+ 1)
        } while try self.scanner.skipSeparator(orEnd: UInt8(ascii: "}"))
        if let attachments = self.attachments, members["_placeholder"] == .bool(true) {
            guard let number = members["num"]?.intValue, attachments.indices.contains(number) else {
                throw JSONError(.illegalAttachment, at: start)
            }
            return .binary(attachments[number])
        }
        return .object(members)
    }

    @inline(__always)
    private mutating func enter(depth: Int) throws(JSONError) {
        try self.scanner.checkDepth(depth)
        self.scanner.advance()
    }
}
