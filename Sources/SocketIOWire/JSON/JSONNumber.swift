import NIOCore

/// Numbers as JavaScript reads and writes them.
enum JSONNumber {
    /// The value of a number whose text has been checked against the grammar.
    ///
    /// - Parameters:
    ///   - text: The number.
    ///   - isInteger: Whether it has neither fraction nor exponent.
    /// - Returns: An integer if it is one and fits. Otherwise it is the nearest double: infinity for `1e999`, and −0
    ///   for `-0`, which is no integer.
    static func value(of text: UnsafeRawBufferPointer, isInteger: Bool) -> JSONValue {
        if isInteger, let integer = self.integer(of: text) { return .int(integer) }
        return .double(self.double(of: text))
    }

    /// The integer, or `nil` if it does not fit or is `-0`.
    @inline(__always)
    static func integer(of text: UnsafeRawBufferPointer) -> Int? {
        let isNegative = text[0] == UInt8(ascii: "-")
        var index = isNegative ? 1 : 0
        let digits = text.count &- index
        if digits <= 18 {
            var value = 0
            while index < text.count {
                value = value &* 10 &+ Int(text[index] &- UInt8(ascii: "0"))
                index &+= 1
            }
            guard isNegative else { return value }
            return value == 0 ? nil : 0 &- value
        }
        guard digits == 19 else { return nil }
        // Nineteen digits always fit an unsigned word.
        var magnitude: UInt64 = 0
        while index < text.count {
            magnitude = magnitude &* 10 &+ UInt64(text[index] &- UInt8(ascii: "0"))
            index &+= 1
        }
        if isNegative { return magnitude <= 1 << 63 ? Int(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int(exactly: magnitude)
    }

    /// The double nearest to a number whose text has been checked.
    static func double(of text: UnsafeRawBufferPointer) -> Double {
        var parts = Decimal(of: text)
        if let exact = parts.exactDouble { return exact }
        return parts.roundedDouble(of: text)
    }

    /// The string that JavaScript makes of a number whose text has been checked.
    ///
    /// `9007199254740993` gives `9007199254740992`, and `1e999` gives `Infinity`.
    static func string(of text: UnsafeRawBufferPointer) -> String {
        let value = self.double(of: text)
        guard value.isFinite else { return value < 0 ? "-Infinity" : "Infinity" }
        var string = ByteBuffer()
        string.writeJSONNumber(value)
        return String(buffer: string)
    }

    /// The parts of a decimal number.
    private struct Decimal {
        /// More significant digits than any double needs to differ from its neighbours (767).
        private static let enoughDigits = 800
        /// A number with a greater exponent is infinite or zero, no matter how many digits it has.
        private static let greatestExponent = 1 << 40

        private var isNegative = false
        /// The first significant digits, at most nineteen.
        private var mantissa: UInt64 = 0
        /// How many significant digits there are, without leading zeros.
        private var digits = 0
        /// The power of ten by which the significant digits are to be multiplied.
        private var exponent = 0

        init(of text: UnsafeRawBufferPointer) {
            var index = 0
            if text[0] == UInt8(ascii: "-") {
                self.isNegative = true
                index = 1
            }
            var isFraction = false
            scan: while index < text.count {
                let byte = text[index]
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    if isFraction { self.exponent &-= 1 }
                    if self.digits > 0 || byte != UInt8(ascii: "0") {
                        if self.digits < 19 { self.mantissa = self.mantissa &* 10 &+ UInt64(byte &- UInt8(ascii: "0")) }
                        self.digits &+= 1
                    }
                case UInt8(ascii: "."):
                    isFraction = true
                default:
                    break scan
                }
                index &+= 1
            }
            guard index < text.count else { return }
            index &+= 1  // the e
            let isExponentNegative = text[index] == UInt8(ascii: "-")
            if isExponentNegative || text[index] == UInt8(ascii: "+") { index &+= 1 }
            var written = 0
            while index < text.count {
                if written < Self.greatestExponent {
                    written = written &* 10 &+ Int(text[index] &- UInt8(ascii: "0"))
                }
                index &+= 1
            }
            self.exponent &+= isExponentNegative ? 0 &- written : written
        }

        private static let powersOfTen: [Double] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
            1e19,
            1e20, 1e21, 1e22,
        ]

        /// The value if one multiplication or division of exact doubles gives it (Clinger's fast path).
        var exactDouble: Double? {
            guard self.digits > 0 else { return self.isNegative ? -0.0 : 0 }
            guard self.digits <= 19, self.mantissa <= 1 << 53, self.exponent >= -22, self.exponent <= 22 else {
                return nil
            }
            let magnitude = Double(self.mantissa)
            let value =
                self.exponent < 0
                ? magnitude / Self.powersOfTen[0 &- self.exponent] : magnitude * Self.powersOfTen[self.exponent]
            return self.isNegative ? -value : value
        }

        /// The value.
        ///
        /// The standard library rounds it correctly, and gets only as many digits as can matter.
        mutating func roundedDouble(of text: UnsafeRawBufferPointer) -> Double {
            // The place of the first significant digit decides before any digit does.
            let magnitude = self.exponent &+ self.digits
            if magnitude > 310 { return self.isNegative ? -.infinity : .infinity }
            if magnitude < -330 { return self.isNegative ? -0.0 : 0 }
            var number = self.isNegative ? "-" : ""
            var kept = 0
            var hasMore = false
            digits: for byte in text {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    if kept == 0 && byte == UInt8(ascii: "0") { continue }
                    if kept < Self.enoughDigits {
                        number.unicodeScalars.append(Unicode.Scalar(byte))
                        kept &+= 1
                    } else if byte != UInt8(ascii: "0") {
                        hasMore = true
                    }
                case UInt8(ascii: "e"), UInt8(ascii: "E"):
                    break digits
                default:
                    continue
                }
            }
            var exponent = self.exponent &+ (self.digits &- kept)
            if hasMore {
                // Something small follows. It can matter only if the rest is exactly between two doubles.
                number += "1"
                exponent &-= 1
            }
            return Double("\(number)e\(exponent)") ?? (self.isNegative ? -.infinity : .infinity)
        }
    }
}
