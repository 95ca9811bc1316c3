public import NIOCore
public import OrderedCollections

/// The members of an object, in the order in which they were written or inserted, as in JavaScript.
///
/// Keys are compared by their bytes; see ``UTF8Text``.
public typealias JSONObject = OrderedDictionary<UTF8Text, JSONValue>

/// A value that a Socket.IO argument can hold: JSON, and bytes.
///
/// Bytes travel as attachments beside the JSON text (Socket.IO protocol 5, "binary event"). So they may stand wherever
/// a JSON value may stand.
///
/// Two values are equal if JavaScript would write them in the same way. So strings are compared by their bytes, and not
/// by the meaning of their characters; see ``UTF8Text``.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// A number that is written without fraction and exponent and fits 64 bits.
    case int(Int)
    /// Any other number. NaN and infinities are written as `null`, as `JSON.stringify` does.
    case double(Double)
    case string(String)
    /// Bytes: an attachment of the packet.
    case binary(ByteBuffer)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    /// The string, or `nil` if this is something else.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The boolean, or `nil` if this is something else.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The integer, or `nil` if this is something else.
    ///
    /// A double without fraction that fits counts as an integer.
    public var intValue: Int? {
        switch self {
        case .int(let value): value
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The number as a double, or `nil` if this is no number.
    public var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The elements, or `nil` if this is no array.
    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, or `nil` if this is no object.
    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The bytes, or `nil` if this is something else.
    public var binaryValue: ByteBuffer? {
        if case .binary(let value) = self { value } else { nil }
    }

    /// Whether this is `null`.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The member of that name, or `nil` if this is no object or has no such member.
    ///
    /// If this is no object, setting a member makes it one. Setting `nil` removes the member.
    public subscript(key: String) -> JSONValue? {
        get {
            if case .object(let members) = self { members[UTF8Text(key)] } else { nil }
        }
        set {
            var members = self.objectValue ?? [:]
            // There must be only one reference to the members, or the change would copy them.
            self = .null
            members[UTF8Text(key)] = newValue
            self = .object(members)
        }
    }

    /// The element at that index, or `nil` if this is no array or has no such element.
    public subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as JSON text.
    ///
    /// Bytes look as `ByteBuffer.writeJSON` writes them.
    public var description: String {
        var buffer = ByteBuffer()
        buffer.writeJSON(self)
        return String(buffer: buffer)
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes `null`.
    public init(nilLiteral: ()) { self = .null }
    /// Makes a boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes an integer.
    public init(integerLiteral value: Int) { self = .int(value) }
    /// Makes a number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Makes an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// A repeated key keeps its last value, as in JavaScript.
    public init(dictionaryLiteral elements: (UTF8Text, JSONValue)...) {
        self = .object(JSONObject(elements, uniquingKeysWith: { _, last in last }))
    }
}
