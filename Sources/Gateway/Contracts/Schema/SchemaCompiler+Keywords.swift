import OrderedCollections
import SocketIOWire

/// The keywords of a schema.
extension SchemaCompiler {
    /// Keywords that say nothing about validity.
    private static let annotations: Set<UTF8Text> = [
        "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly", "contentEncoding", "contentMediaType",
    ]

    /// Keywords that are checked.
    private static let rules: [UTF8Text] = [
        "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "pattern", "format", "prefixItems", "items", "contains", "minContains", "maxContains",
        "minItems", "maxItems", "uniqueItems", "properties", "patternProperties", "additionalProperties",
        "propertyNames", "required", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "allOf",
        "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$defs",
    ]

    /// Keywords that draft 2020-12 or an older one has, with what to do instead.
    private static let refused: [UTF8Text: String] = [
        "unevaluatedProperties": "list the members and write 'additionalProperties'",
        "unevaluatedItems": "write 'items'",
        "$dynamicRef": "write '$ref'",
        "$dynamicAnchor": "write '$defs' and '$ref' with a JSON Pointer",
        "$anchor": "write '$defs' and '$ref' with a JSON Pointer",
        "$vocabulary": "leave it out",
        "$recursiveRef": "write '$ref'",
        "$recursiveAnchor": "leave it out",
        "contentSchema": "leave it out",
        "definitions": "write '$defs'",
        "dependencies": "write 'dependentRequired' or 'dependentSchemas'",
        "additionalItems": "write 'prefixItems' and 'items'",
        "nullable": "write 'type' as a list with \"null\"",
        "id": "write '$id'",
    ]

    mutating func keywords(_ members: JSONObject, of index: SchemaNode.Index, at path: JSONPointer, depth: Int) {
        for (key, value) in members {
            let place = path.appending(key)
            if key == "$schema" { self.checkDialect(value, at: place) }
            if key == "$id", path != .root { self.report(place, "may stand only in the outermost schema") }
            if Self.annotations.contains(key) || key.hasPrefix("x-") || Self.rules.contains(key) { continue }
            if let advice = Self.refused[key] {
                self.report(place, "is a keyword that is not supported: \(advice)")
            } else {
                let nearest = Spelling.nearest(to: key.string, among: Self.rules.map(\.string))
                self.report(place, "is no keyword that is known" + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
            }
        }
        let keywords = Keywords(members: members, path: path, depth: depth)
        self.general(keywords, of: index)
        self.numbers(keywords, of: index)
        self.strings(keywords, of: index)
        self.arrays(keywords, of: index)
        self.objects(keywords, of: index)
        self.combinations(keywords, of: index)
    }

    /// The members of one schema.
    struct Keywords {
        let members: JSONObject
        let path: JSONPointer
        let depth: Int

        subscript(_ key: UTF8Text) -> JSONValue? { self.members[key] }
        func place(_ key: UTF8Text) -> JSONPointer { self.path.appending(key) }
        func hasAny(_ keys: UTF8Text...) -> Bool { keys.contains { self.members[$0] != nil } }
    }

    private mutating func checkDialect(_ value: JSONValue, at place: JSONPointer) {
        guard let text = value.stringValue,
            UTF8Text(text) == "https://json-schema.org/draft/2020-12/schema"
                || UTF8Text(text) == "https://json-schema.org/draft/2020-12/schema#"
        else {
            self.report(place, "must be 'https://json-schema.org/draft/2020-12/schema', or be left out")
            return
        }
    }

    private mutating func general(_ keywords: Keywords, of index: SchemaNode.Index) {
        if let value = keywords["$ref"] {
            if let target = value.stringValue {
                self.refer(target, from: index, at: keywords.place("$ref"))
            } else {
                self.report(keywords.place("$ref"), "must be a string")
            }
        }
        _ = self.schemaMap("$defs", keywords)
        if let value = keywords["type"] { self.nodes[index].types = self.types(value, at: keywords.place("type")) }
        if let value = keywords["enum"] {
            if let values = value.arrayValue {
                self.nodes[index].enumeration = SchemaNode.Enumeration(keyword: "enum", values: values)
            } else {
                self.report(keywords.place("enum"), "must be an array")
            }
        }
        if let value = keywords["const"] {
            if keywords["enum"] != nil { self.report(keywords.place("const"), "may not stand beside 'enum'") }
            self.nodes[index].enumeration = SchemaNode.Enumeration(keyword: "const", values: [value])
        }
    }

    private mutating func types(_ value: JSONValue, at place: JSONPointer) -> SchemaTypes? {
        let names = value.arrayValue ?? [value]
        var types: SchemaTypes = []
        for name in names {
            guard let text = name.stringValue, let type = SchemaTypes.names[UTF8Text(text)] else {
                let known = SchemaTypes.names.keys.map(\.string).joined(separator: ", ")
                self.report(place, "must be one or a list of: \(known)")
                return nil
            }
            types.formUnion(type)
        }
        if names.isEmpty { self.report(place, "must name at least one type") }
        return types
    }

    private mutating func numbers(_ keywords: Keywords, of index: SchemaNode.Index) {
        let isAny = keywords.hasAny("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
        guard isAny else { return }
        var rules = SchemaNode.NumberRules()
        rules.minimum = self.number("minimum", keywords)
        rules.maximum = self.number("maximum", keywords)
        rules.exclusiveMinimum = self.number("exclusiveMinimum", keywords)
        rules.exclusiveMaximum = self.number("exclusiveMaximum", keywords)
        rules.multipleOf = self.number("multipleOf", keywords)
        if let divisor = rules.multipleOf, divisor <= .integer(0) {
            self.report(keywords.place("multipleOf"), "must be more than 0")
            rules.multipleOf = nil
        }
        self.nodes[index].number = rules
    }

    private mutating func number(_ key: UTF8Text, _ keywords: Keywords) -> SchemaNumber? {
        guard let value = keywords[key] else { return nil }
        if let number = SchemaNumber(value), number.double.isFinite { return number }
        self.report(keywords.place(key), "must be a number")
        return nil
    }

    private mutating func strings(_ keywords: Keywords, of index: SchemaNode.Index) {
        guard keywords.hasAny("minLength", "maxLength", "pattern", "format") else { return }
        var rules = SchemaNode.StringRules()
        rules.minimumLength = self.count("minLength", keywords)
        rules.maximumLength = self.count("maxLength", keywords)
        if let value = keywords["pattern"] {
            if let text = value.stringValue {
                rules.pattern = self.pattern(text, at: keywords.place("pattern"))
            } else {
                self.report(keywords.place("pattern"), "must be a string with a regular expression")
            }
        }
        if let value = keywords["format"] {
            rules.format = value.stringValue.flatMap { SchemaFormat(UTF8Text($0)) }
            if rules.format == nil {
                let names = SchemaFormat.allCases.map(\.rawValue).joined(separator: ", ")
                self.report(keywords.place("format"), "must be one of: \(names)")
            }
        }
        self.nodes[index].string = rules
    }

    mutating func pattern(_ text: String, at place: JSONPointer) -> LinearPattern? {
        do {
            return try LinearPattern(text)
        } catch {
            self.report(place, error.message)
            return nil
        }
    }

    mutating func count(_ key: UTF8Text, _ keywords: Keywords) -> Int? {
        guard let value = keywords[key] else { return nil }
        // Nothing that is counted gets near this, and four times as much still fits.
        if let count = value.intValue, count >= 0 { return min(count, 1 << 48) }
        self.report(keywords.place(key), "must be an integer of at least 0")
        return nil
    }

    // MARK: Subschemas

    mutating func subschema(_ key: UTF8Text, _ keywords: Keywords) -> SchemaNode.Index? {
        keywords[key].map { self.schema($0, at: keywords.place(key), depth: keywords.depth + 1) }
    }

    mutating func subschemas(_ key: UTF8Text, _ keywords: Keywords) -> [SchemaNode.Index] {
        guard let value = keywords[key] else { return [] }
        let place = keywords.place(key)
        guard let elements = value.arrayValue, !elements.isEmpty else {
            self.report(place, "must be an array of at least one schema")
            return []
        }
        var list: [SchemaNode.Index] = []
        for (index, element) in elements.enumerated() {
            list.append(self.schema(element, at: place.appending(index), depth: keywords.depth + 1))
        }
        return list
    }

    mutating func schemaMap(_ key: UTF8Text, _ keywords: Keywords) -> [(key: UTF8Text, schema: SchemaNode.Index)] {
        guard let value = keywords[key] else { return [] }
        let place = keywords.place(key)
        guard let members = value.objectValue else {
            self.report(place, "must be an object of schemas")
            return []
        }
        var list: [(key: UTF8Text, schema: SchemaNode.Index)] = []
        for (name, member) in members {
            list.append((name, self.schema(member, at: place.appending(name), depth: keywords.depth + 1)))
        }
        return list
    }
}
