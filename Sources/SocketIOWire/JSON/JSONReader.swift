package import NIOCore

/// A cursor over JSON text.
///
/// It makes values of what its caller asks for, and checks what it skips.
///
/// A caller can visit an array element by element, so an argument that nobody asks for is never decoded:
/// ```swift
/// var reader = JSONReader(text)
/// try reader.enterArray()
/// while try reader.nextElement() { values.append(try reader.readValue()) }
/// ```
package struct JSONReader {
    /// The text.
    ///
    /// Offsets count from its first readable byte.
    package let text: ByteBuffer
    /// The attachments that placeholders stand for.
    ///
    /// If it is `nil`, a placeholder stays the object that it looks like.
    package let attachments: [ByteBuffer]?
    package let limits: JSONLimits
    /// The place of the next byte to look at.
    package private(set) var offset = 0
    /// Whether an element of the current array has been read, so that a comma must follow.
    private var isBehindElement = false

    package init(_ text: ByteBuffer, attachments: [ByteBuffer]? = nil, limits: JSONLimits = .standard) {
        self.text = text
        self.attachments = attachments
        self.limits = limits
    }

    /// The kind of the next value.
    ///
    /// White space before it is skipped.
    package mutating func peekKind() throws(JSONError) -> JSONKind {
        try self.scan { scanner throws(JSONError) in try scanner.peekKind() }
    }

    /// The next value, of any kind.
    package mutating func readValue() throws(JSONError) -> JSONValue {
        let (value, end) = try self.text.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONError) in
                var parser = JSONParser(bytes, from: self.offset, attachments: self.attachments, limits: self.limits)
                return (try parser.readValue(), parser.scanner.offset)
            }
        }.get()
        self.offset = end
        self.isBehindElement = true
        return value
    }

    /// The next value if it is a string.
    ///
    /// A value of another kind is not read.
    package mutating func readString() throws(JSONError) -> String? {
        guard try self.peekKind() == .string, case .string(let string) = try self.readValue() else { return nil }
        return string
    }

    /// Skips the next value and checks all of it.
    package mutating func skipValue() throws(JSONError) {
        try self.scan { scanner throws(JSONError) in try scanner.skipValue() }
        self.isBehindElement = true
    }

    /// The text of the next value without white space around it.
    ///
    /// It is checked but not decoded.
    ///
    /// No bytes are copied.
    package mutating func readRawValue() throws(JSONError) -> ByteBuffer {
        try self.scan { scanner throws(JSONError) in scanner.skipWhitespace() }
        let start = self.offset
        try self.skipValue()
        return self.slice(from: start, to: self.offset)
    }

    /// Steps into an array.
    package mutating func enterArray() throws(JSONError) {
        guard try self.peekKind() == .array else { throw JSONError(.unexpectedByte, at: self.offset) }
        self.offset += 1
        self.isBehindElement = false
    }

    /// Steps to the next element of the array that was entered last, or out of the array.
    ///
    /// - Returns: Whether there is an element. If so, it is read next.
    package mutating func nextElement() throws(JSONError) -> Bool {
        let isBehindElement = self.isBehindElement
        let hasElement = try self.scan { scanner throws(JSONError) in
            isBehindElement
                ? try scanner.skipSeparator(orEnd: UInt8(ascii: "]")) : try !scanner.skipIfNext(UInt8(ascii: "]"))
        }
        // Behind the last element, the reader stands behind the array.
        self.isBehindElement = !hasElement
        return hasElement
    }

    /// Checks that only white space is left.
    package mutating func expectEnd() throws(JSONError) {
        try self.scan { scanner throws(JSONError) in try scanner.expectEnd() }
    }

    private func slice(from start: Int, to end: Int) -> ByteBuffer {
        self.text.getSlice(at: self.text.readerIndex + start, length: end - start) ?? ByteBuffer()
    }

    private mutating func scan<T>(
        _ body: (inout JSONScanner) throws(JSONError) -> T
    ) throws(JSONError) -> T {
        let (value, end) = try self.text.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONError) in
                var scanner = JSONScanner(bytes, from: self.offset, limits: self.limits)
                return (try body(&scanner), scanner.offset)
            }
        }.get()
        self.offset = end
        return value
    }
}
