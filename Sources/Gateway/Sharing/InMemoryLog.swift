import DequeModule
import NIOConcurrencyHelpers
public import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A ``SharedLog`` within one process.
public final class InMemoryLog: SharedLog {
    private struct State {
        var entries: Deque<SharedLogEntry> = []
        /// The last place that was given out.
        var last = LogEntryID(milliseconds: 0, sequence: 0)
        var nextHandler = 0
        var handlers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = NIOLockedValueBox(State())
    /// Unix time in seconds.
    private let now: @Sendable () -> Double

    /// An empty log.
    ///
    /// - Parameter now: The Unix time in seconds; by default the system's.
    public init(now: (@Sendable () -> Double)? = nil) {
        self.now = now ?? { Date().timeIntervalSince1970 }
    }

    /// Adds entries behind all others, and forgets the oldest.
    public func append(_ entries: [ByteBuffer], keeping limit: Int) async {
        let milliseconds = UInt64(max(0, min(self.now() * 1000, 9e15)))
        let handlers = self.state.withLockedValue { state in
            for bytes in entries {
                let now = LogEntryID(milliseconds: milliseconds, sequence: 0)
                state.last = max(now, state.last.next ?? state.last)
                state.entries.append(SharedLogEntry(id: state.last, bytes: bytes))
            }
            state.entries.removeFirst(max(0, state.entries.count - max(0, limit)))
            return Array(state.handlers.values)
        }
        for handler in handlers { handler() }
    }

    /// The newest entries, the oldest of them first.
    public func last(_ count: Int, before id: LogEntryID?) async -> [SharedLogEntry] {
        let entries = self.state.withLockedValue { $0.entries }
        let older = id.map { id in entries.prefix { $0.id < id } } ?? entries[...]
        return Array(older.suffix(max(0, count)))
    }

    /// The entries behind one, the oldest first.
    public func entries(after id: LogEntryID, count: Int) async -> SharedLogPage {
        let (entries, last) = self.state.withLockedValue { ($0.entries, $0.last) }
        // Places are given out in order. So nothing is missing if the log still has what was seen, or something older.
        let isWhole = entries.first.map { $0.id <= id } ?? (id == last)
        guard id <= last else { return SharedLogPage(entries: [], isWhole: false, newest: entries.last?.id) }
        let behind = entries.drop { $0.id <= id }.prefix(max(0, count))
        return SharedLogPage(entries: Array(behind), isWhole: isWhole, newest: entries.last?.id)
    }

    /// Calls a handler when entries have been added.
    public func onChange(_ handler: @escaping @Sendable () -> Void) -> SignalSubscription {
        let id = self.state.withLockedValue { state in
            state.nextHandler += 1
            state.handlers[state.nextHandler] = handler
            return state.nextHandler
        }
        return SignalSubscription { [state] in state.withLockedValue { $0.handlers[id] = nil } }
    }
}
