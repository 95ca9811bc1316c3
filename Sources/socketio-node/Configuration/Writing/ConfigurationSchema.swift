import OrderedCollections
import SocketIOWire

/// The JSON Schema (draft 7) of configuration files, for editors.
///
/// It accepts whatever the node accepts without quotes that are not needed. It refuses less: it knows nothing of what
/// several settings say together, and little of bounds that have units.
enum ConfigurationSchema {
    /// Its place, beside `node.yaml`.
    static let fileName = "node.schema.json"

    /// The committed file.
    static var text: String { PrettyJSON.text(Self.value) + "\n" }

    static var value: JSONValue {
        var schema: JSONObject = [
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Configuration of socketio-node",
        ]
        let root = Self.optional(Self.record(SettingTable.root, at: ""))
        for (key, value) in root { schema[key] = value }
        schema["definitions"] = .object(["relations": .object(Self.relations)])
        return .object(schema)
    }

    /// The path is where the setting is, if the environment can set it; `nil` inside of maps and lists.
    private static func schema(_ field: SettingField, at path: String?) -> JSONObject {
        var schema: JSONObject = [:]
        var description = field.summary
        if let path, !Self.isRecord(field.kind) { description += " (\(SettingNames.environmentName(of: path)))" }
        schema["description"] = .string(description)
        let value = Self.schema(field.kind, at: path)
        for (key, value) in field.mustStandHere ? value : Self.optional(value) { schema[key] = value }
        if let literal = field.default { schema["default"] = literal.json }
        return schema
    }

    private static func schema(_ kind: SettingKind, at path: String? = nil) -> JSONObject {
        switch kind {
        case .bool: return ["type": "boolean"]
        case .integer(let range):
            return ["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)]
        case .duration(let range):
            let text: JSONValue = ["type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$"]
            return range.contains(0) ? ["anyOf": [text, ["const": 0]]] : text.objectValue ?? [:]
        case .bytes(let range):
            return [
                "anyOf": [
                    ["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)],
                    ["type": "string", "pattern": "^[0-9]+ *(KB|MB|GB|KiB|MiB|GiB)$"],
                ]
            ]
        case .text(let rule), .secret(let rule): return Self.text(rule)
        case .choice(let choices): return ["enum": .array(choices.map { .string($0) })]
        case .list(let element): return ["type": "array", "items": .object(Self.schema(element))]
        case .map(let rule, let element):
            return [
                "type": "object", "propertyNames": ["pattern": .string(rule.pattern)],
                "additionalProperties": .object(Self.entry(element)),
            ]
        case .record(let fields): return Self.record(fields, at: path)
        case .shorthand(let member, let fields):
            let short = fields.first { $0.name == member }.map { Self.schema($0.kind) } ?? [:]
            return ["anyOf": [.object(short), .object(Self.record(fields, at: nil))]]
        case .scalarOr(let scalar, let collection):
            return ["anyOf": [.object(Self.schema(scalar)), .object(Self.schema(collection))]]
        case .listOrTree: return ["$ref": "#/definitions/relations"]
        }
    }

    /// An entry of a map: a group of which every key has a default may be empty.
    private static func entry(_ kind: SettingKind) -> JSONObject {
        guard case .record(let fields) = kind, !fields.contains(where: \.isRequired) else { return Self.schema(kind) }
        return Self.optional(Self.schema(kind))
    }

    private static func record(_ fields: [SettingField], at path: String?) -> JSONObject {
        var properties: JSONObject = [:]
        var rules: [JSONValue] = []
        for field in fields {
            let fieldPath = path.map { $0.isEmpty ? field.name : "\($0).\(field.name)" }
            properties[field.name] = .object(Self.schema(field, at: fieldPath))
            guard let file = field.fileField else { continue }
            properties[file.name] = .object(Self.schema(file, at: fieldPath.map { $0 + "File" }))
            // Not both, unless one of them is empty.
            let both = [field.name, file.name].map { (UTF8Text($0), ["not": ["type": "null"]] as JSONValue) }
            rules.append([
                "not": [
                    "required": [.string(field.name), .string(file.name)],
                    "properties": .object(JSONObject(uniqueKeysWithValues: both)),
                ]
            ])
        }
        var schema: JSONObject = ["type": "object", "properties": .object(properties)]
        let required = fields.filter(\.mustStandHere).map { JSONValue.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        schema["additionalProperties"] = false
        if !rules.isEmpty { schema["allOf"] = .array(rules) }
        return schema
    }

    /// A text, and the numbers and truth values of YAML that the node takes as one.
    private static func text(_ rule: TextRule) -> JSONObject {
        var types: [JSONValue] = ["string"]
        if rule.accepts("7") { types.append("number") }
        if rule.accepts("true") { types.append("boolean") }
        return ["type": types.count == 1 ? "string" : .array(types), "pattern": .string(rule.pattern)]
    }

    /// The same, or nothing at all: `listen:` with nothing under it has the defaults.
    private static func optional(_ schema: JSONObject) -> JSONObject {
        var schema = schema
        switch (schema["type"], schema["enum"], schema["anyOf"]) {
        case (.array(let types)?, _, _): schema["type"] = .array(types + ["null"])
        case (let type?, _, _): schema["type"] = [type, "null"]
        case (_, .array(let choices)?, _): schema["enum"] = .array(choices + [.null])
        case (_, _, .array(let schemas)?): schema["anyOf"] = .array(schemas + [["type": "null"]])
        default: break
        }
        return schema
    }

    private static func isRecord(_ kind: SettingKind) -> Bool { if case .record = kind { true } else { false } }

    /// Paths of relations, or relations with what is kept below them.
    private static var relations: JSONObject {
        let below: JSONValue = [
            "anyOf": [["type": "boolean"], ["enum": ["*", "none"]], ["$ref": "#/definitions/relations"]]
        ]
        return [
            "anyOf": [
                ["type": "array", "items": .object(Self.text(.nonEmpty))],
                ["type": "object", "additionalProperties": below],
            ]
        ]
    }
}
