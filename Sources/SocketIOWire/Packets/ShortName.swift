/// A name of up to 16 bytes of UTF-8.
///
/// Two comparisons of words compare it, where a string needs a call.
///
/// Most names of events are that short, and every packet looks one up.
package struct ShortName: Hashable, Sendable {
    /// The greatest length in bytes.
    package static var maximumLength: Int { 16 }

    private let count: UInt8
    /// The first eight bytes, filled up with zeros.
    private let head: UInt64
    private let tail: UInt64

    /// The name of these bytes; `nil` if there are too many.
    @inline(__always)
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= Self.maximumLength else { return nil }
        self.count = UInt8(truncatingIfNeeded: bytes.count)
        self.head = Self.word(bytes, from: 0)
        self.tail = bytes.count > 8 ? Self.word(bytes, from: 8) : 0
    }

    /// The string's short name; `nil` if it is too long.
    package init?(_ string: String) {
        var string = string
        let name = string.withUTF8 { Self(UnsafeRawBufferPointer($0)) }
        guard let name else { return nil }
        self = name
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, from start: Int) -> UInt64 {
        var word: UInt64 = 0
        var shift: UInt64 = 0
        var index = start
        while index < bytes.count, shift < 64 {
            word |= UInt64(bytes[index]) << shift
            shift &+= 8
            index &+= 1
        }
        return word
    }
}
