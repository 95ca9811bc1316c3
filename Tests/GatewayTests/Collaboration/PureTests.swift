import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@testable import Gateway

@Suite struct TypingBookTests {
    private static func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .milliseconds(milliseconds) }

    private static func book() -> TypingBook<Int> { TypingBook(interval: .seconds(2), lifetime: .seconds(3)) }

    @Test func theOthersHearOfItSometimesAndOfTheEnd() {
        var book = Self.book()
        var told = 0
        for time in stride(from: 0 as Int64, through: 5_000, by: 100) {
            if case (.tell, _) = book.typed(1, "title", at: Self.at(time)) { told += 1 }
        }
        #expect(told == 3)
        let (none, wait) = book.woke(1, at: Self.at(5_100))
        #expect(none == .none && wait == .milliseconds(2_900))
        let (end, never) = book.woke(1, at: Self.at(8_000))
        #expect(end == .end && never == nil)
        #expect(book.count == 0)
        #expect(book.ended(1) == .none)
    }

    @Test func anotherFieldIsToldWhenItsTimeHasCome() {
        var book = Self.book()
        #expect(book.typed(1, "a", at: Self.at(0)).0 == .tell("a"))
        let (action, wait) = book.typed(1, "b", at: Self.at(500))
        #expect(action == .none && wait == .milliseconds(1_500))
        _ = book.typed(1, "c", at: Self.at(600))
        let (later, next) = book.woke(1, at: Self.at(2_000))
        #expect(later == .tell("c") && next == .milliseconds(1_600))
        #expect(book.ended(1) == .end)
    }
}

@Suite struct OnlineWatchesTests {
    @Test func aListReplacesTheOneBefore() {
        var watches = OnlineWatches<Int>()
        let first = watches.watch(1, [5, "ada"])
        #expect(first.added == Set([OnlineUsers.part(of: "5"), OnlineUsers.part(of: "ada")]))
        _ = watches.watch(2, [5])
        #expect(watches.watchers(of: "5") == [1: 5, 2: 5])
        let second = watches.watch(1, ["eve"])
        #expect(!second.removed.contains(OnlineUsers.part(of: "5")))
        #expect(watches.watchers(of: "ada").isEmpty && watches.watchers(of: "5") == [2: 5])
        #expect(watches.forget(2) == [OnlineUsers.part(of: "5")])
        _ = watches.forget(1)
        #expect(watches.isEmpty)
    }
}

@Suite struct FieldDifferenceTests {
    private static let excluded = ["updatedAt"]

    @Test(arguments: [
        ("{}", "{}", "{}"), (#"{"a":1}"#, #"{"a":1}"#, "{}"),
        (#"{"a":1,"updatedAt":1}"#, #"{"a":2,"updatedAt":2}"#, #"{"a":{"old":1,"new":2}}"#),
        (#"{"a":{"b":1,"c":2}}"#, #"{"a":{"b":1,"c":3}}"#, #"{"a":{"c":{"old":2,"new":3}}}"#),
        (#"{"a":[1]}"#, #"{"a":[1,2]}"#, #"{"a":{"_replaced":true,"old":[1],"new":[1,2]}}"#),
        (#"{"a":1}"#, #"{"b":1}"#, #"{"b":{"_replaced":true,"new":1},"a":{"_replaced":true,"old":1}}"#),
        (#"{"a":{"x":1}}"#, #"{"a":null}"#, #"{"a":{"_replaced":true,"old":{"x":1},"new":null}}"#),
        (
            #"{"a":{"b":{"c":{"d":1}}}}"#, #"{"a":{"b":{"c":{"d":2}}}}"#,
            #"{"a":{"b":{"c":{"_replaced":true,"old":{"d":1},"new":{"d":2}}}}}"#
        ),
        (#"{"__proto__":1}"#, #"{"__proto__":2}"#, #"{"__proto__":{"old":1,"new":2}}"#),
    ]) func differences(_ old: String, _ new: String, _ expected: String) throws {
        func object(_ text: String) throws -> JSONObject {
            try #require(JSONValue(parsing: ByteBuffer(string: text)).objectValue)
        }
        let difference = FieldDifference(from: try object(old), to: try object(new), excluding: Self.excluded)
        #expect(JSONValue.object(difference.changes).description == expected)
    }

    private static func value(_ random: inout SeededGenerator, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &random) {
        case 0: return .int(Int.random(in: 0..<3, using: &random))
        case 1: return .null
        case 2: return "x"
        case 3: return [.int(Int.random(in: 0..<2, using: &random))]
        default: return .object(Self.object(&random, depth: depth - 1))
        }
    }

    private static func object(_ random: inout SeededGenerator, depth: Int) -> JSONObject {
        var object = JSONObject()
        for key in ["a", "b", "old", "new", "_replaced"] as [UTF8Text] where Bool.random(using: &random) {
            object[key] = Self.value(&random, depth: depth)
        }
        return object
    }

    private static func sorted(_ value: JSONValue) -> JSONValue {
        guard case .object(let object) = value else { return value }
        var sorted = JSONObject()
        for key in object.keys.sorted() { sorted[key] = object[key].map(Self.sorted) }
        return .object(sorted)
    }

    /// Whatever two states are, the difference makes one of the other, whatever their fields are called.
    @Test func differencesMakeTheNewStateOfTheOld() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<3_000 {
            let (old, new) = (Self.object(&random, depth: 4), Self.object(&random, depth: 4))
            let difference = FieldDifference(from: old, to: new)
            // Fields have no order here.
            #expect(difference.hasChanges == (Self.sorted(.object(old)) != Self.sorted(.object(new))))
            let applied = try #require(difference.applied(to: old))
            #expect(Self.sorted(.object(applied)) == Self.sorted(.object(new)))
        }
    }
}
