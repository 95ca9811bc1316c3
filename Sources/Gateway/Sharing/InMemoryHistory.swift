import DequeModule
import NIOConcurrencyHelpers
import NIOCore
public import SocketIOServer
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Histories within one process.
///
/// They have bounds: past them, the histories are lost whose last event is oldest, and positions in them with them.
public final class InMemoryHistory: EventHistory {
    private static let topic = SignalTopic("history")

    private let logs: NIOLockedValueBox<HistoryLogs>
    /// Held while an event is added and handed out, so that handlers hear of events in the order of their places.
    private let order = NIOLock()
    private let handlers = NIOLockedValueBox<(nextID: Int, all: [Int: @Sendable (HistorySignal) -> Void])>((0, [:]))
    private let now: @Sendable () -> Double

    /// Makes histories that whoever has this object shares.
    ///
    /// - Parameters:
    ///   - maximumHistories: The most histories.
    ///   - maximumBytes: The most bytes that their events may have together.
    ///   - clock: The Unix time in seconds. By default it is the system's.
    public init(
        maximumHistories: Int = 10_000,
        maximumBytes: Int = 64 * 1024 * 1024,
        clock: (@Sendable () -> Double)? = nil
    ) {
        self.logs = NIOLockedValueBox(HistoryLogs(maximumCount: maximumHistories, maximumBytes: maximumBytes))
        self.now = clock ?? { Date().timeIntervalSince1970 }
    }

    /// Adds the event and calls all handlers.
    ///
    /// A handler must not add an event itself.
    public func append(
        _ addition: HistoryAddition,
        completion: @escaping @Sendable (Result<Void, ClusterError>) -> Void
    ) {
        self.order.withLock {
            let positions = self.logs.withLockedValue { $0.append(addition, at: self.now()) }
            guard let positions else { return }
            for handler in self.handlers.withLockedValue({ Array($0.all.values) }) {
                handler(.added(positions, addition.message))
            }
        }
        completion(.success(()))
    }

    /// Reads a history.
    public func read(_ question: HistoryQuestion) async -> HistoryAnswer {
        self.logs.withLockedValue { $0.read(question, at: self.now()) }
    }

    /// Calls the handler for each event that is added; there are no gaps but the first one.
    public func receive(_ handler: @escaping @Sendable (HistorySignal) -> Void) -> SignalSubscription {
        handler(.gap)
        let id = self.handlers.withLockedValue { handlers in
            handlers.nextID += 1
            handlers.all[handlers.nextID] = handler
            return handlers.nextID
        }
        return SignalSubscription { [handlers] in handlers.withLockedValue { $0.all[id] = nil } }
    }
}

/// The histories of a process, as a value.
struct HistoryLogs: Sendable {
    private struct Event: Sendable {
        var offset: Int
        var time: Double
        var id: UTF8Text
        var message: ByteBuffer
    }

    private struct Log: Sendable {
        /// Tells it from an earlier one of the same name.
        var number: Int
        var top = 0
        var events: Deque<Event> = []
        var expiresAt: Double
        /// When it was last added to, as a count of all additions.
        var age: Int
    }

    private let maximumCount: Int
    private let maximumBytes: Int
    private var logs: [UTF8Text: Log] = [:]
    private var marks: [UTF8Text: Int] = [:]
    private var markOfAll = 0
    private var bytes = 0
    private var clock = 0

    init(maximumCount: Int, maximumBytes: Int) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    var count: Int { self.logs.count }
    var byteCount: Int { self.bytes }

    /// Adds an event.
    ///
    /// - Returns: Its places; `nil` if nobody is to be told of it.
    mutating func append(_ addition: HistoryAddition, at now: Double) -> [HistoryPosition]? {
        self.clock += 1
        if addition.marksEverything { self.markOfAll = self.clock }
        for mark in addition.marks { self.set(mark) }
        guard addition.isKept else {
            for stream in addition.streams { self.remove(UTF8Text(stream.name)) }
            return nil
        }
        let id = UTF8Text(addition.id)
        var isKnown = false
        if addition.isRepeated {
            isKnown = addition.streams.contains {
                self.logs[UTF8Text($0.name)]?.events.contains { $0.id == id } ?? false
            }
        }
        guard !addition.streams.isEmpty, !isKnown else { return nil }
        let positions = addition.streams.map { stream in
            let name = UTF8Text(stream.name)
            var log = self.takeLog(name, stream.retention, at: now)
            log.top += 1
            log.age = self.clock
            log.expiresAt = now + Double(stream.retention.milliseconds) / 1_000
            log.events.append(Event(offset: log.top, time: now, id: id, message: addition.message))
            self.bytes += addition.message.readableBytes
            while log.events.count > stream.retention.size { self.removeFirst(of: &log) }
            let position = HistoryPosition(offset: log.top, epoch: self.epoch(of: log, stream))
            self.logs[name] = log
            return position
        }
        self.makeRoom()
        return positions
    }

    mutating func read(_ question: HistoryQuestion, at now: Double) -> HistoryAnswer {
        self.clock += 1
        let name = UTF8Text(question.stream.name)
        let ttl = Double(question.stream.retention.milliseconds) / 1_000
        let log = self.takeLog(name, question.stream.retention, at: now)
        self.logs[name] = log
        self.makeRoom()
        var answer = HistoryAnswer(
            position: HistoryPosition(offset: log.top, epoch: self.epoch(of: log, question.stream))
        )
        var events = log.events[...]
        if let since = question.since {
            guard since.epoch == answer.position.epoch, since.offset <= log.top else {
                answer.loss = .epoch
                return answer
            }
            let wanted = log.top - since.offset
            guard wanted > 0 else { return answer }
            events = events.suffix(wanted)
            guard events.count == wanted, let first = events.first, first.time >= now - ttl else {
                answer.loss = .trimmed
                return answer
            }
        } else {
            guard question.extent == .page else { return answer }
            events = events.suffix(question.limit).drop { $0.time < now - ttl }
        }
        var bytes = 0
        for event in events {
            bytes += event.message.readableBytes
            if answer.events.count == question.limit || (bytes > question.maximumBytes && !answer.events.isEmpty) {
                answer.hasMore = true
                break
            }
            answer.events.append(.init(offset: event.offset, message: event.message))
        }
        if answer.hasMore, question.extent == .whole {
            answer = HistoryAnswer(position: answer.position, loss: .tooMany)
        }
        return answer
    }

    // MARK: Logs

    /// The history of that name, which is taken out, or a new one.
    private mutating func takeLog(_ name: UTF8Text, _ retention: HistoryRetention, at now: Double) -> Log {
        if let log = self.logs.removeValue(forKey: name) {
            if log.expiresAt > now { return log }
            self.bytes -= log.events.reduce(0) { $0 + $1.message.readableBytes }
        }
        return Log(number: self.clock, expiresAt: now + Double(retention.milliseconds) / 1_000, age: self.clock)
    }

    private mutating func remove(_ name: UTF8Text) {
        guard let log = self.logs.removeValue(forKey: name) else { return }
        self.bytes -= log.events.reduce(0) { $0 + $1.message.readableBytes }
    }

    private mutating func removeFirst(of log: inout Log) {
        if let event = log.events.popFirst() { self.bytes -= event.message.readableBytes }
    }

    private func epoch(of log: Log, _ stream: HistoryAddition.Stream) -> UTF8Text {
        let mark = stream.mark.flatMap { self.marks[UTF8Text($0)] } ?? 0
        return UTF8Text("\(log.number).\(self.markOfAll).\(mark)")
    }

    private mutating func set(_ mark: String) {
        // There are two for each content type. Where there are more, all histories are marked.
        if self.marks.count < 10_000 || self.marks[UTF8Text(mark)] != nil {
            self.marks[UTF8Text(mark)] = self.clock
        } else {
            self.markOfAll = self.clock
        }
    }

    /// Forgets the histories whose last event is oldest, if there is too much; some at once, so that this is rare.
    private mutating func makeRoom() {
        guard self.logs.count > self.maximumCount || self.bytes > self.maximumBytes else { return }
        let oldest = self.logs.sorted { $0.value.age < $1.value.age }.map(\.key)
        let (count, bytes) = (self.maximumCount - self.maximumCount / 8, self.maximumBytes - self.maximumBytes / 8)
        for name in oldest.dropLast() where self.logs.count > count || self.bytes > bytes { self.remove(name) }
    }
}
