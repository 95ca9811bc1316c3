/// The kind of a JSON value, which its first byte tells.
package enum JSONKind: Sendable {
    case null
    case bool
    case number
    case string
    case array
    case object
}

/// Checks JSON text and skips it, and makes no values.
///
/// The grammar is exactly that of RFC 8259. Strings must be UTF-8. Escapes may contain a surrogate without its partner,
/// as for `JSON.parse`. The time is linear in the text, and the stack does not grow with its nesting.
package struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    /// How many brackets may stand inside of each other, besides those that the caller has entered.
    private var maximumDepth: Int
    /// The index of the next byte to look at.
    package private(set) var offset: Int

    /// Looks at bytes.
    ///
    /// They must live longer than the scanner.
    package init(_ bytes: UnsafeRawBufferPointer, from offset: Int = 0, limits: JSONLimits = .standard) {
        self.bytes = bytes
        self.offset = offset
        self.maximumDepth = limits.effectiveDepth
    }

    /// Checks that the bytes are one JSON value with nothing but white space around it.
    ///
    /// - Returns: What kind of value it is.
    @discardableResult
    package static func validate(
        _ bytes: UnsafeRawBufferPointer,
        limits: JSONLimits = .standard
    ) throws(JSONError) -> JSONKind {
        var scanner = JSONScanner(bytes, limits: limits)
        let kind = try scanner.peekKind()
        try scanner.skipValue()
        try scanner.expectEnd()
        return kind
    }

    /// The kind of the next value.
    ///
    /// Only its first byte is looked at.
    ///
    /// White space before it is skipped.
    package mutating func peekKind() throws(JSONError) -> JSONKind {
        self.skipWhitespace()
        switch try self.peek() {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw JSONError(.unexpectedByte, at: self.offset)
        }
    }

    /// Skips white space.
    @inline(__always)
    package mutating func skipWhitespace() {
        self.offset = self.bytes.endOfWhitespace(from: self.offset)
    }

    /// Checks that only white space is left.
    package mutating func expectEnd() throws(JSONError) {
        self.skipWhitespace()
        guard self.offset == self.bytes.count else { throw JSONError(.trailingBytes, at: self.offset) }
    }

    /// Skips white space and one value, and checks all of it.
    package mutating func skipValue() throws(JSONError) {
        var nesting = Nesting()
        value: while true {
            self.skipWhitespace()
            switch try self.peek() {
            case UInt8(ascii: "{"):
                try self.enter(&nesting, isObject: true)
                guard try self.peek() == UInt8(ascii: "}") else {
                    try self.skipKey()
                    continue value
                }
                self.offset &+= 1
                nesting.leave()
            case UInt8(ascii: "["):
                try self.enter(&nesting, isObject: false)
                guard try self.peek() == UInt8(ascii: "]") else {
                    continue value
                }
                self.offset &+= 1
                nesting.leave()
            case UInt8(ascii: "\""):
                self.offset &+= 1
                _ = try self.skipStringBody()
            case UInt8(ascii: "t"):
                try self.skipLiteral("true")
            case UInt8(ascii: "f"):
                try self.skipLiteral("false")
            case UInt8(ascii: "n"):
                try self.skipLiteral("null")
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                _ = try self.skipNumber()
            default:
                throw JSONError(.unexpectedByte, at: self.offset)
            }
            while nesting.depth > 0 {
                self.skipWhitespace()
                let byte = try self.peek()
                if byte == UInt8(ascii: ",") {
                    self.offset &+= 1
                    if nesting.isObject {
                        self.skipWhitespace()
                        try self.skipKey()
                    }
                    continue value
                }
                guard byte == (nesting.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw JSONError(.unexpectedByte, at: self.offset)
                }
                self.offset &+= 1
                nesting.leave()
            }
            return
        }
    }

    /// Skips the rest of a string, with its closing quote.
    ///
    /// Its opening quote has been read.
    ///
    /// - Returns: Whether there are escape sequences in it.
    @inline(__always)
    mutating func skipStringBody() throws(JSONError) -> Bool {
        var hasEscapes = false
        while true {
            self.offset = self.bytes.endOfPlainASCII(from: self.offset)
            switch try self.peek() {
            case UInt8(ascii: "\""):
                self.offset &+= 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try self.skipEscape()
            case 0..<0x20:
                throw JSONError(.controlCharacter, at: self.offset)
            default:
                repeat {
                    guard let length = self.bytes.lengthOfUTF8Sequence(at: self.offset) else {
                        throw JSONError(.invalidUTF8, at: self.offset)
                    }
                    self.offset &+= length
                } while self.offset < self.bytes.count && self.bytes[self.offset] >= 0x80
            }
        }
    }

    /// Skips a number.
    ///
    /// - Returns: Whether it has neither a fraction nor an exponent.
    @inline(__always)
    mutating func skipNumber() throws(JSONError) -> Bool {
        if self.bytes[self.offset] == UInt8(ascii: "-") { self.offset &+= 1 }
        let leading = self.offset
        try self.skipDigits()
        if self.bytes[leading] == UInt8(ascii: "0"), self.offset > leading &+ 1 {
            throw JSONError(.invalidNumber, at: leading)
        }
        var isInteger = true
        if self.offset < self.bytes.count, self.bytes[self.offset] == UInt8(ascii: ".") {
            isInteger = false
            self.offset &+= 1
            try self.skipDigits()
        }
        if self.offset < self.bytes.count, self.bytes[self.offset] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            self.offset &+= 1
            if self.offset < self.bytes.count,
                self.bytes[self.offset] == UInt8(ascii: "+") || self.bytes[self.offset] == UInt8(ascii: "-")
            {
                self.offset &+= 1
            }
            try self.skipDigits()
        }
        return isInteger
    }

    /// Skips one of the three words.
    @inline(__always)
    mutating func skipLiteral(_ literal: StaticString) throws(JSONError) {
        let length = literal.utf8CodeUnitCount
        let available = min(length, self.bytes.count &- self.offset)
        for index in 0..<available where self.bytes[self.offset &+ index] != literal.utf8Start[index] {
            throw JSONError(.invalidLiteral, at: self.offset)
        }
        guard available == length else { throw JSONError(.unexpectedEnd, at: self.bytes.count) }
        self.offset &+= length
    }

    /// Those bytes.
    @inline(__always)
    func text(from start: Int, to end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self.bytes[start..<end])
    }

    /// Checks that one more bracket may be opened inside of so many.
    @inline(__always)
    func checkDepth(_ depth: Int) throws(JSONError) {
        guard depth < self.maximumDepth else { throw JSONError(.tooDeep, at: self.offset) }
    }

    /// Skips the opening bracket of an array, which comes next.
    ///
    /// The elements can then be skipped one by one.
    @inline(__always)
    mutating func enterArray() throws(JSONError) {
        try self.checkDepth(0)
        self.maximumDepth &-= 1
        self.offset &+= 1
    }

    /// Skips a byte that has been looked at.
    @inline(__always)
    mutating func advance() {
        self.offset &+= 1
    }

    /// Skips white space, and that byte if it comes next.
    @inline(__always)
    mutating func skipIfNext(_ byte: UInt8) throws(JSONError) -> Bool {
        self.skipWhitespace()
        guard try self.peek() == byte else { return false }
        self.offset &+= 1
        return true
    }

    /// Skips the comma or the closing bracket that follows an element or a member.
    ///
    /// - Returns: Whether it was a comma, so that another element or member follows.
    @inline(__always)
    mutating func skipSeparator(orEnd end: UInt8) throws(JSONError) -> Bool {
        self.skipWhitespace()
        let byte = try self.peek()
        guard byte == UInt8(ascii: ",") || byte == end else { throw JSONError(.unexpectedByte, at: self.offset) }
        self.offset &+= 1
        return byte != end
    }

    /// Skips white space and a colon.
    @inline(__always)
    mutating func skipColon() throws(JSONError) {
        guard try self.skipIfNext(UInt8(ascii: ":")) else { throw JSONError(.unexpectedByte, at: self.offset) }
    }

    /// The next byte.
    ///
    /// It is not skipped.
    @inline(__always)
    private func peek() throws(JSONError) -> UInt8 {
        guard self.offset < self.bytes.count else { throw JSONError(.unexpectedEnd, at: self.bytes.count) }
        return self.bytes[self.offset]
    }

    /// Skips an opening bracket and the white space after it.
    @inline(__always)
    private mutating func enter(_ nesting: inout Nesting, isObject: Bool) throws(JSONError) {
        try self.checkDepth(nesting.depth)
        nesting.enter(isObject: isObject)
        self.offset &+= 1
        self.skipWhitespace()
    }

    /// Skips a key and the colon after it.
    @inline(__always)
    private mutating func skipKey() throws(JSONError) {
        guard try self.peek() == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: self.offset) }
        self.offset &+= 1
        _ = try self.skipStringBody()
        try self.skipColon()
    }

    /// Skips an escape sequence with its backslash.
    private mutating func skipEscape() throws(JSONError) {
        let start = self.offset
        self.offset &+= 1
        switch try self.peek() {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            self.offset &+= 1
        case UInt8(ascii: "u"):
            guard self.bytes.hexadecimalQuad(at: self.offset &+ 1) != nil else {
                throw JSONError(.invalidEscape, at: start)
            }
            self.offset &+= 5
        default:
            throw JSONError(.invalidEscape, at: start)
        }
    }

    /// Skips at least one digit.
    @inline(__always)
    private mutating func skipDigits() throws(JSONError) {
        let end = self.bytes.endOfDigits(from: self.offset)
        guard end > self.offset else {
            throw JSONError(end == self.bytes.count ? .unexpectedEnd : .invalidNumber, at: end)
        }
        self.offset = end
    }
}

/// Which of the open brackets are objects.
///
/// It has one bit for each level, so deep text needs no allocation and no recursion.
private struct Nesting {
    private(set) var depth = 0
    /// The innermost 64 levels.
    ///
    /// The lowest bit is the innermost level.
    private var current: UInt64 = 0
    private var outer: InlineArray<8, UInt64> = InlineArray(repeating: 0)

    init() {}

    /// Whether the innermost bracket belongs to an object.
    @inline(__always)
    var isObject: Bool { self.current & 1 == 1 }

    @inline(__always)
    mutating func enter(isObject: Bool) {
        if self.depth & 63 == 0, self.depth > 0 {
            self.outer[self.depth >> 6 &- 1] = self.current
            self.current = 0
        }
        self.current = self.current << 1 | (isObject ? 1 : 0)
        self.depth &+= 1
    }

    @inline(__always)
    mutating func leave() {
        self.depth &-= 1
        if self.depth & 63 == 0, self.depth > 0 {
            self.current = self.outer[self.depth >> 6 &- 1]
        } else {
            self.current >>= 1
        }
    }
}
