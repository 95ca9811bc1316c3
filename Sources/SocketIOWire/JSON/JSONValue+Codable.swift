import NIOCore
import OrderedCollections

extension JSONValue {
    /// Encodes a value of any type.
    ///
    /// Bytes (`ByteBuffer`, `Data`) become ``binary(_:)``, a `Date` its ISO 8601 text as in JavaScript, a `URL` its text; a
    /// `JSONValue` stays what it is. `nil` is `null` in an array; an optional property that is `nil` is left out.
    ///
    /// - Parameter value: What to encode.
    /// - Throws: `EncodingError`, also for an integer that neither 64 bits with a sign nor a double can hold, and whatever
    ///   the value's own `encode(to:)` throws.
    public init(encoding value: some Encodable) throws {
        self = try JSONValueEncoder.value(of: value)
    }

    /// Decodes a value of any type.
    ///
    /// A number without fraction is an integer however it was written, and an integer out of range an error. `ByteBuffer`,
    /// `Data` and `[UInt8]` take bytes; `Data` and `[UInt8]` also an array of numbers. A `Date` takes its ISO 8601 text or
    /// milliseconds since 1970.
    ///
    /// - Parameter type: The type to make.
    /// - Returns: The value.
    /// - Throws: `DecodingError` with the path to what does not fit, and nothing of its content.
    public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONValueDecoder(value: self, path: .root).decode(type)
    }
}

extension JSONReader {
    /// Decodes the next value.
    package mutating func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try self.readValue().decode(type)
    }
}

/// For other coders; our own passes values on as they are.
extension JSONValue: Codable {
    /// Decodes any value that the decoder's format can hold.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? JSONValueDecoder {
            self = decoder.value
        } else if let container = try? decoder.container(keyedBy: AnyCodingKey.self) {
            var members = JSONObject()
            for key in container.allKeys {
                members[key.stringValue] = try container.decode(JSONValue.self, forKey: key)
            }
            self = .object(members)
        } else if var container = try? decoder.unkeyedContainer() {
            var elements: [JSONValue] = []
            while !container.isAtEnd { elements.append(try container.decode(JSONValue.self)) }
            self = .array(elements)
        } else {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Int.self) {
                self = .int(value)
            } else if let value = try? container.decode(Double.self) {
                self = .double(value)
            } else {
                self = .string(try container.decode(String.self))
            }
        }
    }

    /// Encodes the value; bytes as Node's `Buffer` does, `{"type":"Buffer","data":[1,2]}`.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let members):
            var container = encoder.container(keyedBy: AnyCodingKey.self)
            for (key, value) in members { try container.encode(value, forKey: AnyCodingKey(stringValue: key.string)) }
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(element) }
        case .binary(let bytes):
            var container = encoder.singleValueContainer()
            if encoder is JSONValueEncoder {
                try container.encode(bytes)
            } else {
                let data = JSONValue.array(bytes.readableBytesView.map { .int(Int($0)) })
                try container.encode(JSONValue.object(["type": "Buffer", "data": data]))
            }
        case .null:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .bool(let value):
            var container = encoder.singleValueContainer()
            try container.encode(value)
        case .int(let value):
            var container = encoder.singleValueContainer()
            try container.encode(value)
        case .double(let value):
            var container = encoder.singleValueContainer()
            try container.encode(value)
        case .string(let value):
            var container = encoder.singleValueContainer()
            try container.encode(value)
        }
    }
}
