import Foundation
import NIOCore
import OrderedCollections
import Testing

@testable import SocketIOWire

/// Pairs that Swift's strings take for equal though their bytes differ.
private let canonicallyEqual: [(String, String)] = [
    ("\u{E9}", "e\u{301}"),
    ("K1", "\u{212A}1"),
    ("\u{C5}", "\u{212B}"),
    ("\u{3A9}", "\u{2126}"),
    ("\u{AC00}", "\u{1100}\u{1161}"),
    ("a\u{301}\u{323}", "a\u{323}\u{301}"),
    (";", "\u{37E}"),
    ("\u{2F}\u{338}", "\u{2F}\u{338}\u{34F}"),
]

@Suite("Texts are their bytes")
struct UTF8TextTests {
    @Test("Texts that mean the same characters in other bytes are different", arguments: canonicallyEqual)
    func differs(first: String, second: String) {
        #expect(UTF8Text(first) != UTF8Text(second))
        #expect(Set([UTF8Text(first), UTF8Text(second)]).count == 2)
        #expect(Room(first) != Room(second))
        #expect(Set([Room(first), Room(second)]).count == 2)
        #expect(JSONValue.string(first) != JSONValue.string(second))
        #expect(Set([JSONValue.string(first), .string(second)]).count == 2)
        let object: JSONValue = .object([UTF8Text(first): 1, UTF8Text(second): 2])
        #expect(object[first] == 1)
        #expect(object[second] == 2)
    }

    @Test("Equality, hash and order are those of the bytes, for texts made at random")
    func agreesWithBytes() {
        var generator = SeededGenerator(seed: 4)
        let pieces = [
            "", "a", "b", "\u{0}", "\u{301}", "\u{323}", "\u{E9}", "\u{212A}", "K", "\u{1F600}", "longer than a word ",
        ]
        func text() -> String {
            (0..<Int.random(in: 0...4, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }
                .joined()
        }
        for _ in 0..<5000 {
            let (first, second) = (text(), text())
            let areEqual = Array(first.utf8) == Array(second.utf8)
            #expect((UTF8Text(first) == UTF8Text(second)) == areEqual)
            if areEqual { #expect(UTF8Text(first).hashValue == UTF8Text(second).hashValue) }
            let precedes = Array(first.utf8).lexicographicallyPrecedes(Array(second.utf8))
            #expect((UTF8Text(first) < UTF8Text(second)) == precedes)
            #expect(UTF8Text(first).hasPrefix(UTF8Text(second)) == Array(first.utf8).starts(with: Array(second.utf8)))
        }
    }

    @Test("What follows a text in a hash is not taken for a part of it")
    func hashesItsEnd() {
        var first = Hasher()
        first.combine(UTF8Text("ab"))
        first.combine(UTF8Text("c"))
        var second = Hasher()
        second.combine(UTF8Text("a"))
        second.combine(UTF8Text("bc"))
        #expect(first.finalize() != second.finalize())
    }

    @Test("Both members of an object stay whose keys differ in their bytes only", arguments: canonicallyEqual)
    func keepsMembers(first: String, second: String) throws {
        let text = "{\"\(first)\":1,\"\(second)\":2}"
        let value = try JSONValue(parsing: ByteBuffer(string: text))
        #expect(value.objectValue?.count == 2)
        #expect(value.description == text)
        var packed = ByteBuffer()
        packed.writeMessagePack(value)
        var reader = MessagePackReader(packed)
        #expect(try reader.readJSONValue() == value)
    }

    @Test("A text is coded as a string, and as the key of a dictionary")
    func codes() throws {
        struct Message: Codable, Equatable {
            var name: UTF8Text
            var counts: [UTF8Text: Int]
        }
        let message = Message(name: "e\u{301}", counts: ["a": 1])
        let value = try JSONValue(encoding: message)
        #expect(value == ["name": "e\u{301}", "counts": ["a": 1]])
        #expect(try value.decode(Message.self) == message)
        let data = try JSONEncoder().encode(message)
        #expect(try JSONDecoder().decode(Message.self, from: data) == message)
    }

    @Test("A dictionary of strings is not made of keys that Swift would need seconds for")
    func refusesSlowKeys() throws {
        let key = "a" + String(repeating: "\u{301}", count: 40_000) + String(repeating: "\u{323}", count: 40_000)
        let value: JSONValue = .object([UTF8Text(key): 1, "b": 2])
        #expect(throws: DecodingError.self) { try value.decode([String: Int].self) }
        #expect(try value.decode(JSONValue.self) == value)
        let ascii: JSONValue = .object([UTF8Text(String(repeating: "k", count: 100_000)): 1])
        #expect(try ascii.decode([String: Int].self).count == 1)
    }
}
