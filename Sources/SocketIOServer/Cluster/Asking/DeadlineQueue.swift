import HeapModule
import NIOCore

/// What is to happen when, the earliest first.
///
/// Nothing is taken out before its time. The caller that takes out what is due finds out whether it still matters.
struct DeadlineQueue<Key> {
    private struct Entry: Comparable {
        let deadline: NIODeadline
        /// Equal times keep their order.
        let number: Int
        let key: Key

        static func < (left: Entry, right: Entry) -> Bool {
            (left.deadline, left.number) < (right.deadline, right.number)
        }

        static func == (left: Entry, right: Entry) -> Bool { left.number == right.number }
    }

    private var entries = Heap<Entry>()
    private var count = 0

    /// When the next of them is due.
    var next: NIODeadline? { self.entries.min?.deadline }

    mutating func add(_ key: Key, at deadline: NIODeadline) {
        self.count += 1
        self.entries.insert(Entry(deadline: deadline, number: self.count, key: key))
    }

    /// Takes the next out if it is due.
    mutating func popDue(at now: NIODeadline) -> Key? {
        guard let next = self.entries.min, next.deadline <= now else { return nil }
        return self.entries.removeMin().key
    }

    mutating func removeAll() { self.entries = Heap() }
}
