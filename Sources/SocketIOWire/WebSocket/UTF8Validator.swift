package import NIOCore

/// Checks UTF-8 that arrives in pieces (Unicode, table 3-7).
///
/// It refuses forms that are too long, surrogates, and everything beyond U+10FFFF.
package struct UTF8Validator: Hashable, Sendable {
    /// How many continuation bytes of the last character are still missing.
    private var missing: UInt8 = 0
    /// The values that the next continuation byte may have.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    package init() {}

    /// Whether the bytes so far end with a complete character.
    package var isComplete: Bool { self.missing == 0 }

    /// Takes the next bytes.
    ///
    /// - Returns: `false` if no further bytes could make this UTF-8.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = bytes.count
        var index = 0
        while index < count {
            if self.missing == 0 {
                while index &+ 8 <= count,
                    bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
                {
                    index &+= 8
                }
                while index < count, bytes[index] < 0x80 { index &+= 1 }
                guard index < count else { return true }
                guard self.begin(with: bytes[index]) else { return false }
            } else {
                let byte = bytes[index]
                guard byte >= self.lowest, byte <= self.highest else { return false }
                self.lowest = 0x80
                self.highest = 0xBF
                self.missing &-= 1
            }
            index &+= 1
        }
        return true
    }

    private mutating func begin(with byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF:
            self.missing = 1
        case 0xE0...0xEF:
            self.missing = 2
            if byte == 0xE0 { self.lowest = 0xA0 }
            if byte == 0xED { self.highest = 0x9F }
        case 0xF0...0xF4:
            self.missing = 3
            if byte == 0xF0 { self.lowest = 0x90 }
            if byte == 0xF4 { self.highest = 0x8F }
        default:
            return false
        }
        return true
    }
}

extension ByteBuffer {
    /// Whether the readable bytes are UTF-8, with a complete last character.
    package var isValidUTF8: Bool {
        var validator = UTF8Validator()
        return self.withUnsafeReadableBytes { validator.consume($0) } && validator.isComplete
    }
}
