package import NIOCore
import OrderedCollections

/// A MessagePack value.
///
/// It has types that JSON does not have.
package enum MessagePackValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Any integer that fits.
    case int(Int64)
    /// An integer that only fits without a sign.
    case uint(UInt64)
    case float(Float)
    case double(Double)
    case string(String)
    case binary(ByteBuffer)
    case array([MessagePackValue])
    /// Keys may be of any type, and may be repeated.
    case map([Entry])
    case timestamp(MessagePackTimestamp)
    /// An extension type that has no case of its own.
    case ext(type: Int8, bytes: ByteBuffer)

    package struct Entry: Hashable, Sendable {
        package var key: MessagePackValue
        package var value: MessagePackValue

        package init(key: MessagePackValue, value: MessagePackValue) {
            self.key = key
            self.value = value
        }
    }
}

extension MessagePackValue {
    /// The same value; members keep their order.
    package init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(Int64(value))
        case .double(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .binary(let value): self = .binary(value)
        case .array(let elements): self = .array(elements.map(Self.init))
        case .object(let members):
            self = .map(members.map { Entry(key: .string($0.key.string), value: Self($0.value)) })
        }
    }

    /// The member's name that JavaScript makes of this value; `nil` for containers and extensions.
    var memberName: String? {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "\(value)"
        case .uint(let value): "\(value)"
        case .float(let value): Self.memberName(of: Double(value))
        case .double(let value): Self.memberName(of: value)
        case .string(let value): value
        case .binary(let value): String(buffer: value)
        case .timestamp(let value): value.description
        case .array, .map, .ext: nil
        }
    }

    private static func memberName(of number: Double) -> String {
        guard number.isFinite else { return number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity" }
        var text = ByteBuffer()
        text.writeJSONNumber(number)
        return String(buffer: text)
    }
}

extension JSONValue {
    /// The value that a Node.js server passes on to its clients for this one.
    ///
    /// A timestamp becomes its ISO 8601 text, or `null` if JavaScript has no such date. An extension becomes `[type,
    /// bytes]`, and a key its text. The last one of equal keys counts. A member whose key is a list or a map is left
    /// out.
    ///
    /// - Parameter value: The value, of any depth.
    package init(_ value: MessagePackValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = Int(exactly: value).map(JSONValue.int) ?? .double(Double(value))
        case .uint(let value): self = Int(exactly: value).map(JSONValue.int) ?? .double(Double(value))
        case .float(let value): self = .double(Double(value))
        case .double(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .binary(let value): self = .binary(value)
        case .array(let elements):
            self = .array(elements.map { JSONValue($0) })
        case .map(let entries):
            var members = JSONObject()
            for entry in entries {
                guard let name = entry.key.memberName else { continue }
                members[UTF8Text(name)] = JSONValue(entry.value)
            }
            self = .object(members)
        case .timestamp(let value):
            self = value.iso8601.map(JSONValue.string) ?? .null
        case .ext(let type, let bytes):
            self = .array([.int(Int(type)), .binary(bytes)])
        }
    }
}
