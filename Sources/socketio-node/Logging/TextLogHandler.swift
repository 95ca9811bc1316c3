import Foundation
import Logging
import NIOCore

/// Writes each message as one line of text: time, level, label, metadata, source, message.
///
/// ```
/// 2026-11-30T13:55:15+0000 debug socketio: sio.namespace=/chat reason="Too many rooms" [SocketIOServer] A client …
/// ```
struct TextLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let write: @Sendable (ByteBuffer) -> Void

    init(label: String, level: Logger.Level, write: @escaping @Sendable (ByteBuffer) -> Void) {
        self.label = label
        self.logLevel = level
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) { self.write(self.line(for: event)) }

    func line(for event: LogEvent) -> ByteBuffer {
        var metadata = self.metadata
        metadata.merge(self.metadataProvider?.get() ?? [:]) { _, new in new }
        metadata.merge(event.metadata ?? [:]) { _, new in new }
        if let error = event.error { metadata["error"] = "\(error)" }
        var line = Self.start(event.level, self.label)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " "
            LogText.append(value: key, to: &line)
            line += "="
            LogText.append(value: "\(value)", to: &line)
        }
        line += " [\(event.source)] "
        LogText.append("\(event.message)", to: &line)
        line += "\n"
        return ByteBuffer(string: line)
    }

    private static func start(_ level: Logger.Level, _ label: String) -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        let time = String(unsafeUninitializedCapacity: 64) { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress!, $0.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
            }
        }
        return "\(time) \(level) \(label):"
    }
}
