import OrderedCollections
import SocketIOWire

/// The keywords about arrays, about objects, and about several schemas for the same value.
extension SchemaCompiler {
    mutating func arrays(_ keywords: Keywords, of index: SchemaNode.Index) {
        let isAny = keywords.hasAny(
            "prefixItems",
            "items",
            "contains",
            "minContains",
            "maxContains",
            "minItems",
            "maxItems",
            "uniqueItems"
        )
        guard isAny else { return }
        var rules = SchemaNode.ArrayRules()
        rules.prefix = self.subschemas("prefixItems", keywords)
        if keywords["items"]?.arrayValue != nil {
            self.report(keywords.place("items"), "must be one schema; write 'prefixItems' for a list of schemas")
        } else {
            rules.items = self.subschema("items", keywords)
        }
        rules.contains = self.subschema("contains", keywords)
        rules.minimumContains = self.count("minContains", keywords)
        rules.maximumContains = self.count("maxContains", keywords)
        rules.minimumCount = self.count("minItems", keywords)
        rules.maximumCount = self.count("maxItems", keywords)
        if let value = keywords["uniqueItems"] {
            if let areUnique = value.boolValue {
                rules.areUnique = areUnique
            } else {
                self.report(keywords.place("uniqueItems"), "must be true or false")
            }
        }
        self.nodes[index].array = rules
    }

    mutating func objects(_ keywords: Keywords, of index: SchemaNode.Index) {
        let isAny = keywords.hasAny(
            "properties",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas"
        )
        guard isAny else { return }
        var rules = SchemaNode.ObjectRules()
        for (name, schema) in self.schemaMap("properties", keywords) { rules.members[name] = schema }
        for (name, schema) in self.schemaMap("patternProperties", keywords) {
            let place = keywords.place("patternProperties").appending(name)
            if let pattern = self.pattern(name.string, at: place) { rules.patterns.append((pattern, schema)) }
        }
        rules.additional = self.subschema("additionalProperties", keywords)
        rules.names = self.subschema("propertyNames", keywords)
        rules.required = self.names(keywords["required"], at: keywords.place("required"))
        rules.minimumCount = self.count("minProperties", keywords)
        rules.maximumCount = self.count("maxProperties", keywords)
        rules.dependentSchemas = self.schemaMap("dependentSchemas", keywords)
        if let value = keywords["dependentRequired"] {
            let place = keywords.place("dependentRequired")
            if let members = value.objectValue {
                for (key, names) in members {
                    rules.dependentRequired.append((key, self.names(names, at: place.appending(key))))
                }
            } else {
                self.report(place, "must be an object of lists of names")
            }
        }
        self.nodes[index].object = rules
    }

    private mutating func names(_ value: JSONValue?, at place: JSONPointer) -> [UTF8Text] {
        guard let value else { return [] }
        let names = value.arrayValue?.compactMap { $0.stringValue.map { UTF8Text($0) } }
        if let names, names.count == value.arrayValue?.count { return names }
        self.report(place, "must be an array of strings")
        return []
    }

    mutating func combinations(_ keywords: Keywords, of index: SchemaNode.Index) {
        guard keywords.hasAny("allOf", "anyOf", "oneOf", "not", "if", "then", "else") else { return }
        var rules = SchemaNode.CombinedRules()
        rules.all = self.subschemas("allOf", keywords)
        rules.any = self.subschemas("anyOf", keywords)
        rules.one = self.subschemas("oneOf", keywords)
        rules.not = self.subschema("not", keywords)
        rules.condition = self.subschema("if", keywords)
        rules.then = self.subschema("then", keywords)
        rules.otherwise = self.subschema("else", keywords)
        self.nodes[index].combined = rules
    }
}
