import OrderedCollections
import SocketIOWire

/// The values of the keyword `format`, each of which is checked.
enum SchemaFormat: String, Sendable, CaseIterable {
    case dateTime = "date-time"
    case date, time, uuid, email, uri, ipv4, ipv6, binary
    // Those of OpenAPI for numbers.
    case int32, int64, float, double

    /// The format of that name, compared by its bytes.
    init?(_ name: UTF8Text) {
        guard let format = Self.allCases.first(where: { name == UTF8Text($0.rawValue) }) else { return nil }
        self = format
    }

    /// What the value must be, for a message.
    var words: String {
        switch self {
        case .dateTime: "must be a date and time such as 2025-06-01T12:00:00Z"
        case .date: "must be a date such as 2025-06-01"
        case .time: "must be a time with a zone such as 12:00:00Z"
        case .uuid: "must be a UUID"
        case .email: "must be an e-mail address"
        case .uri: "must be a URI with a scheme"
        case .ipv4: "must be an IPv4 address"
        case .ipv6: "must be an IPv6 address"
        case .binary: "must be bytes"
        case .int32: "must be an integer of 32 bits"
        case .int64: "must be an integer of 64 bits"
        case .float, .double: "must be a finite number"
        }
    }

    /// Whether a value that has the right type has the format, too; values of other types have every format.
    func matches(_ value: JSONValue) -> Bool {
        switch self {
        case .binary:
            if case .string = value { return false }
            return true
        case .int32, .int64, .float, .double:
            return SchemaNumber(value).map { self.matches($0) } ?? true
        default:
            guard case .string(let text) = value else { return true }
            return self.matches(Array(text.utf8))
        }
    }

    private func matches(_ number: SchemaNumber) -> Bool {
        switch (self, number) {
        case (.int32, .integer(let value)): Int32(exactly: value) != nil
        case (.int32, .double), (.int64, .double): false
        case (_, .double(let value)): value.isFinite
        default: true
        }
    }

    private func matches(_ text: [UInt8]) -> Bool {
        // None of these is longer, and a longer one need not be looked at.
        guard text.count <= 4096 else { return false }
        return switch self {
        case .date: DateText.isDate(text[...])
        case .time: DateText.isTime(text[...])
        case .dateTime:
            text.count > 11 && text[10] | 0x20 == UInt8(ascii: "t")
                && DateText.isDate(text[..<10]) && DateText.isTime(text[11...])
        case .uuid:
            text.count == 36
                && text.enumerated().allSatisfy { index, byte in
                    [8, 13, 18, 23].contains(index) ? byte == UInt8(ascii: "-") : byte.isHexDigitByte
                }
        case .email: AddressText.isEmail(text)
        case .uri: AddressText.isURI(text)
        case .ipv4: AddressText.isIPv4(text[...])
        case .ipv6: AddressText.isIPv6(text[...])
        case .binary, .int32, .int64, .float, .double: true
        }
    }
}

/// The parts of RFC 3339.
private enum DateText {
    static func isDate(_ text: ArraySlice<UInt8>) -> Bool {
        let text = Array(text)
        guard text.count == 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            let year = Self.number(text[0..<4]), let month = Self.number(text[5..<7]),
            let day = Self.number(text[8..<10])
        else { return false }
        let isLeap = (year.isMultiple(of: 4) && !year.isMultiple(of: 100)) || year.isMultiple(of: 400)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...12).contains(month) && (1...days[month - 1]).contains(day)
    }

    static func isTime(_ text: ArraySlice<UInt8>) -> Bool {
        let text = Array(text)
        guard text.count >= 9, let (hour, minute) = Self.hourAndMinute(text[0..<5]), text[5] == UInt8(ascii: ":"),
            let second = Self.number(text[6..<8])
        else { return false }
        var rest = text[8...]
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix(while: \.isDigitByte)
            guard !digits.isEmpty else { return false }
            rest = rest[digits.endIndex...]
        }
        var offset = 0
        if rest.count == 1, rest.first.map({ $0 | 0x20 }) == UInt8(ascii: "z") {
            offset = 0
        } else if rest.count == 6, let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            let (hours, minutes) = Self.hourAndMinute(rest.dropFirst())
        {
            offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "+") ? 1 : -1)
        } else {
            return false
        }
        if second < 60 { return true }
        // A leap second is the last one of a day in UTC.
        let minuteOfDay = hour * 60 + minute - offset
        return second == 60 && (minuteOfDay + 2 * 1440) % 1440 == 1439
    }

    private static func hourAndMinute(_ text: ArraySlice<UInt8>) -> (Int, Int)? {
        let text = Array(text)
        guard text.count == 5, text[2] == UInt8(ascii: ":"), let hour = Self.number(text[0..<2]),
            let minute = Self.number(text[3..<5]), hour < 24, minute < 60
        else { return nil }
        return (hour, minute)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.allSatisfy(\.isDigitByte) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
