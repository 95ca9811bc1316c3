import Foundation
import OrderedCollections
import SocketIOWire
import Yams

/// As much of JSON Schema (draft 7) as the node's own schema uses.
struct SchemaCheck {
    let schema: JSONValue

    /// The places where a value is not as the schema wants it.
    func problems(_ value: JSONValue) -> [String] { self.problems(value, self.schema, at: "") }

    private static let keywords: Set<String> = [
        "$schema", "$ref", "title", "description", "default", "definitions", "type", "properties", "required",
        "additionalProperties", "propertyNames", "items", "enum", "const", "pattern", "minimum", "maximum", "anyOf",
        "allOf",
        "not",
    ]

    private func problems(_ value: JSONValue, _ schema: JSONValue, at path: String) -> [String] {
        guard let rules = schema.objectValue else { return schema.boolValue == false ? ["\(path): not allowed"] : [] }
        var problems: [String] = []
        for keyword in rules.keys where !Self.keywords.contains(keyword.description) {
            problems.append("\(path): the check does not know \(keyword)")
        }
        if let reference = rules["$ref"]?.stringValue {
            let name = String(reference.split(separator: "/").last ?? "")
            return self.problems(value, self.schema["definitions"]?[name] ?? false, at: path)
        }
        if let type = rules["type"] {
            let types = type.arrayValue ?? [type]
            if !types.contains(where: { Self.isA(value, $0.stringValue ?? "") }) { problems.append("\(path): type") }
        }
        if let choices = rules["enum"]?.arrayValue, !choices.contains(value) { problems.append("\(path): enum") }
        if let constant = rules["const"], constant != value { problems.append("\(path): const") }
        if let number = value.doubleValue {
            if let minimum = rules["minimum"]?.doubleValue, number < minimum { problems.append("\(path): minimum") }
            if let maximum = rules["maximum"]?.doubleValue, number > maximum { problems.append("\(path): maximum") }
        }
        if let text = value.stringValue, let pattern = rules["pattern"]?.stringValue, !Self.matches(text, pattern) {
            problems.append("\(path): pattern")
        }
        if let choices = rules["anyOf"]?.arrayValue,
            choices.allSatisfy({ !self.problems(value, $0, at: path).isEmpty })
        {
            problems.append("\(path): anyOf")
        }
        for rule in rules["allOf"]?.arrayValue ?? [] { problems += self.problems(value, rule, at: path) }
        if let rule = rules["not"], self.problems(value, rule, at: path).isEmpty { problems.append("\(path): not") }
        if let items = rules["items"] {
            for (index, element) in (value.arrayValue ?? []).enumerated() {
                problems += self.problems(element, items, at: "\(path)[\(index)]")
            }
        }
        return problems + self.memberProblems(value, rules, at: path)
    }

    private func memberProblems(_ value: JSONValue, _ rules: JSONObject, at path: String) -> [String] {
        guard let members = value.objectValue else { return [] }
        var problems: [String] = []
        for name in rules["required"]?.arrayValue ?? [] where members[name.stringValue ?? ""] == nil {
            problems.append("\(path): required \(name)")
        }
        let properties = rules["properties"]?.objectValue ?? [:]
        for (name, member) in members {
            let memberPath = path.isEmpty ? name.description : "\(path).\(name)"
            if let names = rules["propertyNames"] {
                problems += self.problems(.string(name.description), names, at: memberPath)
            }
            if let property = properties[name] ?? rules["additionalProperties"] {
                problems += self.problems(member, property, at: memberPath)
            }
        }
        return problems
    }

    private static func isA(_ value: JSONValue, _ type: String) -> Bool {
        switch type {
        case "null": value.isNull
        case "boolean": value.boolValue != nil
        case "integer": value.intValue != nil
        case "number": value.doubleValue != nil
        case "string": value.stringValue != nil
        case "array": value.arrayValue != nil
        case "object": value.objectValue != nil
        default: false
        }
    }

    static func matches(_ text: String, _ pattern: String) -> Bool {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return false }
        let range = NSRange(location: 0, length: text.utf16.count)
        return expression.firstMatch(in: text, range: range) != nil
    }

    /// A YAML file as an editor reads it.
    static func json(yaml: String) throws -> JSONValue {
        try Yams.compose(yaml: yaml).map(Self.json) ?? .null
    }

    private static func json(_ node: Node) -> JSONValue {
        switch node {
        case .scalar(let scalar):
            guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
            switch scalar.string {
            case "", "~", "null", "Null", "NULL": return .null
            case "true", "True", "TRUE": return true
            case "false", "False", "FALSE": return false
            case let text: return Int(text).map { .int($0) } ?? Double(text).map { .double($0) } ?? .string(text)
            }
        case .sequence(let sequence): return .array(sequence.map(Self.json))
        case .mapping(let mapping):
            return .object(
                mapping.reduce(into: [:]) { $0[$1.key.scalar?.string ?? "?"] = Self.json($1.value) }
            )
        case .alias: return .null
        }
    }
}
