import Logging
import NIOCore

/// Writes each message as one line, in one of the node's formats.
struct LineLogHandler: LogHandler {
    private let label: String
    private let format: NodeConfiguration.Logging.Format
    private let write: @Sendable (ByteBuffer) -> Void
    /// What all loggers of the node go by.
    private let common: LogLevel
    /// What this logger goes by instead.
    private var own: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(
        _ format: NodeConfiguration.Logging.Format,
        label: String,
        level: Logger.Level,
        write: @escaping @Sendable (ByteBuffer) -> Void
    ) {
        self.init(format, label: label, level: LogLevel(level), write: write)
    }

    init(
        _ format: NodeConfiguration.Logging.Format,
        label: String,
        level: LogLevel,
        write: @escaping @Sendable (ByteBuffer) -> Void
    ) {
        self.format = format
        self.label = label
        self.common = level
        self.write = write
    }

    var logLevel: Logger.Level {
        get { self.own ?? self.common.value }
        set { self.own = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) { self.write(self.line(for: event)) }

    /// The message with its line end.
    func line(for event: LogEvent) -> ByteBuffer {
        let record = LogRecord(event, label: self.label, of: self.metadata, self.metadataProvider?.get())
        return switch self.format {
        case .text: record.text
        case .json: record.json
        }
    }
}
