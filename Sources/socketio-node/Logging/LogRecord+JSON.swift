import Foundation
import Logging
import NIOCore
import OrderedCollections
import SocketIOWire

extension LogRecord {
    /// One line of JSON: `time`, `level`, `label`, `message`, metadata.
    var json: ByteBuffer {
        var line: JSONObject = [
            "time": .string(Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
            "level": .string(self.level.rawValue),
            "label": .string(self.label),
            "message": .string(LogText.clipped(self.message)),
        ]
        for (key, value) in self.metadata where line[key] == nil { line[key] = Self.json(value) }
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
            .object(Self.sorted(members).reduce(into: JSONObject()) { $0[$1.key] = Self.json($1.value) })
        }
    }
}
