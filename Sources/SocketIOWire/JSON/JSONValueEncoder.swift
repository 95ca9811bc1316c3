import NIOCore
import OrderedCollections

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Makes a ``JSONValue`` of everything that one `encode(to:)` writes.
///
/// Containers are places in this object. A nested container or a super encoder is an encoder of its own. Its value is
/// put into its place when this encoder finishes.
final class JSONValueEncoder: Encoder {
    private enum Shape { case none, single, unkeyed, keyed }

    let path: CodingPath
    private var shape = Shape.none
    private var single = JSONValue.null
    private var elements: [JSONValue] = []
    private var members = JSONObject()
    private var nestedElements: [(index: Int, encoder: JSONValueEncoder)] = []
    private var nestedMembers: OrderedDictionary<UTF8Text, JSONValueEncoder> = [:]

    init(path: CodingPath) { self.path = path }

    var codingPath: [any CodingKey] { self.path.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// The value of anything that can be encoded.
    static func value(of value: some Encodable, at path: CodingPath = .root) throws -> JSONValue {
        if let known = try self.valueOfKnownType(value, at: path) { return known }
        let encoder = JSONValueEncoder(path: path)
        try value.encode(to: encoder)
        return encoder.finish()
    }

    /// The value of a type that has a form of its own in JSON or among attachments.
    private static func valueOfKnownType<T: Encodable>(_ value: T, at path: CodingPath) throws -> JSONValue? {
        // To compare types costs one comparison each. A cast would have to look up conformances.
        if T.self == String.self { return (value as? String).map(JSONValue.string) }
        if T.self == Int.self { return (value as? Int).map(JSONValue.int) }
        if T.self == Bool.self { return (value as? Bool).map(JSONValue.bool) }
        if T.self == Double.self { return (value as? Double).map(JSONValue.double) }
        if T.self == JSONValue.self { return value as? JSONValue }
        if T.self == [JSONValue].self { return (value as? [JSONValue]).map(JSONValue.array) }
        if T.self == JSONObject.self { return (value as? JSONObject).map(JSONValue.object) }
        if T.self == ByteBuffer.self { return (value as? ByteBuffer).map(JSONValue.binary) }
        if T.self == Data.self { return (value as? Data).map { .binary(ByteBuffer(bytes: $0)) } }
        if T.self == Date.self { return (value as? Date).map(self.value(ofDate:)) }
        if T.self == URL.self { return (value as? URL).map { .string($0.absoluteString) } }
        if T.self == Decimal.self { return try (value as? Decimal).map { try self.value(ofDecimal: $0, at: path) } }
        return nil
    }

    /// A date as `JSON.stringify` writes it; `null` for one that JavaScript does not have.
    private static func value(ofDate date: Date) -> JSONValue {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        guard let exact = Int(exactly: milliseconds), let text = ISO8601.string(milliseconds: exact) else {
            return .null
        }
        return .string(text)
    }

    private static func value(ofDecimal decimal: Decimal, at path: CodingPath) throws -> JSONValue {
        // The shortest way between two decimal types is a text.
        let text = decimal.description
        if let integer = Int(text) { return .int(integer) }
        return .double(Double(text) ?? .nan)
    }

    /// An integer, as long as no digit is lost.
    fileprivate static func value(of integer: some FixedWidthInteger, at path: CodingPath) throws -> JSONValue {
        if let integer = Int(exactly: integer) { return .int(integer) }
        if let double = Double(exactly: integer) { return .double(double) }
        throw EncodingError.invalidValue(
            integer,
            EncodingError.Context(codingPath: path.keys, debugDescription: "The integer does not fit a JSON number.")
        )
    }

    private func finish() -> JSONValue {
        switch self.shape {
        case .none:
            return .object([:])
        case .single:
            return self.single
        case .unkeyed:
            for (index, encoder) in self.nestedElements { self.elements[index] = encoder.finish() }
            return .array(self.elements)
        case .keyed:
            for (key, encoder) in self.nestedMembers { self.members[key] = encoder.finish() }
            return .object(self.members)
        }
    }

    private func take(_ shape: Shape) {
        precondition(
            self.shape == .none || (self.shape == shape && shape != .single),
            "encode(to:) asked for containers of different kinds, or encoded two single values"
        )
        self.shape = shape
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        self.take(.keyed)
        return KeyedEncodingContainer(KeyedContainer<Key>(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        self.take(.unkeyed)
        return UnkeyedContainer(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SingleContainer(encoder: self) }

    // MARK: Places for values

    fileprivate func setSingle(_ value: JSONValue) {
        self.take(.single)
        self.single = value
    }

    fileprivate var elementCount: Int { self.elements.count }
    fileprivate var nextElementPath: CodingPath { .index(self.elements.count, in: self.path) }

    fileprivate func append(_ value: JSONValue) { self.elements.append(value) }

    fileprivate func appendNested() -> JSONValueEncoder {
        let encoder = JSONValueEncoder(path: self.nextElementPath)
        self.nestedElements.append((self.elements.count, encoder))
        self.elements.append(.null)
        return encoder
    }

    fileprivate func set(_ value: JSONValue, for key: some CodingKey) { self.members[key.stringValue] = value }

    fileprivate func nested(for key: some CodingKey) -> JSONValueEncoder {
        let name = UTF8Text(key.stringValue)
        // A type that asks twice for the container of a key continues the first one.
        if let existing = self.nestedMembers[name] { return existing }
        let encoder = JSONValueEncoder(path: .key(key, in: self.path))
        self.nestedMembers[name] = encoder
        self.members[name] = .null
        return encoder
    }
}

// MARK: - Containers

private struct KeyedContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: JSONValueEncoder

    var codingPath: [any CodingKey] { self.encoder.codingPath }

    private func setInteger(_ value: some FixedWidthInteger, for key: Key) throws {
        self.encoder.set(try JSONValueEncoder.value(of: value, at: .key(key, in: self.encoder.path)), for: key)
    }

    mutating func encodeNil(forKey key: Key) throws { self.encoder.set(.null, for: key) }
    mutating func encode(_ value: Bool, forKey key: Key) throws { self.encoder.set(.bool(value), for: key) }
    mutating func encode(_ value: String, forKey key: Key) throws { self.encoder.set(.string(value), for: key) }
    mutating func encode(_ value: Double, forKey key: Key) throws { self.encoder.set(.double(value), for: key) }
    mutating func encode(_ value: Float, forKey key: Key) throws { self.encoder.set(.double(Double(value)), for: key) }
    mutating func encode(_ value: Int, forKey key: Key) throws { self.encoder.set(.int(value), for: key) }
    mutating func encode(_ value: Int8, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: Int16, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: Int32, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: Int64, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: UInt, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: UInt8, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: UInt16, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: UInt32, forKey key: Key) throws { try self.setInteger(value, for: key) }
    mutating func encode(_ value: UInt64, forKey key: Key) throws { try self.setInteger(value, for: key) }

    mutating func encode(_ value: some Encodable, forKey key: Key) throws {
        self.encoder.set(try JSONValueEncoder.value(of: value, at: .key(key, in: self.encoder.path)), for: key)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        self.encoder.nested(for: key).container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        self.encoder.nested(for: key).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { self.encoder.nested(for: AnyCodingKey.super) }
    mutating func superEncoder(forKey key: Key) -> any Encoder { self.encoder.nested(for: key) }
}

private struct UnkeyedContainer: UnkeyedEncodingContainer {
    let encoder: JSONValueEncoder

    var codingPath: [any CodingKey] { self.encoder.codingPath }
    var count: Int { self.encoder.elementCount }

    private func appendInteger(_ value: some FixedWidthInteger) throws {
        self.encoder.append(try JSONValueEncoder.value(of: value, at: self.encoder.nextElementPath))
    }

    mutating func encodeNil() throws { self.encoder.append(.null) }
    mutating func encode(_ value: Bool) throws { self.encoder.append(.bool(value)) }
    mutating func encode(_ value: String) throws { self.encoder.append(.string(value)) }
    mutating func encode(_ value: Double) throws { self.encoder.append(.double(value)) }
    mutating func encode(_ value: Float) throws { self.encoder.append(.double(Double(value))) }
    mutating func encode(_ value: Int) throws { self.encoder.append(.int(value)) }
    mutating func encode(_ value: Int8) throws { try self.appendInteger(value) }
    mutating func encode(_ value: Int16) throws { try self.appendInteger(value) }
    mutating func encode(_ value: Int32) throws { try self.appendInteger(value) }
    mutating func encode(_ value: Int64) throws { try self.appendInteger(value) }
    mutating func encode(_ value: UInt) throws { try self.appendInteger(value) }
    mutating func encode(_ value: UInt8) throws { try self.appendInteger(value) }
    mutating func encode(_ value: UInt16) throws { try self.appendInteger(value) }
    mutating func encode(_ value: UInt32) throws { try self.appendInteger(value) }
    mutating func encode(_ value: UInt64) throws { try self.appendInteger(value) }

    mutating func encode(_ value: some Encodable) throws {
        self.encoder.append(try JSONValueEncoder.value(of: value, at: self.encoder.nextElementPath))
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        self.encoder.appendNested().container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        self.encoder.appendNested().unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { self.encoder.appendNested() }
}

private struct SingleContainer: SingleValueEncodingContainer {
    let encoder: JSONValueEncoder

    var codingPath: [any CodingKey] { self.encoder.codingPath }

    private func setInteger(_ value: some FixedWidthInteger) throws {
        self.encoder.setSingle(try JSONValueEncoder.value(of: value, at: self.encoder.path))
    }

    mutating func encodeNil() throws { self.encoder.setSingle(.null) }
    mutating func encode(_ value: Bool) throws { self.encoder.setSingle(.bool(value)) }
    mutating func encode(_ value: String) throws { self.encoder.setSingle(.string(value)) }
    mutating func encode(_ value: Double) throws { self.encoder.setSingle(.double(value)) }
    mutating func encode(_ value: Float) throws { self.encoder.setSingle(.double(Double(value))) }
    mutating func encode(_ value: Int) throws { self.encoder.setSingle(.int(value)) }
    mutating func encode(_ value: Int8) throws { try self.setInteger(value) }
    mutating func encode(_ value: Int16) throws { try self.setInteger(value) }
    mutating func encode(_ value: Int32) throws { try self.setInteger(value) }
    mutating func encode(_ value: Int64) throws { try self.setInteger(value) }
    mutating func encode(_ value: UInt) throws { try self.setInteger(value) }
    mutating func encode(_ value: UInt8) throws { try self.setInteger(value) }
    mutating func encode(_ value: UInt16) throws { try self.setInteger(value) }
    mutating func encode(_ value: UInt32) throws { try self.setInteger(value) }
    mutating func encode(_ value: UInt64) throws { try self.setInteger(value) }

    mutating func encode(_ value: some Encodable) throws {
        self.encoder.setSingle(try JSONValueEncoder.value(of: value, at: self.encoder.path))
    }
}
