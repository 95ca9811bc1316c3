import Dispatch
import Foundation
import Logging
import NIOCore

/// What a node says while it runs: its log on standard error, the banner on standard output.
///
/// Nothing waits for a reader.
struct NodeLog: Sendable {
    private let log: LogWriter
    private let output: LogWriter
    private let configuration: NodeConfiguration.Logging
    private let level: LogLevel

    init(_ configuration: NodeConfiguration.Logging, standardError: CInt = 2, standardOutput: CInt = 1) {
        self.configuration = configuration
        self.level = LogLevel(configuration.level)
        self.log = LogWriter(descriptor: standardError) { Self.droppedLine($0, configuration.format) }
        self.output = LogWriter(descriptor: standardOutput, limit: 65_536) { _ in ByteBuffer() }
    }

    func handler(label: String) -> any LogHandler {
        let log = self.log
        return LineLogHandler(self.configuration.format, label: label, level: self.level) { log.write($0) }
    }

    /// Writes messages from that level on, whoever has a logger.
    func setLevel(_ level: Logger.Level) { self.level.set(level) }

    /// Says something to the person at the terminal, on standard output.
    func say(_ text: String) { self.output.write(ByteBuffer(string: text)) }

    /// Says why the node can't go on, on standard error.
    func complain(_ text: String) { self.log.write(ByteBuffer(string: text + "\n")) }

    /// Waits a moment for what was written last, so that the process may end.
    func flush(within time: DispatchTimeInterval = .seconds(1)) {
        self.log.flush(within: time)
        self.output.flush(within: time)
    }

    private static func droppedLine(_ count: Int, _ format: NodeConfiguration.Logging.Format) -> ByteBuffer {
        let event = LogEvent(
            level: .warning,
            message: "Lines of the log were dropped, because nobody read it",
            error: nil,
            metadata: ["count": "\(count)"],
            source: "socketio_node",
            file: #fileID,
            function: #function,
            line: #line
        )
        return LineLogHandler(format, label: "log", level: .info) { _ in }.line(for: event)
    }
}
