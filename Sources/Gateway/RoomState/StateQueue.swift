import DequeModule
import NIOCore
import OrderedCollections
import SocketIOWire

import struct SocketIOServer.RateLimit
import struct SocketIOServer.TokenBucket

/// What this node wants to change and has not changed yet.
///
/// A room takes only so many changes in a second. Those above wait, and a later value of a key replaces one that waits.
/// Operations of one key never overtake each other.
struct StateQueue<Ticket: Sendable>: Sendable {
    struct Item: Sendable {
        var operation: StateOperation
        var ticket: Ticket
    }

    /// What became of an operation that came in.
    enum Entrance: Sendable {
        /// It goes next.
        case ready
        /// It waits; that one, if any, will not be done.
        case waits(replaced: Ticket?)
        /// Too much waits.
        case refused
    }

    /// A room that has reached its limit, or has had a change lately.
    private struct Place: Sendable {
        var bucket = TokenBucket()
        var lastUse: NIODeadline
        var waiting: OrderedDictionary<Int, Item> = [:]
        /// The number of what waits for a key, if it is a value that a later one replaces.
        var replaceable: [UTF8Text: Int] = [:]
        /// How many operations wait for a key.
        var counts: [UTF8Text: Int] = [:]
    }

    private var places: [Room: Place] = [:]
    private(set) var ready: Deque<Item> = []
    private var lastNumber = 0
    /// How many operations are to be done with a key.
    private var counts: [StateKey: Int] = [:]
    private let capacity: Int
    private(set) var waitingCount = 0

    /// - Parameter capacity: How many operations may be in it that are refused otherwise.
    init(capacity: Int) { self.capacity = capacity }

    var isEmpty: Bool { self.ready.isEmpty && self.waitingCount == 0 }

    /// All that is to be done, in the order of each key.
    var items: [Item] { Array(self.ready) + self.places.values.flatMap(\.waiting.values) }

    /// Takes an operation in.
    ///
    /// - Parameters:
    ///   - operation: What is to be done.
    ///   - ticket: Whom it is for.
    ///   - rate: How many changes a second its room takes; `nil` if it is never held back.
    ///   - isNecessary: Whether it is taken in even if the queue is full.
    ///   - isHeld: Whether nothing can be done now anyway.
    ///   - now: The time.
    /// - Returns: What becomes of it.
    mutating func append(
        _ operation: StateOperation,
        _ ticket: Ticket,
        rate: RateLimit?,
        isNecessary: Bool,
        isHeld: Bool = false,
        at now: NIODeadline
    ) -> Entrance {
        let key = operation.key
        let item = Item(operation: operation, ticket: ticket)
        if operation.isReplaceable, let number = self.places[operation.room]?.replaceable[key] {
            let old = self.places[operation.room]?.waiting.updateValue(item, forKey: number)
            return .waits(replaced: old?.ticket)
        }
        guard isNecessary || self.ready.count + self.waitingCount < self.capacity else { return .refused }
        self.counts[StateKey(operation), default: 0] += 1
        if !isHeld, self.places[operation.room]?.counts[key] == nil {
            guard let rate else {
                self.ready.append(item)
                return .ready
            }
            var place = self.places[operation.room] ?? Place(lastUse: now)
            place.lastUse = now
            // Whoever waits goes first.
            let answer = place.waiting.isEmpty ? place.bucket.take(1, of: rate, at: now) : .refused(milliseconds: 0)
            self.places[operation.room] = place
            if answer == .taken {
                self.ready.append(item)
                return .ready
            }
        }
        self.lastNumber += 1
        self.places[operation.room, default: Place(lastUse: now)].waiting[self.lastNumber] = item
        self.places[operation.room]?.replaceable[key] = operation.isReplaceable ? self.lastNumber : nil
        self.places[operation.room]?.counts[key, default: 0] += 1
        self.waitingCount += 1
        return .waits(replaced: nil)
    }

    /// Lets go what a room may change now.
    ///
    /// - Returns: When to ask again; `nil` if nothing waits.
    mutating func advance(_ room: Room, rate: RateLimit, at now: NIODeadline) -> TimeAmount? {
        guard var place = self.places.removeValue(forKey: room) else { return nil }
        defer { self.places[room] = place }
        while let (number, item) = place.waiting.elements.first {
            if case .refused(let milliseconds) = place.bucket.take(1, of: rate, at: now) {
                return .milliseconds(Int64(milliseconds))
            }
            self.letGo(number, item, from: &place)
            place.lastUse = now
        }
        return nil
    }

    private mutating func letGo(_ number: Int, _ item: Item, from place: inout Place) {
        let key = item.operation.key
        place.waiting.removeValue(forKey: number)
        if place.replaceable[key] == number { place.replaceable[key] = nil }
        let left = (place.counts[key] ?? 0) - 1
        place.counts[key] = left > 0 ? left : nil
        self.waitingCount -= 1
        self.ready.append(item)
    }

    /// Lets everything go that waits.
    mutating func advanceAll() {
        for room in self.places.filter({ !$0.value.waiting.isEmpty }).keys {
            guard var place = self.places.removeValue(forKey: room) else { continue }
            for (number, item) in place.waiting.elements { self.letGo(number, item, from: &place) }
            self.places[room] = place
        }
    }

    /// The next operations to be done.
    mutating func take(_ count: Int) -> [Item] {
        let items = Array(self.ready.prefix(count))
        self.ready.removeFirst(items.count)
        for item in items {
            let key = StateKey(item.operation)
            let left = (self.counts[key] ?? 0) - 1
            self.counts[key] = left > 0 ? left : nil
        }
        return items
    }

    /// Puts operations back that could not be done, before all others.
    mutating func putBack(_ items: [Item]) {
        for item in items { self.counts[StateKey(item.operation), default: 0] += 1 }
        self.ready.prepend(contentsOf: items)
    }

    /// Forgets the rooms that have been quiet for so long that their limit is as if they were new.
    mutating func forgetQuiet(at now: NIODeadline) {
        self.places = self.places.filter { !$0.value.waiting.isEmpty || now - $0.value.lastUse < .seconds(2) }
    }

    /// Whether anything is to be done with a key.
    func contains(_ key: StateKey) -> Bool { self.counts[key] != nil }
}

extension StateKey {
    init(_ operation: StateOperation) { self.init(room: operation.room, key: operation.key) }
}

extension StateOperation {
    /// Whether a later operation of that kind makes it superfluous.
    var isReplaceable: Bool {
        switch self.action {
        case .set, .remove: true
        case .acquire, .release, .detach: false
        }
    }
}
