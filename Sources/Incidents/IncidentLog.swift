package import Logging
import NIOConcurrencyHelpers
package import NIOCore

/// Says what was dropped or refused: one line for each reason in a minute at most, with a count.
///
/// The first time is told at once, what follows within the minute is told together at its end. So an operator without
/// metrics sees that something is lost, and a peer can't fill the log.
package final class IncidentLog: Sendable {
    private struct Key: Hashable {
        var message: String
        var reason: String
    }

    /// What an incident has been told of.
    private struct Entry {
        var level: Logger.Level
        /// How often it has happened since the last line.
        var count = 0
    }

    /// How many reasons are told apart at a time; what comes beyond that waits for its turn unseen.
    private static let maximumReasons = 256

    private let logger: Logger
    private let source: String
    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private let entries = NIOLockedValueBox<[Key: Entry]>([:])

    /// - Parameters:
    ///   - logger: Where the lines go.
    ///   - source: The module that the lines are of.
    ///   - eventLoop: Its time is the log's.
    ///   - interval: How long a reason is silent after a line.
    package init(
        logger: Logger,
        source: String,
        eventLoop: any EventLoop,
        interval: TimeAmount = .minutes(1)
    ) {
        self.logger = logger
        self.source = source
        self.eventLoop = eventLoop
        self.interval = interval
    }

    /// Notes that something happened.
    ///
    /// - Parameters:
    ///   - message: What happened, in words: `Clients that read too slowly were cut off`.
    ///   - reason: A word for which of its kind; one of a few.
    ///   - count: How often.
    ///   - level: Info, unless the node itself is in need.
    ///   - details: What the first line says of this one.
    package func record(
        _ message: String,
        reason: String,
        count: Int = 1,
        level: Logger.Level = .info,
        details: @autoclosure () -> Logger.Metadata = [:]
    ) {
        guard self.logger.logLevel <= level, count > 0 else { return }
        let key = Key(message: message, reason: reason)
        let isFirst = self.entries.withLockedValue { entries in
            if entries[key] != nil {
                entries[key]?.count += count
                return false
            }
            guard entries.count < Self.maximumReasons else { return false }
            entries[key] = Entry(level: level)
            return true
        }
        guard isFirst else { return }
        self.write(key, level, count, details())
        self.wake(key)
    }

    private func wake(_ key: Key) {
        self.eventLoop.scheduleTask(in: self.interval) { [weak self] in self?.tell(key) }
    }

    /// The silence is over: tells what came meanwhile, if anything did.
    private func tell(_ key: Key) {
        let entry = self.entries.withLockedValue { entries -> Entry? in
            guard let entry = entries[key], entry.count > 0 else {
                entries[key] = nil
                return nil
            }
            entries[key]?.count = 0
            return entry
        }
        guard let entry else { return }
        self.write(key, entry.level, entry.count, ["seconds": "\(self.interval.nanoseconds / 1_000_000_000)"])
        self.wake(key)
    }

    private func write(_ key: Key, _ level: Logger.Level, _ count: Int, _ details: Logger.Metadata) {
        let metadata = details.merging(["reason": "\(key.reason)", "count": "\(count)"]) { _, own in own }
        self.logger.log(level: level, "\(key.message)", metadata: metadata, source: self.source)
    }
}
