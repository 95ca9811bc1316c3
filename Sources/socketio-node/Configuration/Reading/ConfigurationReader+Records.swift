import Foundation
import OrderedCollections
import Yams

/// Groups of settings, with their defaults and secrets.
extension ConfigurationReader {
    mutating func readRecord(
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
                if let literal = field.default { setting = self.defaultValue(field, literal, at: fieldPath) }
            }
            result[field.name] = setting
        }
        return Setting(path: path, origin: origin, value: .members(result))
    }

    private mutating func defaultValue(_ field: SettingField, _ literal: SettingLiteral, at path: String) -> Setting {
        guard let node = try? Yams.compose(yaml: literal.yaml) else {
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
        if case .document? = given?.origin {
            // Everybody who may read the settings of the cluster could read it there.
            self.problems.append(
                ConfigurationProblem(
                    path: path,
                    origin: given?.origin ?? .default,
                    message: "is a secret, which nobody can keep in a document; expected \(field.name)File, or the file"
                )
            )
            return Setting(path: path, origin: .default, value: .unset)
        }
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
            guard let readFile = self.readFile else {
                return Setting(path: path, origin: named.origin, value: .text("file \(name)"))
            }
            do {
                let text = try readFile(name).trimmingCharacters(in: .whitespacesAndNewlines)
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
}
