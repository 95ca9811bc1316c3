import NIOCore
import SocketIOServer
import SocketIOWire
import Testing

@testable import Gateway

/// What waits, and what takes whose place.
@Suite struct StateQueueTests {
    private static let rate = RateLimit(perSecond: 2, burst: 2)
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func operation(_ key: UTF8Text, _ action: StateOperation.Action) -> StateOperation {
        StateOperation(
            room: "r",
            key: key,
            action: action,
            by: .null,
            holders: 0,
            limits: StateLimits(keys: 1, bytes: 1)
        )
    }

    private static func set(_ key: UTF8Text, _ value: JSONValue) -> StateOperation {
        Self.operation(key, .set(value, lifetime: nil))
    }

    @Test func theLastValueOfAKeyWins() {
        var queue = StateQueue<Int>(capacity: 100)
        var replaced: [Int] = []
        for number in 0..<10 {
            let entrance = queue.append(
                Self.set(number % 2 == 0 ? "a" : "b", .int(number)),
                number,
                rate: Self.rate,
                isNecessary: false,
                at: Self.start
            )
            if case .waits(let ticket?) = entrance { replaced.append(ticket) }
        }
        #expect(queue.ready.map(\.ticket) == [0, 1])
        #expect(replaced == [2, 3, 4, 5, 6, 7] && queue.waitingCount == 2)
        let delay = queue.advance("r", rate: Self.rate, at: Self.start)
        #expect(delay != nil && queue.ready.count == 2)
        #expect(queue.advance("r", rate: Self.rate, at: Self.start + .seconds(1)) == nil)
        #expect(queue.ready.map(\.ticket) == [0, 1, 8, 9])
        #expect(queue.take(100).count == 4 && queue.isEmpty)
        #expect(!queue.contains(StateKey(room: "r", key: "a")))
        queue.forgetQuiet(at: Self.start + .seconds(10))
    }

    @Test func operationsOfAKeyKeepTheirOrder() {
        var queue = StateQueue<Int>(capacity: 100)
        for (number, operation) in [
            Self.set("a", 1), Self.set("a", 2), Self.set("a", 3), Self.operation("a", .release), Self.set("a", 4),
            Self.operation("b", .release),
        ].enumerated() {
            let rate = operation.isReplaceable ? Self.rate : nil
            _ = queue.append(operation, number, rate: rate, isNecessary: true, at: Self.start)
        }
        // The release of another key overtakes, that of the same one does not.
        #expect(queue.ready.map(\.ticket) == [0, 1, 5])
        queue.advanceAll()
        #expect(queue.ready.map(\.ticket) == [0, 1, 5, 2, 3, 4])
        let items = queue.take(2)
        queue.putBack(items)
        #expect(queue.ready.map(\.ticket) == [0, 1, 5, 2, 3, 4])
    }

    @Test func aFullQueueTakesWhatMustNotBeLost() {
        var queue = StateQueue<Int>(capacity: 2)
        func append(_ operation: StateOperation, isNecessary: Bool) -> Bool {
            let entrance = queue.append(
                operation,
                0,
                rate: nil,
                isNecessary: isNecessary,
                isHeld: true,
                at: Self.start
            )
            if case .refused = entrance { return false }
            return true
        }
        #expect(append(Self.set("a", 1), isNecessary: false) && append(Self.set("b", 1), isNecessary: false))
        #expect(!append(Self.set("c", 1), isNecessary: false))
        #expect(append(Self.set("a", 2), isNecessary: false))
        #expect(append(Self.operation("c", .release), isNecessary: true))
    }
}

@Suite struct HolderBookTests {
    private static let ids = [SocketID("AAAAAAAAAAAAAAAAAAAA")!, SocketID("AAAAAAAAAAAAAAAAAAAB")!]

    private static func hold(_ value: JSONValue) -> HolderBook.Hold {
        HolderBook.Hold(value: value, by: .null, limits: StateLimits(keys: 1, bytes: 1))
    }

    @Test func socketsHoldTogether() {
        var book = HolderBook()
        let (a, b) = (StateKey(room: "r", key: "a"), StateKey(room: "s", key: "b"))
        book.hold(a, by: Self.ids[0], as: Self.hold(1), replaces: false)
        book.hold(a, by: Self.ids[1], as: Self.hold(2), replaces: false)
        book.hold(b, by: Self.ids[0], as: Self.hold(3), replaces: true)
        #expect(book.count(of: a) == 2 && book.holds[a]?.value == 1)
        book.hold(a, by: Self.ids[1], as: Self.hold(2), replaces: true)
        #expect(book.count(of: a) == 2 && book.holds[a]?.value == 2)
        #expect(book.keys(of: Self.ids[0], in: "r") == [a] && book.keys(of: Self.ids[0], in: nil).count == 2)
        #expect(book.release(a, by: Self.ids[0]) && !book.release(a, by: Self.ids[0]))
        #expect(book.holdsAnything(in: "r") && book.count(of: a) == 1)
        book.clear(a)
        #expect(!book.holdsAnything(in: "r") && book.keys(of: Self.ids[1], in: nil).isEmpty)
        #expect(book.release(b, by: Self.ids[0]) && book.isEmpty)
    }
}
