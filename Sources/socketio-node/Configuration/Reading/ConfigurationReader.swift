import Foundation
import Gateway
import OrderedCollections
import Yams

/// Reads a configuration file, the environment and flags against the table of settings.
///
/// It stops at nothing but a syntax error in the YAML itself: a value that is wrong is reported, replaced by its
/// default, and reading goes on, so that one run finds every problem.
struct ConfigurationReader {
    /// A value as it was written.
    struct Source {
        var node: Node
        var origin: SettingOrigin
        /// What a weaker place says of the same key: it fills what this one leaves open.
        var under: [Source] = []
    }

    let file: String?
    var overrides: [String: Source] = [:]
    let readFile: ((String) throws -> String)?
    var problems: [ConfigurationProblem] = []
    /// Things that don't stop a start, such as an unknown variable of the environment.
    var warnings: [String] = []

    /// - Parameters:
    ///   - file: The configuration file's path, as it appears in messages.
    ///   - environment: The process's environment; variables that don't begin with `SOCKETIO_` are left alone.
    ///   - flags: `key=value` texts.
    ///   - readFile: Reads a file that a `…File` key names; `nil`: the file's name stands for the secret.
    init(
        file: String?,
        environment: [String: String],
        flags: [String],
        readFile: ((String) throws -> String)? = { try String(contentsOfFile: $0, encoding: .utf8) }
    ) {
        self.file = file
        self.readFile = readFile
        var fields: [String: SettingField] = [:]
        Self.collect(SettingTable.root, at: "", into: &fields)
        self.readEnvironment(environment, fields: fields)
        self.readFlags(flags, fields: fields)
    }

    /// Reads everything: the result holds a value or a default for each key of the table.
    mutating func read(yaml: String?, document: SettingsDocument? = nil) -> Setting {
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
            from: self.layered(document, over: root.map { Source(node: $0, origin: self.origin(of: $0)) }),
            at: "",
            inherited: origin
        )
    }

    // MARK: Values

    mutating func read(
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
    mutating func readValue(_ kind: SettingKind, _ source: Source, at path: String) -> Setting.Value? {
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
        case (.map(let rule, let element), .mapping):
            return self.readMap(rule, element, source, at: path)
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
        _ source: Source,
        at path: String
    ) -> Setting.Value {
        var members: OrderedDictionary<String, Setting> = [:]
        for (name, (origin, entry)) in self.entries(rule, source, at: path) {
            var member = self.read(element, from: entry, at: "\(path).\(name)", inherited: origin)
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
    mutating func members(
        of mapping: Node.Mapping,
        _ source: Source,
        known fields: [SettingField],
        at path: String
    ) -> [String: Source] {
        let names = fields.flatMap { field in [field.name] + (field.fileField.map { [$0.name] } ?? []) }
        var members: [String: Source] = [:]
        for under in source.under {
            guard case .mapping(let mapping) = under.node else { continue }
            members = self.members(of: mapping, under, known: fields, at: path)
        }
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
            members[name] = Source(
                node: node,
                origin: self.origin(of: node, within: source.origin),
                under: members[name].map { [$0] } ?? []
            )
        }
        return members
    }

    static func hint(for name: String, names: [String], at path: String) -> String {
        if let near = SettingNames.nearest(to: name, among: names) { return "did you mean \(near)?" }
        if let elsewhere = Self.paths().first(where: { $0.split(separator: ".").last.map(String.init) == name }) {
            return "did you mean \(elsewhere)?"
        }
        return "expected one of " + names.joined(separator: ", ")
    }
}
