package import Logging
import NIOConcurrencyHelpers
package import NIOCore

/// Says what was dropped or refused, or what failed: a few lines for each reason, with a count.
///
/// The first time is told at once. What finds no line left is counted, and told together as soon as there may be a line
/// again, be it that nothing more happens. So an operator without metrics sees that something is lost, and a peer can't
/// fill the log.
package final class IncidentLog: Sendable {
    /// How many lines a reason gets.
    package struct Pace: Sendable {
        /// How many may follow each other at once.
        var burst: Int
        /// After how long there may be one more.
        var interval: TimeAmount
        /// Whether those without a line are told at debug, one by one.
        var tellsRestAtDebug = false

        /// One line a minute, for what peers can cause and the code tells at debug itself.
        package static let minute = Pace(burst: 1, interval: .minutes(1))

        /// Twenty lines and then one a second, for failures of which each may be another: an application's handlers.
        package static let failures = Pace(burst: 20, interval: .seconds(1), tellsRestAtDebug: true)
    }

    private struct Key: Hashable {
        var message: String
        var reason: String
    }

    /// What has been told of a reason, and what not.
    private struct Entry {
        let level: Logger.Level
        let pace: Pace
        /// How many lines there may be now.
        var lines: Int
        /// How often it has happened since the last line.
        var untold = 0
        /// What the first of them was about.
        var details: Logger.Metadata = [:]
    }

    /// What becomes of an incident.
    private enum Telling {
        /// It gets a line; with the first one the reason's timer starts.
        case line(isFirst: Bool)
        /// It is the first that finds no line left, so that its details stand for all that follow.
        case beginsRest
        case counted
    }

    /// How many reasons are told apart at a time; what comes beyond that waits for its turn unseen.
    private static let maximumReasons = 256

    private let logger: Logger
    private let source: String
    private let eventLoop: any EventLoop
    private let entries = NIOLockedValueBox<[Key: Entry]>([:])

    /// - Parameters:
    ///   - logger: Where the lines go.
    ///   - source: The module that the lines are of.
    ///   - eventLoop: Its time is the log's.
    package init(logger: Logger, source: String, eventLoop: any EventLoop) {
        self.logger = logger
        self.source = source
        self.eventLoop = eventLoop
    }

    /// Notes that something happened.
    ///
    /// - Parameters:
    ///   - message: What happened, in words: `Clients that read too slowly were cut off`.
    ///   - reason: A word for which of its kind; one of a few.
    ///   - count: How often.
    ///   - level: Info, unless the node itself is in need.
    ///   - pace: How many lines there may be.
    ///   - details: What a line says of this one.
    package func record(
        _ message: String,
        reason: String,
        count: Int = 1,
        level: Logger.Level = .info,
        pace: Pace = .minute,
        details: @autoclosure () -> Logger.Metadata = [:]
    ) {
        guard self.logger.logLevel <= level, count > 0 else { return }
        let key = Key(message: message, reason: reason)
        switch self.entries.withLockedValue({ Self.count(count, key, level, pace, in: &$0) }) {
        case .line(let isFirst):
            self.write(key, level, count, details())
            if isFirst { self.wake(key, in: pace.interval) }
            return
        case .beginsRest:
            let details = details()
            self.entries.withLockedValue { if ($0[key]?.untold ?? 0) > 0 { $0[key]?.details = details } }
        case .counted: break
        }
        if pace.tellsRestAtDebug {
            self.logger.debug("\(message)", metadata: details(), source: self.source)
        }
    }

    private static func count(
        _ count: Int,
        _ key: Key,
        _ level: Logger.Level,
        _ pace: Pace,
        in entries: inout [Key: Entry]
    ) -> Telling {
        guard var entry = entries[key] else {
            guard entries.count < Self.maximumReasons else { return .counted }
            entries[key] = Entry(level: level, pace: pace, lines: pace.burst - 1)
            return .line(isFirst: true)
        }
        defer { entries[key] = entry }
        if entry.lines > 0, entry.untold == 0 {
            entry.lines -= 1
            return .line(isFirst: false)
        }
        defer { entry.untold += count }
        return entry.untold == 0 ? .beginsRest : .counted
    }

    private func wake(_ key: Key, in interval: TimeAmount) {
        self.eventLoop.scheduleTask(in: interval) { [weak self] in self?.intervalEnded(key) }
    }

    /// There may be one more line: it tells what got none, if there is anything.
    private func intervalEnded(_ key: Key) {
        let rest = self.entries.withLockedValue { entries -> Entry? in
            guard let entry = entries[key] else { return nil }
            if entry.untold > 0 {
                entries[key]?.untold = 0
                entries[key]?.details = [:]
            } else if entry.lines + 1 < entry.pace.burst {
                entries[key]?.lines += 1
            } else {
                entries[key] = nil
                return nil
            }
            return entry
        }
        guard let rest else { return }
        if rest.untold > 0 {
            let seconds: Logger.Metadata = ["seconds": "\(rest.pace.interval.nanoseconds / 1_000_000_000)"]
            self.write(key, rest.level, rest.untold, rest.details.merging(seconds) { _, own in own })
        }
        self.wake(key, in: rest.pace.interval)
    }

    private func write(_ key: Key, _ level: Logger.Level, _ count: Int, _ details: Logger.Metadata) {
        let metadata = details.merging(["reason": "\(key.reason)", "count": "\(count)"]) { _, own in own }
        self.logger.log(level: level, "\(key.message)", metadata: metadata, source: self.source)
    }
}
