import OrderedCollections
import SocketIOWire

/// Why a value cannot be prepared for an audience.
///
/// Then nothing is sent.
enum SanitisationError: Error, Hashable, CustomStringConvertible {
    /// A field leads to a type or component that is not configured.
    case unknownType(String)
    /// A text or number stands where the `strapi4` format needs an entry.
    case entryIsNoObject

    var description: String {
        switch self {
        case .unknownType(let uid): "A field leads to '\(uid)', which is not configured"
        case .entryIsNoObject: "Entry must be an object"
        }
    }
}

/// Reduces an entry to what an audience may see.
///
/// If in doubt, it sends less: it drops what nobody declared public, and after an error nothing is sent.
struct Sanitiser: Sendable {
    let schema: Schema
    let blocklist: Blocklist

    /// The greatest depth.
    ///
    /// Objects that are nested more deeply are dropped, with the key that leads to them.
    static let maximumDepth = 20

    /// The part of a value that may be sent.
    ///
    /// The value is an entry or a list of entries. Anything else is returned unchanged. The projection says what the
    /// audience may see, and the selection says which relations to keep.
    func sanitise(
        _ value: JSONValue,
        as type: ContentType,
        for projection: Projection,
        selection: Selection
    ) throws(SanitisationError) -> JSONValue {
        let pass = Pass(schema: self.schema, blocklist: self.blocklist, projection: projection)
        guard
            let result = try pass.entries(
                value,
                shape: Shape(type),
                branch: .init(fields: nil, selection: selection),
                depth: 0
            )
        else { return .null }
        return result
    }
}

/// One run of the sanitiser for one projection.
private struct Pass {
    let schema: Schema
    let blocklist: Blocklist
    let projection: Projection

    private static let identity: Set<UTF8Text> = ["id", "documentId", "locale", "__component", "__type"]
    private static let creators: Set<UTF8Text> = ["createdBy", "updatedBy"]
    private static let creatorFields: Set<UTF8Text> = ["firstname", "lastname", "username"]

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

    /// The person who made an entry, reduced to a name.
    private func creator(_ value: JSONValue) -> JSONValue? {
        guard case .object(let object) = value else {
            // A ternary here would make `nil` the JSON null.
            if value.isContainer { return nil }
            return value
        }
        return .object(
            object.filter { key, value in
                !value.isContainer && (Self.identity.contains(key) || Self.creatorFields.contains(key))
            }
        )
    }

    /// A value without structure, or a list of such values; `nil` if it is an object.
    ///
    /// Nobody has declared what an object in this place holds, so it may hold secrets.
    private func scalar(_ value: JSONValue) -> JSONValue? {
        switch value {
        case .object: nil
        case .array(let elements): .array(elements.filter { !$0.isContainer })
        case .null, .bool, .int, .double, .string, .binary: value
        }
    }

    /// A value without declared structure.
    ///
    /// The blocklist applies at every depth.
    ///
    /// It is `nil` if the value is too deep.
    private func opaque(_ value: JSONValue, depth: Int) -> JSONValue? {
        self.filter(value, depth: depth) { self.blocklist.blocks($0) }
    }

    /// The value of a field that nobody declared.
    ///
    /// The names that its type hides are hidden inside of it, too.
    private func undeclared(_ value: JSONValue, hidden: Set<UTF8Text>, depth: Int) -> JSONValue? {
        self.filter(value, depth: depth) { hidden.contains($0) || self.blocklist.blocksUndeclared($0) }
    }

    private func filter(_ value: JSONValue, depth: Int, blocks: (UTF8Text) -> Bool) -> JSONValue? {
        switch value {
        case .object(let object):
            guard depth <= Sanitiser.maximumDepth else { return nil }
            var kept = JSONObject(minimumCapacity: object.count)
            for (key, value) in object where !blocks(key) {
                kept[key] = self.filter(value, depth: depth + 1, blocks: blocks)
            }
            return .object(kept)
        case .array(let elements):
            guard depth <= Sanitiser.maximumDepth else { return nil }
            return .array(
                elements.compactMap { element in
                    self.filter(
                        element,
                        depth: element.arrayValue == nil ? depth : depth + 1,
                        blocks: blocks
                    )
                }
            )
        case .null, .bool, .int, .double, .string, .binary:
            return value
        }
    }
}

extension JSONValue {
    var isContainer: Bool {
        switch self {
        case .object, .array: true
        case .null, .bool, .int, .double, .string, .binary: false
        }
    }
}
