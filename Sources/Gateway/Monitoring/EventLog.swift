import NIOConcurrencyHelpers
public import NIOCore
import OrderedCollections
public import SocketIOWire

/// A log that all nodes write, for those who read it.
public struct EventLog: Sendable {
    private let log: any SharedLog
    private let eventLoop: any EventLoop

    init(_ log: any SharedLog, eventLoop: any EventLoop) {
        self.log = log
        self.eventLoop = eventLoop
    }

    /// An entry of the log.
    public struct Entry: Sendable {
        /// Its place.
        public var id: LogEntryID
        /// `timestamp`, `node`, `type`, `data`.
        let members: JSONObject

        /// What has happened; `nil` in the audit log.
        public var type: String? { self.members["type"]?.stringValue }

        /// The object with its `id`.
        public var value: JSONValue {
            var object: JSONObject = ["id": .string(self.id.description)]
            for (name, value) in self.members { object[name] = value }
            return .object(object)
        }

        /// What another program has written is no entry.
        init?(_ entry: SharedLogEntry) {
            guard case .object(let members)? = try? JSONValue(parsing: entry.bytes) else { return nil }
            self.id = entry.id
            self.members = members
        }
    }

    /// The newest entries, the oldest of them first.
    ///
    /// - Parameters:
    ///   - count: How many at most.
    ///   - id: Only entries before this one.
    /// - Returns: The entries.
    /// - Throws: `ClusterError` with the code `unreachable` if nobody knows.
    public func last(_ count: Int, before id: LogEntryID? = nil) async throws -> [Entry] {
        try await self.log.last(count, before: id).compactMap { Entry($0) }
    }

    /// Reads what is written from now on, or behind an entry that was read before.
    ///
    /// - Parameters:
    ///   - id: The entry that was read last; `nil` for the newest one.
    ///   - pause: How long the reader waits at least between two looks at the log.
    /// - Returns: The reader, which knows where it is.
    public func reader(after id: LogEntryID? = nil, pause: TimeAmount = .milliseconds(100)) -> EventLogReader {
        EventLogReader(self.log, after: id, pause: pause, eventLoop: self.eventLoop)
    }
}

/// Somebody who reads a log while it is written.
///
/// The reader asks the log when something has changed and it is asked for more. So nothing is kept for a reader that is
/// slow: it finds what the log still has, and is told if something is missing.
public final class EventLogReader: Sendable {
    /// What a reader hears.
    public enum News: Sendable {
        /// The next entries, the oldest first.
        case entries([EventLog.Entry])
        /// Entries that came before the next ones may be gone from the log.
        case gap
        /// For a while there was nothing.
        case nothing
        /// Nobody knows what has been written; it may be known later.
        case unreachable
    }

    private struct State {
        var position: LogEntryID?
        /// Whether the position is where the reader wanted to begin.
        var hasBegun: Bool
        /// Entries that were read behind a gap that is to be told first.
        var waiting: [EventLog.Entry] = []
        var hasChanged = true
        var waiter: CheckedContinuation<Void, Never>?
        var isEnded = false
    }

    /// The most entries that are read at a time.
    private static let page = 100

    private let log: any SharedLog
    private let pause: TimeAmount
    private let eventLoop: any EventLoop
    private let state: NIOLockedValueBox<State>
    private let subscription = NIOLockedValueBox<SignalSubscription?>(nil)

    fileprivate init(
        _ log: any SharedLog,
        after id: LogEntryID?,
        pause: TimeAmount,
        eventLoop: any EventLoop
    ) {
        self.log = log
        self.pause = pause
        self.eventLoop = eventLoop
        self.state = NIOLockedValueBox(State(position: id, hasBegun: id != nil))
        let subscription = log.onChange { [weak self] in self?.changed() }
        self.subscription.withLockedValue { $0 = subscription }
    }

    deinit {
        guard let subscription = self.subscription.withLockedValue({ $0 }) else { return }
        // Nobody waits for it; it ends with the answer of the broker.
        Task { await subscription.cancel() }
    }

    /// Finds the place from which the reader hears everything.
    ///
    /// ``next(within:)`` does so, too, if nobody has.
    ///
    /// - Throws: `ClusterError` with the code `unreachable` if nobody knows.
    public func begin() async throws {
        guard !self.state.withLockedValue({ $0.hasBegun }) else { return }
        let newest = try await self.log.last(1, before: nil).last?.id
        self.state.withLockedValue { state in
            state.position = newest
            state.hasBegun = true
            // There may be more by now.
            state.hasChanged = true
        }
    }

    /// The next entries.
    ///
    /// Only one caller may wait at a time.
    ///
    /// - Parameter patience: How long to wait for them.
    /// - Returns: What there is; `nil` if the task is cancelled.
    public func next(within patience: TimeAmount) async -> News? {
        guard !Task.isCancelled else { return nil }
        let waiting = self.state.withLockedValue { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        if !waiting.isEmpty { return .entries(waiting) }
        let deadline = self.eventLoop.now + patience
        while true {
            let mayRead = self.state.withLockedValue { state in
                defer { state.hasChanged = false }
                return state.hasChanged
            }
            if mayRead, let news = await self.read() { return news }
            if Task.isCancelled { return nil }
            guard self.eventLoop.now < deadline else { return .nothing }
            await self.wait(until: deadline)
            if Task.isCancelled { return nil }
            // Changes that come one after the other are read together.
            await self.sleep(min(self.pause, deadline - self.eventLoop.now))
        }
    }

    private func read() async -> News? {
        do {
            try await self.begin()
            let position = self.state.withLockedValue { $0.position }
            let start = position ?? LogEntryID(milliseconds: 0, sequence: 0)
            let page = try await self.log.entries(after: start, count: Self.page)
            let entries = page.entries.compactMap { EventLog.Entry($0) }
            return self.state.withLockedValue { state -> News? in
                // Further entries may be there already.
                if page.entries.count >= Self.page { state.hasChanged = true }
                // A log that ends before the reader's place is another one. Its entries are read from the beginning.
                let isOther = page.newest.map { $0 < start } ?? false
                let hasGap = position != nil && !page.isWhole && (isOther || !page.entries.isEmpty)
                state.position = isOther ? nil : page.entries.last?.id ?? state.position
                if isOther { state.hasChanged = true }
                if hasGap {
                    state.waiting = entries
                    return .gap
                }
                return entries.isEmpty ? nil : .entries(entries)
            }
        } catch {
            // It looks again when something changes, or when it is asked again.
            self.state.withLockedValue { $0.hasChanged = true }
            await self.sleep(.seconds(1))
            return .unreachable
        }
    }

    private func changed() {
        self.state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            state.hasChanged = true
            defer { state.waiter = nil }
            return state.waiter
        }?.resume()
    }

    /// Returns when something has changed, at the deadline, and when the task is cancelled.
    private func wait(until deadline: NIODeadline) async {
        let timer = self.eventLoop.scheduleTask(deadline: deadline) { self.wake() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLockedValue { state in
                    // The timer may have fired before there was anybody to wake.
                    if state.hasChanged || state.isEnded || self.eventLoop.now >= deadline { return true }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            self.state.withLockedValue { $0.isEnded = true }
            self.wake()
        }
        timer.cancel()
    }

    private func wake() {
        self.state.withLockedValue { state in
            defer { state.waiter = nil }
            return state.waiter
        }?.resume()
    }

    private func sleep(_ time: TimeAmount) async {
        guard time > .zero else { return }
        let timer = self.eventLoop.scheduleTask(in: time) {}
        await withTaskCancellationHandler {
            try? await timer.futureResult.get()
        } onCancel: {
            timer.cancel()
        }
    }
}
