#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A text that is compared, hashed and sorted by its UTF-8 bytes, as JavaScript and Redis compare texts.
///
/// For Swift's `String`, two texts are equal if they mean the same characters, even with different bytes: `é` as one
/// scalar and `é` as a letter with an accent, or the Kelvin sign and `K`. To find that out, it normalises what it
/// compares and hashes. That takes time that grows with the square of the length of a run of accents. With texts from
/// outside, both are a danger: two users could count as one, and one message could keep a thread busy for seconds. So
/// all names, ids, rooms, tokens and keys of JSON objects that come from outside have this type wherever they are
/// compared or looked up.
///
/// Literals make it, as they make a string, and it can be compared with them:
/// ```swift
/// import SocketIOWire
///
/// func isDone(_ name: UTF8Text) -> Bool { name == "done" }
/// ```
public struct UTF8Text: Sendable {
    /// The text as a string.
    ///
    /// If you compare this string, Swift's rules for strings apply again.
    public let string: String

    /// The text of a string.
    @inlinable
    public init(_ string: String) {
        var string = string
        // This does something only on Apple's systems, where a string may hold an `NSString`.
        string.makeContiguousUTF8()
        self.string = string
    }

    /// The text of a part of a string.
    public init(_ substring: Substring) { self.init(String(substring)) }

    /// The text of these bytes.
    ///
    /// Bytes that are no UTF-8 become U+FFFD.
    public init(decoding bytes: some Collection<UInt8>) { self.init(String(decoding: bytes, as: UTF8.self)) }

    /// The bytes.
    @inlinable
    public var utf8: String.UTF8View { self.string.utf8 }

    /// Whether there is no byte.
    @inlinable
    public var isEmpty: Bool { self.string.utf8.isEmpty }

    /// Whether the text begins with these bytes.
    public func hasPrefix(_ prefix: UTF8Text) -> Bool { self.utf8.starts(with: prefix.utf8) }
}

extension UTF8Text: Hashable {
    /// Whether both have the same bytes.
    @inlinable
    public static func == (left: Self, right: Self) -> Bool {
        let count = left.string.utf8.count
        guard count == right.string.utf8.count else { return false }
        let isEqual = left.string.utf8.withContiguousStorageIfAvailable { left in
            right.string.utf8.withContiguousStorageIfAvailable { right in
                Self.order(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right)) == 0
            }
        }
        return isEqual.flatMap { $0 } ?? left.string.utf8.elementsEqual(right.string.utf8)
    }

    /// Hashes the bytes.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        let isHashed: Void? = self.string.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isHashed == nil { for byte in self.string.utf8 { hasher.combine(byte) } }
        // This byte occurs in no UTF-8, so nothing behind it can be mistaken for a part of the text.
        hasher.combine(0xFF as UInt8)
    }
}

extension UTF8Text: Comparable {
    /// Whether the first byte that differs is smaller, or the text ends where the other one goes on.
    public static func < (left: Self, right: Self) -> Bool {
        left.string.utf8.lexicographicallyPrecedes(right.string.utf8)
    }
}

extension UTF8Text {
    /// Zero if both hold the same bytes.
    ///
    /// Both must have the same length.
    @usableFromInline
    static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int32 {
        guard let first = left.baseAddress, let second = right.baseAddress else { return 0 }
        return memcmp(first, second, left.count)
    }
}

extension UTF8Text {
    /// Whether Swift would take more than some microseconds to hash or compare the text as a string.
    var isSlowAsString: Bool { self.utf8.count > 512 && !self.utf8.allSatisfy { $0 < 0x80 } }
}

extension UTF8Text: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, LosslessStringConvertible {
    /// The text of a literal.
    public init(stringLiteral value: String) { self.init(value) }

    /// The text.
    public var description: String { self.string }
}

extension UTF8Text: CustomDebugStringConvertible {
    /// The text in quotes, as a string shows itself.
    public var debugDescription: String { self.string.debugDescription }
}

extension UTF8Text: Codable, CodingKeyRepresentable {
    /// Reads a string.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes a string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.string)
    }

    /// The key that a dictionary with such keys is written with.
    public var codingKey: any CodingKey { AnyCodingKey(stringValue: self.string) }

    /// Any key is a text.
    public init?<Key: CodingKey>(codingKey: Key) { self.init(codingKey.stringValue) }
}
