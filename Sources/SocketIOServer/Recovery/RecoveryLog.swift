import DequeModule
import EngineIO
import NIOCore
import SocketIOWire
import Synchronization

/// An event as it was sent, with its offset.
struct LoggedEvent: Sendable {
    /// Where it stands in its namespace's order of events.
    let number: Int
    /// With the offset as its last argument.
    let packet: EncodedPacket
    let options: BroadcastOptions
    let time: NIODeadline

    /// What it is counted as: its bytes, and what it takes to find it by its rooms.
    var bytes: Int {
        var bytes = 128 + self.packet.frames.readableBytes
        for room in self.options.rooms { bytes += 96 + room.name.utf8.count }
        for room in self.options.except { bytes += 16 + room.name.utf8.count }
        return bytes
    }
}

/// How far one loop is with a namespace's logged events, which every loop handles in their order.
final class LogPosition: Sendable {
    private struct State {
        var last = 0
        var deferred = 0
    }

    private let state: LoopBound<State>
    /// Events on their way to the loop's sockets: counted up by whoever holds the log, down on the loop.
    let inFlight = Atomic<Int>(0)

    init(eventLoop: any EventLoop) { self.state = LoopBound(State(), eventLoop: eventLoop) }

    /// The number of the last event handled on the loop.
    var last: Int {
        get { self.state.value.last }
        set { self.state.value.last = newValue }
    }

    /// What the loop has asked itself for that waits behind events of other threads.
    var deferred: Int {
        @inline(__always)
        get { self.state.value.deferred }
        set { self.state.value.deferred = newValue }
    }

    /// An event that was sent on the loop is about to be dealt with there at once; for whoever holds the log.
    ///
    /// - Returns: Whether that is possible: nothing is on its way that comes before it.
    func begin() -> Bool {
        guard self.deferred == 0, self.inFlight.load(ordering: .relaxed) == 0 else { return false }
        self.inFlight.store(1, ordering: .relaxed)
        return true
    }

    /// An event has been dealt with on the loop.
    func end(_ event: LoggedEvent) {
        self.last = event.number
        self.inFlight.wrappingSubtract(1, ordering: .relaxed)
    }
}

/// The last events of a namespace, numbered without gaps.
///
/// A value behind the lock of ``NamespaceRecovery``.
struct RecoveryLog {
    private var events = Deque<LoggedEvent>()
    /// The numbers of the events for each room, and under `nil` of those for everybody: what a client has missed is found
    /// without a look at what others have.
    private var numbers: [Room?: Deque<Int>] = [:]
    private let codec: OffsetCodec
    /// The number of the last event.
    private(set) var last = 0
    /// The number of the last event that is not kept any more.
    private(set) var forgotten = 0
    /// What the events are counted as.
    private(set) var bytes = 0

    init(codec: OffsetCodec) { self.codec = codec }

    var isEmpty: Bool { self.events.isEmpty }
    var count: Int { self.events.count }
    /// When the oldest event was sent.
    var oldest: NIODeadline? { self.events.first?.time }

    mutating func append(_ packet: EncodedPacket, _ options: BroadcastOptions, at now: NIODeadline) -> LoggedEvent {
        self.last += 1
        let packet = packet.appendingArgument(self.codec.text(of: self.last))
        let event = LoggedEvent(number: self.last, packet: packet, options: options, time: now)
        self.events.append(event)
        self.bytes += event.bytes
        if options.rooms.isEmpty {
            self.numbers[nil, default: []].append(event.number)
        } else {
            for room in options.rooms { self.numbers[room, default: []].append(event.number) }
        }
        return event
    }

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

    /// Forgets every event, so that nobody is taken for one who missed nothing.
    mutating func forgetAll() {
        self.events.removeAll()
        self.numbers.removeAll()
        self.bytes = 0
        self.last += 1
        self.forgotten = self.last
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
        guard number >= self.forgotten, number <= self.last else { return nil }
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
            events.append(self.events[number - self.forgotten - 1])
        }
        return events
    }
}

extension Deque<Int> {
    /// The index of the first number that is greater; the numbers are in order.
    fileprivate func firstIndex(behind number: Int) -> Int {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle] > number { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Writes and reads offsets: a random text that this log has to itself, then the event's number.
struct OffsetCodec: Sendable {
    private let prefix: String

    init() {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var bits = UInt64.random(in: .min ... .max)
        self.prefix = String(
            decoding: (0..<8).map { _ in
                defer { bits >>= 6 }
                return digits[Int(bits & 63)]
            },
            as: UTF8.self
        )
    }

    /// Such as `Q7yYFQLk.1a`.
    func text(of number: Int) -> String { "\(self.prefix).\(String(number, radix: 36))" }

    /// The number, if the text is an offset of this log.
    func number(of text: String) -> Int? {
        let length = self.prefix.utf8.count + 1
        let bytes = text.utf8
        guard bytes.count > length, bytes.count <= length + 13,
            let number = Int(String(decoding: bytes.dropFirst(length), as: UTF8.self), radix: 36), number >= 0,
            // One number has one text, byte for byte.
            bytes.elementsEqual(self.text(of: number).utf8)
        else { return nil }
        return number
    }
}
