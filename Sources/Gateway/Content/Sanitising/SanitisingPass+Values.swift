import OrderedCollections
import SocketIOWire

/// Values that have no declared fields.
extension SanitisingPass {
    /// The person who made an entry, reduced to a name.
    func creator(_ value: JSONValue) -> JSONValue? {
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
    func scalar(_ value: JSONValue) -> JSONValue? {
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
    func opaque(_ value: JSONValue, depth: Int) -> JSONValue? {
        self.filter(value, depth: depth) { self.blocklist.blocks($0) }
    }

    /// The value of a field that nobody declared.
    ///
    /// The names that its type hides are hidden inside of it, too.
    func undeclared(_ value: JSONValue, hidden: Set<UTF8Text>, depth: Int) -> JSONValue? {
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
