import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// Bytes recorded from notepack.io 3.0.1, both ways.
@Suite(.timeLimit(.minutes(1)))
struct MessagePackFixtureTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let json: JSONValue

        /// The JavaScript expression, or the bytes to decode.
        var name: String { self.json["js"]?.stringValue ?? self.hex ?? "" }
        var hex: String? { self.json["hex"]?.stringValue }
        var testDescription: String { String(self.name.prefix(60)) }
    }

    static func rows(_ part: String) throws -> [Row] {
        let url = try #require(
            Bundle.module.url(forResource: "msgpack", withExtension: "json", subdirectory: "Fixtures")
        )
        let fixture = try JSONValue(parsing: ByteBuffer(bytes: Data(contentsOf: url)))
        return try #require(fixture[part]?.arrayValue).map(Row.init)
    }

    // MARK: Encoding

    private static let valueIsLost = "notepack writes the low 64 bits of it, which are another number"
    private static let noLoneSurrogate = "a Swift string holds U+FFFD instead"
    private static let rawMemory = "notepack cuts every element to a byte; these are the bytes"

    /// Where our bytes are others than notepack's, and why.
    static let deviations: [String: (reason: String, hex: String)] = [
        "1.7976931348623157e+308 (an integer for JavaScript)": (valueIsLost, "cb7fefffffffffffff"),
        "2 ** 64": (valueIsLost, "cb43f0000000000000"), "2 ** 65": (valueIsLost, "cb4400000000000000"),
        "1e20": (valueIsLost, "cb4415af1d78b58c40"), "1e21": (valueIsLost, "cb444b1ae4d6e2ef50"),
        "1e100": (valueIsLost, "cb54b249ad2594c37d"), "1e300": (valueIsLost, "cb7e37e43c8800759c"),
        "-(2 ** 63) - 2048": (valueIsLost, "cbc3e0000000000001"), "-(2 ** 64)": (valueIsLost, "cbc3f0000000000000"),
        "-1e20": (valueIsLost, "cbc415af1d78b58c40"), "-1e300": (valueIsLost, "cbfe37e43c8800759c"),
        "'\\ud800' (lone surrogate)": (noLoneSurrogate, "a3efbfbd"),
        "'\\udc00a' (lone surrogate, then a)": (noLoneSurrogate, "a4efbfbd61"),
        "new Uint16Array([1, 513])": (rawMemory, "c40401000102"),
        "new Float32Array([1.5, 2])": (rawMemory, "c4080000c03f00000040"),
        "new Uint32Array([65536, 7])": (rawMemory, "c4080000010007000000"),
        "new DataView(new ArrayBuffer(4))": (rawMemory, "c40400000000"),
        "new Date(NaN)": ("a date that is none is null, as in JSON; notepack writes 1970", "c0"),
    ]

    /// What notepack refuses to encode, and why nothing of it can reach our encoder.
    static let withoutCounterpart: [String: String] = [
        "10n": "Swift's integers of 64 bits are numbers; there is no BigInt", "Symbol()": "no such value in Swift",
        "() => {} (a function on its own)": "functions are not Encodable", "[() => {}]": "functions are not Encodable",
    ]

    @Test func everyRowIsThere() throws {
        let rows = try Self.rows("encode")
        #expect(rows.count == 225)
        #expect(try Self.rows("decode").count == 100)
        let names = Set(rows.map(\.name))
        #expect(names.isSuperset(of: Self.deviations.keys))
        #expect(Set(rows.filter { $0.json["error"] != nil }.map(\.name)) == Set(Self.withoutCounterpart.keys))
    }

    @Test(arguments: try rows("encode")) func encodes(_ row: Row) throws {
        guard row.json["error"] == nil else {
            #expect(Self.withoutCounterpart[row.name] != nil)
            return
        }
        let value = try Self.value(of: #require(row.json["value"]), js: row.name)
        var bytes = ByteBuffer()
        bytes.writeMessagePack(value)
        if let deviation = Self.deviations[row.name] {
            #expect(Self.hex(bytes) == deviation.hex)
            #expect(Self.hex(bytes) != row.hex, "this is no deviation any more")
        } else if let hex = row.hex {
            #expect(Self.hex(bytes) == hex)
        } else {
            #expect(bytes.readableBytes == row.json["bytes"]?.intValue)
            #expect(Self.hex(bytes).hasPrefix(try #require(row.json["hexPrefix"]?.stringValue)))
            #expect(Self.hex(bytes).hasSuffix(try #require(row.json["hexSuffix"]?.stringValue)))
            #expect(SHA256Digest.hex(of: Array(bytes.readableBytesView)) == row.json["sha256"]?.stringValue)
        }
        // The other writer writes the same of what it can express.
        if !Self.hasTimestamp(value) {
            var other = ByteBuffer()
            other.writeMessagePack(JSONValue(value))
            #expect(other == bytes)
        }
        // And what was written is read back as what it was, but for the kind of a number.
        let copy = try MessagePackValue(parsing: bytes)
        #expect(Self.canonical(JSONValue(copy)) == Self.canonical(JSONValue(value)))
        #expect(try Self.canonical(JSONValue(parsingMessagePack: bytes)) == Self.canonical(JSONValue(copy)))
    }

    // MARK: Decoding

    /// Where we read something else than notepack does, and why.
    static let decodingDeviations: [String: (reason: String, value: JSONValue)] = [
        "81a95f5f70726f746f5f5f81a16101": (
            "notepack sets the prototype and loses the member; here it is a key like any other", ["__proto__": ["a": 1]]
        )
    ]

    @Test(arguments: try rows("decode")) func decodes(_ row: Row) throws {
        let bytes = try Self.bytes(hex: #require(row.hex))
        if row.json["error"] != nil {
            #expect(throws: MessagePackError.self) { try MessagePackValue(parsing: bytes) }
            #expect(throws: MessagePackError.self) { try JSONValue(parsingMessagePack: bytes) }
            #expect(throws: MessagePackError.self) { try Self.transcoded(bytes) }
            var reader = MessagePackReader(bytes)
            #expect(throws: MessagePackError.self) {
                try reader.skipValue()
                try reader.expectEnd()
            }
            return
        }
        let tagged = try #require(row.json["value"])
        let expected =
            try Self.decodingDeviations[row.name]?.value ?? JSONValue(Self.value(of: tagged, js: row.name))
        let value = try MessagePackValue(parsing: bytes)
        #expect(Self.canonical(JSONValue(value)) == Self.canonical(expected))
        #expect(try Self.canonical(JSONValue(parsingMessagePack: bytes)) == Self.canonical(expected))
        #expect(try Self.canonical(Self.transcoded(bytes)) == Self.canonical(Self.asText(expected)))
        if tagged["t"] == "date" {
            guard case .timestamp(let timestamp) = value else {
                Issue.record("no timestamp: \(value)")
                return
            }
            #expect(timestamp.milliseconds.map { "\($0)" } == tagged["ms"]?.stringValue)
            #expect(timestamp.iso8601 == tagged["iso"]?.stringValue)
        }
        if tagged["t"] == "float", let bits = tagged["bits"]?.stringValue {
            let number = JSONValue(value).doubleValue ?? 0
            #expect(number.bitPattern == UInt64(bits, radix: 16))
        }
        var reader = MessagePackReader(bytes)
        try reader.skipValue()
        try reader.expectEnd()
    }

    // MARK: Helpers

    /// The value that the fixture describes.
    static func value(of tagged: JSONValue, js: String) throws -> MessagePackValue {
        switch tagged["t"]?.stringValue {
        case "nil", "undefined": return .null
        case "bool": return .bool(tagged["v"] == true)
        case "int": return .int(try #require(Int64(tagged["v"]?.stringValue ?? "")))
        case "float":
            return .double(Double(bitPattern: try #require(UInt64(tagged["bits"]?.stringValue ?? "", radix: 16))))
        case "str":
            if let text = tagged["v"]?.stringValue { return .string(text) }
            let unit = try #require(tagged["repeat"]?.stringValue)
            return .string(String(repeating: unit, count: try #require(tagged["count"]?.intValue)))
        case "utf16":
            let units = try #require(tagged["units"]?.arrayValue).compactMap { $0.intValue.map(UInt16.init) }
            return .string(String(decoding: units, as: UTF16.self))
        case "bin":
            if let hex = tagged["hex"]?.stringValue ?? tagged["rawHex"]?.stringValue {
                return .binary(try Self.bytes(hex: hex))
            }
            let byte = UInt8(try #require(tagged["repeat"]?.intValue))
            return .binary(ByteBuffer(repeating: byte, count: try #require(tagged["count"]?.intValue)))
        case "array":
            if let elements = tagged["v"]?.arrayValue {
                return .array(try elements.map { try Self.value(of: $0, js: js) })
            }
            let element = try Self.value(of: #require(tagged["repeat"]), js: js)
            return .array(Array(repeating: element, count: try #require(tagged["count"]?.intValue)))
        case "map":
            if let count = tagged["count"]?.intValue {
                return .map((0..<count).map { .init(key: .string("k\($0)"), value: .int(Int64($0))) })
            }
            let pairs = try #require(tagged["v"]?.arrayValue)
            return .map(
                try pairs.compactMap { pair in
                    // As an optional property that is nil, a key without a value is left out.
                    let kind = pair[1]?["t"]
                    guard kind != "undefined", kind != "function" else { return nil }
                    let key = try #require(pair[0]?.stringValue)
                    return .init(key: .string(key), value: try Self.value(of: #require(pair[1]), js: js))
                }
            )
        case "date":
            guard let milliseconds = Int64(try #require(tagged["ms"]?.stringValue)) else {
                return MessagePackValue(try JSONValue(encoding: Date(timeIntervalSince1970: .nan)))
            }
            return .timestamp(MessagePackTimestamp(milliseconds: milliseconds))
        case "ext":
            let type = Int8(try #require(tagged["type"]?.intValue))
            return .ext(type: type, bytes: try Self.bytes(hex: #require(tagged["hex"]?.stringValue)))
        case "object-with-toJSON":
            // The fixture leaves out what toJSON returns; the expression tells.
            switch js {
            case "{ toJSON() { return { x: 1 } } }": return MessagePackValue(["x": 1])
            case "new URL(\"http://a/b\") (toJSON gives a string)":
                return MessagePackValue(try JSONValue(encoding: #require(URL(string: "http://a/b"))))
            case "{ a: { toJSON() { return undefined } } }": return MessagePackValue(["a": nil])
            default: break
            }
        default: break
        }
        Issue.record("no idea what \(js) is")
        return .null
    }

    static func hasTimestamp(_ value: MessagePackValue) -> Bool {
        switch value {
        case .timestamp: true
        case .array(let elements): elements.contains(where: self.hasTimestamp)
        case .map(let entries): entries.contains { self.hasTimestamp($0.value) }
        default: false
        }
    }

    /// Turns bytes into JSON text and reads that.
    static func transcoded(_ bytes: ByteBuffer) throws -> JSONValue {
        var reader = MessagePackReader(bytes)
        var text = ByteBuffer()
        var attachments: [ByteBuffer] = []
        try reader.transcodeToJSON(into: &text, attachments: &attachments)
        try reader.expectEnd()
        var json = JSONReader(text, attachments: attachments)
        let value = try json.readValue()
        try json.expectEnd()
        return value
    }

    /// What is left of a value when it goes through text.
    static func asText(_ value: JSONValue) -> JSONValue { JSONRobustnessTests.asJavaScript(value) }

    /// One kind of number, and NaN as a text because it differs from itself; the order of members stays.
    static func canonical(_ value: JSONValue) -> JSONValue {
        switch value {
        case .int(let number): .double(Double(number))
        case .double(let number) where number.isNaN: "NaN"
        case .array(let elements): .array(elements.map(self.canonical))
        case .object(let members): .object(members.mapValues(self.canonical))
        default: value
        }
    }

    static func hex(_ bytes: ByteBuffer) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.readableBytesView.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }

    static func bytes(hex: String) throws -> ByteBuffer {
        let digits = Array(hex.utf8)
        return ByteBuffer(
            bytes: try stride(from: 0, to: digits.count, by: 2).map { index in
                try #require(UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16))
            }
        )
    }
}

/// SHA-256 (FIPS 180-4), for the outputs of which the fixture holds only the digest.
private enum SHA256Digest {
    /// The first 32 bits of the fractional parts of roots of the first primes.
    private static let (initial, constants): ([UInt32], [UInt32]) = {
        let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }
        func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 4_294_967_296) }
        return (primes.prefix(8).map { fraction(Double($0).squareRoot()) }, primes.map { fraction(cbrt(Double($0))) })
    }()

    static func hex(of message: [UInt8]) -> String {
        var bytes = message + [0x80]
        bytes += [UInt8](repeating: 0, count: (120 - bytes.count % 64) % 64)
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: (UInt64(message.count) * 8) >> (56 - 8 * UInt64($0))) }
        var state = self.initial
        var words = [UInt32](repeating: 0, count: 64)
        func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
        for block in stride(from: 0, to: bytes.count, by: 64) {
            for index in 0..<16 {
                words[index] = (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[block + index * 4 + $1]) }
            }
            for index in 16..<64 {
                let (early, late) = (words[index - 15], words[index - 2])
                let first = rotated(early, 7) ^ rotated(early, 18) ^ (early >> 3)
                let second = rotated(late, 17) ^ rotated(late, 19) ^ (late >> 10)
                words[index] = words[index - 16] &+ first &+ words[index - 7] &+ second
            }
            var (a, b, c, d) = (state[0], state[1], state[2], state[3])
            var (e, f, g, h) = (state[4], state[5], state[6], state[7])
            for index in 0..<64 {
                let one = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
                let first = h &+ one &+ ((e & f) ^ (~e & g)) &+ self.constants[index] &+ words[index]
                let zero = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
                let second = zero &+ ((a & b) ^ (a & c) ^ (b & c))
                (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
            }
            for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
        }
        return state.map { String(format: "%08x", $0) }.joined()
    }
}
