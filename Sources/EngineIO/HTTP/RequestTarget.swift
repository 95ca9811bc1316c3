/// Takes a request target apart as browsers' `URLSearchParams` does.
package enum RequestTarget {
    /// How many parameters are looked at; more have no meaning to anybody.
    private static let maximumCount = 256

    /// The query parameters in order, decoded; of a repeated one the last value stands, at the first one's place.
    package static func query(of target: String) -> [(name: String, value: String)] {
        let bytes = target.utf8
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else { return [] }
        var query: [(name: String, value: String)] = []
        var rest = bytes[bytes.index(after: mark)...]
        if let fragment = rest.firstIndex(of: UInt8(ascii: "#")) { rest = rest[..<fragment] }
        for pair in rest.split(separator: UInt8(ascii: "&"), maxSplits: Self.maximumCount).prefix(Self.maximumCount) {
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            let name = Self.decode(pair[..<(equals ?? pair.endIndex)])
            let value = equals.map { Self.decode(pair[pair.index(after: $0)...]) } ?? ""
            if let index = query.firstIndex(where: { $0.name == name }) {
                query[index].value = value
            } else {
                query.append((name, value))
            }
        }
        return query
    }

    /// The value of the last parameter of that name in a form; the others are not looked into, however many.
    static func value(of name: String, in form: String) -> String? {
        var rest = form.utf8[...]
        while !rest.isEmpty {
            // From the end, so that the first one found is the last.
            let start = rest.lastIndex(of: UInt8(ascii: "&")).map { rest.index(after: $0) } ?? rest.startIndex
            let pair = rest[start...]
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            if Self.decode(pair[..<(equals ?? pair.endIndex)]) == name {
                return equals.map { Self.decode(pair[pair.index(after: $0)...]) } ?? ""
            }
            rest = start == rest.startIndex ? rest[..<start] : rest[..<rest.index(before: start)]
        }
        return nil
    }

    private static func decode(_ text: Substring.UTF8View) -> String {
        guard text.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(Substring(text))
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            index = text.index(after: index)
            switch byte {
            case UInt8(ascii: "+"):
                bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = text[index...].prefix(2)
                if digits.count == 2, let high = Self.hex(digits.first), let low = Self.hex(digits.dropFirst().first) {
                    bytes.append(high << 4 | low)
                    index = digits.endIndex
                } else {
                    bytes.append(byte)
                }
            default:
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hex(_ digit: UInt8?) -> UInt8? {
        switch digit {
        case .some(let digit) where (0x30...0x39).contains(digit): digit - 0x30
        case .some(let digit) where (0x41...0x46).contains(digit): digit - 0x41 + 10
        case .some(let digit) where (0x61...0x66).contains(digit): digit - 0x61 + 10
        default: nil
        }
    }
}
