/// Decodes strings of a JSON text.
///
/// Its grammar and its UTF-8 have been checked before.
enum JSONText {
    /// The string that these bytes stand for.
    ///
    /// They lie between the quotes.
    ///
    /// An escaped surrogate without its partner becomes U+FFFD, because Swift's strings cannot hold one.
    @inline(__always)
    static func string(of body: UnsafeRawBufferPointer, hasEscapes: Bool) -> String {
        hasEscapes ? self.unescaped(body) : String(decoding: body, as: UTF8.self)
    }

    /// Whether these bytes, which lie between the quotes, stand for that ASCII string.
    @inline(__always)
    static func isEqual(_ body: UnsafeRawBufferPointer, hasEscapes: Bool, to string: StaticString) -> Bool {
        if hasEscapes { return self.unescaped(body) == string.description }
        guard body.count == string.utf8CodeUnitCount else { return false }
        for index in 0..<body.count where body[index] != string.utf8Start[index] { return false }
        return true
    }

    private static func unescaped(_ body: UnsafeRawBufferPointer) -> String {
        // An escape sequence is never shorter than what it stands for.
        String(unsafeUninitializedCapacity: body.count) { output in
            var count = 0
            var index = 0
            while index < body.count {
                let byte = body[index]
                guard byte == UInt8(ascii: "\\") else {
                    output[count] = byte
                    count &+= 1
                    index &+= 1
                    continue
                }
                let letter = body[index &+ 1]
                index &+= 2
                switch letter {
                case UInt8(ascii: "b"): output[count] = 0x08
                case UInt8(ascii: "f"): output[count] = 0x0C
                case UInt8(ascii: "n"): output[count] = 0x0A
                case UInt8(ascii: "r"): output[count] = 0x0D
                case UInt8(ascii: "t"): output[count] = 0x09
                case UInt8(ascii: "u"):
                    let scalar = self.escapedScalar(in: body, at: &index)
                    for unit in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                        output[count] = unit
                        count &+= 1
                    }
                    continue
                default: output[count] = letter
                }
                count &+= 1
            }
            return count
        }
    }

    /// The character of four hexadecimal digits.
    ///
    /// If they are a surrogate, the four digits of its partner belong to it.
    private static func escapedScalar(in body: UnsafeRawBufferPointer, at index: inout Int) -> Unicode.Scalar {
        let unit = body.hexadecimalQuad(at: index) ?? 0xFFFD
        index &+= 4
        if unit & 0xFC00 == 0xD800, body.count &- index >= 6, body[index] == UInt8(ascii: "\\"),
            body[index &+ 1] == UInt8(ascii: "u"), let low = body.hexadecimalQuad(at: index &+ 2),
            low & 0xFC00 == 0xDC00
        {
            index &+= 6
            return Unicode.Scalar(0x10000 &+ (unit & 0x3FF) << 10 &+ (low & 0x3FF)) ?? "\u{FFFD}"
        }
        return Unicode.Scalar(unit) ?? "\u{FFFD}"
    }
}
