public import OrderedCollections
public import SocketIOWire

/// What is different between two states of an entry, field by field.
///
/// Each changed field has `{old, new}`. Objects are compared field by field down to a depth; lists and deeper objects are
/// replaced as a whole. Where one side has no such field, or is no object, it is `{_replaced: true, old, new}`.
public struct FieldDifference: Sendable, Hashable {
    /// The differences by field; an object.
    public var changes: JSONObject

    /// Compares two states.
    ///
    /// - Parameters:
    ///   - old: The entry as it was.
    ///   - new: The entry as it is.
    ///   - excluded: Fields that do not count, at any depth.
    ///   - maximumDepth: How deep objects are compared; 1 compares the fields of the entry as a whole.
    public init(from old: JSONObject, to new: JSONObject, excluding excluded: [String] = [], maximumDepth: Int = 3) {
        self.changes = Self.compare(old, new, Set(excluded.map { UTF8Text($0) }), depth: max(1, maximumDepth))
    }

    /// Whether anything is different.
    public var hasChanges: Bool { !self.changes.isEmpty }

    /// The fields of the entry that are different.
    public var changedFields: [String] { self.changes.keys.map(\.string) }

    private static func compare(
        _ old: JSONObject,
        _ new: JSONObject,
        _ excluded: Set<UTF8Text>,
        depth: Int
    ) -> JSONObject {
        var changes = JSONObject()
        for (key, value) in new where !excluded.contains(key) {
            guard let former = old[key] else {
                changes[key] = Self.replaced(nil, value)
                continue
            }
            guard former != value else { continue }
            switch (former, value) {
            case (.object(let before), .object(let after)) where depth > 1:
                let inner = Self.compare(before, after, excluded, depth: depth - 1)
                if !inner.isEmpty { changes[key] = .object(inner) }
            case (.object, .object), (.array, .array):
                changes[key] = Self.replaced(former, value)
            default:
                let isOfOneKind = !former.isContainer && !value.isContainer
                changes[key] = isOfOneKind ? ["old": former, "new": value] : Self.replaced(former, value)
            }
        }
        for (key, former) in old where new[key] == nil && !excluded.contains(key) {
            changes[key] = Self.replaced(former, nil)
        }
        return changes
    }

    /// A side that has no such field has no such member.
    private static func replaced(_ old: JSONValue?, _ new: JSONValue?) -> JSONValue {
        var object: JSONObject = [Self.mark: true]
        object["old"] = old
        object["new"] = new
        return .object(object)
    }

    private static let mark: UTF8Text = "_replaced"

    // MARK: Applying

    /// Makes the new state of the old one.
    ///
    /// - Returns: The new state; `nil` if the old state is not the one that was compared.
    public func applied(to old: JSONObject) -> JSONObject? { Self.apply(self.changes, to: old) }

    private static func apply(_ changes: JSONObject, to old: JSONObject) -> JSONObject? {
        var result = old
        for (key, change) in changes {
            guard case .object(let change) = change else { return nil }
            if Self.isLeaf(change) {
                guard old[key] == change["old"] else { return nil }
                result[key] = change["new"]
            } else {
                guard case .object(let inner)? = old[key], let applied = Self.apply(change, to: inner) else {
                    return nil
                }
                result[key] = .object(applied)
            }
        }
        return result
    }

    /// Whether a part says what a field was and is, and is no object with differences of its own.
    ///
    /// The fields of an object may themselves be called `old` and `new`; then they have parts that are objects.
    private static func isLeaf(_ change: JSONObject) -> Bool {
        if case .bool(true)? = change[Self.mark] { return true }
        guard change.count == 2, let old = change["old"], let new = change["new"] else { return false }
        return !old.isContainer && !new.isContainer
    }

    /// `{hasChanges, changedFields, changedFieldCount, diff}`.
    public var value: JSONValue {
        [
            "hasChanges": .bool(self.hasChanges), "changedFields": .array(self.changedFields.map { .string($0) }),
            "changedFieldCount": .int(self.changes.count), "diff": .object(self.changes),
        ]
    }
}
