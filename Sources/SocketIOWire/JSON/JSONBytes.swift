/// Looks at the bytes of JSON text, eight at a time where that is possible.
///
/// Every function takes an index that may be at the end, and never reads past it.
extension UnsafeRawBufferPointer {
    /// The index of the first byte that is not an ordinary ASCII character of a string.
    ///
    /// Not ordinary are the quote, a backslash, a control character, and parts of longer UTF-8 sequences. If there is
    /// none, the result is the count.
    @inline(__always)
    func endOfPlainASCII(from start: Int) -> Int {
        var index = start
        while index &+ 8 <= self.count {
            let word = UInt64(littleEndian: self.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found = Self.special(in: word)
            // A borrow can spoil only the lanes above a hit, so the lowest hit is exact.
            if found != 0 { return index &+ found.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < self.count {
            let byte = self[index]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            index &+= 1
        }
        return index
    }

    /// The index of the first byte that `JSON.stringify` escapes.
    ///
    /// It escapes the quote, the backslash and control characters. If there is none, the result is the count.
    @inline(__always)
    func endOfUnescaped(from start: Int) -> Int {
        var index = start
        while index &+ 8 <= self.count {
            let word = UInt64(littleEndian: self.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found = Self.escaped(in: word)
            if found != 0 { return index &+ found.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < self.count {
            let byte = self[index]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            index &+= 1
        }
        return index
    }

    /// The highest bit of each lane that holds a control character, a quote or a backslash.
    @inline(__always)
    private static func escaped(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let control = (word &- ones &* 0x20) & ~word
        return (control | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)) & (ones &* 0x80)
    }

    /// The same as ``escaped(in:)``, and also every lane outside of ASCII.
    @inline(__always)
    private static func special(in word: UInt64) -> UInt64 {
        Self.escaped(in: word) | (word & 0x8080_8080_8080_8080)
    }

    /// The length of the UTF-8 sequence that starts with a non-ASCII byte at `index`: 2, 3 or 4.
    ///
    /// It is `nil` if the sequence is malformed (too long, a surrogate, beyond U+10FFFF, cut short).
    @inline(__always)
    func lengthOfUTF8Sequence(at index: Int) -> Int? {
        let lead = self[index]
        let available = self.count &- index
        switch lead {
        case 0xC2...0xDF:
            guard available >= 2, self[index &+ 1] & 0xC0 == 0x80 else { return nil }
            return 2
        case 0xE0...0xEF:
            guard available >= 3, self[index &+ 2] & 0xC0 == 0x80 else { return nil }
            let second = self[index &+ 1]
            let allowed: ClosedRange<UInt8> =
                switch lead {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                default: 0x80...0xBF
                }
            return allowed.contains(second) ? 3 : nil
        case 0xF0...0xF4:
            guard available >= 4, self[index &+ 2] & 0xC0 == 0x80, self[index &+ 3] & 0xC0 == 0x80 else { return nil }
            let second = self[index &+ 1]
            let allowed: ClosedRange<UInt8> =
                switch lead {
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            return allowed.contains(second) ? 4 : nil
        default:
            return nil
        }
    }

    /// Whether all of the bytes are well-formed UTF-8.
    var isUTF8: Bool {
        var index = 0
        while index < self.count {
            if index &+ 8 <= self.count,
                self.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index &+= 8
            } else if self[index] < 0x80 {
                index &+= 1
            } else {
                guard let length = self.lengthOfUTF8Sequence(at: index) else { return false }
                index &+= length
            }
        }
        return true
    }

    /// The index of the first byte at or after `start` that is no JSON white space; the count if there is none.
    @inline(__always)
    func endOfWhitespace(from start: Int) -> Int {
        var index = start
        // White space is rare.
        guard index < self.count, self[index] <= 0x20 else { return index }
        while index < self.count {
            switch self[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index &+= 1
            default: return index
            }
        }
        return index
    }

    /// The end of the digits that start at `start`.
    @inline(__always)
    func endOfDigits(from start: Int) -> Int {
        var index = start
        while index < self.count, self[index] &- UInt8(ascii: "0") < 10 { index &+= 1 }
        return index
    }

    /// The value of the four hexadecimal digits at `index`, or `nil` if there are no four.
    @inline(__always)
    func hexadecimalQuad(at index: Int) -> UInt32? {
        guard self.count &- index >= 4 else { return nil }
        var value: UInt32 = 0
        for position in index..<(index &+ 4) {
            let byte = self[position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte &- UInt8(ascii: "A") &+ 10
            default: return nil
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
