/// What the first bytes of a MessagePack value say.
enum MessagePackHeader {
    case null
    case bool(Bool)
    /// Any integer that fits.
    case int(Int64)
    /// An integer that fits only without a sign.
    case uint(UInt64)
    case float(Float)
    case double(Double)
    /// So many bytes of UTF-8 follow. They are all there.
    case string(Int)
    case binary(Int)
    /// So many values follow. There is at least one byte for each.
    case array(Int)
    /// So many pairs of values follow. There are at least two bytes for each.
    case map(Int)
    case timestamp(MessagePackTimestamp)
    /// So many bytes of an extension type follow.
    case ext(type: Int8, length: Int)
}

/// Reads MessagePack.
///
/// It compares every length with the number of bytes that are there before it does anything else.
struct MessagePackCursor {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset: Int

    init(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
        self.bytes = bytes
        self.offset = offset
    }

    private var available: Int { self.bytes.count &- self.offset }

    /// The type byte of the next value.
    ///
    /// It is not read.
    func peekType() throws(MessagePackError) -> UInt8 {
        guard self.offset < self.bytes.count else { throw MessagePackError(.unexpectedEnd, at: self.bytes.count) }
        return self.bytes[self.offset]
    }

    /// Reads the start of a value.
    ///
    /// If the value has bytes, elements or members, these come next. Otherwise the start is all of it.
    mutating func readHeader() throws(MessagePackError) -> MessagePackHeader {
        let start = self.offset
        let type = try self.peekType()
        self.offset &+= 1
        switch type {
        case 0x00...0x7F: return .int(Int64(type))
        case 0x80...0x8F: return .map(try self.checkedCount(Int(type & 0x0F), bytesEach: 2))
        case 0x90...0x9F: return .array(try self.checkedCount(Int(type & 0x0F), bytesEach: 1))
        case 0xA0...0xBF: return .string(try self.checkedCount(Int(type & 0x1F), bytesEach: 1))
        case 0xC0: return .null
        case 0xC2: return .bool(false)
        case 0xC3: return .bool(true)
        case 0xC4: return .binary(try self.readCount(UInt8.self, bytesEach: 1))
        case 0xC5: return .binary(try self.readCount(UInt16.self, bytesEach: 1))
        case 0xC6: return .binary(try self.readCount(UInt32.self, bytesEach: 1))
        case 0xC7: return try self.readExtension(length: Int(self.readInteger(UInt8.self)))
        case 0xC8: return try self.readExtension(length: Int(self.readInteger(UInt16.self)))
        case 0xC9: return try self.readExtension(length: Int(self.readInteger(UInt32.self)))
        case 0xCA: return .float(Float(bitPattern: try self.readInteger(UInt32.self)))
        case 0xCB: return .double(Double(bitPattern: try self.readInteger(UInt64.self)))
        case 0xCC: return .int(Int64(try self.readInteger(UInt8.self)))
        case 0xCD: return .int(Int64(try self.readInteger(UInt16.self)))
        case 0xCE: return .int(Int64(try self.readInteger(UInt32.self)))
        case 0xCF:
            let value = try self.readInteger(UInt64.self)
            return Int64(exactly: value).map(MessagePackHeader.int) ?? .uint(value)
        case 0xD0: return .int(Int64(try self.readInteger(Int8.self)))
        case 0xD1: return .int(Int64(try self.readInteger(Int16.self)))
        case 0xD2: return .int(Int64(try self.readInteger(Int32.self)))
        case 0xD3: return .int(try self.readInteger(Int64.self))
        case 0xD4: return try self.readFixedExtension(length: 1)
        case 0xD5: return try self.readFixedExtension(length: 2)
        case 0xD6: return try self.readFixedExtension(length: 4)
        case 0xD7: return try self.readFixedExtension(length: 8)
        case 0xD8: return try self.readFixedExtension(length: 16)
        case 0xD9: return .string(try self.readCount(UInt8.self, bytesEach: 1))
        case 0xDA: return .string(try self.readCount(UInt16.self, bytesEach: 1))
        case 0xDB: return .string(try self.readCount(UInt32.self, bytesEach: 1))
        case 0xDC: return .array(try self.readCount(UInt16.self, bytesEach: 1))
        case 0xDD: return .array(try self.readCount(UInt32.self, bytesEach: 1))
        case 0xDE: return .map(try self.readCount(UInt16.self, bytesEach: 2))
        case 0xDF: return .map(try self.readCount(UInt32.self, bytesEach: 2))
        case 0xE0...0xFF: return .int(Int64(Int8(bitPattern: type)))
        default: throw MessagePackError(.unusedByte, at: start)
        }
    }

    /// Takes bytes that a header has announced.
    mutating func take(_ length: Int) -> UnsafeRawBufferPointer {
        precondition(length <= self.available, "a header announced bytes that are not there")
        let end = self.offset &+ length
        defer { self.offset = end }
        return UnsafeRawBufferPointer(rebasing: self.bytes[self.offset..<end])
    }

    /// Skips a whole value.
    ///
    /// The stack does not grow with its nesting, because it only counts how many values are missing.
    mutating func skipValue() throws(MessagePackError) {
        var due = 1
        repeat {
            due &-= 1
            switch try self.readHeader() {
            case .null, .bool, .int, .uint, .float, .double, .timestamp: break
            case .string(let length), .binary(let length), .ext(_, let length): self.offset &+= length
            case .array(let count): due &+= count
            case .map(let count): due &+= 2 &* count
            }
            guard due <= self.available else { throw MessagePackError(.unexpectedEnd, at: self.bytes.count) }
        } while due > 0
    }

    private mutating func readInteger<T: FixedWidthInteger>(_ type: T.Type) throws(MessagePackError) -> T {
        guard self.available >= MemoryLayout<T>.size else {
            throw MessagePackError(.unexpectedEnd, at: self.bytes.count)
        }
        defer { self.offset &+= MemoryLayout<T>.size }
        return T(bigEndian: self.bytes.loadUnaligned(fromByteOffset: self.offset, as: T.self))
    }

    private mutating func readCount<T: FixedWidthInteger & UnsignedInteger>(
        _ type: T.Type,
        bytesEach: Int
    ) throws(MessagePackError) -> Int {
        // This takes two steps, because the check must see the bytes that are left behind the count.
        let count = Int(try self.readInteger(type))
        return try self.checkedCount(count, bytesEach: bytesEach)
    }

    private func checkedCount(_ count: Int, bytesEach: Int) throws(MessagePackError) -> Int {
        guard count <= self.available / bytesEach else {
            throw MessagePackError(.unexpectedEnd, at: self.bytes.count)
        }
        return count
    }

    /// Reads what follows the length of an extension.
    private mutating func readExtension(length: Int) throws(MessagePackError) -> MessagePackHeader {
        let type = try self.readInteger(Int8.self)
        _ = try self.checkedCount(length, bytesEach: 1)
        // notepack before 3.0 wrote an `ArrayBuffer` like this.
        if type == 0 { return .binary(length) }
        return try self.readTimestamp(type: type, length: length) ?? .ext(type: type, length: length)
    }

    /// Reads what follows the type byte of an extension whose type gives its length.
    private mutating func readFixedExtension(length: Int) throws(MessagePackError) -> MessagePackHeader {
        let type = try self.readInteger(Int8.self)
        _ = try self.checkedCount(length, bytesEach: 1)
        switch (type, length) {
        case (0, 1):
            // notepack before 3.0: undefined.
            self.offset &+= 1
            return .null
        case (0, 8):
            // notepack before 3.0: a Date.
            return .timestamp(MessagePackTimestamp(milliseconds: try self.readInteger(Int64.self)))
        default:
            return try self.readTimestamp(type: type, length: length) ?? .ext(type: type, length: length)
        }
    }

    /// Reads the extension type −1, if this is one with a valid length.
    private mutating func readTimestamp(type: Int8, length: Int) throws(MessagePackError) -> MessagePackHeader? {
        guard type == -1 else { return nil }
        switch length {
        case 4:
            return .timestamp(MessagePackTimestamp(seconds: Int64(try self.readInteger(UInt32.self))))
        case 8:
            let bits = try self.readInteger(UInt64.self)
            let nanoseconds = UInt32(truncatingIfNeeded: bits >> 34)
            return .timestamp(MessagePackTimestamp(seconds: Int64(bits & 0x3_FFFF_FFFF), nanoseconds: nanoseconds))
        case 12:
            let nanoseconds = try self.readInteger(UInt32.self)
            let seconds = try self.readInteger(Int64.self)
            return .timestamp(MessagePackTimestamp(seconds: seconds, nanoseconds: nanoseconds))
        default:
            return nil
        }
    }
}
