import HeapModule
import NIOConcurrencyHelpers
import NIOCore

/// A priority queue of deadlines.
///
/// Each key has at most one.
struct DeadlineQueue<Key: Hashable & Sendable>: Sendable {
    /// The entry that is due first comes first, whatever its key.
    private struct Entry: Sendable, Comparable {
        var deadline: NIODeadline
        var key: Key

        static func == (left: Entry, right: Entry) -> Bool { left.deadline == right.deadline }
        static func < (left: Entry, right: Entry) -> Bool { left.deadline < right.deadline }
    }

    private var heap = Heap<Entry>()
    private var deadlines: [Key: NIODeadline] = [:]

    var count: Int { self.deadlines.count }

    /// Sets the deadline of a key, instead of the one it had.
    mutating func set(_ key: Key, _ deadline: NIODeadline) {
        self.deadlines[key] = deadline
        self.heap.insert(Entry(deadline: deadline, key: key))
        self.compactIfNeeded()
    }

    /// Forgets a key.
    mutating func remove(_ key: Key) {
        self.deadlines[key] = nil
        self.compactIfNeeded()
    }

    /// The first deadline; `nil` if there is none.
    mutating func first() -> NIODeadline? { self.firstEntry()?.deadline }

    private mutating func firstEntry() -> Entry? {
        while let entry = self.heap.min {
            if self.deadlines[entry.key] == entry.deadline { return entry }
            self.heap.removeMin()
        }
        return nil
    }

    /// Removes the keys whose deadline has come, and returns them.
    mutating func takeDue(at now: NIODeadline) -> [Key] {
        var due: [Key] = []
        while let entry = self.firstEntry(), entry.deadline <= now {
            self.heap.removeMin()
            self.deadlines[entry.key] = nil
            due.append(entry.key)
        }
        return due
    }

    /// Removed keys stay in the heap until they come up.
    ///
    /// If they are the greater part of it, they are removed at once.
    private mutating func compactIfNeeded() {
        guard self.heap.count > 64, self.heap.count > self.deadlines.count * 2 else { return }
        self.heap = Heap(self.deadlines.map { Entry(deadline: $0.value, key: $0.key) })
    }
}

/// Calls back when deadlines come.
///
/// All deadlines share one timer, and without deadlines there is no timer.
final class DeadlineTimer<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var queue = DeadlineQueue<Key>()
        var timer: Scheduled<Void>?
        var timerDeadline: NIODeadline?
        var isClosed = false
    }

    private let state = NIOLockedValueBox(State())
    private let eventLoop: any EventLoop
    private let onDue: @Sendable (Key) -> Void

    /// Deadlines that are further off come up early, and their owner sets them again.
    static var horizon: TimeAmount { .hours(24 * 7) }

    /// Makes a timer that calls `onDue` on the event loop, once for each key.
    init(eventLoop: any EventLoop, onDue: @escaping @Sendable (Key) -> Void) {
        self.eventLoop = eventLoop
        self.onDue = onDue
    }

    /// Sets a key's deadline, instead of the one it had.
    func set(_ key: Key, after delay: TimeAmount) {
        let deadline = self.eventLoop.now + min(max(delay, .zero), Self.horizon)
        self.state.withLockedValue { state in
            guard !state.isClosed else { return }
            state.queue.set(key, deadline)
            self.arm(&state)
        }
    }

    /// Forgets a key.
    func remove(_ key: Key) {
        self.state.withLockedValue { state in
            state.queue.remove(key)
            self.arm(&state)
        }
    }

    func close() {
        self.state.withLockedValue { state in
            state.isClosed = true
            state.queue = DeadlineQueue()
            self.arm(&state)
        }
    }

    private func arm(_ state: inout State) {
        let first = state.queue.first()
        guard first != state.timerDeadline else { return }
        state.timer?.cancel()
        state.timer = nil
        state.timerDeadline = first
        guard let first else { return }
        state.timer = self.eventLoop.scheduleTask(deadline: first) { [weak self] in self?.fired() }
    }

    private func fired() {
        let due = self.state.withLockedValue { state in
            state.timer = nil
            state.timerDeadline = nil
            let due = state.queue.takeDue(at: self.eventLoop.now)
            self.arm(&state)
            return due
        }
        for key in due { self.onDue(key) }
    }
}
