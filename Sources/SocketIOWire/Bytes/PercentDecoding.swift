/// What a URL's percent-encoding stands for: `%41` is `A`.
package enum PercentDecoding {
    /// Decodes what is encoded as it should be; `nil` if a `%` stands without two hexadecimal digits.
    package static func strict(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var isValid = true
        let decoded = self.decode(bytes, spaceForPlus: false) { isValid = false }
        return isValid ? decoded : nil
    }

    /// Decodes as browsers do in queries and forms: `+` is a space, and a `%` without two hexadecimal digits is itself.
    package static func form(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        self.decode(bytes, spaceForPlus: true) {}
    }

    @inline(__always)
    private static func decode(
        _ bytes: UnsafeBufferPointer<UInt8>,
        spaceForPlus: Bool,
        onMalformed: () -> Void
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count) { decoded, count in
            var index = 0
            while index < bytes.count {
                var byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "%") {
                    if index + 1 < bytes.count, let high = bytes[index].hexValue, let low = bytes[index + 1].hexValue {
                        byte = high << 4 | low
                        index += 2
                    } else {
                        onMalformed()
                    }
                } else if spaceForPlus, byte == UInt8(ascii: "+") {
                    byte = UInt8(ascii: " ")
                }
                decoded[count] = byte
                count += 1
            }
        }
    }
}

extension UInt8 {
    /// The value of a hexadecimal digit.
    package var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
