import DequeModule
import NIOCore
import SocketIOWire

/// An event as it was sent, with its offset.
struct LoggedEvent: Sendable {
    /// How an event stands in the log.
    enum Kind: Sendable {
        /// It has an offset, and is sent to the sockets that it addresses.
        case numbered
        /// It has no offset, so no client can say later whether it has seen it. `number` is that of the event before
        /// it.
        case unnumbered
        /// It has an offset now, but was sent without one before.
        case late
    }

    /// Where it stands in its namespace's order of events.
    let number: Int
    let kind: Kind
    /// Which of the log's histories the number belongs to.
    let history: UInt32
    /// With the offset as its last argument.
    let packet: EncodedPacket
    let options: BroadcastOptions
    let time: NIODeadline

    /// How many bytes it counts as: its own, and those that it takes to find it by its rooms.
    var bytes: Int {
        var bytes = 128 + self.packet.frames.readableBytes
        for room in self.options.rooms { bytes += 96 + room.name.utf8.count }
        for room in self.options.except { bytes += 16 + room.name.utf8.count }
        return bytes
    }
}

/// The last events of a namespace, in the order of their numbers.
///
/// The log may be this process's own, which numbers its events without gaps. Or the whole cluster keeps it, and all of
/// its events come by here: then the numbers are its offsets. A value behind the lock of ``NamespaceRecovery``.
struct EventLog {
    private var events = Deque<LoggedEvent>()
    /// The numbers of the events for each room, and under `nil` of those for everybody.
    ///
    /// So what a client has missed is found without a look at events for others.
    private var numbers: [Room?: Deque<Int>] = [:]
    let form: OffsetForm
    /// The number of the last event; or a later place in the cluster's log, up to which there is no other one.
    private(set) var last = 0
    /// The number of the last event that was forgotten.
    private(set) var forgotten = 0
    /// How many bytes the events count as.
    private(set) var bytes = 0
    /// Which history the numbers belong to: how often the cluster's log has begun anew.
    private(set) var history: UInt32 = 0
    /// Whether it is unknown from where on all events are kept.
    private var isBroken = false

    init(form: OffsetForm) { self.form = form }

    var isEmpty: Bool { self.events.isEmpty }
    var count: Int { self.events.count }
    /// When the oldest event was sent.
    var oldest: NIODeadline? { self.events.first?.time }

    /// Keeps an event and gives it the next number.
    mutating func append(_ packet: EncodedPacket, _ options: BroadcastOptions, at now: NIODeadline) -> LoggedEvent {
        self.append(packet, options, number: self.last + 1, .numbered, at: now)
    }

    /// Keeps an event that has its place in the cluster's log.
    ///
    /// - Returns: The event; `nil` if its place is not behind the last one, so that the order is wrong.
    mutating func append(
        _ packet: EncodedPacket,
        _ options: BroadcastOptions,
        offset: EventOffset,
        isLate: Bool = false,
        at now: NIODeadline
    ) -> LoggedEvent? {
        guard offset.position > self.last else { return nil }
        if self.isBroken {
            self.isBroken = false
            self.forgotten = offset.position - 1
        }
        return self.append(packet, options, number: offset.position, isLate ? .late : .numbered, at: now)
    }

    /// An event that has no place in the log, and is not kept.
    func unnumbered(
        _ packet: EncodedPacket,
        _ options: BroadcastOptions,
        _ kind: LoggedEvent.Kind = .unnumbered,
        at now: NIODeadline
    ) -> LoggedEvent {
        LoggedEvent(
            number: self.last,
            kind: kind,
            history: self.history,
            packet: packet,
            options: options,
            time: now
        )
    }

    private mutating func append(
        _ packet: EncodedPacket,
        _ options: BroadcastOptions,
        number: Int,
        _ kind: LoggedEvent.Kind,
        at now: NIODeadline
    ) -> LoggedEvent {
        self.last = number
        let event = LoggedEvent(
            number: number,
            kind: kind,
            history: self.history,
            packet: packet.appendingArgument(self.form.text(of: number)),
            options: options,
            time: now
        )
        self.events.append(event)
        self.bytes += event.bytes
        if options.rooms.isEmpty {
            self.numbers[nil, default: []].append(event.number)
        } else {
            for room in options.rooms { self.numbers[room, default: []].append(event.number) }
        }
        return event
    }

    /// Begins anew behind that offset, because the cluster's log does; what was kept belongs to another history.
    mutating func begin(after tail: EventOffset, isFirst: Bool) {
        self.removeAll()
        if !isFirst { self.history &+= 1 }
        self.last = tail.position
        self.forgotten = tail.position
        self.isBroken = false
    }

    /// Everything up to that place of the cluster's log has come by, and none of it behind the last event was one of these.
    mutating func reached(_ offset: EventOffset) {
        guard offset.position > self.last else { return }
        self.last = offset.position
        if self.isBroken {
            self.isBroken = false
            self.forgotten = offset.position
        }
    }

    /// Forgets the oldest event.
    mutating func forgetOldest() {
        guard let event = self.events.popFirst() else { return }
        self.forgotten = event.number
        self.bytes -= event.bytes
        if event.options.rooms.isEmpty {
            self.forgetNumber(of: nil)
        } else {
            for room in event.options.rooms { self.forgetNumber(of: room) }
        }
    }

    private mutating func forgetNumber(of room: Room?) {
        guard var numbers = self.numbers.removeValue(forKey: room) else { return }
        numbers.removeFirst()
        if !numbers.isEmpty { self.numbers[room] = numbers }
    }

    /// Forgets every event, so that no client counts as one that missed nothing.
    mutating func forgetAll() {
        self.removeAll()
        switch self.form {
        case .own:
            self.last += 1
            self.forgotten = self.last
        case .cluster: self.isBroken = true
        }
    }

    private mutating func removeAll() {
        self.events.removeAll()
        self.numbers.removeAll()
        self.bytes = 0
    }

    /// Whether all events behind that one are kept.
    ///
    /// Another node may have read more of the cluster's log than this one: then the events behind it are still to come.
    func isComplete(after number: Int) -> Bool {
        guard !self.isBroken, number >= self.forgotten else { return false }
        switch self.form {
        case .own: return number <= self.last
        case .cluster: return true
        }
    }

    /// The events behind that one that were sent to a client's rooms while it was in them, in order.
    ///
    /// - Parameters:
    ///   - number: The last event that the client need not be sent.
    ///   - audience: Its rooms, and when it was there.
    ///   - limit: How many events may be looked at.
    /// - Returns: `nil` if some are not kept any more, or there are too many.
    func events(
        after number: Int,
        for audience: [(room: Room?, stays: RecoveryTicket.Stays)],
        limit: Int
    ) -> [LoggedEvent]? {
        guard self.isComplete(after: number) else { return nil }
        var found: [Int] = []
        var looked = 0
        for (room, stays) in audience {
            guard let numbers = self.numbers[room] else { continue }
            let start = numbers.firstIndex(behind: max(number, stays.first))
            let end = max(start, numbers.firstIndex(behind: stays.last))
            looked += end - start
            guard looked <= limit else { return nil }
            for number in numbers[start..<end] where stays.cover(number) { found.append(number) }
        }
        found.sort()
        var events: [LoggedEvent] = []
        events.reserveCapacity(found.count)
        // An event for two of its rooms is there twice.
        for number in found where number != events.last?.number {
            guard let event = self.event(number) else { continue }
            events.append(event)
        }
        return events
    }
}

extension EventLog {
    private func event(_ number: Int) -> LoggedEvent? {
        var (low, high) = (0, self.events.count)
        while low < high {
            let middle = low + (high - low) / 2
            if self.events[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < self.events.count && self.events[low].number == number ? self.events[low] : nil
    }

    /// Whether there is an event of that number.
    func contains(_ number: Int) -> Bool { self.event(number) != nil }
}
