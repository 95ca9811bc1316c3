import OrderedCollections

/// Every key that is set, with its value, as it may be shown: secrets are hidden.
enum EffectiveConfiguration {
    /// One line for each key with its origin, as `check-config --effective` prints them.
    static func lines(_ settings: Setting) -> [String] {
        var lines: [String] = []
        Self.write(settings, .record(SettingTable.root), into: &lines)
        return lines
    }

    private static func write(_ setting: Setting, _ kind: SettingKind, into lines: inout [String]) {
        switch (kind, setting.value) {
        case (.record(let fields), .members(let members)), (.shorthand(_, let fields), .members(let members)):
            for field in fields {
                if let member = members[field.name] { Self.write(member, field.kind, into: &lines) }
            }
        case (.map(_, let element), .members(let members)) where !members.isEmpty:
            for member in members.values { Self.write(member, element, into: &lines) }
        case (_, .unset):
            break
        default:
            guard let literal = setting.literal(kind) else { return }
            lines.append("\(setting.path) = \(Self.text(literal, setting, kind))    (\(setting.origin))")
        }
    }

    private static func text(_ literal: SettingLiteral, _ setting: Setting, _ kind: SettingKind) -> String {
        if case .integer(let value) = setting.value {
            return if case .duration = kind { "\(value)ms" } else { "\(value)" }
        }
        return Self.text(literal)
    }

    private static func text(_ literal: SettingLiteral) -> String {
        switch literal {
        case .bool(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let text): text
        case .list(let elements): "[" + elements.map(Self.text).joined(separator: ", ") + "]"
        case .map(let members):
            "{" + members.map { "\($0.key): \(Self.text($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    /// A configuration file that says the same, as `config show` prints it.
    ///
    /// With origins, a comment behind each value says where it comes from.
    static func yaml(_ settings: Setting, withOrigin: Bool) -> String {
        var lines: [String] = []
        for field in SettingTable.root {
            Self.write(settings[field.name], field.kind, name: field.name, indent: "", withOrigin, into: &lines)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func write(
        _ setting: Setting,
        _ kind: SettingKind,
        name: String,
        indent: String,
        _ withOrigin: Bool,
        into lines: inout [String]
    ) {
        let key = indent + SettingLiteral.yaml(name) + ":"
        switch (kind, setting.value) {
        case (.record(let fields), .members(let members)):
            lines.append(key)
            let before = lines.count
            for field in fields {
                guard let member = members[field.name] else { continue }
                Self.write(member, field.kind, name: field.name, indent: indent + "  ", withOrigin, into: &lines)
            }
            if lines.count == before { lines[before - 1] += " {}" }
        case (.map(_, let element), .members(let members)) where !members.isEmpty:
            lines.append(key)
            for (name, member) in members {
                Self.write(member, element, name: name, indent: indent + "  ", withOrigin, into: &lines)
            }
        default:
            guard let literal = setting.literal(kind) else { return }
            lines.append("\(key) \(literal.yaml)" + (withOrigin ? "  # \(setting.origin)" : ""))
        }
    }
}

extension Setting {
    /// The value as it may be shown; `nil` if there is none.
    ///
    /// The kind is what it was read as. Without defaults, groups lack the members that nobody has set.
    func literal(_ kind: SettingKind, withDefaults: Bool = true) -> SettingLiteral? {
        switch (kind, self.value) {
        case (_, .unset): nil
        case (.secret, _): .hidden
        case (.duration, .integer(let milliseconds)): .duration(milliseconds)
        case (.bytes, .integer(let count)): .bytes(count)
        case (.list(let element), .list(let elements)):
            .list(elements.compactMap { $0.literal(element, withDefaults: withDefaults) })
        case (.map(_, let element), .members(let members)):
            .map(members.compactMapValues { $0.literal(element, withDefaults: withDefaults) })
        case (.record(let fields), .members(let members)), (.shorthand(_, let fields), .members(let members)):
            .map(
                fields.reduce(into: [:]) { result, field in
                    guard let member = members[field.name], withDefaults || member.origin != .default else { return }
                    result[field.name] = member.literal(field.kind, withDefaults: withDefaults)
                }
            )
        default: self.plainLiteral
        }
    }

    /// The value of a kind that holds no secret.
    private var plainLiteral: SettingLiteral? {
        switch self.value {
        case .unset: nil
        case .bool(let value): .bool(value)
        case .integer(let value): .number(value)
        case .text(let text): .text(text)
        case .list(let elements): .list(elements.compactMap(\.plainLiteral))
        case .members(let members): .map(members.compactMapValues(\.plainLiteral))
        }
    }
}
