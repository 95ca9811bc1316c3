import NIOCore
import OrderedCollections
import SocketIOWire

/// What the schemas ask for.
extension SchemaValidation {
    /// The first rule that the value at a place does not fulfil by itself.
    mutating func failure(of schema: SchemaNode.Index, at place: SchemaPlaces.Index) -> SchemaFailure? {
        if self.nodes[schema].isNever { return .never }
        let value = self.places.value(at: place)
        if let types = self.nodes[schema].types {
            let wantsBytes = self.nodes[schema].string?.format == .binary
            let isAllowed = types.contains(value, allowingBytes: wantsBytes)
            let isText = wantsBytes && value.kind == .string
            guard isAllowed, !isText else { return .type(types, wantsBytes: wantsBytes, found: value.kind) }
        }
        if let enumeration = self.nodes[schema].enumeration {
            let candidates = enumeration.values[self.places.hash(at: place)] ?? []
            guard candidates.contains(where: { $0.isEquivalent(to: value) }) else {
                return .enumeration(keyword: enumeration.keyword, count: enumeration.count)
            }
        }
        switch value {
        case .int, .double:
            if let rules = self.nodes[schema].number, let failure = Self.failure(of: value, rules) { return failure }
            guard let format = self.nodes[schema].string?.format, !format.matches(value) else { return nil }
            return .format(format)
        case .string(let text):
            guard let rules = self.nodes[schema].string else { return nil }
            return self.failure(of: text, rules)
        case .binary(let bytes):
            return self.nodes[schema].string.flatMap { rules in
                if let limit = rules.minimumLength, bytes.readableBytes < limit { return .tooShort(limit) }
                if let limit = rules.maximumLength, bytes.readableBytes > limit { return .tooLong(limit) }
                return nil
            }
        case .array(let elements):
            guard let rules = self.nodes[schema].array else { return nil }
            if let limit = rules.minimumCount, elements.count < limit { return .tooFewItems(limit) }
            if let limit = rules.maximumCount, elements.count > limit { return .tooManyItems(limit) }
            return rules.areUnique ? self.equalItems(at: place) : nil
        case .object(let members): return self.nodes[schema].object.flatMap { Self.failure(of: members, $0) }
        case .null, .bool: return nil
        }
    }

    private static func failure(of value: JSONValue, _ rules: SchemaNode.NumberRules) -> SchemaFailure? {
        guard let number = SchemaNumber(value) else { return nil }
        if let limit = rules.minimum, number < limit { return .below(limit) }
        if let limit = rules.maximum, limit < number { return .above(limit) }
        if let limit = rules.exclusiveMinimum, number <= limit { return .notAbove(limit) }
        if let limit = rules.exclusiveMaximum, limit <= number { return .notBelow(limit) }
        if let divisor = rules.multipleOf, !number.isMultiple(of: divisor) { return .noMultiple(divisor) }
        return nil
    }

    private mutating func failure(of text: String, _ rules: SchemaNode.StringRules) -> SchemaFailure? {
        let bytes = text.utf8.count
        // A character has one to four bytes, so most texts need not be counted.
        if let limit = rules.minimumLength, bytes < 4 * limit, bytes < limit || text.unicodeScalars.count < limit {
            return .tooShort(limit)
        }
        if let limit = rules.maximumLength, bytes > limit {
            guard self.spend(bytes / 64), bytes <= limit * 4, text.unicodeScalars.count <= limit else {
                return .tooLong(limit)
            }
        }
        if let format = rules.format, !format.matches(.string(text)) { return .format(format) }
        if let pattern = rules.pattern, !self.matches(pattern, text) { return .pattern(pattern.source) }
        return nil
    }

    private mutating func matches(_ pattern: LinearPattern, _ text: String) -> Bool {
        let perStep = 8
        var places = self.steps > Int.max / perStep ? Int.max : self.steps * perStep
        let before = places
        let isMatch = pattern.matches(text, steps: &places)
        let isLeft = self.spend(isMatch == nil ? self.steps + 1 : (before - places) / perStep)
        return isLeft && isMatch == true
    }

    private static func failure(of members: JSONObject, _ rules: SchemaNode.ObjectRules) -> SchemaFailure? {
        if let limit = rules.minimumCount, members.count < limit { return .tooFewMembers(limit) }
        if let limit = rules.maximumCount, members.count > limit { return .tooManyMembers(limit) }
        for name in rules.required where members[name] == nil { return .missing(name) }
        for (key, names) in rules.dependentRequired where members[key] != nil {
            for name in names where members[name] == nil { return .missingBeside(name, key) }
        }
        return nil
    }

    private mutating func equalItems(at place: SchemaPlaces.Index) -> SchemaFailure? {
        let parts = self.places.parts(of: place)
        guard self.spend(parts.count) else { return nil }
        var seen: [Int: Int] = [:]
        for part in parts {
            let hash = self.places.hash(at: part)
            if let other = seen[hash], self.places.value(at: part).isEquivalent(to: self.places.value(at: other)) {
                return .equalItems(other - parts.lowerBound, part - parts.lowerBound)
            }
            seen[hash] = part
        }
        return nil
    }

    // MARK: Parts

    /// Calls the body for each schema that must hold for a part of the value, or for the value as a whole, until it
    /// answers `false`.
    mutating func visitParts(
        of schema: SchemaNode.Index,
        at place: SchemaPlaces.Index,
        _ body: (inout SchemaValidation, SchemaNode.Index, SchemaPlaces.Index) -> Bool
    ) {
        if let reference = self.nodes[schema].reference, !body(&self, reference, place) { return }
        if let combined = self.nodes[schema].combined {
            for part in combined.all where !body(&self, part, place) { return }
            if let condition = combined.condition {
                let chosen = self.isValid(condition, at: place) ? combined.then : combined.otherwise
                if let chosen, !body(&self, chosen, place) { return }
            }
        }
        switch self.places.value(at: place) {
        case .array:
            guard let rules = self.nodes[schema].array, rules.items != nil || !rules.prefix.isEmpty else { return }
            let parts = self.places.parts(of: place)
            guard self.spend(parts.count) else { return }
            for (rule, part) in zip(rules.prefix, parts) where !body(&self, rule, part) { return }
            guard let items = rules.items else { return }
            for part in parts.dropFirst(rules.prefix.count) where !body(&self, items, part) { return }
        case .object(let members):
            guard let rules = self.nodes[schema].object else { return }
            for (key, rule) in rules.dependentSchemas where members[key] != nil {
                guard body(&self, rule, place) else { return }
            }
            self.visitMembers(members, rules, at: place, body)
        default:
            break
        }
    }

    private mutating func visitMembers(
        _ members: JSONObject,
        _ rules: SchemaNode.ObjectRules,
        at place: SchemaPlaces.Index,
        _ body: (inout SchemaValidation, SchemaNode.Index, SchemaPlaces.Index) -> Bool
    ) {
        let isNothing =
            rules.members.isEmpty && rules.patterns.isEmpty && rules.additional == nil && rules.names == nil
        guard !isNothing else { return }
        let parts = self.places.parts(of: place)
        guard self.spend(parts.count) else { return }
        for (key, part) in zip(members.keys, parts) {
            if let names = rules.names {
                let name = self.places.name(key, of: place)
                guard body(&self, names, name) else { return }
            }
            var isKnown = false
            if let rule = rules.members[key] {
                isKnown = true
                guard body(&self, rule, part) else { return }
            }
            for (pattern, rule) in rules.patterns where self.matches(pattern, key.string) {
                isKnown = true
                guard body(&self, rule, part) else { return }
            }
            if !isKnown, let rule = rules.additional, !body(&self, rule, part) { return }
        }
    }

    // MARK: Combinations

    /// Which rule about several schemas the value at a place does not fulfil.
    mutating func combinationFailure(of schema: SchemaNode.Index, at place: SchemaPlaces.Index) -> SchemaFailure? {
        if case .array = self.places.value(at: place), let rules = self.nodes[schema].array,
            let contains = rules.contains
        {
            let parts = self.places.parts(of: place)
            guard self.spend(parts.count) else { return nil }
            let minimum = rules.minimumContains ?? 1
            var count = 0
            for part in parts where self.isValid(contains, at: part) {
                count += 1
                if count >= minimum, rules.maximumContains == nil { break }
            }
            if count < minimum { return .containsTooFew(minimum) }
            if let maximum = rules.maximumContains, count > maximum { return .containsTooMany(maximum) }
        }
        guard let combined = self.nodes[schema].combined else { return nil }
        if !combined.any.isEmpty {
            var isAny = false
            for part in combined.any where !isAny { isAny = self.isValid(part, at: place) }
            if !isAny { return .noAlternative(keyword: "anyOf", count: combined.any.count) }
        }
        if !combined.one.isEmpty {
            var count = 0
            for part in combined.one where count < 2 { count += self.isValid(part, at: place) ? 1 : 0 }
            if count == 0 { return .noAlternative(keyword: "oneOf", count: combined.one.count) }
            if count > 1 { return .severalAlternatives }
        }
        if let not = combined.not, self.isValid(not, at: place) { return .forbidden }
        return nil
    }
}
