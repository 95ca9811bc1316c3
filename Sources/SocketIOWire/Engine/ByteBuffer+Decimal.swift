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
        self.moveWriterIndex(forwardBy: self.setDecimal(value, at: self.writerIndex))
    }

    /// Sets an integer in decimal digits at an index, which may lie before the reader index.
    ///
    /// - Returns: The bytes set.
    @discardableResult
    mutating func setDecimal(_ value: Int, at index: Int) -> Int {
        let length = value.decimalLength
        var rest = value.magnitude
        for position in stride(from: index + length - 1, through: index, by: -1) {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            let isSign = position == index && value < 0
            self.setInteger(isSign ? UInt8(ascii: "-") : UInt8(ascii: "0") + UInt8(digit), at: position)
            rest = quotient
        }
        return length
    }
}
