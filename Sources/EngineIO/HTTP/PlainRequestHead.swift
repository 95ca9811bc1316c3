/// The head of a request as nearly every client writes one.
///
/// It consists of places in the bytes, and makes no texts.
///
/// NIO's decoder accepts all of these heads, and they mean the same to it. All other heads go to the decoder: unusual,
/// wrong and long ones. So only the decoder decides what a valid request is, and usual requests need not pass it.
struct PlainRequestHead {
    /// What the bytes begin with.
    enum Outcome {
        case whole(PlainRequestHead)
        /// So far nothing is unusual, but the head is not complete.
        case incomplete
        /// The decoder must read this.
        case unusual
    }

    /// The longest head.
    ///
    /// The decoder reads longer ones.
    static let maximumLength = 4096

    /// Whether it is a POST, and not a GET.
    private(set) var isPost = false
    /// The request target: a path with a query.
    private(set) var target = 0..<0
    /// How many bytes the head has, with the empty line.
    private(set) var length = 0
    /// Where the first field begins.
    private(set) var fieldsStart = 0
    private(set) var contentLength: Int?
    private(set) var isKeptAlive = true
    private(set) var origin: Range<Int>?
    private(set) var userAgent: Range<Int>?
    private(set) var contentType: Range<Int>?
    private(set) var acceptedEncodings: Range<Int>?
    /// Whether it asks for a WebSocket.
    private(set) var isUpgrade = false

    private(set) var fieldCount = 0
    private var hasHost = false
    private var hasConnection = false
    private var upgrades = false

    private init() {}

    /// Looks at the bytes of a request that have come.
    ///
    /// - Parameters:
    ///   - bytes: The bytes so far, from the request's first byte on.
    ///   - maximumFields: How many fields the decoder accepts.
    ///   - maximumBytes: How many bytes of fields the decoder accepts.
    /// - Returns: The head, if all of it is there.
    static func read(_ bytes: Bytes, maximumFields: Int, maximumBytes: Int) -> Outcome {
        let maximum = min(Self.maximumLength, maximumBytes)
        let part = bytes.count > maximum ? bytes.part(0..<maximum) : bytes
        var head = Self()
        var scanner = Scanner(bytes: part)
        guard head.readLine(&scanner), head.readFields(&scanner, maximumFields) else {
            return scanner.isAtEnd && part.count < maximum ? .incomplete : .unusual
        }
        return .whole(head)
    }

    /// Calls a closure with each field of a head that has been read.
    func forEachField(in bytes: Bytes, _ body: (_ name: Bytes, _ value: Bytes) -> Void) {
        var scanner = Scanner(bytes: bytes.part(0..<self.length), index: self.fieldsStart)
        while let (name, value) = scanner.field() { body(bytes.part(name), bytes.part(value)) }
    }

    private mutating func readLine(_ scanner: inout Scanner) -> Bool {
        if scanner.take("GET ") {
            self.isPost = false
        } else if scanner.isAtEnd {
            return false
        } else if scanner.take("POST ") {
            self.isPost = true
        } else {
            return false
        }
        guard let target = scanner.target(), scanner.take(" HTTP/1.1\r\n") else { return false }
        self.target = target
        self.fieldsStart = scanner.index
        return true
    }

    private mutating func readFields(_ scanner: inout Scanner, _ maximumFields: Int) -> Bool {
        while true {
            if scanner.next == UInt8(ascii: "\r") {
                guard scanner.take("\r\n") else { return false }
                break
            }
            guard let (name, value) = scanner.field() else { return false }
            self.fieldCount += 1
            guard self.fieldCount < maximumFields,
                self.takes(scanner.bytes.part(name), scanner.bytes.part(value), at: value)
            else {
                scanner.stop()
                return false
            }
        }
        self.length = scanner.index
        guard self.hasHost, (self.contentLength != nil) == self.isPost, self.upgrades == self.isUpgrade,
            !(self.isUpgrade && self.isPost)
        else {
            scanner.stop()
            return false
        }
        return true
    }

    /// Notes a field that matters.
    ///
    /// - Returns: Whether the decoder would find nothing special about it.
    @inline(__always)
    private mutating func takes(_ name: Bytes, _ value: Bytes, at place: Range<Int>) -> Bool {
        switch name.count {
        case 4 where name.equalsIgnoringCase("host"):
            defer { self.hasHost = true }
            return !self.hasHost
        case 6 where name.equalsIgnoringCase("origin"):
            return Self.note(place, as: &self.origin)
        case 6 where name.equalsIgnoringCase("expect"):
            return false
        case 7 where name.equalsIgnoringCase("upgrade"):
            defer { self.isUpgrade = true }
            return !self.isUpgrade && value.equalsIgnoringCase("websocket")
        case 10 where name.equalsIgnoringCase("user-agent"):
            return Self.note(place, as: &self.userAgent)
        case 10 where name.equalsIgnoringCase("connection"):
            return self.takesConnection(value)
        case 12 where name.equalsIgnoringCase("content-type"):
            return Self.note(place, as: &self.contentType)
        case 14 where name.equalsIgnoringCase("content-length"):
            return self.takesLength(value)
        case 15 where name.equalsIgnoringCase("accept-encoding"):
            return Self.note(place, as: &self.acceptedEncodings)
        case 16 where name.equalsIgnoringCase("proxy-connection"):
            return false
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            return false
        default:
            return true
        }
    }

    @inline(__always)
    private static func note(_ place: Range<Int>, as field: inout Range<Int>?) -> Bool {
        guard field == nil else { return false }
        field = place
        return true
    }

    private mutating func takesConnection(_ value: Bytes) -> Bool {
        guard !self.hasConnection else { return false }
        self.hasConnection = true
        if value.equalsIgnoringCase("keep-alive") { return true }
        if value.equalsIgnoringCase("close") {
            self.isKeptAlive = false
            return true
        }
        self.upgrades = value.equalsIgnoringCase("upgrade") || value.equalsIgnoringCase("keep-alive, upgrade")
        return self.upgrades
    }

    private mutating func takesLength(_ value: Bytes) -> Bool {
        guard self.contentLength == nil, value.count <= 9 else { return false }
        var length = 0
        for byte in value {
            guard byte.isDigit else { return false }
            length = length * 10 + Int(byte - 0x30)
        }
        self.contentLength = length
        return true
    }
}

extension PlainRequestHead {
    /// A place in the bytes of a head.
    private struct Scanner {
        let bytes: Bytes
        var index = 0

        var isAtEnd: Bool { self.index >= self.bytes.count }

        var next: UInt8? { self.isAtEnd ? nil : self.bytes[self.index] }

        /// Marks the head as unusual.
        ///
        /// More bytes would not change that.
        mutating func stop() { self.index = -1 }

        /// Takes a text.
        ///
        /// At the end of the bytes only its beginning need be there.
        @inline(__always)
        mutating func take(_ text: StaticString) -> Bool {
            for offset in 0..<text.utf8CodeUnitCount {
                guard self.index + offset < self.bytes.count else {
                    self.index += offset
                    return false
                }
                guard self.bytes[self.index + offset] == text.utf8Start[offset] else { return false }
            }
            self.index += text.utf8CodeUnitCount
            return true
        }

        /// A path with a query, up to the space behind it.
        mutating func target() -> Range<Int>? {
            let start = self.index
            guard self.next == UInt8(ascii: "/") else { return nil }
            while let byte = self.next, byte.isTargetByte { self.index += 1 }
            return self.next == UInt8(ascii: " ") ? start..<self.index : nil
        }

        /// A field with the end of its line; `nil` also for an empty line.
        mutating func field() -> (name: Range<Int>, value: Range<Int>)? {
            let start = self.index
            while let byte = self.next, byte.isNameByte { self.index += 1 }
            let name = start..<self.index
            guard self.next == UInt8(ascii: ":"), !name.isEmpty else { return nil }
            self.index += 1
            if self.next == UInt8(ascii: " ") { self.index += 1 }
            let valueStart = self.index
            while let byte = self.next, (0x20...0x7E).contains(byte) { self.index += 1 }
            let value = valueStart..<self.index
            guard !self.isAtEnd else { return nil }
            // The decoder removes blanks around a value.
            guard let first = value.first, !self.bytes[first].isBlank, !self.bytes[self.index - 1].isBlank else {
                return nil
            }
            return self.take("\r\n") ? (name, value) : nil
        }
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self)
    }

    /// Whether the byte may stand in a path or a query (RFC 3986, section 3.3 and 3.4).
    fileprivate var isTargetByte: Bool {
        if self.isLetterOrDigit { return true }
        switch self {
        case 0x21, 0x24...0x2F, 0x3A, 0x3B, 0x3D, 0x3F, 0x40, 0x5F, 0x7E: return true
        default: return false
        }
    }

    fileprivate var isNameByte: Bool { self.isLetterOrDigit || self == UInt8(ascii: "-") || self == UInt8(ascii: "_") }
}
