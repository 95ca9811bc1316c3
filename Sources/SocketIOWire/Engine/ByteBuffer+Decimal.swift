import NIOCore

extension Int {
    /// The bytes that the number takes in decimal digits, sign included.
    var decimalLength: Int {
        var length = self < 0 ? 2 : 1
        var rest = self.magnitude
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        return length
    }
}

extension ByteBuffer {
    /// Writes an integer in decimal digits, without a string.
    mutating func writeDecimal(_ value: Int) {
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: value.decimalLength) { bytes in
            bytes.setDecimal(value, at: 0)
        }
    }
}

extension ByteWriter {
    /// Writes an integer in decimal digits, without a string.
    package mutating func writeDecimal(_ value: Int) {
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: value.decimalLength) { bytes in
            bytes.setDecimal(value, at: 0)
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Sets an integer in decimal digits at an index.
    ///
    /// - Returns: The bytes set.
    @discardableResult
    func setDecimal(_ value: Int, at index: Int) -> Int {
        let length = value.decimalLength
        var rest = value.magnitude
        for position in stride(from: index + length - 1, through: index, by: -1) {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            let isSign = position == index && value < 0
            self[position] = isSign ? UInt8(ascii: "-") : UInt8(ascii: "0") + UInt8(digit)
            rest = quotient
        }
        return length
    }
}
