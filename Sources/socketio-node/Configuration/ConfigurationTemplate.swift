import OrderedCollections

/// The table of settings as people read it.
enum ConfigurationTemplate {
    /// `config/node.yaml`: every key, its meaning and its default.
    static var text: String {
        var lines = [
            "# Configuration of socketio-node: every key with its default. Nothing here is required.",
            "#",
            "#   socketio-node serve --config config/node.yaml",
            "#   socketio-node check-config --config config/node.yaml     every error at once",
            "#",
            "# Each key can also be set in the environment and by a flag; flags win over the environment, the environment",
            "# over this file. listen.port is SOCKETIO_LISTEN_PORT and --set listen.port=…; adapter.redis.requestsTimeout is",
            "# SOCKETIO_ADAPTER_REDIS_REQUESTS_TIMEOUT. Lists take a,b,c there, maps take YAML: {a: 1, b: [x, y]}.",
            "#",
            "# Durations carry their unit (ms, s, m, h, d), sizes may (KB, MB, KiB, MiB). A secret can be read from a file",
            "# instead, by its second key `…File`.",
        ]
        for field in SettingTable.root {
            lines.append("")
            Self.write(field, indent: "", into: &lines)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func write(_ field: SettingField, indent: String, into lines: inout [String]) {
        for line in Self.wrap(field.summary, width: 110 - indent.count) { lines.append("\(indent)# \(line)") }
        switch field.kind {
        case .record(let members):
            lines.append("\(indent)\(field.name):")
            for member in members { Self.write(member, indent: indent + "  ", into: &lines) }
        case .secret:
            lines.append("\(indent)# \(field.example ?? "\(field.name): …")")
            lines.append("\(indent)# \(field.name)File: /run/secrets/\(field.name)")
        default:
            if let text = field.default {
                lines.append("\(indent)\(field.name): \(text)")
            } else {
                lines.append("\(indent)# \(field.name): …")
            }
            if let members = Self.entryFields(of: field.kind) {
                lines.append("\(indent)#   Each entry:")
                Self.describe(members, indent: indent + "#     ", into: &lines)
            }
            if let example = field.example {
                lines.append("\(indent)#   For example:")
                for line in example.split(separator: "\n") { lines.append("\(indent)#     \(line)") }
            }
        }
    }

    /// The keys of the entries of a map.
    private static func entryFields(of kind: SettingKind) -> [SettingField]? {
        switch kind {
        case .map(_, .record(let fields)), .map(_, .shorthand(_, let fields)): fields
        default: nil
        }
    }

    private static func describe(_ fields: [SettingField], indent: String, into lines: inout [String]) {
        for field in fields {
            let value =
                switch (field.default, field.isRequired) {
                case (let text?, _): " (\(text))"
                case (nil, true): " (required)"
                case (nil, false): ""
                }
            var text = "\(field.name)\(value): \(field.summary)"
            if case .choice(let choices) = field.kind, field.default == nil {
                text += " One of " + choices.joined(separator: ", ") + "."
            }
            for (index, line) in Self.wrap(text, width: 112 - indent.count).enumerated() {
                lines.append(indent + (index == 0 ? "" : "  ") + line)
            }
            if let members = Self.entryFields(of: field.kind) {
                Self.describe(members, indent: indent + "  ", into: &lines)
            }
        }
    }

    private static func wrap(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return lines + [line]
    }

    /// Every key that is set, with its value and origin.
    static func effective(_ settings: Setting) -> [String] {
        var lines: [String] = []
        Self.write(settings, kind: .record(SettingTable.root), into: &lines)
        return lines
    }

    private static func write(_ setting: Setting, kind: SettingKind, into lines: inout [String]) {
        switch (kind, setting.value) {
        case (.record(let fields), .members(let members)), (.shorthand(_, let fields), .members(let members)):
            for field in fields {
                if let member = members[field.name] { Self.write(member, kind: field.kind, into: &lines) }
            }
        case (.map(_, let element), .members(let members)) where !members.isEmpty:
            for member in members.values { Self.write(member, kind: element, into: &lines) }
        case (_, .unset):
            break
        default:
            lines.append("\(setting.path) = \(Self.text(setting, kind))    (\(setting.origin))")
        }
    }

    private static func text(_ setting: Setting, _ kind: SettingKind) -> String {
        switch setting.value {
        case .unset: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): if case .duration = kind { "\(value)ms" } else { "\(value)" }
        case .text(let value): kind.isSecret ? "(hidden)" : value
        case .list(let elements): "[" + elements.map { Self.text($0, .text(.any)) }.joined(separator: ", ") + "]"
        case .members(let members):
            "{" + members.map { "\($0.key): \(Self.text($0.value, .text(.any)))" }.joined(separator: ", ") + "}"
        }
    }
}
