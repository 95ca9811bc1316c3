import Foundation
import OrderedCollections
import Yams

/// Reads a configuration file, the environment and flags against the table of settings.
///
/// It stops at nothing but a syntax error in the YAML itself: a value that is wrong is reported, replaced by its
/// default, and reading goes on, so that one run finds every problem.
struct ConfigurationReader {
    /// A value as it was written.
    private struct Source {
        var node: Node
        var origin: SettingOrigin
    }

    private let file: String?
    private var overrides: [String: Source] = [:]
    private let readFile: (String) throws -> String
    private(set) var problems: [ConfigurationProblem] = []
    /// Things that don't stop a start, such as an unknown variable of the environment.
    private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - file: The configuration file's path, as it appears in messages.
    ///   - environment: The process's environment; variables that don't begin with `SOCKETIO_` are left alone.
    ///   - flags: `key=value` texts.
    ///   - readFile: Reads a file that a `…File` key names.
    init(
        file: String?,
        environment: [String: String],
        flags: [String],
        readFile: @escaping (String) throws -> String = { try String(contentsOfFile: $0, encoding: .utf8) }
    ) {
        self.file = file
        self.readFile = readFile
        var fields: [String: SettingField] = [:]
        Self.collect(SettingTable.root, at: "", into: &fields)
        self.readEnvironment(environment, fields: fields)
        self.readFlags(flags, fields: fields)
    }

    /// Reads everything: the result holds a value or a default for each key of the table.
    mutating func read(yaml: String?) -> Setting {
        var root: Node?
        if let yaml {
            do {
                root = try Yams.compose(yaml: yaml)
            } catch let error as YamlError {
                self.problems.append(self.problem(error))
            } catch {
                self.problems.append(self.fileProblem(line: 1, column: 1, "is not YAML: \(error)"))
            }
        }
        let origin = SettingOrigin.default
        return self.read(
            .record(SettingTable.root),
            from: root.map { Source(node: $0, origin: self.origin(of: $0)) },
            at: "",
            inherited: origin
        )
    }

    // MARK: Overrides

    /// Every key that can be overridden: the members of records, not what is inside maps and lists.
    private static func collect(
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

    private mutating func readEnvironment(_ environment: [String: String], fields: [String: SettingField]) {
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

    private mutating func readFlags(_ flags: [String], fields: [String: SettingField]) {
        for flag in flags {
            guard let equals = flag.firstIndex(of: "=") else {
                self.problems.append(
                    ConfigurationProblem(
                        path: "",
                        origin: .flag("--set \(flag)"),
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

    // MARK: Values

    private mutating func read(
        _ kind: SettingKind,
        from source: Source?,
        at path: String,
        inherited: SettingOrigin
    ) -> Setting {
        let unset = Setting(path: path, origin: source?.origin ?? inherited, value: .unset)
        if case .record(let fields) = kind {
            guard let source else { return self.readRecord(fields, [:], at: path, origin: inherited) }
            if self.isNull(source.node) { return self.readRecord(fields, [:], at: path, origin: source.origin) }
            guard case .mapping(let mapping) = source.node else {
                self.report(source, at: path, kind)
                return self.readRecord(fields, [:], at: path, origin: source.origin)
            }
            return self.readRecord(
                fields,
                self.members(of: mapping, source, known: fields, at: path),
                at: path,
                origin: source.origin
            )
        }
        guard let source, !self.isNull(source.node) else { return unset }
        if let value = self.readValue(kind, source, at: path) {
            return Setting(path: path, origin: source.origin, value: value)
        }
        return unset
    }

    /// - Returns: `nil` if the value is wrong, which has been reported then.
    private mutating func readValue(_ kind: SettingKind, _ source: Source, at path: String) -> Setting.Value? {
        switch (kind, source.node) {
        case (.bool, .scalar(let scalar)):
            switch scalar.string.lowercased() {
            case "true": return .bool(true)
            case "false": return .bool(false)
            default: break
            }
        case (.integer(let range), .scalar(let scalar)):
            if let value = Int(scalar.string), range.contains(value) { return .integer(value) }
        case (.duration(let range), .scalar(let scalar)):
            if let value = Self.duration(scalar.string), range.contains(value) { return .integer(value) }
            if let number = Int(scalar.string) {
                self.report(source, at: path, kind, hint: "; write \(number)ms or \(number)s")
                return nil
            }
        case (.bytes(let range), .scalar(let scalar)):
            if let value = Self.bytes(scalar.string), range.contains(value) { return .integer(value) }
        case (.text(let rule), .scalar(let scalar)), (.secret(let rule), .scalar(let scalar)):
            if rule.accepts(scalar.string) { return .text(scalar.string) }
        case (.choice(let choices), .scalar(let scalar)):
            if choices.contains(scalar.string) { return .text(scalar.string) }
            let hint = SettingNames.nearest(to: scalar.string, among: choices).map { "; did you mean \($0)?" } ?? ""
            self.report(source, at: path, kind, hint: hint)
            return nil
        case (.list(let element), .sequence(let sequence)):
            return .list(
                sequence.enumerated().map { index, node in
                    self.read(
                        element,
                        from: Source(node: node, origin: self.origin(of: node, within: source.origin)),
                        at: "\(path)[\(index)]",
                        inherited: source.origin
                    )
                }
            )
        case (.map(let rule, let element), .mapping(let mapping)):
            return self.readMap(rule, element, mapping, source, at: path)
        case (.shorthand(let member, let fields), .scalar):
            return self.readRecord(fields, [member: source], at: path, origin: source.origin).value
        case (.shorthand(_, let fields), .mapping(let mapping)):
            return self.readRecord(
                fields,
                self.members(of: mapping, source, known: fields, at: path),
                at: path,
                origin: source.origin
            ).value
        case (.scalarOr(let scalar, _), .scalar):
            return self.readValue(scalar, source, at: path)
        case (.scalarOr(_, let collection), .sequence), (.scalarOr(_, let collection), .mapping):
            return self.readValue(collection, source, at: path)
        case (.listOrTree, .sequence):
            return self.readValue(.list(.text(.nonEmpty)), source, at: path)
        case (.listOrTree, .mapping(let mapping)):
            return self.readTree(mapping, source, at: path)
        case (.record(let fields), .mapping(let mapping)):
            return self.readRecord(
                fields,
                self.members(of: mapping, source, known: fields, at: path),
                at: path,
                origin: source.origin
            ).value
        default:
            break
        }
        self.report(source, at: path, kind)
        return nil
    }

    private mutating func readMap(
        _ rule: TextRule,
        _ element: SettingKind,
        _ mapping: Node.Mapping,
        _ source: Source,
        at path: String
    ) -> Setting.Value {
        var members: OrderedDictionary<String, Setting> = [:]
        for (key, node) in mapping {
            let origin = self.origin(of: key, within: source.origin)
            guard let name = key.scalar?.string, rule.accepts(name) else {
                self.problems.append(
                    ConfigurationProblem(
                        path: path,
                        origin: origin,
                        value: key.scalar.map { Self.quote($0.string) },
                        message: "is not a valid name here; expected \(rule.expectation)"
                    )
                )
                continue
            }
            var member = self.read(
                element,
                from: Source(node: node, origin: self.origin(of: node, within: source.origin)),
                at: "\(path).\(name)",
                inherited: origin
            )
            // An entry's own position is the line of its name, also when its value starts on the next one.
            member.origin = origin
            members[name] = member
        }
        return .members(members)
    }

    private mutating func readTree(_ mapping: Node.Mapping, _ source: Source, at path: String) -> Setting.Value {
        var members: OrderedDictionary<String, Setting> = [:]
        for (key, node) in mapping {
            guard let name = key.scalar?.string else {
                self.report(
                    Source(node: key, origin: self.origin(of: key, within: source.origin)),
                    at: path,
                    .listOrTree
                )
                continue
            }
            let child = Source(node: node, origin: self.origin(of: node, within: source.origin))
            let kind: SettingKind =
                switch node {
                case .scalar(let scalar) where ["*", "none"].contains(scalar.string): .choice(["*", "none"])
                case .scalar: .bool
                default: .listOrTree
                }
            members[name] = self.read(kind, from: child, at: "\(path).\(name)", inherited: child.origin)
        }
        return .members(members)
    }

    /// The members of a mapping by name; names that the table doesn't have are reported.
    private mutating func members(
        of mapping: Node.Mapping,
        _ source: Source,
        known fields: [SettingField],
        at path: String
    ) -> [String: Source] {
        let names = fields.flatMap { field in [field.name] + (field.fileField.map { [$0.name] } ?? []) }
        var members: [String: Source] = [:]
        for (key, node) in mapping {
            let origin = self.origin(of: key, within: source.origin)
            guard let name = key.scalar?.string, names.contains(name) else {
                let name = key.scalar?.string ?? "?"
                self.problems.append(
                    ConfigurationProblem(
                        path: path.isEmpty ? name : "\(path).\(name)",
                        origin: origin,
                        message: "is no setting; " + Self.hint(for: name, names: names, at: path)
                    )
                )
                continue
            }
            members[name] = Source(node: node, origin: self.origin(of: node, within: source.origin))
        }
        return members
    }

    private static func hint(for name: String, names: [String], at path: String) -> String {
        if let near = SettingNames.nearest(to: name, among: names) { return "did you mean \(near)?" }
        if let elsewhere = Self.paths().first(where: { $0.split(separator: ".").last.map(String.init) == name }) {
            return "did you mean \(elsewhere)?"
        }
        return "expected one of " + names.joined(separator: ", ")
    }

    private mutating func readRecord(
        _ fields: [SettingField],
        _ members: [String: Source],
        at path: String,
        origin: SettingOrigin
    ) -> Setting {
        var result: OrderedDictionary<String, Setting> = [:]
        for field in fields {
            let fieldPath = path.isEmpty ? field.name : "\(path).\(field.name)"
            let source = self.overrides[fieldPath] ?? members[field.name]
            if let file = field.fileField {
                let fileSource = self.overrides[fieldPath + "File"] ?? members[file.name]
                result[field.name] = self.readSecret(field, source, file: fileSource, at: fieldPath, origin)
                continue
            }
            var setting = self.read(field.kind, from: source, at: fieldPath, inherited: origin)
            if !setting.isSet {
                let wasGiven = source.map { !self.isNull($0.node) } ?? false
                if field.isRequired, !wasGiven {
                    self.problems.append(
                        ConfigurationProblem(
                            path: fieldPath,
                            origin: origin,
                            message: "is missing; expected \(field.kind.expectation)"
                        )
                    )
                }
                if let text = field.default { setting = self.defaultValue(field, text, at: fieldPath) }
            }
            result[field.name] = setting
        }
        return Setting(path: path, origin: origin, value: .members(result))
    }

    private mutating func defaultValue(_ field: SettingField, _ text: String, at path: String) -> Setting {
        guard let node = try? Yams.compose(yaml: text) else {
            preconditionFailure("the default of \(path) in the table of settings is not YAML")
        }
        return self.read(field.kind, from: Source(node: node, origin: .default), at: path, inherited: .default)
    }

    private mutating func readSecret(
        _ field: SettingField,
        _ source: Source?,
        file: Source?,
        at path: String,
        _ origin: SettingOrigin
    ) -> Setting {
        let given = source.flatMap { self.isNull($0.node) ? nil : $0 }
        let named = file.flatMap { self.isNull($0.node) ? nil : $0 }
        if let given, let named, given.origin.strength == named.origin.strength {
            self.problems.append(
                ConfigurationProblem(
                    path: path,
                    origin: named.origin,
                    message: "is given twice; expected \(field.name) or \(field.name)File, not both"
                )
            )
        }
        if let named, named.origin.strength > given?.origin.strength ?? -1 {
            let unset = Setting(path: path, origin: named.origin, value: .unset)
            guard case .text(let name)? = self.readValue(.text(.nonEmpty), named, at: path + "File") else {
                return unset
            }
            do {
                let text = try self.readFile(name).trimmingCharacters(in: .whitespacesAndNewlines)
                let contents = Source(node: Node(text, .implicit, .doubleQuoted), origin: named.origin)
                return self.read(field.kind, from: contents, at: path, inherited: named.origin)
            } catch {
                self.problems.append(
                    ConfigurationProblem(
                        path: path + "File",
                        origin: named.origin,
                        value: name,
                        message: "can't be read; expected the path of a readable text file"
                    )
                )
                return unset
            }
        }
        let setting = self.read(field.kind, from: given, at: path, inherited: origin)
        if field.isRequired, given == nil {
            self.problems.append(
                ConfigurationProblem(
                    path: path,
                    origin: origin,
                    message: "is missing; expected \(field.kind.expectation), here or in \(field.name)File"
                )
            )
        }
        return setting
    }

    // MARK: Scalars

    /// `300ms`, `25s`, `2m`, `1h` or `0` in milliseconds.
    static func duration(_ text: String) -> Int? {
        if text == "0" { return 0 }
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        return Self.number(text, units: units)
    }

    /// `65536`, `64KiB`, `1MB`.
    static func bytes(_ text: String) -> Int? {
        if let value = Int(text) { return value }
        let units = [
            ("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024),
            ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ]
        return Self.number(text, units: units)
    }

    private static func number(_ text: String, units: [(String, Int)]) -> Int? {
        for (unit, factor) in units where text.hasSuffix(unit) {
            let digits = text.dropLast(unit.count).trimmingCharacters(in: .whitespaces)
            guard let number = Int(digits), number >= 0 else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        return nil
    }

    private func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    // MARK: Problems

    private func origin(of node: Node, within origin: SettingOrigin? = nil) -> SettingOrigin {
        switch origin {
        case .environment, .flag, .default: return origin ?? .default
        case .file, nil:
            let mark = node.mark
            return .file(path: self.file ?? "configuration", line: mark?.line ?? 1, column: mark?.column ?? 1)
        }
    }

    private mutating func report(_ source: Source, at path: String, _ kind: SettingKind, hint: String = "") {
        let found: String? =
            switch source.node {
            case .scalar(let scalar): kind.hidesValue ? nil : Self.quote(Self.redact(scalar.string))
            default: nil
            }
        let what: String =
            switch source.node {
            case .scalar: kind.hidesValue ? "(hidden) is not acceptable" : "is wrong"
            case .sequence: "is a list"
            case .mapping: "is a map"
            case .alias: "is an alias"
            }
        self.problems.append(
            ConfigurationProblem(
                path: path,
                origin: source.origin,
                value: found,
                message: "\(what); expected \(kind.expectation)\(hint)"
            )
        )
    }

    private func fileProblem(line: Int, column: Int, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(
            path: "",
            origin: .file(path: self.file ?? "configuration", line: line, column: column),
            message: message
        )
    }

    private func problem(_ error: YamlError) -> ConfigurationProblem {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = context.map { " \($0.text.trimmingCharacters(in: .whitespaces))" } ?? ""
            return self.fileProblem(line: mark.line, column: mark.column, "is not valid YAML: \(problem)\(place)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return self.fileProblem(
                line: context.mark.line,
                column: context.mark.column,
                "has the same key twice: " + duplicates.joined(separator: ", ")
            )
        default:
            return self.fileProblem(line: 1, column: 1, "is not valid YAML: \(error)")
        }
    }

    private static func quote(_ text: String) -> String {
        text.count > 80 ? text.prefix(77) + "..." : text
    }

    /// Hides the password of a URL.
    static func redact(_ text: String) -> String {
        guard let scheme = text.range(of: "://"), let at = text.lastIndex(of: "@"), at > scheme.upperBound else {
            return text
        }
        let credentials = text[scheme.upperBound..<at]
        guard let colon = credentials.firstIndex(of: ":") else { return text }
        return text[..<colon] + ":***" + text[at...]
    }
}
