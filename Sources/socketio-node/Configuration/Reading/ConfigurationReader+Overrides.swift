import Foundation
import Yams

/// Values of the environment and of flags.
extension ConfigurationReader {
    /// Every key that can be overridden: the members of records, not what is inside maps and lists.
    static func collect(
        _ fields: [SettingField],
        at path: String,
        into result: inout [String: SettingField]
    ) {
        for field in fields {
            let fieldPath = path.isEmpty ? field.name : "\(path).\(field.name)"
            if case .record(let members) = field.kind {
                self.collect(members, at: fieldPath, into: &result)
            } else {
                result[fieldPath] = field
                if let file = field.fileField { result[fieldPath + "File"] = file }
            }
        }
    }

    /// The paths of all keys that the environment and flags can set, in the table's order.
    static func paths(of fields: [SettingField] = SettingTable.root, at path: String = "") -> [String] {
        fields.flatMap { field -> [String] in
            let fieldPath = path.isEmpty ? field.name : "\(path).\(field.name)"
            if case .record(let members) = field.kind { return Self.paths(of: members, at: fieldPath) }
            return field.fileField == nil ? [fieldPath] : [fieldPath, fieldPath + "File"]
        }
    }

    mutating func readEnvironment(_ environment: [String: String], fields: [String: SettingField]) {
        var paths: [String: String] = [:]
        for path in fields.keys { paths[SettingNames.environmentName(of: path)] = path }
        var links: [String] = []
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(SettingNames.environmentPrefix) {
            if ServiceLink.isOne(name: name, value: text) {
                links.append(name)
                continue
            }
            guard let path = paths[name], let field = fields[path] else {
                if SettingTable.otherVariables.contains(name) { continue }
                let hint = SettingNames.nearest(to: name, among: paths.keys).map { " (did you mean \($0)?)" } ?? ""
                self.warnings.append("environment \(name) names no setting and is ignored\(hint)")
                continue
            }
            // `${NAME:-}` of a compose file sets a variable to nothing when nobody gave a value.
            if text.isEmpty { continue }
            self.override(path, field: field, text: text, origin: .environment(name: name))
        }
        guard !links.isEmpty else { return }
        self.warnings.append(
            "environment \(links.joined(separator: ", ")): set by Kubernetes for a service of that name, and ignored; "
                + "enableServiceLinks: false in the pod's specification keeps them away"
        )
    }

    mutating func readFlags(_ flags: [String], fields: [String: SettingField]) {
        for flag in flags {
            guard let equals = flag.firstIndex(of: "=") else {
                self.problems.append(
                    ConfigurationProblem(
                        path: "",
                        origin: .flag("--set \(Self.beginning(of: flag))"),
                        message: "has no value; expected KEY=VALUE, as in listen.port=3000"
                    )
                )
                continue
            }
            let path = String(flag[..<equals])
            let text = String(flag[flag.index(after: equals)...])
            guard let field = fields[path] else {
                let hint =
                    SettingNames.nearest(to: path, among: fields.keys).map { "did you mean \($0)?" }
                    ?? "`socketio-node check-config --template` lists all keys"
                self.problems.append(
                    ConfigurationProblem(path: path, origin: .flag("--set"), message: "is no setting; \(hint)")
                )
                continue
            }
            self.override(path, field: field, text: text, origin: .flag("--set \(path)"))
        }
    }

    /// A flag as far as it can be a key: behind a wrong sign a secret may follow.
    private static func beginning(of flag: String) -> String {
        let key = flag.utf8.prefix { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."): true
            default: false
            }
        }
        return String(Substring(key)) + (key.count < flag.utf8.count ? "…" : "")
    }

    private mutating func override(_ path: String, field: SettingField, text: String, origin: SettingOrigin) {
        if let known = self.overrides[path], known.origin.strength > origin.strength { return }
        if field.kind.isScalar {
            // Taken as it is: a password may look like YAML.
            self.overrides[path] = Source(node: Node(text, .implicit, .doubleQuoted), origin: origin)
            return
        }
        if case .list = field.kind, !text.hasPrefix("[") {
            let elements = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            self.overrides[path] = Source(
                node: Node(elements.filter { !$0.isEmpty }.map { Node($0, .implicit, .doubleQuoted) }),
                origin: origin
            )
            return
        }
        do {
            guard let node = try Yams.compose(yaml: text) else { return }
            self.overrides[path] = Source(node: node, origin: origin)
        } catch {
            self.problems.append(
                ConfigurationProblem(
                    path: path,
                    origin: origin,
                    message: "is not YAML; expected \(field.kind.expectation), written as {a: 1, b: [x, y]}"
                )
            )
        }
    }
}
