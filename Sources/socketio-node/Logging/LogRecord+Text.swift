import Foundation
import Logging
import NIOCore

extension LogRecord {
    /// One line of text: time, level, label, metadata, source, message.
    ///
    /// ```
    /// 2026-11-30T13:55:15+0000 debug socketio: sio.namespace=/chat reason="Too many rooms" [SocketIOServer] A client …
    /// ```
    var text: ByteBuffer {
        var line = "\(Self.localTime()) \(self.level) \(self.label):"
        for (key, value) in self.metadata {
            line += " "
            LogText.append(value: key, to: &line)
            line += "="
            LogText.append(value: "\(value)", to: &line)
        }
        line += " [\(self.source)] "
        LogText.append(self.message, to: &line)
        line += "\n"
        return ByteBuffer(string: line)
    }

    private static func localTime() -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        return String(unsafeUninitializedCapacity: 64) { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress!, $0.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
            }
        }
    }
}
