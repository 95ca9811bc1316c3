import Logging
import NIOConcurrencyHelpers
import SocketIOTestSupport

/// Remembers what is logged, but for what every server says that listens and refuses.
struct LogRecorder: Sendable {
    struct Entry: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: [String: String]
    }

    /// Every entry, as it is logged.
    let entries = Recorder<Entry>()
    private let kept = NIOLockedValueBox<[Entry]>([])

    /// What was logged so far.
    var all: [Entry] { self.kept.withLockedValue { $0 } }

    func logger(_ level: Logger.Level = .info) -> Logger {
        var logger = Logger(label: "test", factory: { _ in Handler(recorder: self) })
        logger.logLevel = level
        return logger
    }

    private func record(_ entry: Entry) {
        self.kept.withLockedValue { $0.append(entry) }
        self.entries.record(entry)
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(recorder: LogRecorder) { self.recorder = recorder }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let isRefusal = event.level == .info && event.metadata?["count"] != nil
            guard event.message != "Listening", !isRefusal else { return }
            self.recorder.record(
                Entry(
                    level: event.level,
                    message: "\(event.message)",
                    metadata: (event.metadata ?? [:]).mapValues { "\($0)" }
                )
            )
        }
    }
}
