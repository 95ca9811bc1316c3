import NIOCore
import OrderedCollections

extension JSONValue {
    /// Encodes a value of any type.
    ///
    /// Bytes (`ByteBuffer`, `Data`) become ``binary(_:)``. A `Date` becomes its ISO 8601 text as in JavaScript, and a
    /// `URL` its text. A `JSONValue` stays as it is. `nil` is `null` in an array. An optional property that is `nil` is
    /// left out.
    ///
    /// - Parameter value: What to encode.
    /// - Throws: `EncodingError`, also for an integer that neither 64 bits with a sign nor a double can hold; and what
    ///   the value's own `encode(to:)` throws.
    public init(encoding value: some Encodable) throws {
        self = try JSONValueEncoder.value(of: value)
    }

    /// Decodes a value of any type.
    ///
    /// A number without fraction is an integer, in whatever form it was written. An integer out of range is an error.
    /// `ByteBuffer`, `Data` and `[UInt8]` take bytes. `Data` and `[UInt8]` also take an array of numbers. A `Date`
    /// takes its ISO 8601 text, or milliseconds since 1970.
    ///
    /// - Parameter type: The type to make.
    /// - Returns: The value.
    /// - Throws: `DecodingError` with the path to the part that does not fit, and without its content.
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

/// This is for other coders. Our own passes values on as they are.
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

    /// Encodes the value.
    ///
    /// Bytes become what Node's `Buffer` becomes: `{"type":"Buffer","data":[1,2]}`.
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
