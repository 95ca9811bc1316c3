import NIOCore
import OrderedCollections

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Decodes a value of any type from a ``JSONValue``.
struct JSONValueDecoder: Decoder {
    let value: JSONValue
    let path: CodingPath

    var codingPath: [any CodingKey] { self.path.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = self.value else { throw self.mismatch([String: JSONValue].self) }
        // A caller that asks for the keys may put them into a dictionary of its own, which would hash them as strings.
        if let key = members.keys.first(where: \.isSlowAsString) {
            throw self.corrupted("A key of \(key.utf8.count) bytes is too long for one that is not ASCII.")
        }
        return KeyedDecodingContainer(KeyedContainer<Key>(members: members, path: self.path))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = self.value else { throw self.mismatch([JSONValue].self) }
        return UnkeyedContainer(elements: elements, path: self.path)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { SingleContainer(decoder: self) }

    // MARK: Values of known types

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        // The types are known to be equal, so the cast back cannot fail.
        if T.self == String.self, let value = try self.string() as? T { return value }
        if T.self == Int.self, let value = try self.integer(Int.self) as? T { return value }
        if T.self == Bool.self, let value = try self.bool() as? T { return value }
        if T.self == Double.self, let value = try self.double() as? T { return value }
        if T.self == JSONValue.self, let value = self.value as? T { return value }
        if T.self == [JSONValue].self, let value = try self.array() as? T { return value }
        if T.self == JSONObject.self, let value = try self.object() as? T { return value }
        if T.self == ByteBuffer.self, let value = try self.bytes(as: ByteBuffer.self) as? T { return value }
        if T.self == Date.self, let value = try self.date() as? T { return value }
        if T.self == URL.self, let value = try self.url() as? T { return value }
        if T.self == Decimal.self, let value = try self.decimal() as? T { return value }
        if case .binary(let bytes) = self.value {
            if T.self == Data.self, let value = Data(bytes.readableBytesView) as? T { return value }
            if T.self == [UInt8].self, let value = Array(bytes.readableBytesView) as? T { return value }
        }
        return try T(from: self)
    }

    func string() throws -> String {
        guard case .string(let value) = self.value else { throw self.mismatch(String.self) }
        return value
    }

    func bool() throws -> Bool {
        guard case .bool(let value) = self.value else { throw self.mismatch(Bool.self) }
        return value
    }

    func double() throws -> Double {
        guard let value = self.value.doubleValue else { throw self.mismatch(Double.self) }
        return value
    }

    func float() throws -> Float {
        let value = try self.double()
        let narrowed = Float(value)
        guard narrowed.isFinite || !value.isFinite else { throw self.corrupted("The number does not fit Float.") }
        return narrowed
    }

    /// An integer.
    ///
    /// A double without a fraction counts as one, because JavaScript makes no difference.
    func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let result: T?
        switch self.value {
        case .int(let value): result = T(exactly: value)
        case .double(let value): result = T(exactly: value)
        default: throw self.mismatch(type)
        }
        guard let result else { throw self.corrupted("The number does not fit \(type).") }
        return result
    }

    private func array() throws -> [JSONValue] {
        guard case .array(let value) = self.value else { throw self.mismatch([JSONValue].self) }
        return value
    }

    private func object() throws -> JSONObject {
        guard case .object(let value) = self.value else { throw self.mismatch(JSONObject.self) }
        return value
    }

    private func bytes(as type: ByteBuffer.Type) throws -> ByteBuffer {
        guard case .binary(let value) = self.value else { throw self.mismatch(type) }
        return value
    }

    /// A date as JavaScript writes it, or its milliseconds since 1970.
    private func date() throws -> Date {
        switch self.value {
        case .string(let text):
            guard let milliseconds = ISO8601.milliseconds(of: text) else {
                throw self.corrupted("The string is no ISO 8601 date.")
            }
            return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        case .int, .double:
            return Date(timeIntervalSince1970: try self.double() / 1000)
        default:
            throw self.mismatch(Date.self)
        }
    }

    private func url() throws -> URL {
        guard let url = URL(string: try self.string()) else { throw self.corrupted("The string is no URL.") }
        return url
    }

    private func decimal() throws -> Decimal {
        switch self.value {
        case .int(let value):
            return Decimal(value)
        case .double(let value) where value.isFinite:
            guard let decimal = Decimal(string: value.description) else {
                throw self.corrupted("The number does not fit Decimal.")
            }
            return decimal
        default:
            throw self.mismatch(Decimal.self)
        }
    }

    // MARK: Errors

    /// Says which kind of value was expected and which kind there is.
    ///
    /// It does not show the value.
    private func mismatch(_ type: Any.Type) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: self.codingPath,
            debugDescription: "Expected \(type) but found \(self.value.kindName)."
        )
        return self.value.isNull ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    private func corrupted(_ description: String) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: self.codingPath, debugDescription: description))
    }
}

extension JSONValue {
    /// What kind of value this is, in words for an error.
    fileprivate var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a string"
        case .binary: "bytes"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

// MARK: - Containers

private struct KeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: JSONObject
    let path: CodingPath

    var codingPath: [any CodingKey] { self.path.keys }
    var allKeys: [Key] { self.members.keys.compactMap { Key(stringValue: $0.string) } }

    func contains(_ key: Key) -> Bool { self.members[key.stringValue] != nil }

    private func decoder(for key: Key) throws -> JSONValueDecoder {
        guard let value = self.members[key.stringValue] else {
            throw DecodingError.keyNotFound(
                key,
                DecodingError.Context(codingPath: self.codingPath, debugDescription: "There is no such key.")
            )
        }
        return JSONValueDecoder(value: value, path: .key(key, in: self.path))
    }

    func decodeNil(forKey key: Key) throws -> Bool { try self.decoder(for: key).value.isNull }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try self.decoder(for: key).bool() }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try self.decoder(for: key).string() }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try self.decoder(for: key).double() }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try self.decoder(for: key).float() }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try self.decoder(for: key).integer(type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try self.decoder(for: key).integer(type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try self.decoder(for: key).integer(type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try self.decoder(for: key).integer(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try self.decoder(for: key).integer(type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try self.decoder(for: key).integer(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try self.decoder(for: key).integer(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try self.decoder(for: key).integer(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try self.decoder(for: key).integer(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try self.decoder(for: key).integer(type) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try self.decoder(for: key).decode(type) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try self.decoder(for: key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try self.decoder(for: key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { self.superDecoder(named: AnyCodingKey.super) }
    func superDecoder(forKey key: Key) throws -> any Decoder { self.superDecoder(named: key) }

    /// A super class that has encoded nothing has no member, so it decodes from `null`.
    private func superDecoder(named key: some CodingKey) -> JSONValueDecoder {
        JSONValueDecoder(value: self.members[key.stringValue] ?? .null, path: .key(key, in: self.path))
    }
}

private struct UnkeyedContainer: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let path: CodingPath
    private(set) var currentIndex = 0

    init(elements: [JSONValue], path: CodingPath) {
        self.elements = elements
        self.path = path
    }

    var codingPath: [any CodingKey] { self.path.keys }
    var count: Int? { self.elements.count }
    var isAtEnd: Bool { self.currentIndex >= self.elements.count }

    /// Decodes the next element, and steps behind it only if that succeeds.
    private mutating func next<T>(_ type: T.Type, _ body: (JSONValueDecoder) throws -> T) throws -> T {
        let path = CodingPath.index(self.currentIndex, in: self.path)
        guard !self.isAtEnd else {
            throw DecodingError.valueNotFound(
                type,
                DecodingError.Context(codingPath: path.keys, debugDescription: "The array has no more elements.")
            )
        }
        let value = try body(JSONValueDecoder(value: self.elements[self.currentIndex], path: path))
        self.currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard !self.isAtEnd else { return try self.next(Any?.self) { _ in nil } == nil }
        guard self.elements[self.currentIndex].isNull else { return false }
        self.currentIndex += 1
        return true
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try self.next(type) { try $0.bool() } }
    mutating func decode(_ type: String.Type) throws -> String { try self.next(type) { try $0.string() } }
    mutating func decode(_ type: Double.Type) throws -> Double { try self.next(type) { try $0.double() } }
    mutating func decode(_ type: Float.Type) throws -> Float { try self.next(type) { try $0.float() } }
    mutating func decode(_ type: Int.Type) throws -> Int { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try self.next(type) { try $0.integer(type) } }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try self.next(type) { try $0.integer(type) } }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try self.next(type) { try $0.decode(type) } }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try self.next(KeyedDecodingContainer<NestedKey>.self) { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try self.next((any UnkeyedDecodingContainer).self) { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try self.next((any Decoder).self) { $0 } }
}

private struct SingleContainer: SingleValueDecodingContainer {
    let decoder: JSONValueDecoder

    var codingPath: [any CodingKey] { self.decoder.codingPath }

    func decodeNil() -> Bool { self.decoder.value.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try self.decoder.bool() }
    func decode(_ type: String.Type) throws -> String { try self.decoder.string() }
    func decode(_ type: Double.Type) throws -> Double { try self.decoder.double() }
    func decode(_ type: Float.Type) throws -> Float { try self.decoder.float() }
    func decode(_ type: Int.Type) throws -> Int { try self.decoder.integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try self.decoder.integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try self.decoder.integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try self.decoder.integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try self.decoder.integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try self.decoder.integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try self.decoder.integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try self.decoder.integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try self.decoder.integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try self.decoder.integer(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try self.decoder.decode(type) }
}
