public import SocketIOWire

/// A JSON Schema, compiled once, that tells what is wrong with a value in time that grows with the value's size.
///
/// It is a subset of draft 2020-12. A keyword that is not listed here is an error, because a rule that nobody applies is
/// worse than none; keywords that begin with `x-` are ignored.
///
/// | Keywords | Notes |
/// |---|---|
/// | `true`, `false` | as schemas |
/// | `type`, `enum`, `const` | `1.0` is an integer and equals `1` |
/// | `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf` | |
/// | `minLength`, `maxLength`, `pattern`, `format` | lengths in Unicode scalars; see below |
/// | `prefixItems`, `items`, `contains`, `minContains`, `maxContains`, `minItems`, `maxItems`, `uniqueItems` | |
/// | `properties`, `patternProperties`, `additionalProperties`, `propertyNames`, `required`, `minProperties`, `maxProperties`, `dependentRequired`, `dependentSchemas` | |
/// | `allOf`, `anyOf`, `oneOf`, `not`, `if`, `then`, `else` | |
/// | `$ref`, `$defs` | `#` and a JSON Pointer to a schema of the same document |
/// | `$schema`, `$id`, `$comment`, `title`, `description`, `default`, `examples`, `deprecated`, `readOnly`, `writeOnly`, `contentEncoding`, `contentMediaType` | say nothing about validity |
///
/// **Formats.** `date-time`, `date`, `time`, `uuid`, `email`, `uri`, `ipv4`, `ipv6`, `int32`, `int64`, `float` and
/// `double` are checked, others are errors. `binary` is not of JSON Schema: it stands for bytes, the attachments of a
/// Socket.IO packet. With it, `type: string` accepts bytes and nothing else, and lengths are in bytes.
///
/// **Patterns.** `pattern` and `patternProperties` take ECMAScript's regular expressions without back references and
/// without looking ahead or behind. They are matched in time that grows with the length of the text only.
///
/// **References.** A schema may contain itself for parts of a value. One that refers to itself for the same value, and so
/// would never end, is an error.
///
/// ```swift
/// import Gateway
/// import SocketIOWire
///
/// func check(_ message: JSONValue) throws -> [JSONSchema.Violation] {
///     let schema = try JSONSchema([
///         "type": "object", "required": ["text"], "properties": ["text": ["type": "string", "maxLength": 280]],
///     ])
///     return schema.validate(message)
/// }
/// ```
public struct JSONSchema: Sendable {
    /// What a schema may ask for.
    public struct Limits: Sendable, Hashable {
        /// The limits that apply unless others are given.
        public static let standard = Limits()

        /// The most schemas within a document: 5,000 by default.
        public var maximumSchemas = 5_000
        /// How deep schemas may stand inside of each other, and how many may be asked one after the other about the
        /// same value: 48 by default.
        public var maximumDepth = 48
        /// The most steps of one validation: a million by default.
        ///
        /// A value that would take more is reported as too large to be checked. A schema that is asked about a value is
        /// one step, and so are eight characters that are compared with a pattern.
        public var maximumSteps = 1_000_000
        /// The most violations that one validation reports: 20 by default.
        public var maximumViolations = 20

        /// Makes the standard limits.
        public init() {}
    }

    /// What is wrong with a value.
    public struct Violation: Sendable, Hashable, CustomStringConvertible {
        /// The part of the value that is wrong.
        public let path: JSONPointer
        /// The keyword that it does not fulfil, or `false` for the schema `false`.
        public let keyword: String
        /// The schema that asks for it, as a place within the document.
        public let schemaPath: JSONPointer
        /// What the part must be, without its content: `must be a string, but is a number`.
        public let message: String

        /// The path and the message.
        public var description: String {
            self.path == .root ? "the value \(self.message)" : "\(self.path) \(self.message)"
        }
    }

    /// The document that the schema was made of.
    public let document: JSONValue
    let nodes: [SchemaNode]
    let limits: Limits

    /// Compiles a schema.
    ///
    /// - Parameters:
    ///   - document: The schema as JSON.
    ///   - limits: What it may ask for.
    /// - Throws: ``JSONSchemaError`` with everything that is wrong with the document, and where.
    public init(_ document: JSONValue, limits: Limits = .standard) throws(JSONSchemaError) {
        var compiler = SchemaCompiler(document, limits: limits)
        self.nodes = try compiler.compile()
        self.document = document
        self.limits = limits
    }

    /// Tells what is wrong with a value.
    ///
    /// - Returns: Nothing if the value is valid, and at least one violation otherwise.
    public func validate(_ value: JSONValue) -> [Violation] {
        var validation = SchemaValidation(of: value, nodes: self.nodes, limits: self.limits)
        return validation.run()
    }
}

/// Everything that is wrong with a schema.
public struct JSONSchemaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// The place in the document.
        public let path: JSONPointer
        /// What is wrong, and what to do.
        public let message: String

        /// The path and the message.
        public var description: String { "\(self.path == .root ? "the schema" : "\(self.path)") \(self.message)" }
    }

    /// What is wrong; at least one problem, and at most 20.
    public let problems: [Problem]

    /// The problems, one after the other.
    public var description: String { self.problems.map(\.description).joined(separator: "; ") }
}
