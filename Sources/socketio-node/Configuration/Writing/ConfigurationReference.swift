/// `docs/configuration.md`: every setting in tables.
enum ConfigurationReference {
    /// The committed file.
    static var text: String {
        var lines = Self.introduction
        for field in SettingTable.root {
            guard case .record(let members) = field.kind else { continue }
            Self.write(members, field.summary, at: field.name, isAddressable: true, into: &lines)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static var introduction: [String] {
        """
        # Configuration

        Every setting of `socketio-node`. This page is printed by `socketio-node config docs`.

        A value comes from the first of these that has one: a flag (`--set listen.port=4000`), the environment
        (`SOCKETIO_LISTEN_PORT=4000`), the settings document of the cluster, the file (`--config node.yaml`, or `SOCKETIO_CONFIG`),
        the default. Flags and variables take lists as `a,b,c` and maps as YAML: `{a: 1, b: [x, y]}`. An empty variable counts as none.

        Durations carry their unit: `300ms`, `25s`, `2m`, `1h`, `1d`. Sizes may: `65536`, `64KiB`, `1MB`. A secret can be read from
        a file that a second key names: `urlFile` for `url`, `SOCKETIO_ADAPTER_REDIS_URL_FILE` for the variable. Secrets are hidden
        in every output. A key that does not exist is an error.

        | Command | What it does |
        |---|---|
        | `socketio-node check-config --config FILE` | reports every error at once, with its line |
        | `socketio-node config show --config FILE --origin` | prints every value, and where it comes from |
        | `socketio-node config diff OLD NEW` | prints how two files differ |
        | `socketio-node config schema` | prints the JSON Schema, with which editors complete and check files |
        | `socketio-node check-config --template` | prints a complete, commented file |

        Each table has a column *Change*. **live**: a new value is in force as soon as the node has read its settings again, for
        clients that are connected, too. **restart**: the value is part of what is built when the node starts. A node reads its file
        again on SIGHUP and on `POST /io/reload`. All nodes share a settings document with the same keys, which is stronger than the
        file and weaker than the environment (`PUT /io/settings`, see `docs/publish-api.md`).
        """.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func write(
        _ fields: [SettingField],
        _ summary: String,
        at path: String,
        isAddressable: Bool,
        into lines: inout [String]
    ) {
        let level = path.contains(".") ? "###" : "##"
        lines += ["", "\(level) \(Self.escaped(path))", "", Self.escaped(summary)]
        let rows = fields.filter { if case .record = $0.kind { false } else { true } }
        if !rows.isEmpty {
            lines += ["", "| Key | Default | Value | Change | Meaning |", "|---|---|---|---|---|"]
            for field in rows {
                lines.append(Self.row(field, at: isAddressable ? "\(path).\(field.name)" : nil))
            }
        }
        for field in fields {
            let fieldPath = "\(path).\(field.name)"
            if case .record(let members) = field.kind {
                Self.write(members, field.summary, at: fieldPath, isAddressable: isAddressable, into: &lines)
            } else if let members = field.kind.entryFields {
                let isList = if case .list = field.kind { true } else { false }
                Self.write(
                    members,
                    "Each entry of `\(fieldPath)`.",
                    at: fieldPath + (isList ? "[]" : ".NAME"),
                    isAddressable: false,
                    into: &lines
                )
                if let example = field.example {
                    lines += ["", "An example of `\(fieldPath)`:", "", "```yaml", example, "```"]
                }
            }
        }
    }

    private static func row(_ field: SettingField, at path: String?) -> String {
        var key = "`\(field.name)`"
        if let path { key += "<br>`\(SettingNames.environmentName(of: path))`" }
        let standard = field.isRequired ? "required" : field.default.map { "`\($0.yaml)`" } ?? ""
        var value = Self.value(of: field.kind)
        if field.kind.isSecret { value += "; secret, or `\(field.name)File`" }
        // The examples of entries stand below.
        if let example = field.example, field.kind.entryFields == nil { value += "; `\(example)`" }
        let cells = [key, standard, Self.escaped(value), field.change.rawValue, Self.escaped(field.summary)]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    private static func value(of kind: SettingKind) -> String {
        if case .list(let element) = kind, element.entryFields == nil {
            if case .record = element { return "a list" }
            return "a list, each " + element.expectation
        }
        if kind.entryFields != nil { return "entries: below" }
        return kind.expectation
    }

    /// A text in Markdown: signs that mean something there are escaped, except in code.
    private static func escaped(_ text: String) -> String {
        var result = ""
        var isCode = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "`": isCode.toggle()
            case "|": result += "\\"
            case "<" where !isCode, "*" where !isCode, "_" where !isCode, "[" where !isCode, "]" where !isCode:
                result += "\\"
            default: break
            }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}
