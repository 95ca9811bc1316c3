import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// What `socket.io-parser` made of packets; the file says how to read it.
struct PacketFixtures {
    static let shared = Result { try PacketFixtures() }

    let encode: [JSONValue]
    let decode: [JSONValue]
    let isPacketValid: [JSONValue]

    private init() throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/socketio-packets", withExtension: "json"))
        let file = try JSONValue(parsing: ByteBuffer(bytes: Data(contentsOf: url)))
        self.encode = try #require(file["encode"]?.arrayValue)
        self.decode = try #require(file["decode"]?.arrayValue)
        self.isPacketValid = try #require(file["isPacketValid"]?.arrayValue)
    }

    /// A value of a fixture.
    enum Value {
        case value(JSONValue)
        /// JavaScript's undefined: `null` in an array, left out of an object.
        case undefined
        /// What no value in Swift corresponds to.
        case foreign
    }

    /// Resolves the marks `{"$hex"}`, `{"$float"}` and so on.
    static func value(_ fixture: JSONValue) -> Value {
        switch fixture {
        case .array(let elements):
            var values: [JSONValue] = []
            for element in elements {
                switch self.value(element) {
                case .value(let value): values.append(value)
                case .undefined: values.append(.null)
                case .foreign: return .foreign
                }
            }
            return .value(.array(values))
        case .object(let members):
            if let bytes = members["$hex"]?.stringValue { return .value(.binary(hex(bytes))) }
            if let date = members["$date"] { return .value(date) }
            if let number = members["$float"]?.stringValue.flatMap(Double.init) { return .value(.double(number)) }
            if members["$undefined"] != nil { return .undefined }
            if let mark = members.keys.first, mark.hasPrefix("$") { return .foreign }
            var values = JSONObject()
            for (key, member) in members {
                switch self.value(member) {
                case .value(let value): values[key] = value
                case .undefined: continue
                case .foreign: return .foreign
                }
            }
            return .value(.object(values))
        case .null, .bool, .int, .double, .string, .binary:
            return .value(fixture)
        }
    }
}

extension JSONValue {
    /// Whether JavaScript could not tell the two apart: `1` and `1.0` are one number there.
    func isSameInJavaScript(as other: JSONValue) -> Bool {
        switch (self, other) {
        case (.int, _), (.double, _):
            guard let left = self.doubleValue, let right = other.doubleValue else { return false }
            return left == right && left.sign == right.sign || left.isNaN && right.isNaN
        case (.array(let left), .array(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.isSameInJavaScript(as: $1) }
        case (.object(let left), .object(let right)):
            return left.count == right.count
                && zip(left, right).allSatisfy { $0.key == $1.key && $0.value.isSameInJavaScript(as: $1.value) }
        default:
            return self == other
        }
    }
}
