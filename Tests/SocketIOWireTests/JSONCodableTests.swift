import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JSONCodableTests {
    // MARK: Types of every shape

    struct Everything: Codable, Equatable {
        var bool = true
        var int = -1
        var int8 = Int8.min
        var int16 = Int16.max
        var int32 = Int32.min
        var int64 = Int64.max
        var uint = UInt(7)
        var uint8 = UInt8.max
        var uint16 = UInt16.max
        var uint32 = UInt32.max
        var uint64 = UInt64(1) << 62
        var float = Float(1.5)
        var double = 0.1
        var string = "é\n"
        var optional: Int? = 3
        var missing: Int?
        var array = [1, 2]
        var optionals: [Int?] = [1, nil]
        var nested = Nested(a: [Nested(a: [], b: [:])], b: ["k": Nested(a: [], b: [:])])
        var byString = ["a": 1]
        var byInt = [1: "x", -2: "y"]
        var choice = Choice.labelled(count: 2, text: "t")
        var plain = Choice.plain
        var raw = Raw.second
        var set: Set<Int> = [5]
        var uuid = UUID(uuidString: "E621E1F8-C36C-495A-93FC-0C247A3E6E5F")
        var url = URL(string: "https://example.org/a?b=c")
        var decimal = Decimal(string: "12345.678")
        var tuple = Pair(first: 1, second: "b")
    }

    struct Nested: Codable, Equatable {
        var a: [Nested]
        var b: [String: Nested]
    }

    enum Choice: Codable, Equatable {
        case plain
        case labelled(count: Int, text: String)
    }

    enum Raw: String, Codable { case first, second }

    /// Written by hand: nested containers of every kind.
    struct Pair: Codable, Equatable {
        var first: Int
        var second: String

        enum Keys: String, CodingKey { case list, keyed, deep }

        init(first: Int, second: String) {
            self.first = first
            self.second = second
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            var list = try container.nestedUnkeyedContainer(forKey: .list)
            #expect(list.count == 3)
            self.first = try list.decode(Int.self)
            #expect(try list.decodeNil())
            var inner = try list.nestedUnkeyedContainer()
            #expect(try inner.decode(String.self) == "in")
            #expect(inner.isAtEnd)
            let keyed = try container.nestedContainer(keyedBy: Keys.self, forKey: .keyed)
            self.second = try keyed.decode(String.self, forKey: .deep)
            #expect(try keyed.decodeNil(forKey: .list))
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            var keyed = container.nestedContainer(keyedBy: Keys.self, forKey: .keyed)
            var list = container.nestedUnkeyedContainer(forKey: .list)
            try list.encode(self.first)
            try list.encodeNil()
            var inner = list.nestedUnkeyedContainer()
            try inner.encode("in")
            try keyed.encode(self.second, forKey: .deep)
            try keyed.encodeNil(forKey: .list)
        }
    }

    class Animal: Codable {
        var legs = 4

        init() {}
    }

    final class Dog: Animal {
        var name = "Rex"

        enum Keys: String, CodingKey { case name, parent }

        override init() { super.init() }

        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            self.name = try container.decode(String.self, forKey: .name)
            try super.init(from: container.superDecoder())
            #expect(try Animal(from: container.superDecoder(forKey: .parent)).legs == self.legs)
        }

        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try super.encode(to: container.superEncoder())
            try super.encode(to: container.superEncoder(forKey: .parent))
            try container.encode(self.name, forKey: .name)
        }
    }

    // MARK: There and back

    @Test func everythingSurvives() throws {
        let value = try JSONValue(encoding: Everything())
        #expect(try value.decode(Everything.self) == Everything())
        #expect(value["missing"] == nil)
        #expect(value["int64"] == .int(.max))
        #expect(value["optionals"] == [1, nil])
        #expect(value["byInt"]?["1"] == "x")
        #expect(value["choice"] == ["labelled": ["count": 2, "text": "t"]])
        #expect(value["plain"] == ["plain": [:]])
        #expect(value["raw"] == "second")
        #expect(value["url"] == "https://example.org/a?b=c")
        #expect(value["decimal"] == 12345.678)
        #expect(value["tuple"] == ["keyed": ["deep": "b", "list": nil], "list": [1, nil, ["in"]]])
        #expect(value.objectValue.map { Array($0.keys.prefix(3)) } == ["bool", "int", "int8"])
    }

    /// Through text as well, and against Foundation's coders in both directions.
    @Test func foundationReadsWhatWeWriteAndWritesWhatWeRead() throws {
        let value = try JSONValue(encoding: Everything())
        var text = ByteBuffer()
        text.writeJSON(value)
        #expect(try JSONValue(parsing: text) == value)
        #expect(try JSONDecoder().decode(Everything.self, from: Data(text.readableBytesView)) == Everything())
        let theirs = try JSONEncoder().encode(Everything())
        #expect(try JSONValue(parsing: ByteBuffer(bytes: theirs)).decode(Everything.self) == Everything())
        #expect(try Self.sorted(JSONValue(parsing: ByteBuffer(bytes: theirs))) == Self.sorted(value))
    }

    @Test func superEncodersHaveTheirOwnMember() throws {
        let dog = Dog()
        dog.legs = 3
        let value = try JSONValue(encoding: dog)
        #expect(value == ["super": ["legs": 3], "parent": ["legs": 3], "name": "Rex"])
        let copy: Dog = try value.decode()
        #expect(copy.legs == 3)
        #expect(copy.name == "Rex")
    }

    @Test func superEncodersOfArraysAreElements() throws {
        struct List: Codable, Equatable {
            var inner = ["x": 1]

            init() {}

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                #expect(try container.decode(Int.self) == 1)
                self.inner = try [String: Int](from: container.superDecoder())
            }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try container.encode(1)
                try self.inner.encode(to: container.superEncoder())
                #expect(container.count == 2)
            }
        }
        #expect(try JSONValue(encoding: List()) == [1, ["x": 1]])
        #expect(try JSONValue.array([1, ["x": 1]]).decode(List.self) == List())
    }

    static let singles: [(any Codable & Sendable, JSONValue)] = [
        (true, true), (1, 1), (Int8(-1), -1), (UInt64(3), 3), (1.5, 1.5), (Float(0.5), 0.5), ("s", "s"),
        (Int?.none, nil),
        (Int?(2), 2), ([Int](), []), ([String: Int](), [:]), ([nil, "a"] as [String?], [nil, "a"]),
        ([1, 2] as [UInt8], [1, 2]), (ByteBuffer(bytes: [1, 2]), .binary(ByteBuffer(bytes: [1, 2]))),
        (Data([1, 2]), .binary(ByteBuffer(bytes: [1, 2]))), (["d": Data()], ["d": .binary(ByteBuffer())]),
        ([ByteBuffer(bytes: [9])], [.binary(ByteBuffer(bytes: [9]))]), (JSONValue.array([1, .null]), [1, nil]),
        ([JSONValue.bool(true)], [true]), (["a": JSONValue.binary(ByteBuffer())], ["a": .binary(ByteBuffer())]),
        (JSONValue.object(["a": 1, "b": 2]), ["a": 1, "b": 2]),
        (Date(timeIntervalSince1970: 0), "1970-01-01T00:00:00.000Z"),
        ([Date(timeIntervalSince1970: 1_704_164_645.678)], ["2024-01-02T03:04:05.678Z"]),
        (Date(timeIntervalSince1970: -0.001), "1969-12-31T23:59:59.999Z"), (Date(timeIntervalSince1970: .nan), nil),
        (Date(timeIntervalSince1970: 1e300), nil), (UInt64.max - 2047, .double(18_446_744_073_709_549_568)),
    ]

    @Test(arguments: singles.indices) func encodes(_ index: Int) throws {
        let (source, expected) = Self.singles[index]
        #expect(try JSONValue(encoding: source) == expected)
    }

    @Test func objectsKeepTheirOrder() throws {
        let members: JSONObject = ["z": 1, "a": 2]
        #expect(try JSONValue(encoding: members) == .object(members))
        #expect(try JSONValue(encoding: ["m": members])["m"]?.objectValue == members)
        #expect(try JSONValue.object(members).decode(JSONObject.self) == members)
    }

    @Test func integersThatNoNumberHoldsAreErrors() {
        #expect { try JSONValue(encoding: ["a": [UInt64.max]]) } throws: { error in
            guard case EncodingError.invalidValue(_, let context) = error else { return false }
            return Self.path(context.codingPath) == "a.Index 0"
        }
    }

    @Test func decodesLeniently() throws {
        #expect(try JSONValue.double(3).decode(Int.self) == 3)
        #expect(try JSONValue.double(-0.0).decode(UInt8.self) == 0)
        #expect(try JSONValue.int(3).decode(Double.self) == 3)
        #expect(try JSONValue.int(3).decode(Float.self) == 3)
        #expect(try JSONValue.double(1e19).decode(UInt64.self) == 10_000_000_000_000_000_000)
        #expect(try JSONValue.binary(ByteBuffer(bytes: [1, 2])).decode([UInt8].self) == [1, 2])
        #expect(try JSONValue.binary(ByteBuffer(bytes: [1, 2])).decode(Data.self) == Data([1, 2]))
        #expect(try JSONValue.array([1, 2]).decode(Data.self) == Data([1, 2]))
        #expect(try JSONValue.array([1, 2]).decode([UInt8].self) == [1, 2])
        #expect(try JSONValue.binary(ByteBuffer(bytes: [1, 2])).decode(ByteBuffer.self) == ByteBuffer(bytes: [1, 2]))
        #expect(try JSONValue.null.decode(Int?.self) == nil)
        #expect(try JSONValue.null.decode(JSONValue.self) == .null)
        #expect(try JSONValue.object(["a": nil]).decode([String: Int?].self) == ["a": nil])
        #expect(try JSONValue.int(1500).decode(Date.self) == Date(timeIntervalSince1970: 1.5))
        let count: Int = try JSONValue.int(4).decode()
        #expect(count == 4)
    }

    static let dates: [(String, Int?)] = [
        ("1970-01-01T00:00:00.000Z", 0), ("1970-01-01", 0), ("1970-01-01T00:00Z", 0), ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T01:00:00+01:00", 0), ("1970-01-01T00:00:00-0130", 5_400_000), ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T00:00:00.123456789Z", 123), ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("2023-02-29", nil),
        ("+275760-09-13T00:00:00.000Z", 8_640_000_000_000_000), ("-271821-04-20T00:00:00.000Z", -8_640_000_000_000_000),
        ("+275760-09-13T00:00:00.001Z", nil), ("1969-12-31T24:00:00Z", 0), ("1969-12-31T24:00:01Z", nil),
        ("0000-01-01T00:00:00.000Z", -62_167_219_200_000), ("1970-13-01", nil), ("1970-00-01", nil),
        ("1970-01-32", nil),
        ("1970-01-00", nil), ("1970-1-1", nil), ("", nil), ("1970", nil), ("1970-01-01T", nil),
        ("1970-01-01T00:00:00", nil),
        ("1970-01-01T00:60:00Z", nil), ("1970-01-01T00:00:60Z", nil), ("1970-01-01T00:00:00.Z", nil),
        ("1970-01-01T00:00:00ZZ", nil), ("1970-01-01T00:00:00+24:00", nil), ("é970-01-01", nil), ("today", nil),
    ]

    @Test(arguments: dates) func decodesDates(_ text: String, _ milliseconds: Int?) throws {
        guard let milliseconds else {
            #expect(throws: DecodingError.self) { try JSONValue.string(text).decode(Date.self) }
            return
        }
        let date = try JSONValue.string(text).decode(Date.self)
        #expect(date == Date(timeIntervalSince1970: Double(milliseconds) / 1000))
        let written = try JSONValue(encoding: date)
        #expect(try written.decode(Date.self) == date)
    }

    @Test func datesAreWrittenAsFoundationReadsThem() throws {
        var generator = SeededGenerator(seed: 7)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for _ in 0..<2000 {
            let milliseconds = Int.random(in: -62_135_596_800_000..<253_402_300_800_000, using: &generator)
            let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            let text = try #require(try JSONValue(encoding: date).stringValue)
            #expect(try JSONValue.string(text).decode(Date.self) == date)
            // Foundation's calendar is Julian before 1582.
            if milliseconds > -12_000_000_000_000 {
                #expect(abs(try style.parse(text).timeIntervalSince(date)) < 0.0005, "\(text)")
            }
        }
    }

    // MARK: Errors

    struct Outer: Codable {
        var list: [Inner]
    }

    struct Inner: Codable {
        var count: Int8
        var name: String?
    }

    static let errors: [(JSONValue, String, String)] = [
        (["list": [["count": 1], ["count": 128]]], "dataCorrupted", "list.Index 1.count"),
        (["list": [["count": 1.5]]], "dataCorrupted", "list.Index 0.count"),
        (["list": [["count": .double(.nan)]]], "dataCorrupted", "list.Index 0.count"),
        (["list": [["count": .double(.infinity)]]], "dataCorrupted", "list.Index 0.count"),
        (["list": [["count": "secret"]]], "typeMismatch", "list.Index 0.count"),
        (["list": [["count": true]]], "typeMismatch", "list.Index 0.count"),
        (["list": [["count": nil]]], "valueNotFound", "list.Index 0.count"),
        (["list": [[:]]], "keyNotFound", "list.Index 0.count"),
        (["list": [["count": 1, "name": 2]]], "typeMismatch", "list.Index 0.name"),
        (["list": [1]], "typeMismatch", "list.Index 0"), (["list": [:]], "typeMismatch", "list"),
        (["list": nil], "valueNotFound", "list"), ([], "typeMismatch", ""), (nil, "valueNotFound", ""),
        (.binary(ByteBuffer(string: "secret")), "typeMismatch", ""),
    ]

    @Test(arguments: errors) func errorsNameThePathAndNotTheContent(_ value: JSONValue, _ kind: String, _ path: String)
    {
        #expect { try value.decode(Outer.self) } throws: { error in
            guard let error = error as? DecodingError else { return false }
            #expect(!"\(error)".contains("secret"))
            switch error {
            case .dataCorrupted(let context):
                return kind == "dataCorrupted" && Self.path(context.codingPath) == path
            case .typeMismatch(_, let context):
                return kind == "typeMismatch" && Self.path(context.codingPath) == path
            case .valueNotFound(_, let context):
                return kind == "valueNotFound" && Self.path(context.codingPath) == path
            case .keyNotFound(let key, let context):
                return kind == "keyNotFound" && Self.path(context.codingPath + [key]) == path
            @unknown default:
                return false
            }
        }
    }

    @Test func arraysEnd() {
        struct Three: Decodable {
            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                while true { if try !container.decodeNil() { _ = try container.decode(Int.self) } }
            }
        }
        #expect(throws: DecodingError.self) { try JSONValue.array([1, nil, 3]).decode(Three.self) }
    }

    @Test func numbersOutOfRangeAreErrors() {
        #expect(throws: DecodingError.self) { try JSONValue.int(256).decode(UInt8.self) }
        #expect(throws: DecodingError.self) { try JSONValue.int(-1).decode(UInt64.self) }
        #expect(throws: DecodingError.self) { try JSONValue.double(1e19).decode(Int.self) }
        #expect(throws: DecodingError.self) { try JSONValue.double(1e300).decode(Float.self) }
        #expect(throws: DecodingError.self) { try JSONValue.double(.infinity).decode(Int.self) }
        #expect(throws: DecodingError.self) { try JSONValue.double(.nan).decode(Decimal.self) }
        #expect(throws: DecodingError.self) { try JSONValue.string("1").decode(Int.self) }
        #expect(throws: DecodingError.self) { try JSONValue.int(1).decode(Bool.self) }
        #expect(throws: DecodingError.self) { try JSONValue.array([300]).decode(Data.self) }
        #expect(throws: DecodingError.self) { try JSONValue.string("AQI=").decode(ByteBuffer.self) }
    }

    // MARK: Other coders

    @Test func otherCodersTakeValues() throws {
        let value: JSONValue = ["a": [1, 1.5, "s", true, nil], "b": ["c": .int(.max)], "d": [], "e": [:]]
        let text = try JSONEncoder().encode(value)
        let copy = try JSONDecoder().decode(JSONValue.self, from: text)
        #expect(Self.sorted(copy) == Self.sorted(value))
        let bytes = try JSONEncoder().encode(["x": JSONValue.binary(ByteBuffer(bytes: [1, 2]))])
        #expect(
            try JSONDecoder().decode(JSONValue.self, from: bytes)["x"]?["data"] == [1, 2]
        )
    }

    // MARK: Helpers

    static func path(_ keys: [any CodingKey]) -> String { keys.map(\.stringValue).joined(separator: ".") }

    /// The value with its members in alphabetical order, for comparing with coders that keep none.
    static func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(self.sorted))
        case .object(let members):
            .object(
                JSONObject(uniqueKeysWithValues: members.map { ($0.key, self.sorted($0.value)) }.sorted { $0.0 < $1.0 })
            )
        default: value
        }
    }
}
