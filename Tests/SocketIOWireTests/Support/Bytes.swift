import NIOCore

/// A buffer of the bytes that two hexadecimal digits each stand for; white space is skipped.
func hex(_ text: String) -> ByteBuffer {
    var buffer = ByteBuffer()
    var high: UInt8?
    for character in text {
        guard let digit = character.hexDigitValue else { continue }
        if let first = high {
            buffer.writeInteger(first << 4 | UInt8(digit))
            high = nil
        } else {
            high = UInt8(digit)
        }
    }
    return buffer
}

func text(_ string: String) -> ByteBuffer { ByteBuffer(string: string) }

extension ByteBuffer {
    var string: String { String(buffer: self) }

    /// Every beginning of the bytes, the whole excepted.
    var prefixes: [ByteBuffer] {
        (0..<self.readableBytes).map { self.getSlice(at: self.readerIndex, length: $0) ?? ByteBuffer() }
    }

    /// The bytes with each single one replaced by each of a handful of others.
    var spoiled: [ByteBuffer] {
        let values: [UInt8] = [
            0x00, 0x1E, 0x20, 0x22, 0x2C, 0x2D, 0x30, 0x39, 0x5B, 0x5C, 0x7D, 0x7F, 0x80, 0xC0, 0xFF,
        ]
        return (self.readerIndex..<self.writerIndex).flatMap { index in
            values.map { value in
                var copy = self
                copy.setInteger(value, at: index)
                return copy
            }
        }
    }
}
