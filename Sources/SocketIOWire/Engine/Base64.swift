package import NIOCore

extension ByteBuffer {
    /// The bytes that `count` bytes take in base64, padding included.
    package static func base64Length(of count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Writes bytes as base64: standard alphabet, padded.
    package mutating func writeBase64Encoded(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { source in
            guard source.count > 0 else { return }
            self.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.base64Length(of: source.count)) { target in
                Base64.alphabet.withUnsafeBufferPointer { Base64.encode(source, into: target, alphabet: $0) }
            }
        }
    }

    /// Decodes base64 text and writes the bytes, as leniently as Node's `Buffer.from(text, "base64")`: it takes the
    /// standard and the URL alphabet, with or without padding, ends at the padding, and skips everything else.
    package mutating func writeBase64Decoded(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { source in
            guard source.count > 0 else { return }
            self.writeWithUnsafeMutableBytes(minimumWritableBytes: source.count / 4 * 3 + 3) { target in
                Base64.values.withUnsafeBufferPointer { Base64.decode(source, into: target, values: $0) }
            }
        }
    }
}

private enum Base64 {
    static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    /// Marks a byte that is no digit.
    static let none: UInt8 = 0xFF
    /// The value of each byte as a digit.
    static let values: [UInt8] = {
        var values = [UInt8](repeating: Self.none, count: 256)
        for (value, digit) in Self.alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        values[Int(UInt8(ascii: "-"))] = 62
        values[Int(UInt8(ascii: "_"))] = 63
        return values
    }()

    static func encode(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        alphabet: UnsafeBufferPointer<UInt8>
    ) -> Int {
        var read = 0
        var written = 0
        while read &+ 3 <= source.count {
            let group =
                UInt32(source[read]) << 16 | UInt32(source[read &+ 1]) << 8 | UInt32(source[read &+ 2])
            target[written] = alphabet[Int(group >> 18)]
            target[written &+ 1] = alphabet[Int(group >> 12 & 63)]
            target[written &+ 2] = alphabet[Int(group >> 6 & 63)]
            target[written &+ 3] = alphabet[Int(group & 63)]
            read &+= 3
            written &+= 4
        }
        let rest = source.count &- read
        guard rest > 0 else { return written }
        let group = UInt32(source[read]) << 16 | (rest == 2 ? UInt32(source[read &+ 1]) << 8 : 0)
        target[written] = alphabet[Int(group >> 18)]
        target[written &+ 1] = alphabet[Int(group >> 12 & 63)]
        target[written &+ 2] = rest == 2 ? alphabet[Int(group >> 6 & 63)] : UInt8(ascii: "=")
        target[written &+ 3] = UInt8(ascii: "=")
        return written &+ 4
    }

    static func decode(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        values: UnsafeBufferPointer<UInt8>
    ) -> Int {
        var read = 0
        var written = 0
        var group: UInt32 = 0
        var digits = 0
        while read < source.count {
            if digits == 0, read &+ 4 <= source.count {
                // Nearly always there are four digits in a row.
                let first = values[Int(source[read])]
                let second = values[Int(source[read &+ 1])]
                let third = values[Int(source[read &+ 2])]
                let fourth = values[Int(source[read &+ 3])]
                if (first | second | third | fourth) & 0x80 == 0 {
                    target[written] = first << 2 | second >> 4
                    target[written &+ 1] = second << 4 | third >> 2
                    target[written &+ 2] = third << 6 | fourth
                    read &+= 4
                    written &+= 3
                    continue
                }
            }
            guard source[read] != UInt8(ascii: "=") else { break }
            let value = values[Int(source[read])]
            read &+= 1
            guard value != Self.none else { continue }
            group = group << 6 | UInt32(value)
            digits &+= 1
            guard digits == 4 else { continue }
            target[written] = UInt8(truncatingIfNeeded: group >> 16)
            target[written &+ 1] = UInt8(truncatingIfNeeded: group >> 8)
            target[written &+ 2] = UInt8(truncatingIfNeeded: group)
            written &+= 3
            group = 0
            digits = 0
        }
        // One digit that is left over makes no byte.
        if digits >= 2 {
            target[written] = UInt8(truncatingIfNeeded: group >> (digits == 2 ? 4 : 10))
            written &+= 1
        }
        if digits == 3 {
            target[written] = UInt8(truncatingIfNeeded: group >> 2)
            written &+= 1
        }
        return written
    }
}
