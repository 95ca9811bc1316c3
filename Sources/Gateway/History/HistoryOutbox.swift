import DequeModule
import NIOCore
import SocketIOWire

/// What could not be added to histories, to be added later, in order.
///
/// It is bounded. What finds no place is lost for the histories, so all of them have to be marked before anything else is
/// added.
struct HistoryOutbox: Sendable {
    private let maximumCount: Int
    private let maximumBytes: Int
    private var waiting: Deque<HistoryAddition> = []
    private var bytes = 0
    /// Whether something found no place.
    private(set) var hasLost = false
    /// Whether somebody is adding what waits.
    private var isFlushing = false

    init(maximumCount: Int = 1_000, maximumBytes: Int = 4 * 1024 * 1024) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    /// Whether later additions have to wait behind others.
    var isInUse: Bool { !self.waiting.isEmpty || self.hasLost }
    var count: Int { self.waiting.count }

    /// Keeps an addition for later.
    mutating func keep(_ addition: HistoryAddition) {
        guard self.waiting.count < self.maximumCount,
            self.bytes + addition.message.readableBytes <= self.maximumBytes
        else {
            self.hasLost = true
            return
        }
        var addition = addition
        // It may have been added, although nobody has said so.
        addition.isRepeated = true
        self.waiting.append(addition)
        self.bytes += addition.message.readableBytes
    }

    /// Begins to add what waits, unless that is under way.
    ///
    /// - Returns: The first to add; `nil` if there is nothing to do.
    mutating func begin() -> HistoryAddition? {
        guard !self.isFlushing, let first = self.first else { return nil }
        self.isFlushing = true
        return first
    }

    /// The first was added.
    ///
    /// - Returns: The next; `nil` if that was the last.
    mutating func added() -> HistoryAddition? {
        if let addition = self.waiting.popFirst() {
            self.bytes -= addition.message.readableBytes
        } else {
            self.hasLost = false
        }
        guard let next = self.first else {
            self.isFlushing = false
            return nil
        }
        return next
    }

    /// The first could not be added, so the rest is not tried now.
    mutating func failed() { self.isFlushing = false }

    /// What waits, and at the end the mark for what did not find a place.
    private var first: HistoryAddition? {
        if let first = self.waiting.first { return first }
        guard self.hasLost else { return nil }
        var mark = HistoryAddition(id: "", streams: [], message: .init())
        mark.marksEverything = true
        return mark
    }
}

/// This node's own additions, until it hears of them.
struct OwnAdditions: Sendable {
    /// Whether this node's followers have got an addition before it had a place.
    private var isDelivered: [UTF8Text: Bool] = [:]
    private var order: Deque<UTF8Text> = []
    private let capacity: Int

    init(capacity: Int = 10_000) { self.capacity = capacity }

    /// This node is about to add that.
    mutating func begin(_ id: String) {
        let id = UTF8Text(id)
        guard self.isDelivered.updateValue(false, forKey: id) == nil else { return }
        self.order.append(id)
        while let oldest = self.order.first, self.isDelivered[oldest] == nil { self.order.removeFirst() }
        // Signals that were lost never take theirs away.
        while self.order.count > self.capacity, let oldest = self.order.popFirst() { self.isDelivered[oldest] = nil }
    }

    /// This node is about to hand it to its followers without a place.
    ///
    /// - Returns: Whether it has to: not if it has heard of it already.
    mutating func deliverEarly(_ id: String) -> Bool {
        guard self.isDelivered[UTF8Text(id)] == false else { return false }
        self.isDelivered[UTF8Text(id)] = true
        return true
    }

    /// This node has heard of an addition.
    ///
    /// - Returns: Whether its followers have got it already.
    mutating func heard(_ id: String) -> Bool { self.isDelivered.removeValue(forKey: UTF8Text(id)) ?? false }
}
