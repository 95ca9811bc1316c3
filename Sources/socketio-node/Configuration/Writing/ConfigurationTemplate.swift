/// The commented configuration file.
enum ConfigurationTemplate {
    /// `config/node.yaml`: every key, its meaning and its default.
    static var text: String {
        var lines = [
            "# yaml-language-server: $schema=\(ConfigurationSchema.fileName)",
            "#",
            "# Configuration of socketio-node: every key with its default. Nothing here is required.",
            "#",
            "#   socketio-node serve --config config/node.yaml",
            "#   socketio-node check-config --config config/node.yaml     every error at once",
            "#   socketio-node config show --origin                       every value, and where it comes from",
            "#",
            "# Each key can also be set in the environment and by a flag; flags win over the environment, the environment",
            "# over the settings document of the cluster, and that over this file, which a node reads again on SIGHUP.",
            "# listen.port is SOCKETIO_LISTEN_PORT and --set listen.port=…; adapter.redis.requestsTimeout is",
            "# SOCKETIO_ADAPTER_REDIS_REQUESTS_TIMEOUT. Lists take a,b,c there, maps take YAML: {a: 1, b: [x, y]}.",
            "#",
            "# Durations carry their unit (ms, s, m, h, d), sizes may (KB, MB, KiB, MiB). A secret can be read from a file",
            "# instead, by its second key `…File`.",
            "#",
            "# docs/configuration.md is the reference. Editors read \(ConfigurationSchema.fileName) beside this file;",
            "# `socketio-node config schema` prints it.",
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
            if let literal = field.default {
                lines.append("\(indent)\(field.name): \(literal.yaml)")
            } else {
                lines.append("\(indent)# \(field.name): …")
            }
            if let members = field.kind.entryFields {
                lines.append("\(indent)#   Each entry:")
                Self.describe(members, indent: indent + "#     ", into: &lines)
            }
            if let example = field.example {
                lines.append("\(indent)#   For example:")
                for line in example.split(separator: "\n") { lines.append("\(indent)#     \(line)") }
            }
        }
    }

    private static func describe(_ fields: [SettingField], indent: String, into lines: inout [String]) {
        for field in fields {
            let value =
                switch (field.default, field.isRequired) {
                case (let literal?, _): " (\(literal.yaml))"
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
            if let members = field.kind.entryFields {
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
}
