package import Logging
import NIOConcurrencyHelpers

/// Keeps what is logged, a text for each message: `info Listening address=::1 port=3000`.
package final class LogLines: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])

    package init() {}

    /// A logger whose messages are kept.
    package func logger(_ level: Logger.Level = .info) -> Logger {
        Logger(label: "test") { _ in Handler(log: self, logLevel: level) }
    }

    /// What was logged so far.
    package var all: [String] { self.lines.withLockedValue { $0 } }

    /// What was logged since the last look.
    package func take() -> [String] {
        self.lines.withLockedValue { lines in
            defer { lines = [] }
            return lines
        }
    }

    private struct Handler: LogHandler {
        let log: LogLines
        var logLevel: Logger.Level
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
            let line = (["\(event.level)", "\(event.message)"] + metadata).joined(separator: " ")
            self.log.lines.withLockedValue { $0.append(line) }
        }
    }
}
