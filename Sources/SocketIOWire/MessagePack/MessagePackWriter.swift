package import NIOCore
import OrderedCollections

/// Whose MessagePack is written, where libraries of JavaScript differ.
package enum MessagePackDialect: Sendable {
    /// notepack.io 3: the classic adapter, its emitter, and the sharded adapter.
    case notepack
    /// @msgpack/msgpack 2: the streams adapter. Integers beyond JavaScript's safe ones are doubles.
    case msgpack
}

/// Writes the same bytes as notepack.io 3, except where notepack.io changes the value.
///
/// Integers take the shortest form. So do doubles without a fraction, because JavaScript makes no difference. From 2^64
/// on, and below −2^63, notepack writes the low bits of an integer, which is another number. Here such numbers stay
/// doubles.
extension ByteBuffer {
    /// Writes a value.
    package mutating func writeMessagePack(_ value: JSONValue, as dialect: MessagePackDialect = .notepack) {
        switch value {
        case .null: self.writeMessagePackNil()
        case .bool(let value): self.writeMessagePack(value)
        case .int(let value):
            // One that is no double, either, comes from Swift: it stays what it is.
            guard dialect == .msgpack, value.magnitude > Self.greatestSafeInteger,
                let double = Double(exactly: value)
            else { return self.writeMessagePack(value) }
            self.writeMessagePackDouble(double)
        case .double(let value):
            guard dialect == .msgpack, value.magnitude > Double(Self.greatestSafeInteger) else {
                return self.writeMessagePack(value)
            }
            self.writeMessagePackDouble(value)
        case .string(let value): self.writeMessagePack(value)
        case .binary(let value): self.writeMessagePack(value)
        case .array(let elements):
            self.writeMessagePackArrayHeader(count: elements.count)
            for element in elements { self.writeMessagePack(element, as: dialect) }
        case .object(let members):
            self.writeMessagePackMapHeader(count: members.count)
            for (key, value) in members {
                self.writeMessagePack(key.string)
                self.writeMessagePack(value, as: dialect)
            }
        }
    }

    /// Writes a value.
    package mutating func writeMessagePack(_ value: MessagePackValue) {
        switch value {
        case .null: self.writeMessagePackNil()
        case .bool(let value): self.writeMessagePack(value)
        case .int(let value): self.writeMessagePack(value)
        case .uint(let value): self.writeMessagePack(value)
        case .float(let value): self.writeMultipleIntegers(0xCA as UInt8, value.bitPattern)
        case .double(let value): self.writeMessagePack(value)
        case .string(let value): self.writeMessagePack(value)
        case .binary(let value): self.writeMessagePack(value)
        case .array(let elements):
            self.writeMessagePackArrayHeader(count: elements.count)
            for element in elements { self.writeMessagePack(element) }
        case .map(let entries):
            self.writeMessagePackMapHeader(count: entries.count)
            for entry in entries {
                self.writeMessagePack(entry.key)
                self.writeMessagePack(entry.value)
            }
        case .timestamp(let value): self.writeMessagePack(value)
        case .ext(let type, let bytes): self.writeMessagePack(extensionType: type, bytes: bytes)
        }
    }

    package mutating func writeMessagePackNil() {
        self.writeInteger(0xC0 as UInt8)
    }

    package mutating func writeMessagePack(_ value: Bool) {
        self.writeInteger(value ? 0xC3 as UInt8 : 0xC2)
    }

    /// Writes an integer in its shortest form.
    package mutating func writeMessagePack(_ value: some FixedWidthInteger) {
        if value >= 0 {
            let value = UInt64(truncatingIfNeeded: value)
            switch value {
            case ..<0x80: self.writeInteger(UInt8(truncatingIfNeeded: value))
            case ...0xFF: self.writeMultipleIntegers(0xCC as UInt8, UInt8(truncatingIfNeeded: value))
            case ...0xFFFF: self.writeMultipleIntegers(0xCD as UInt8, UInt16(truncatingIfNeeded: value))
            case ...0xFFFF_FFFF: self.writeMultipleIntegers(0xCE as UInt8, UInt32(truncatingIfNeeded: value))
            default: self.writeMultipleIntegers(0xCF as UInt8, value)
            }
        } else {
            let value = Int64(truncatingIfNeeded: value)
            switch value {
            case (-0x20)...: self.writeInteger(Int8(truncatingIfNeeded: value))
            case (-0x80)...: self.writeMultipleIntegers(0xD0 as UInt8, Int8(truncatingIfNeeded: value))
            case (-0x8000)...: self.writeMultipleIntegers(0xD1 as UInt8, Int16(truncatingIfNeeded: value))
            case (-0x8000_0000)...: self.writeMultipleIntegers(0xD2 as UInt8, Int32(truncatingIfNeeded: value))
            default: self.writeMultipleIntegers(0xD3 as UInt8, value)
            }
        }
    }

    /// Writes a number, as an integer if it is one that 64 bits hold.
    ///
    /// −0 is 0, as in JSON.
    package mutating func writeMessagePack(_ value: Double) {
        if let integer = UInt64(exactly: value) {
            self.writeMessagePack(integer)
        } else if let integer = Int64(exactly: value) {
            self.writeMessagePack(integer)
        } else {
            self.writeMessagePackDouble(value)
        }
    }

    /// JavaScript's `Number.MAX_SAFE_INTEGER`.
    private static let greatestSafeInteger: UInt = 9_007_199_254_740_991

    private mutating func writeMessagePackDouble(_ value: Double) {
        // Every NaN gets the same bits, as in JavaScript.
        self.writeMultipleIntegers(0xCB as UInt8, (value.isNaN ? .nan : value).bitPattern)
    }

    package mutating func writeMessagePack(_ value: String) {
        var value = value
        value.withUTF8 { bytes in
            self.reserveCapacity(minimumWritableBytes: bytes.count + 5)
            if bytes.count < 0x20 {
                self.writeInteger(0xA0 | UInt8(truncatingIfNeeded: bytes.count))
            } else {
                self.writeMessagePackLength(bytes.count, types: (0xD9, 0xDA, 0xDB))
            }
            self.writeBytes(bytes)
        }
    }

    package mutating func writeMessagePack(_ value: ByteBuffer) {
        self.writeMessagePackLength(value.readableBytes, types: (0xC4, 0xC5, 0xC6))
        self.writeImmutableBuffer(value)
    }

    /// Writes a point in time as notepack writes a `Date`: in 4 bytes if it is a whole second, otherwise in 8 or 12.
    package mutating func writeMessagePack(_ value: MessagePackTimestamp) {
        let seconds = value.seconds
        if seconds >= 0, seconds <= 0xFFFF_FFFF, value.nanoseconds == 0 {
            self.writeMultipleIntegers(0xD6 as UInt8, 0xFF as UInt8, UInt32(truncatingIfNeeded: seconds))
        } else if seconds >= 0, seconds < 1 << 34, value.nanoseconds < 1 << 30 {
            let bits = UInt64(value.nanoseconds) << 34 | UInt64(seconds)
            self.writeMultipleIntegers(0xD7 as UInt8, 0xFF as UInt8, bits)
        } else {
            self.writeMultipleIntegers(0xC7 as UInt8, 12 as UInt8, 0xFF as UInt8, value.nanoseconds, seconds)
        }
    }

    private mutating func writeMessagePack(extensionType type: Int8, bytes: ByteBuffer) {
        switch bytes.readableBytes {
        case 1: self.writeInteger(0xD4 as UInt8)
        case 2: self.writeInteger(0xD5 as UInt8)
        case 4: self.writeInteger(0xD6 as UInt8)
        case 8: self.writeInteger(0xD7 as UInt8)
        case 16: self.writeInteger(0xD8 as UInt8)
        default: self.writeMessagePackLength(bytes.readableBytes, types: (0xC7, 0xC8, 0xC9))
        }
        self.writeInteger(type)
        self.writeImmutableBuffer(bytes)
    }

    /// Starts an array, whose elements are to follow.
    package mutating func writeMessagePackArrayHeader(count: Int) {
        self.writeMessagePackCount(count, short: 0x90, medium: 0xDC, long: 0xDD)
    }

    /// Starts a map, whose keys and values are to follow.
    package mutating func writeMessagePackMapHeader(count: Int) {
        self.writeMessagePackCount(count, short: 0x80, medium: 0xDE, long: 0xDF)
    }

    private mutating func writeMessagePackCount(_ count: Int, short: UInt8, medium: UInt8, long: UInt8) {
        switch count {
        case ..<0x10: self.writeInteger(short | UInt8(count))
        case ...0xFFFF: self.writeMultipleIntegers(medium, UInt16(count))
        default: self.writeMultipleIntegers(long, UInt32(count))
        }
    }

    private mutating func writeMessagePackLength(_ length: Int, types: (UInt8, UInt8, UInt8)) {
        switch length {
        case ...0xFF: self.writeMultipleIntegers(types.0, UInt8(length))
        case ...0xFFFF: self.writeMultipleIntegers(types.1, UInt16(length))
        default: self.writeMultipleIntegers(types.2, UInt32(length))
        }
    }
}
