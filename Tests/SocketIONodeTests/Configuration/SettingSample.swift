import OrderedCollections

@testable import socketio_node

/// A value of each setting that is not its default.
enum SettingSample {
    /// A configuration in which every key has another value than by default, and every map and list an entry.
    static var configuration: SettingLiteral { Self.record(SettingTable.root) }

    static func literal(_ field: SettingField) -> SettingLiteral {
        self.literal(field.kind, besides: field.default)
    }

    private static func record(_ fields: [SettingField]) -> SettingLiteral {
        .map(fields.reduce(into: [:]) { $0[$1.name] = Self.literal($1) })
    }

    private static func literal(_ kind: SettingKind, besides standard: SettingLiteral?) -> SettingLiteral {
        switch kind {
        case .bool: .bool(standard != .bool(true))
        case .integer(let range):
            .number(standard == .number(range.upperBound) ? range.lowerBound : range.upperBound)
        case .duration(let range): .duration(range.upperBound)
        case .bytes(let range): .bytes(range.upperBound)
        case .text(let rule), .secret(let rule): .text(rule.example)
        case .choice(let choices): .text(choices.last { standard != .text($0) } ?? "")
        case .list(let element): .list([self.literal(element, besides: nil)])
        case .map(let rule, let element): .map([rule.example: self.literal(element, besides: nil)])
        case .record(let fields), .shorthand(_, let fields): self.record(fields)
        case .scalarOr(let scalar, _): self.literal(scalar, besides: standard)
        case .listOrTree: .list([.text("a")])
        }
    }
}

/// The stored properties of a value, each with a text that tells whether it has changed.
enum StoredProperties {
    static func all(of value: Any) -> OrderedDictionary<String, String> {
        var result: OrderedDictionary<String, String> = [:]
        Self.collect(value, at: "", into: &result)
        return result
    }

    /// Those that are the same in both.
    static func same(_ one: Any, _ other: Any) -> [String] {
        let after = Self.all(of: other)
        return Self.all(of: one).filter { after[$0.key] == $0.value }.map(\.key)
    }

    private static func collect(_ value: Any, at path: String, into result: inout OrderedDictionary<String, String>) {
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional?:
            guard let wrapped = mirror.children.first else {
                result[path] = "nil"
                return
            }
            Self.collect(wrapped.value, at: path, into: &result)
        case .struct? where !mirror.children.isEmpty:
            for (label, child) in mirror.children {
                let name = label ?? "?"
                Self.collect(child, at: path.isEmpty ? name : "\(path).\(name)", into: &result)
            }
        default:
            var text = ""
            dump(value, to: &text)
            result[path] = text
        }
    }
}
