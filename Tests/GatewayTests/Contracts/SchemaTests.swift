import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@testable import Gateway

/// What a schema accepts and refuses.
@Suite(.timeLimit(.minutes(1))) struct SchemaTests {
    /// The official tests whose schemas are outside of the subset: each must be refused, not misunderstood.
    private static let refused: Set<String> = [
        "defs/validate definition against metaschema",
        "not/collect annotations inside a 'not', even if collection is disabled",
        "optional/ecmascript-regex/pattern with non-ASCII digits",
        "optional/ecmascript-regex/patternProperties with non-ASCII digits",
        "ref/remote ref, containing refs itself",
        "ref/Recursive references between schemas",
        "ref/ref creates new scope when adjacent to keywords",
        "ref/refs with relative uris and defs",
        "ref/relative refs with absolute uris and defs",
        "ref/$id must be resolved against nearest parent, not just immediate parent",
        "ref/order of evaluation: $id and $ref",
        "ref/order of evaluation: $id and $anchor and $ref",
        "ref/order of evaluation: $id and $ref on nested schema",
        "ref/simple URN base URI with $ref via the URN",
        "ref/URN base URI with URN and JSON pointer ref",
        "ref/URN base URI with URN and anchor ref",
        "ref/URN ref with nested pointer ref",
        "ref/ref to if",
        "ref/ref to then",
        "ref/ref to else",
        "ref/ref with absolute-path-reference",
    ]

    @Test func officialTestsAgree() throws {
        let url = try #require(
            Bundle.module.url(forResource: "Fixtures/json-schema-2020-12", withExtension: "json")
        )
        let suite = try JSONValue(parsing: ByteBuffer(bytes: Data(contentsOf: url)))
        var checked = 0
        var refused: Set<String> = []
        for file in suite["files"]?.arrayValue ?? [] {
            for group in file["groups"]?.arrayValue ?? [] {
                let name = "\(file["file"]?.stringValue ?? "")/\(group["description"]?.stringValue ?? "")"
                let schema: JSONSchema
                do {
                    schema = try JSONSchema(try #require(group["schema"]))
                } catch {
                    refused.insert(name)
                    if !Self.refused.contains(name) { Issue.record("\(name): \(error)") }
                    continue
                }
                for test in group["tests"]?.arrayValue ?? [] {
                    let violations = schema.validate(try #require(test["data"]))
                    let title = "\(name): \(test["description"]?.stringValue ?? "")"
                    #expect(violations.isEmpty == (test["valid"] == true), "\(title): \(violations)")
                    checked += 1
                }
            }
        }
        #expect(refused == Self.refused)
        #expect(checked > 1000)
    }

    @Test(
        arguments: [
            (["type": "string"], 1, "", "type"),
            (["properties": ["a": ["items": ["type": "string"]]]], ["a": ["x", 1]], "/a/1", "type"),
            (["properties": ["a/b~c": ["type": "null"]]], ["a/b~c": 1], "/a~1b~0c", "type"),
            (["required": ["id"]], [:], "", "required"),
            (["additionalProperties": false, "properties": ["a": true]], ["b": 1], "/b", "false"),
            (["$ref": "#/$defs/id", "$defs": ["id": ["minimum": 1]]], 0, "", "minimum"),
            (["oneOf": [["type": "string"], ["type": "object", "required": ["x"]]]], [:], "", "oneOf"),
            (["propertyNames": ["maxLength": 2]], ["abc": 1], "/abc", "maxLength"),
            (["contains": ["const": 1]], [2], "", "contains"),
            (["dependentRequired": ["a": ["b"]]], ["a": 1], "", "dependentRequired"),
            (["if": ["const": 1], "then": false], 1, "", "false"),
            (["pattern": "^a+$"], "ab", "", "pattern"),
            (["uniqueItems": true], [["a": 1, "b": 2], ["b": 2.0, "a": 1]], "", "uniqueItems"),
        ] as [(JSONValue, JSONValue, String, String)]
    )
    func violationsSayWhere(_ document: JSONValue, _ value: JSONValue, _ path: String, _ keyword: String) throws {
        let violations = try JSONSchema(document).validate(value)
        let first = try #require(violations.first)
        #expect(first.path.description == path)
        #expect(first.keyword == keyword)
        // A message says what must be, and never repeats the value.
        #expect(!first.message.isEmpty)
    }

    /// An alternative that is the only one for the value's type tells what it misses.
    @Test func alternativesTellWhatIsMissing() throws {
        let schema = try JSONSchema([
            "anyOf": [["type": "string"], ["$ref": "#/$defs/user"]],
            "$defs": ["user": ["type": "object", "properties": ["name": ["type": "string"]]]],
        ])
        let violations = schema.validate(["name": 5])
        #expect(violations.map(\.path.description) == ["", "/name"])
    }

    @Test(
        arguments: [
            (["type": "text"], "/type", "must be one or a list of"),
            (["requird": ["a"]], "/requird", "did you mean 'required'"),
            (["unevaluatedProperties": false], "/unevaluatedProperties", "additionalProperties"),
            (["$ref": "other.json#/a"], "/$ref", "another document"),
            (["$ref": "#/$defs/none"], "/$ref", "not there"),
            (["$ref": "#name"], "/$ref", "JSON Pointer"),
            (["$ref": "#"], "the schema", "refers to itself"),
            (["allOf": [["anyOf": [["$ref": "#"]]]]], "the schema", "refers to itself"),
            (["minLength": -1], "/minLength", "at least 0"),
            (["pattern": "(?=a)b"], "/pattern", "looks ahead"),
            (["pattern": #"(a)\1"#], "/pattern", "refers back"),
            (["patternProperties": ["(": true]], "/patternProperties/(", "without a ')'"),
            (["format": "phone"], "/format", "must be one of"),
            (["items": [true]], "/items", "prefixItems"),
            (["multipleOf": 0], "/multipleOf", "more than 0"),
            (["properties": ["a": 1]], "/properties/a", "must be a schema"),
            (["enum": 1], "/enum", "must be an array"),
            (["$schema": "http://json-schema.org/draft-07/schema#"], "/$schema", "2020-12"),
            (["properties": ["a": ["$id": "x"]]], "/properties/a/$id", "outermost"),
        ] as [(JSONValue, String, String)]
    )
    func wrongSchemasAreRefused(_ document: JSONValue, _ path: String, _ part: String) {
        let error = #expect(throws: JSONSchemaError.self) { try JSONSchema(document) }
        let text = error?.description ?? ""
        #expect(text.hasPrefix(path + " "), "\(text)")
        #expect(text.contains(part), "\(text)")
    }

    @Test func allProblemsAreTold() {
        let error = #expect(throws: JSONSchemaError.self) {
            try JSONSchema(["type": "text", "properties": ["a": ["minimum": "1"]], "foo": 1])
        }
        #expect(error?.problems.count == 3)
    }

    @Test func bytesAreAFormatOfTheirOwn() throws {
        let bytes = JSONValue.binary(ByteBuffer(bytes: [1, 2, 3]))
        let schema = try JSONSchema(["type": "string", "format": "binary", "maxLength": 3])
        #expect(schema.validate(bytes).isEmpty)
        #expect(schema.validate("abc").first?.message == "must be bytes, but is a string")
        #expect(schema.validate(.binary(ByteBuffer(bytes: [1, 2, 3, 4]))).first?.keyword == "maxLength")
        #expect(try JSONSchema(["type": "string"]).validate(bytes).first?.message.contains("bytes") == true)
        #expect(try JSONSchema(true).validate(bytes).isEmpty)
    }

    /// Names are told apart by their bytes.
    @Test func namesAreBytes() throws {
        let schema = try JSONSchema(["required": ["\u{E9}"], "const": ["\u{E9}": 1]])
        #expect(schema.validate(["\u{E9}": 1]).isEmpty)
        #expect(!schema.validate(["e\u{301}": 1]).isEmpty)
        #expect(try JSONSchema(["enum": ["K"]]).validate("\u{212A}").count == 1)
    }

    // MARK: Hostile schemas and values

    /// A schema that multiplies at each level, and a value that makes each combination be tried.
    @Test func answersAreKeptWhereWaysMeet() throws {
        var definitions = JSONObject()
        for level in 0..<20 {
            let next: JSONValue = ["$ref": .string("#/$defs/l\(level + 1)")]
            definitions["l\(level)"] = ["anyOf": [next, next, next]]
        }
        definitions["l20"] = ["type": "string"]
        let schema = try JSONSchema(["$ref": "#/$defs/l0", "$defs": .object(definitions)])
        #expect(schema.validate("a").isEmpty)
        // 3 to the power of 20 steps would not end within the limit.
        #expect(schema.validate(1).first?.keyword == "anyOf")
    }

    /// A recursive schema with two ways down at each level.
    @Test func recursionIsLinear() throws {
        let schema = try JSONSchema([
            "$defs": [
                "tree": [
                    "anyOf": [
                        ["type": "object", "required": ["a"], "properties": ["a": ["$ref": "#/$defs/tree"]]],
                        [
                            "type": "object", "required": ["a", "b"],
                            "properties": ["a": ["$ref": "#/$defs/tree"], "b": true],
                        ], ["type": "null"],
                    ]
                ]
            ], "$ref": "#/$defs/tree",
        ])
        var valid = JSONValue.null
        var invalid: JSONValue = 1
        for _ in 0..<100 {
            valid = ["a": valid, "b": 1]
            invalid = ["a": invalid, "b": 1]
        }
        #expect(schema.validate(valid).isEmpty)
        let violations = schema.validate(invalid)
        #expect(violations.first?.keyword == "anyOf")
    }

    @Test func largeValuesAreGivenUp() throws {
        var limits = JSONSchema.Limits()
        limits.maximumSteps = 1_000
        let schema = try JSONSchema(["items": ["not": ["type": "string"]]], limits: limits)
        #expect(schema.validate(.array(Array(repeating: 1, count: 100))).isEmpty)
        let violations = schema.validate(.array(Array(repeating: 1, count: 10_000)))
        #expect(violations.map(\.keyword) == ["maximumSteps"])
    }

    @Test func deepValuesAreGivenUp() throws {
        let schema = try JSONSchema(["items": ["$ref": "#"]])
        var value: JSONValue = []
        for _ in 0..<250 { value = [value] }
        #expect(schema.validate(value).isEmpty)
        for _ in 0..<250 { value = [value] }
        #expect(schema.validate(value).map(\.keyword) == ["maximumDepth"])
    }

    @Test func largeSchemasAreRefused() {
        let many = JSONValue.array(Array(repeating: [:], count: 6_000))
        let error = #expect(throws: JSONSchemaError.self) { try JSONSchema(["anyOf": many]) }
        #expect(error?.description.contains("5000 schemas") == true)
        var deep: JSONValue = [:]
        for _ in 0..<100 { deep = ["items": deep] }
        let other = #expect(throws: JSONSchemaError.self) { try JSONSchema(deep) }
        #expect(other?.description.contains("lies deeper than 48") == true)
        var chain = JSONObject()
        for level in 0..<60 { chain["c\(level)"] = ["$ref": .string("#/$defs/c\(level + 1)")] }
        chain["c60"] = true
        let third = #expect(throws: JSONSchemaError.self) {
            try JSONSchema(["$ref": "#/$defs/c0", "$defs": .object(chain)])
        }
        #expect(third?.description.contains("one after the other") == true)
    }

    @Test func violationsAreLimited() throws {
        let schema = try JSONSchema(["items": ["type": "string"]])
        #expect(schema.validate(.array(Array(repeating: 1, count: 1_000))).count == 20)
        let name = String(repeating: "x", count: 100_000)
        let violations = try JSONSchema(["additionalProperties": false]).validate([UTF8Text(name): 1])
        #expect(violations.first.map { $0.path.description.utf8.count < 400 } == true)
    }
}
