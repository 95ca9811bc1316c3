import DequeModule
import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// Writes entries of this node to a log that the cluster shares.
///
/// Nobody waits for that: what comes while an entry is being written waits, within bounds, and is written together.
final class LogWriter: Sendable {
    /// What happens to entries that could not be written.
    enum Failure: Sendable {
        /// They are given up and counted.
        case drop
        /// They are written later.
        case retry(after: TimeAmount)
    }

    private struct State {
        var waiting: Deque<ByteBuffer> = []
        var waitingBytes = 0
        var limit = 0
        var isWriting = false
    }

    /// The most entries that wait.
    static let maximumEntries = 1024
    /// The most bytes that wait.
    static let maximumBytes = 1_048_576
    /// The most entries that are written together.
    private static let batch = 256

    private let log: any SharedLog
    private let name: String
    private let failure: Failure
    private let eventLoop: any EventLoop
    private let incidents: IncidentLog
    private let state = NIOLockedValueBox(State())

    init(_ log: any SharedLog, name: String, failure: Failure, eventLoop: any EventLoop, incidents: IncidentLog) {
        self.log = log
        self.name = name
        self.failure = failure
        self.eventLoop = eventLoop
        self.incidents = incidents
    }

    /// Adds an entry, and keeps so many.
    func append(_ entry: ByteBuffer, keeping limit: Int) {
        let (isTaken, begins) = self.state.withLockedValue { state -> (Bool, Bool) in
            guard state.waiting.count < Self.maximumEntries,
                state.waitingBytes + entry.readableBytes <= Self.maximumBytes
            else { return (false, false) }
            state.waiting.append(entry)
            state.waitingBytes += entry.readableBytes
            state.limit = limit
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        guard isTaken else { return self.dropped(1, reason: "too many wait") }
        guard begins else { return }
        // It ends when nothing waits any more.
        Task { await self.write() }
    }

    private func write() async {
        while let (entries, limit) = self.next() {
            do {
                try await self.log.append(entries, keeping: limit)
            } catch {
                switch self.failure {
                case .drop: self.dropped(entries.count, reason: "\(error)")
                case .retry(let delay):
                    self.putBack(entries)
                    if await self.mayRetry(behind: error, after: delay) { continue }
                    return self.giveUp(reason: "\(error)")
                }
            }
        }
    }

    /// Waits, unless the log has come to its end.
    private func mayRetry(behind error: any Error, after delay: TimeAmount) async -> Bool {
        if let error = error as? ClusterError, error.code == .closed { return false }
        do {
            try await self.eventLoop.scheduleTask(in: delay) {}.futureResult.get()
            return true
        } catch {
            return false
        }
    }

    private func giveUp(reason: String) {
        let count = self.state.withLockedValue { state in
            defer { state = State() }
            return state.waiting.count
        }
        self.dropped(count, reason: reason)
    }

    private func next() -> ([ByteBuffer], limit: Int)? {
        self.state.withLockedValue { state in
            guard !state.waiting.isEmpty else {
                state.isWriting = false
                return nil
            }
            let entries = Array(state.waiting.prefix(Self.batch))
            state.waiting.removeFirst(entries.count)
            state.waitingBytes -= entries.reduce(0) { $0 + $1.readableBytes }
            return (entries, state.limit)
        }
    }

    /// They come before those that have come meanwhile.
    private func putBack(_ entries: [ByteBuffer]) {
        self.state.withLockedValue { state in
            for entry in entries.reversed() { state.waiting.prepend(entry) }
            state.waitingBytes += entries.reduce(0) { $0 + $1.readableBytes }
        }
    }

    private func dropped(_ count: Int, reason: String) {
        self.incidents.record(
            "Entries of a shared log were dropped",
            reason: self.name,
            count: count,
            pace: .failures,
            details: ["error": "\(reason)"]
        )
    }
}
