import Logging
import SocketIOWire

/// A message of the log with all that belongs to it, before it is written in some format.
struct LogRecord {
    let level: Logger.Level
    let label: String
    let source: String
    let message: String
    /// In the order of its keys, an error that was thrown among them; what is said of the message itself outdoes what is
    /// said of its logger.
    let metadata: [(key: String, value: Logger.MetadataValue)]

    init(_ event: LogEvent, label: String, of logger: Logger.Metadata, _ provided: Logger.Metadata?) {
        var metadata = logger
        if let provided { metadata.merge(provided) { _, new in new } }
        if let own = event.metadata { metadata.merge(own) { _, new in new } }
        if let error = event.error { metadata["error"] = "\(error)" }
        self.level = event.level
        self.label = label
        self.source = event.source
        self.message = "\(event.message)"
        self.metadata = Self.sorted(metadata)
    }

    /// The members in the order of their keys' bytes.
    static func sorted(_ metadata: Logger.Metadata) -> [(key: String, value: Logger.MetadataValue)] {
        metadata.sorted { UTF8Text($0.key) < UTF8Text($1.key) }
    }
}
