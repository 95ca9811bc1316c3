import OrderedCollections
import SocketIOWire

/// One run of the sanitiser for one projection.
struct SanitisingPass {
    let schema: Schema
    let blocklist: Blocklist
    let projection: Projection

    static let identity: Set<UTF8Text> = ["id", "documentId", "locale", "__component", "__type"]
    private static let creators: Set<UTF8Text> = ["createdBy", "updatedBy"]
    static let creatorFields: Set<UTF8Text> = ["firstname", "lastname", "username"]

    /// An entry or a list of entries; `nil` if it is too deep.
    ///
    /// Then the key that led here is dropped.
    func entries(
        _ value: JSONValue,
        shape: Shape,
        branch: Selection.Branch,
        depth: Int
    ) throws(SanitisationError) -> JSONValue? {
        switch value {
        case .object(let object):
            guard depth <= Sanitiser.maximumDepth else { return nil }
            return .object(try self.entry(object, shape: shape, branch: branch, depth: depth))
        case .array(let elements):
            guard depth <= Sanitiser.maximumDepth else { return nil }
            var kept: [JSONValue] = []
            kept.reserveCapacity(elements.count)
            for element in elements {
                // A list directly in a list counts as one step deeper. Otherwise lists could nest without end.
                let isList = element.arrayValue != nil
                let clean = try self.entries(
                    element,
                    shape: shape,
                    branch: branch,
                    depth: isList ? depth + 1 : depth
                )
                if let clean { kept.append(clean) }
            }
            return .array(kept)
        case .null, .bool, .int, .double, .string, .binary:
            return value
        }
    }

    private func entry(
        _ object: JSONObject,
        shape: Shape,
        branch: Selection.Branch,
        depth: Int
    ) throws(SanitisationError) -> JSONObject {
        var kept = JSONObject(minimumCapacity: object.count)
        let rule = self.projection.rules[shape.uid]
        for (key, value) in object {
            if Self.identity.contains(key) {
                // An object in this place is no id, and nothing would have checked what it holds.
                if !value.isContainer { kept[key] = value }
                continue
            }
            if self.blocklist.blocks(key) || shape.hidden.contains(key) { continue }
            if let rule, !rule.permits(key) { continue }
            if Self.creators.contains(key) {
                if shape.populatesCreatorFields { kept[key] = self.creator(value) }
                continue
            }
            guard let field = shape.fields[key] else {
                guard shape.keepsUnknownFields, !self.blocklist.blocksUndeclared(key) else { continue }
                kept[key] = self.undeclared(value, hidden: shape.hidden, depth: depth + 1)
                continue
            }
            kept[key] = try self.field(field, key, value, shape: shape, branch: branch, depth: depth)
        }
        return kept
    }

    /// The value of a declared field; `nil` if the key is dropped.
    private func field(
        _ field: Field,
        _ key: UTF8Text,
        _ value: JSONValue,
        shape: Shape,
        branch: Selection.Branch,
        depth: Int
    ) throws(SanitisationError) -> JSONValue? {
        switch field.kind {
        case .password:
            return nil
        case .scalar(let scalar):
            if let fields = branch.fields, !fields.contains(key) { return nil }
            // Rich text as blocks is the one scalar that is written as JSON.
            return scalar == .blocks ? self.opaque(value, depth: depth + 1) : self.scalar(value)
        case .json:
            if let fields = branch.fields, !fields.contains(key) { return nil }
            return self.opaque(value, depth: depth + 1)
        case .relation(let target):
            guard let below = branch.selection.relation(key) else { return nil }
            guard self.projection.visibleTargets.contains(UTF8Text(target)) else { return nil }
            guard let shape = self.schema.declaredShape(target) ?? self.file(target) else {
                throw .unknownType(target)
            }
            return try self.entries(value, shape: shape, branch: below, depth: depth + 1)
        case .morph:
            guard let below = branch.selection.relation(key) else { return nil }
            return try self.morph(value, branch: below, depth: depth + 1)
        case .media:
            return try self.entries(
                value,
                shape: self.schema.file,
                branch: branch.selection.embedded(key),
                depth: depth + 1
            )
        case .component(let uid):
            guard let shape = self.schema.declaredShape(uid) else { throw .unknownType(uid) }
            return try self.entries(
                value,
                shape: shape,
                branch: branch.selection.embedded(key),
                depth: depth + 1
            )
        case .dynamicZone(let uids):
            return try self.dynamicZone(
                value,
                uids: uids,
                branch: branch.selection.embedded(key),
                depth: depth + 1
            )
        }
    }

    private func file(_ target: String) -> Shape? {
        target == Schema.fileUID ? self.schema.file : nil
    }

    /// The related entries whose `__type` the audience may see; `nil` if none is left.
    private func morph(
        _ value: JSONValue,
        branch: Selection.Branch,
        depth: Int
    ) throws(SanitisationError) -> JSONValue? {
        switch value {
        case .null:
            return .null
        case .array(let elements):
            var kept: [JSONValue] = []
            for element in elements where element.objectValue != nil {
                if let clean = try self.morph(element, branch: branch, depth: depth) { kept.append(clean) }
            }
            if kept.isEmpty && !elements.isEmpty { return nil }
            return .array(kept)
        case .object(let object):
            guard let type = object["__type"]?.stringValue, self.projection.visibleTargets.contains(UTF8Text(type)),
                let shape = self.schema.declaredShape(type)
            else { return nil }
            return try self.entries(value, shape: shape, branch: branch, depth: depth)
        case .bool, .int, .double, .string, .binary:
            return nil
        }
    }

    private func dynamicZone(
        _ value: JSONValue,
        uids: [String],
        branch: Selection.Branch,
        depth: Int
    ) throws(SanitisationError) -> JSONValue? {
        guard case .array(let elements) = value else { return value == .null ? .null : nil }
        var kept: [JSONValue] = []
        for element in elements {
            guard let uid = element["__component"]?.stringValue,
                uids.contains(where: { UTF8Text($0) == UTF8Text(uid) })
            else { continue }
            guard let shape = self.schema.declaredShape(uid) else { throw .unknownType(uid) }
            if let clean = try self.entries(element, shape: shape, branch: branch, depth: depth) {
                kept.append(clean)
            }
        }
        return .array(kept)
    }
}
