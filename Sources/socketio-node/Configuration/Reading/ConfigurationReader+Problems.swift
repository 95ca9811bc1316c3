import Foundation
import Yams

/// Where values stand, and what is wrong with them.
extension ConfigurationReader {
    func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    func origin(of node: Node, within origin: SettingOrigin? = nil) -> SettingOrigin {
        switch origin {
        case .document, .environment, .flag, .default: return origin ?? .default
        case .file, nil:
            let mark = node.mark
            return .file(path: self.file ?? "configuration", line: mark?.line ?? 1, column: mark?.column ?? 1)
        }
    }

    mutating func report(_ source: Source, at path: String, _ kind: SettingKind, hint: String = "") {
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

    func fileProblem(line: Int, column: Int, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(
            path: "",
            origin: .file(path: self.file ?? "configuration", line: line, column: column),
            message: message
        )
    }

    func problem(_ error: YamlError) -> ConfigurationProblem {
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
                    + ". Put what stands below the second one below the first."
            )
        default:
            return self.fileProblem(line: 1, column: 1, "is not valid YAML: \(error)")
        }
    }

    static func quote(_ text: String) -> String {
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
