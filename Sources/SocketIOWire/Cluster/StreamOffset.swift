/// The id of an entry of a stream: `1795237280866-0`.
package struct StreamOffset: Sendable, Hashable {
    /// When it was added, in milliseconds.
    package let milliseconds: UInt64
    /// Which one of that millisecond's it is.
    package let sequence: UInt64

    package init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Reads `digits-digits`; `nil` for everything else, and for numbers that are too large for Redis.
    package init?(_ text: some StringProtocol) { self.init(utf8: text.utf8) }

    /// Reads the bytes of an id.
    package init?(utf8 bytes: some Collection<UInt8>) {
        var parts: (UInt64, UInt64?) = (0, nil)
        var digits = 0
        for byte in bytes {
            if byte == UInt8(ascii: "-"), digits > 0, parts.1 == nil {
                parts.1 = 0
                digits = 0
                continue
            }
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte, digits < 20,
                let number = Self.append(byte, to: parts.1 ?? parts.0)
            else { return nil }
            digits += 1
            if parts.1 == nil { parts.0 = number } else { parts.1 = number }
        }
        guard let sequence = parts.1, digits > 0 else { return nil }
        self.init(milliseconds: parts.0, sequence: sequence)
    }

    private static func append(_ digit: UInt8, to number: UInt64) -> UInt64? {
        let (product, overflow) = number.multipliedReportingOverflow(by: 10)
        let (sum, sumOverflow) = product.addingReportingOverflow(UInt64(digit &- UInt8(ascii: "0")))
        return overflow || sumOverflow ? nil : sum
    }

    /// The next greater id; `nil` if this is the greatest one.
    package var next: StreamOffset? {
        if self.sequence < .max { return StreamOffset(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        guard self.milliseconds < .max else { return nil }
        return StreamOffset(milliseconds: self.milliseconds + 1, sequence: 0)
    }
}

extension StreamOffset: Comparable, CustomStringConvertible {
    package static func < (left: Self, right: Self) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }

    package var description: String { "\(self.milliseconds)-\(self.sequence)" }
}
