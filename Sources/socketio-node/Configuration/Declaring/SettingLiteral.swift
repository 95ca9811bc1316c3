import OrderedCollections
import SocketIOWire

/// A value as a configuration file writes it.
indirect enum SettingLiteral: Sendable, Hashable {
    case bool(Bool)
    case number(Int)
    case text(String)
    case list([SettingLiteral])
    case map(OrderedDictionary<String, SettingLiteral>)

    /// What stands for a secret wherever values are shown.
    static let hidden = SettingLiteral.text("(hidden)")

    /// Milliseconds with the unit that makes the smallest number: `25s`, `300ms`.
    static func duration(_ milliseconds: Int) -> SettingLiteral {
        guard milliseconds != 0 else { return .number(0) }
        for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] where milliseconds.isMultiple(of: factor) {
            return .text("\(milliseconds / factor)\(unit)")
        }
        return .text("\(milliseconds)ms")
    }

    /// A number of bytes with the unit that makes the smallest number: `1MB`, `64KiB`.
    static func bytes(_ count: Int) -> SettingLiteral {
        let units = [
            ("KB", 1000), ("KiB", 1024), ("MB", 1_000_000), ("MiB", 1_048_576), ("GB", 1_000_000_000),
            ("GiB", 1_073_741_824),
        ]
        guard count != 0, let unit = units.last(where: { count.isMultiple(of: $0.1) }) else { return .number(count) }
        return .text("\(count / unit.1)\(unit.0)")
    }
}

extension SettingLiteral {
    /// The value in one line of YAML.
    var yaml: String {
        switch self {
        case .bool(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let text): Self.yaml(text)
        case .list(let elements): "[" + elements.map(\.yaml).joined(separator: ", ") + "]"
        case .map(let members):
            "{" + members.map { "\(Self.yaml($0.key)): \($0.value.yaml)" }.joined(separator: ", ") + "}"
        }
    }

    /// The value in JSON, as a schema gives defaults.
    var json: JSONValue {
        switch self {
        case .bool(let value): .bool(value)
        case .number(let value): .int(value)
        case .text(let text): .string(text)
        case .list(let elements): .array(elements.map(\.json))
        case .map(let members):
            .object(members.reduce(into: [:]) { $0[UTF8Text($1.key)] = $1.value.json })
        }
    }

    /// A text as YAML writes it: in quotes, unless it can be nothing but a text without them.
    static func yaml(_ text: String) -> String {
        let bytes = text.utf8
        let isPlain =
            bytes.first.map { Self.isLetterOrDigit($0) || "/(".utf8.contains($0) } ?? false
            && bytes.allSatisfy { Self.isLetterOrDigit($0) || "/-_.:()".utf8.contains($0) }
            && bytes.last != UInt8(ascii: ":") && Double(text) == nil
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(UTF8Text(text.lowercased()))
        if isPlain, !(bytes.contains(UInt8(ascii: ":")) && bytes.first.map(Self.isDigit) ?? false) { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case let scalar where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + String(repeating: "0", count: 2 - digits.utf8.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        Self.isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
