import OrderedCollections
import SocketIOWire

/// A number of a schema or of a value, compared without losing digits.
enum SchemaNumber: Sendable {
    case integer(Int)
    case double(Double)

    /// The number in the form in which equal ones are the same; `nil` if the value is no number.
    ///
    /// JSON does not distinguish `1` from `1.0`. NaN is written as `null`, so it counts as no number.
    init?(_ value: JSONValue) {
        switch value {
        case .int(let value):
            self = .integer(value)
        case .double(let value):
            if let exact = Int(exactly: value) {
                self = .integer(exact)
            } else if value.isNaN {
                return nil
            } else {
                self = .double(value)
            }
        default:
            return nil
        }
    }

    /// Whether the number has no fraction.
    var isInteger: Bool {
        switch self {
        case .integer: true
        // A finite double of this size has no digits behind the point.
        case .double(let value): value.isFinite && value.rounded(.towardZero) == value
        }
    }

    var double: Double {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        }
    }

    static func < (left: Self, right: Self) -> Bool { Self.order(left, right) < 0 }

    static func <= (left: Self, right: Self) -> Bool { Self.order(left, right) <= 0 }

    private static func order(_ left: Self, _ right: Self) -> Int {
        switch (left, right) {
        case (.integer(let left), .integer(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.double(let left), .double(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.integer(let left), .double(let right)): Self.order(left, right)
        case (.double(let left), .integer(let right)): -Self.order(right, left)
        }
    }

    /// A double that is kept as such is no integer that fits: it lies between two of them, or outside of all.
    private static func order(_ left: Int, _ right: Double) -> Int {
        if right >= 0x1p63 { return -1 }
        if right < -0x1p63 { return 1 }
        return left <= Int(right.rounded(.down)) ? -1 : 1
    }

    /// Whether the number is a multiple of the divisor, which is more than zero.
    ///
    /// Decimal fractions have no exact double. So a quotient counts as whole if it is whole within the precision of
    /// doubles: `0.3` is a multiple of `0.1`.
    func isMultiple(of divisor: Self) -> Bool {
        if case .integer(let value) = self, case .integer(let divisor) = divisor {
            return value.isMultiple(of: divisor)
        }
        let quotient = self.double / divisor.double
        guard quotient.isFinite else { return self.double.truncatingRemainder(dividingBy: divisor.double) == 0 }
        return abs(quotient - quotient.rounded()) <= 4 * quotient.ulp
    }
}
