import DequeModule
import NIOCore
import SocketIOWire
import Synchronization

/// How much all namespaces of a server keep for clients that are away.
final class RecoveryBudget: Sendable {
    let settings: ConnectionStateRecovery
    let events = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
    let sessions = Atomic<Int>(0)

    init(_ settings: ConnectionStateRecovery) { self.settings = settings }

    var isExceeded: Bool {
        self.events.load(ordering: .relaxed) > self.settings.maximumEvents
            || self.bytes.load(ordering: .relaxed) > self.settings.maximumBytes
    }

    var hasTooManySessions: Bool { self.sessions.load(ordering: .relaxed) > self.settings.maximumSessions }

    func count(events: Int, bytes: Int) {
        self.events.wrappingAdd(events, ordering: .relaxed)
        self.bytes.wrappingAdd(bytes, ordering: .relaxed)
    }
}

/// An event as it was sent, with its offset.
struct LoggedEvent: Sendable {
    /// Where it stands in its namespace's order of events.
    let number: Int
    /// With the offset as its last argument.
    let packet: EncodedPacket
    let options: BroadcastOptions
    let time: NIODeadline

    /// What it is counted as.
    var bytes: Int { self.packet.frames.readableBytes + 128 }
}

/// How far one loop is with a namespace's logged events, which every loop handles in their order.
final class LogPosition: @unchecked Sendable {
    // Invariant behind `@unchecked`: what is `var` is touched on the loop only.

    /// The number of the last event handled on the loop.
    var last = 0
    /// What the loop has asked itself for that waits behind events of other threads.
    var deferred = 0
    /// Events on their way to the loop's sockets: counted up by whoever holds the log, down on the loop.
    let inFlight = Atomic<Int>(0)

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
    private let budget: RecoveryBudget
    private let codec: OffsetCodec
    /// The number of the last event.
    private(set) var last = 0
    /// The number of the last event that is not kept any more.
    private(set) var forgotten = 0

    init(budget: RecoveryBudget, codec: OffsetCodec) {
        self.budget = budget
        self.codec = codec
    }

    var isEmpty: Bool { self.events.isEmpty }

    mutating func append(_ packet: EncodedPacket, _ options: BroadcastOptions, at now: NIODeadline) -> LoggedEvent {
        self.last += 1
        let packet = packet.appendingArgument(self.codec.text(of: self.last))
        let event = LoggedEvent(number: self.last, packet: packet, options: options, time: now)
        self.events.append(event)
        self.budget.count(events: 1, bytes: event.bytes)
        self.trim(at: now)
        return event
    }

    /// Forgets what is too old, and the oldest while there is too much.
    mutating func trim(at now: NIODeadline) {
        while let first = self.events.first,
            first.time + self.budget.settings.maxDisconnectionDuration < now || self.budget.isExceeded
        {
            self.forgotten = first.number
            self.budget.count(events: -1, bytes: -first.bytes)
            self.events.removeFirst()
        }
    }

    /// Forgets every event, so that nobody is taken for one who missed nothing.
    mutating func forgetAll() {
        for event in self.events { self.budget.count(events: -1, bytes: -event.bytes) }
        self.events.removeAll()
        self.last += 1
        self.forgotten = self.last
    }

    /// The events behind that one, or `nil` if some are not kept any more.
    func events(after number: Int) -> Deque<LoggedEvent>.SubSequence? {
        guard number >= self.forgotten, number <= self.last else { return nil }
        let start = number - self.forgotten
        guard start <= self.events.count else { return nil }
        return self.events[(self.events.startIndex + start)...]
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
        guard text.utf8.count > length, text.utf8.count <= length + 13, text.hasPrefix(self.prefix) else { return nil }
        return Int(text.dropFirst(length), radix: 36)
    }
}
