import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ArgumentsTests {
    struct Point: Codable, Equatable {
        var x: Int
        var y: Int?
    }

    private func arguments(_ input: String, _ attachments: ByteBuffer...) throws -> Arguments {
        var decoder = PacketDecoder()
        var packet = try decoder.decode(text: text(input))
        for attachment in attachments { packet = try decoder.decode(binary: attachment) }
        let complete = try #require(packet)
        return complete.event()?.arguments ?? complete.acknowledgementArguments()
    }

    @Test func areDecodedOneAfterTheOther() throws {
        let arguments = try self.arguments(
            "52-[ \"e\" , \"text\", 7, -1.5, true, {\"x\":1}, [1,2], null, {\"_placeholder\":true,\"num\":1}, [\"rest\"] ]",
            hex("00"),
            hex("01")
        )
        #expect(arguments.count == 9)
        #expect(!arguments.isEmpty)
        var reader = arguments.makeReader()
        #expect(try reader.next(String.self) == "text")
        #expect(try reader.next(Int.self) == 7)
        #expect(try reader.next(Double.self) == -1.5)
        #expect(try reader.next(Bool.self))
        #expect(try reader.next(Point.self) == Point(x: 1))
        #expect(try reader.next([Int].self) == [1, 2])
        #expect(try reader.next(String?.self) == nil)
        #expect(reader.index == 7)
        #expect(try reader.next(ByteBuffer.self) == hex("01"))
        #expect(!reader.isAtEnd)
        #expect(try reader.next(JSONValue.self) == ["rest"])
        #expect(reader.isAtEnd)
        #expect(try reader.nextValue() == nil)
    }

    @Test func valuesAreReadLikeText() throws {
        let arguments = Arguments([1, "two", nil])
        #expect(arguments.count == 3)
        #expect(try arguments.values() == [1, "two", nil])
        var reader = arguments.makeReader()
        #expect(try reader.next(Int.self) == 1)
        try reader.skip()
        #expect(try reader.next(Int?.self) == nil)
        #expect(reader.isAtEnd)
        #expect(Arguments([]).isEmpty)
    }

    @Test func whatWasNotSentIsNilOrAnError() throws {
        var reader = try self.arguments("2[\"e\"]").makeReader()
        #expect(reader.isAtEnd)
        #expect(try reader.next(String?.self) == nil)
        let error = try #require(throws: ArgumentError.self) { try reader.next(Int.self) }
        #expect(error.reason == .missing)
        #expect(error.index == 0)
        #expect("\(error)" == "argument 0 of type Int is missing")

        reader = try self.arguments("2[\"e\",1]").makeReader()
        try reader.skip()
        #expect(throws: ArgumentError.self) { try reader.next(JSONValue.self) }
    }

    @Test func whatIsOfAnotherTypeNamesItsIndex() throws {
        var reader = try self.arguments("2[\"e\",1,\"secret\"]").makeReader()
        try reader.skip()
        let error = try #require(throws: ArgumentError.self) { try reader.next(Int.self) }
        #expect(error.reason == .mismatch)
        #expect(error.index == 1)
        #expect(error.underlying != nil)
        #expect("\(error)" == "argument 1 is no Int: Expected Int but found a string.")
        #expect(error.path == nil)
        #expect(reader.isAtEnd)
    }

    struct Order: Codable {
        struct Item: Codable { var count: Int }
        var items: [String: [Item]]
    }

    /// Every kind of type, at every place: types that are decoded without a decoder, and those that are not.
    @Test(arguments: 0..<4) func theIndexIsThatOfTheArgument(_ index: Int) throws {
        let text = "2[\"e\"" + String(repeating: ",1", count: index) + ",{}]"
        func error<T: Decodable>(_ type: T.Type) throws -> ArgumentError {
            var reader = try self.arguments(text).makeReader()
            for _ in 0..<index { _ = try reader.next(Int.self) }
            return try #require(throws: ArgumentError.self) { try reader.next(T.self) }
        }
        #expect(try error(String.self).index == index)
        #expect(try error(Int.self).index == index)
        #expect(try error(Bool.self).index == index)
        #expect(try error(Double?.self).index == index)
        #expect(try error([Int].self).index == index)
        #expect(try error(Order.self).index == index)
        #expect(try error(ByteBuffer.self).index == index)
    }

    /// Where in the argument, and what is missing there; nothing of what the client sent but the names of its keys.
    @Test(arguments: [
        ("{}", "items", "the key is missing"),
        ("{\"items\":{\"a\":[{\"count\":1},{}]}}", "items.a[1].count", "the key is missing"),
        ("{\"items\":{\"a\":[{\"count\":\"secret\"}]}}", "items.a[0].count", "Expected Int but found a string."),
        ("{\"items\":{\"a\":[{\"count\":null}]}}", "items.a[0].count", "Expected Int but found null."),
        ("{\"items\":{\"x\\ny\":1}}", "items.x\\u{a}y", "Expected Array<JSONValue> but found a number."),
    ])
    func thePathLeadsToWhatDoesNotFit(_ argument: String, _ path: String, _ reason: String) throws {
        var reader = Arguments([try JSONValue(parsing: ByteBuffer(string: argument))]).makeReader()
        let error = try #require(throws: ArgumentError.self) { try reader.next(Order.self) }
        #expect(error.path == path)
        #expect("\(error)" == "argument 0 is no Order: \(path): \(reason)")
    }

    @Test func longPathsAreCutShort() throws {
        let key = String(repeating: "k", count: 100_000)
        var reader = Arguments([try JSONValue(parsing: ByteBuffer(string: "{\"items\":{\"\(key)\":1}}"))]).makeReader()
        let error = try #require(throws: ArgumentError.self) { try reader.next(Order.self) }
        #expect("\(error)".utf8.count < 300)
        #expect(try #require(error.path).hasSuffix("… (100000 bytes)"))
    }

    @Test func acknowledgementsHaveNoName() throws {
        #expect(try self.arguments("31[1,2]").values() == [1, 2])
        #expect(try self.arguments("31[]").isEmpty)
        #expect(try self.arguments("31").isEmpty)
        #expect(
            try self.arguments("61-1[{\"_placeholder\":true,\"num\":0}]", hex("07")).values() == [.binary(hex("07"))]
        )
    }

    /// Without attachments, what looks like a placeholder is an object.
    @Test func placeholdersWithoutAttachmentsAreObjects() throws {
        let object: JSONValue = ["_placeholder": true, "num": 0]
        #expect(try self.arguments("2[\"e\",{\"_placeholder\":true,\"num\":0}]").values() == [object])
        #expect(try self.arguments("50-[\"e\",{\"_placeholder\":true,\"num\":0}]").values() == [object])
    }

    @Test func anUncheckedPayloadIsCheckedWhenRead() {
        for json in ["", "{}", "[1,", "[1 2]", "[01]"] {
            let arguments = Arguments(PacketPayload(json: text(json)))
            #expect(throws: ArgumentError.self) { try arguments.values() }
            #expect(arguments.count <= 1)
        }
    }
}
