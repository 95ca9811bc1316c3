import OrderedCollections
import SocketIOWire

/// One compiled schema or subschema.
///
/// Subschemas are named by their index in the list of all nodes, so that a schema may contain itself.
struct SchemaNode: Sendable {
    typealias Index = Int

    /// Where the node stands in the document.
    let path: JSONPointer
    /// The schema `false`, which nothing satisfies.
    var isNever = false
    var reference: Index?
    var types: SchemaTypes?
    var enumeration: Enumeration?
    var number: NumberRules?
    var string: StringRules?
    var array: ArrayRules?
    var object: ObjectRules?
    var combined: CombinedRules?
    /// Whether other nodes refer to it, so that it may be asked several times about the same value.
    var isShared = false

    init(path: JSONPointer) { self.path = path }

    /// The values of `enum` or `const`.
    struct Enumeration: Sendable {
        let keyword: String
        let count: Int
        let values: [Int: [JSONValue]]

        init(keyword: String, values: [JSONValue]) {
            self.keyword = keyword
            self.count = values.count
            self.values = Dictionary(grouping: values, by: \.equivalenceHash)
        }
    }

    struct NumberRules: Sendable {
        var multipleOf: SchemaNumber?
        var minimum: SchemaNumber?
        var maximum: SchemaNumber?
        var exclusiveMinimum: SchemaNumber?
        var exclusiveMaximum: SchemaNumber?
    }

    struct StringRules: Sendable {
        var minimumLength: Int?
        var maximumLength: Int?
        var pattern: LinearPattern?
        var format: SchemaFormat?
    }

    struct ArrayRules: Sendable {
        var prefix: [Index] = []
        var items: Index?
        var contains: Index?
        var minimumContains: Int?
        var maximumContains: Int?
        var minimumCount: Int?
        var maximumCount: Int?
        var areUnique = false
    }

    struct ObjectRules: Sendable {
        var members: [UTF8Text: Index] = [:]
        var patterns: [(pattern: LinearPattern, schema: Index)] = []
        var additional: Index?
        var names: Index?
        var required: [UTF8Text] = []
        var dependentRequired: [(key: UTF8Text, required: [UTF8Text])] = []
        var dependentSchemas: [(key: UTF8Text, schema: Index)] = []
        var minimumCount: Int?
        var maximumCount: Int?
    }

    struct CombinedRules: Sendable {
        var all: [Index] = []
        var any: [Index] = []
        var one: [Index] = []
        var not: Index?
        var condition: Index?
        var then: Index?
        var otherwise: Index?
    }

    /// The subschemas that are asked about the same value as the node itself.
    var subschemasOfSameValue: [Index] {
        var list: [Index] = []
        if let reference { list.append(reference) }
        if let object { list += object.dependentSchemas.map(\.schema) }
        if let combined {
            list += combined.all + combined.any + combined.one
            list += [combined.not, combined.condition, combined.then, combined.otherwise].compactMap(\.self)
        }
        return list
    }
}

/// A set of types, as the keyword `type` names them.
struct SchemaTypes: OptionSet, Sendable {
    let rawValue: UInt8

    static let null = SchemaTypes(rawValue: 1)
    static let boolean = SchemaTypes(rawValue: 2)
    static let integer = SchemaTypes(rawValue: 4)
    static let number = SchemaTypes(rawValue: 8)
    static let string = SchemaTypes(rawValue: 16)
    static let array = SchemaTypes(rawValue: 32)
    static let object = SchemaTypes(rawValue: 64)

    static let names: OrderedDictionary<UTF8Text, SchemaTypes> = [
        "null": .null, "boolean": .boolean, "integer": .integer, "number": .number, "string": .string,
        "array": .array, "object": .object,
    ]

    /// The types in a sentence: `string or null`.
    var words: String {
        Self.names.filter { self.contains($1) }.map { $0.key.string }.joined(separator: " or ")
    }

    /// Whether the value has one of the types.
    ///
    /// Bytes have none: they are for strings of the format `binary`.
    func contains(_ value: JSONValue, allowingBytes: Bool) -> Bool {
        switch value.kind {
        case .null: self.contains(.null)
        case .boolean: self.contains(.boolean)
        case .string: self.contains(.string)
        case .array: self.contains(.array)
        case .object: self.contains(.object)
        case .binary: allowingBytes && self.contains(.string)
        case .number:
            self.contains(.number) || (self.contains(.integer) && SchemaNumber(value)?.isInteger == true)
        }
    }
}
