import DequeModule
import SocketIOWire

/// What a directory has said about users, for a while.
struct LookupCache: Sendable {
    /// The most users that are remembered.
    static let capacity = 10_000

    private struct Entry: Sendable {
        var answer: LookupAnswer
        var until: Double
        /// Tells it from an older entry of the same user.
        var number: Int
    }

    private var entries: [UTF8Text: Entry] = [:]
    /// The users in the order in which they were asked for, some of them more than once.
    private var order: Deque<(user: UTF8Text, number: Int)> = []
    private var number = 0

    var count: Int { self.entries.count }

    /// What was said about a user, unless it is too old.
    func answer(about user: UTF8Text, now: Double) -> LookupAnswer? {
        guard let entry = self.entries[user], now < entry.until else { return nil }
        return entry.answer
    }

    /// Remembers what was said.
    mutating func remember(_ answer: LookupAnswer, about user: UTF8Text, until: Double) {
        self.number += 1
        self.entries[user] = Entry(answer: answer, until: until, number: self.number)
        self.order.append((user, self.number))
        while self.entries.count > Self.capacity || self.order.count > 2 * Self.capacity {
            guard let first = self.order.popFirst() else { return }
            if self.entries[first.user]?.number == first.number { self.entries[first.user] = nil }
        }
    }
}
