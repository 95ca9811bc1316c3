import Foundation
import Logging
import NIOCore
import OrderedCollections
import SocketIOWire

/// Writes each message as one line of JSON: `time`, `level`, `label`, `message`, `error`, metadata.
struct JSONLogHandler: LogHandler {
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
        var line: JSONObject = [
            "time": .string(Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
            "level": .string(event.level.rawValue),
            "label": .string(self.label),
            "message": .string(LogText.clipped("\(event.message)")),
        ]
        var metadata = self.metadata
        metadata.merge(self.metadataProvider?.get() ?? [:]) { _, new in new }
        metadata.merge(event.metadata ?? [:]) { _, new in new }
        if let error = event.error { line["error"] = .string(LogText.clipped("\(error)")) }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where line[key] == nil {
            line[key] = Self.json(value)
        }
        var bytes = ByteBuffer()
        bytes.writeJSON(.object(line))
        bytes.writeInteger(UInt8(ascii: "\n"))
        return bytes
    }

    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): .string(LogText.clipped(text))
        case .stringConvertible(let value): .string(LogText.clipped("\(value)"))
        case .array(let elements): .array(elements.map(Self.json))
        case .dictionary(let members):
            .object(
                members.sorted { $0.key < $1.key }.reduce(into: JSONObject()) { $0[$1.key] = Self.json($1.value) }
            )
        }
    }
}
