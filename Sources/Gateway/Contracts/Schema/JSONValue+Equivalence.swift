import OrderedCollections
import SocketIOWire

/// Equality as JSON Schema means it: numbers by their value, and objects whatever the order of their members.
extension JSONValue {
    func isEquivalent(to other: JSONValue) -> Bool {
        switch (self, other) {
        case (.int, _), (.double, _):
            switch (SchemaNumber(self), SchemaNumber(other)) {
            case (.integer(let left)?, .integer(let right)?): return left == right
            case (.double(let left)?, .double(let right)?): return left == right
            case (nil, _): return other.kind == .null
            default: return false
            }
        case (.array(let left), .array(let right)):
            guard left.count == right.count else { return false }
            return zip(left, right).allSatisfy { $0.isEquivalent(to: $1) }
        case (.object(let left), .object(let right)):
            guard left.count == right.count else { return false }
            return left.allSatisfy { key, value in right[key].map { value.isEquivalent(to: $0) } ?? false }
        case (.null, _):
            return other.kind == .null
        default:
            return self == other
        }
    }

    /// A number that equivalent values have in common.
    ///
    /// It is seeded for each process, so nobody can send values that all have the same one.
    var equivalenceHash: Int {
        var hasher = Hasher()
        switch self {
        case .null:
            hasher.combine(0)
        case .int, .double:
            switch SchemaNumber(self) {
            case .integer(let value)?:
                hasher.combine(1)
                hasher.combine(value)
            case .double(let value)?:
                hasher.combine(2)
                hasher.combine(value)
            case nil:
                hasher.combine(0)
            }
        case .array(let elements):
            return Self.equivalenceHash(ofElements: elements.map(\.equivalenceHash))
        case .object(let members):
            return Self.equivalenceHash(ofMembers: members.lazy.map { ($0, $1.equivalenceHash) })
        case .bool, .string, .binary:
            hasher.combine(5)
            hasher.combine(self)
        }
        return hasher.finalize()
    }

    /// The number of an array whose elements have these.
    static func equivalenceHash(ofElements elements: [Int]) -> Int {
        var hasher = Hasher()
        hasher.combine(3)
        hasher.combine(elements)
        return hasher.finalize()
    }

    /// The number of an object whose members have these, whatever their order.
    static func equivalenceHash(ofMembers members: some Sequence<(UTF8Text, Int)>) -> Int {
        var sum = 0
        var count = 0
        for (key, value) in members {
            var member = Hasher()
            member.combine(key)
            member.combine(value)
            sum &+= member.finalize()
            count += 1
        }
        var hasher = Hasher()
        hasher.combine(4)
        hasher.combine(count)
        hasher.combine(sum)
        return hasher.finalize()
    }

    /// Which type of JSON Schema the value has.
    var kind: SchemaKind {
        switch self {
        case .null: .null
        case .bool: .boolean
        case .int: .number
        case .double(let value): value.isNaN ? .null : .number
        case .string: .string
        case .binary: .binary
        case .array: .array
        case .object: .object
        }
    }
}

/// The types of values that a schema distinguishes.
enum SchemaKind: String, Sendable, CaseIterable {
    case null, boolean, number, string, array, object
    /// Bytes, which JSON itself does not have.
    case binary

    /// The kind as it stands in a sentence.
    var words: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        case .binary: "bytes"
        }
    }
}
