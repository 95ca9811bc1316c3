/// The UTF-8 bytes of a text from outside, without a copy.
///
/// Such texts are compared and split by their bytes, because a peer writes them. `String` combines bytes to characters.
/// That could take very long, and could hide separators behind combining marks.
package typealias Bytes = UnsafeBufferPointer<UInt8>

extension String {
    /// Runs on the text's bytes, without a copy.
    @inline(__always)
    func withBytes<Result>(_ body: (Bytes) throws -> Result) rethrows -> Result {
        if let result = try self.utf8.withContiguousStorageIfAvailable(body) { return result }
        var copy = self
        return try copy.withUTF8(body)
    }

    /// Whether both have the same bytes.
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

    /// Whether these are the bytes of a text that this program knows, in upper or lower case.
    ///
    /// The text is written in lower case.
    @inline(__always)
    func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard self.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<self.count where self[index].asciiLowercased != text.utf8Start[index] { return false }
        return true
    }

    /// Whether both have the same bytes if upper and lower case of ASCII letters count as equal.
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

    /// Calls the closure with each part between separators, also with empty ones, until the closure returns `false`.
    @inline(__always)
    func split(at separator: UInt8, _ body: (Bytes) throws -> Bool) rethrows {
        var start = 0
        for index in 0..<self.count where self[index] == separator {
            guard try body(self.part(start..<index)) else { return }
            start = index + 1
        }
        _ = try body(self.part(start..<self.count))
    }

    /// The bytes as a text.
    ///
    /// Bytes that are not UTF-8 are repaired.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension UInt8 {
    /// A space or a tab.
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    var isDigit: Bool { (0x30...0x39).contains(self) }

    var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}
