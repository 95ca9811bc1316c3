import DequeModule
import NIOCore
import RESP

/// This node's own events on their way into the stream, until its reader comes to them.
///
/// Entries stand in the stream in the order in which they were sent. An event is known again by its offset, once Redis
/// has told that, and by its bytes before: the reader has another connection, and may be faster than the reply.
///
/// It is a value, which takes what happens and returns which clients get which events.
struct OwnEvents {
    /// What to do with an event that is not in the stream in time.
    enum Fallback: Equatable, Sendable {
        /// This node's clients get it without an offset.
        case deliver
        /// The same, but never if Redis refuses it. Then the sender is told.
        case deliverIfLate
        /// The same, but only when the sender waits no longer. Other events do not wait for this one.
        case deliverAtLast
    }

    enum Action: Equatable, Sendable {
        /// This node's clients get the event; `nil`: without an offset.
        case deliver(Int, RESPStreamID?)
        /// They don't.
        case discard(Int)
    }

    private enum State: Equatable {
        /// It waits for its place.
        case waiting
        /// It is to be delivered without one, behind those before it.
        case due
        /// This node's clients have it, or will never get it. It may still come into the stream.
        case settled
        /// It is known not to come.
        case gone
    }

    private struct Event {
        /// Empty once the offset is known.
        var data: ByteBuffer
        let deadline: NIODeadline
        let fallback: Fallback
        var offset: RESPStreamID?
        var state = State.waiting
        /// Whether it may still be read.
        var mayCome = true
    }

    /// How many are kept of those that this node's clients have already, so that they are known again.
    static let mostSettled = 10_000
    /// How many bytes all of them may have while some of them are settled.
    static let mostBytes = 64 * 1024 * 1024

    private var events = Deque<Event>()
    /// How many bytes of data are kept.
    private(set) var bytes = 0
    /// The number of the first of them.
    private var first = 0
    /// The number of the first of them for which there is something to do.
    private var open = 0

    /// How many are kept.
    var count: Int { self.events.count }
    /// Whether none is on its way.
    var isEmpty: Bool { self.events.isEmpty }

    /// When something is to happen without anything else.
    var nextDeadline: NIODeadline? {
        self.events[self.openIndex...].lazy.filter { $0.state == .waiting }.map(\.deadline).min()
    }

    private var openIndex: Int { min(self.events.count, self.open - self.first) }

    /// Notes an event that is sent.
    ///
    /// - Parameters:
    ///   - data: What its entry's data is.
    ///   - deadline: How long to wait for it.
    ///   - fallback: What to do then.
    /// - Returns: Its number.
    mutating func add(_ data: ByteBuffer, until deadline: NIODeadline, otherwise fallback: Fallback) -> Int {
        self.events.append(Event(data: data, deadline: deadline, fallback: fallback))
        self.bytes += data.readableBytes
        // While Redis is away, nobody but this would forget older ones.
        self.trim()
        return self.first + self.events.count - 1
    }

    private func index(_ number: Int) -> Int? {
        let index = number - self.first
        return self.events.indices.contains(index) ? index : nil
    }

    // MARK: What Redis says

    /// Redis has told the event's place.
    ///
    /// - Returns: Whether the reader is still to come to it.
    mutating func added(_ number: Int, at offset: RESPStreamID) -> Bool {
        guard let index = self.index(number), self.events[index].state != .gone else { return false }
        self.events[index].offset = offset
        self.forgetData(index)
        return self.events[index].state == .waiting
    }

    /// Redis is away: it waits there for longer than anybody here is to wait.
    mutating func delayed(_ number: Int, _ actions: inout [Action]) {
        guard let index = self.index(number) else { return }
        self.expire(index)
        self.flush(before: self.events.count, &actions)
        self.trim()
    }

    /// The event does not get into the stream.
    ///
    /// - Parameters:
    ///   - number: Which.
    ///   - isCertain: Whether that is known; otherwise it may be there.
    ///   - actions: What to do is added here.
    mutating func failed(_ number: Int, isCertain: Bool, _ actions: inout [Action]) {
        guard let index = self.index(number) else { return }
        if isCertain {
            self.events[index].mayCome = false
            self.forgetData(index)
        }
        switch (self.events[index].state, self.events[index].fallback) {
        case (.waiting, .deliver): self.events[index].state = .due
        case (.waiting, .deliverIfLate) where isCertain, (.waiting, .deliverAtLast) where isCertain:
            self.events[index].state = .gone
            actions.append(.discard(number))
        // It may be read yet.
        case (.waiting, _): break
        case (.settled, _): if isCertain { self.events[index].state = .gone }
        case (.due, _), (.gone, _): break
        }
        self.flush(before: self.events.count, &actions)
        self.trim()
    }

    // MARK: What the reader says

    /// The reader has come to an own entry.
    ///
    /// - Returns: Whether the event has got its place so; otherwise this node's clients have it, or it is none of
    ///   these.
    mutating func read(_ offset: RESPStreamID, _ data: ByteBuffer, _ actions: inout [Action]) -> Bool {
        guard let index = self.match(offset, data) else { return false }
        // Those before it do not come any more.
        for earlier in min(self.openIndex, index)..<index { self.expire(earlier) }
        self.flush(before: index, &actions)
        let isWaiting = self.events[index].state == .waiting || self.events[index].state == .due
        if isWaiting { actions.append(.deliver(self.first + index, offset)) }
        for passed in 0...index { self.forgetData(passed) }
        self.events.removeFirst(index + 1)
        self.first += index + 1
        self.open = max(self.open, self.first)
        return isWaiting
    }

    private func match(_ offset: RESPStreamID, _ data: ByteBuffer) -> Int? {
        for (index, event) in self.events.enumerated() where event.mayCome {
            if let known = event.offset {
                if known == offset { return index }
                if known > offset { return nil }
            } else if event.data == data {
                return index
            }
        }
        return nil
    }

    // MARK: Time

    /// Time has passed.
    mutating func tick(at now: NIODeadline, _ actions: inout [Action]) {
        for index in self.openIndex..<self.events.count where self.events[index].deadline <= now {
            self.expire(index)
        }
        self.flush(before: self.events.count, &actions)
        self.trim()
    }

    private mutating func expire(_ index: Int) {
        if self.events[index].state == .waiting { self.events[index].state = .due }
    }

    /// Delivers what is due, unless something stands before it that is still waited for.
    private mutating func flush(before end: Int, _ actions: inout [Action]) {
        var index = self.openIndex
        var isFirst = true
        loop: while index < end {
            switch self.events[index].state {
            case .waiting:
                // Nobody's clients wait for longer because somebody else is more patient.
                guard self.events[index].fallback == .deliverAtLast else { break loop }
                isFirst = false
            case .due:
                self.events[index].state = self.events[index].mayCome ? .settled : .gone
                actions.append(.deliver(self.first + index, nil))
            case .settled, .gone: break
            }
            index += 1
            if isFirst { self.open = self.first + index }
        }
    }

    private mutating func trim() {
        while let event = self.events.first,
            event.state == .gone || event.state == .settled && self.isTooMuch
        {
            self.forgetData(0)
            self.events.removeFirst()
            self.first += 1
        }
        self.open = max(self.open, self.first)
    }

    private var isTooMuch: Bool { self.events.count > Self.mostSettled || self.bytes > Self.mostBytes }

    /// The event is not looked for by its bytes any more.
    private mutating func forgetData(_ index: Int) {
        self.bytes -= self.events[index].data.readableBytes
        self.events[index].data = ByteBuffer()
    }
}
