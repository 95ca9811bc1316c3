/// The UTF-8 bytes of a text from outside, where they lie.
///
/// Such texts are compared and split by their bytes: a peer writes them, and to take characters together, as `String`
/// does, would cost time without a bound and hide separators behind combining marks.
package typealias Bytes = UnsafeBufferPointer<UInt8>

extension String {
    /// Runs on the text's bytes, without a copy.
    @inline(__always)
    func withBytes<Result>(_ body: (Bytes) throws -> Result) rethrows -> Result {
        if let result = try self.utf8.withContiguousStorageIfAvailable(body) { return result }
        var copy = self
        return try copy.withUTF8(body)
    }

    /// Whether both are the same bytes.
    @inline(__always)
    func hasSameBytes(as other: String) -> Bool {
        self.withBytes { bytes in other.withBytes { bytes.elementsEqual($0) } }
    }
}

extension Bytes {
    /// A part of the bytes.
    @inline(__always)
    func part(_ range: Range<Int>) -> Bytes { Bytes(rebasing: self[range]) }

    /// Whether these are the bytes of a text that this program knows.
    @inline(__always)
    func equals(_ text: StaticString) -> Bool {
        guard self.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<self.count where self[index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether these are the bytes of a text that this program knows, in lower case, or in any other.
    @inline(__always)
    func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard self.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<self.count where self[index].asciiLowercased != text.utf8Start[index] { return false }
        return true
    }

    /// Whether these are the bytes of another text, apart from the case of ASCII letters in both.
    func equalsIgnoringCase(_ other: Bytes) -> Bool {
        self.elementsEqual(other) { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// Whether the bytes begin with a text that this program knows.
    func begins(with text: StaticString) -> Bool {
        self.count >= text.utf8CodeUnitCount && self.part(0..<text.utf8CodeUnitCount).equals(text)
    }

    /// Whether the text occurs anywhere.
    func contains(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard length > 0, self.count >= length else { return length == 0 }
        let first = text.utf8Start[0]
        for start in 0...(self.count - length)
        where self[start] == first && self.part(start..<start + length).equals(text) {
            return true
        }
        return false
    }

    /// The bytes without spaces and tabs around them.
    var trimmed: Bytes {
        var start = 0
        var end = self.count
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return self.part(start..<end)
    }

    /// Shows the parts between the separators, empty ones included, until the closure says that it has seen enough.
    @inline(__always)
    func split(at separator: UInt8, _ body: (Bytes) throws -> Bool) rethrows {
        var start = 0
        for index in 0..<self.count where self[index] == separator {
            guard try body(self.part(start..<index)) else { return }
            start = index + 1
        }
        _ = try body(self.part(start..<self.count))
    }

    /// The bytes as a text; what is not UTF-8 is repaired.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension UInt8 {
    /// A space or a tab.
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    var isDigit: Bool { (0x30...0x39).contains(self) }

    var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }

    /// The value of a hexadecimal digit.
    var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
