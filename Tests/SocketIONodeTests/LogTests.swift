import Dispatch
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire
import Testing

@testable import socketio_node

/// What the peers of these tests call themselves.
private let namesThatForge = [
    "a\nb", "a\r\nb", "\u{1B}[2J", "\u{9B}31m", "\u{85}", "\u{2028}", "\u{2029}", "\u{202E}evil", "\u{2066}x\u{2069}",
    "\u{200F}", "\u{FEFF}", "\0", "\u{7F}", "x level=error", "a\"b", "\\n", "e\u{301}\n\u{323}", "\u{E000}", "\u{AD}",
]

@Suite(.timeLimit(.minutes(1)))
struct TextLogTests {
    private func line(_ log: (Logger) -> Void) -> String {
        let lines = NIOLockedValueBox<[ByteBuffer]>([])
        log(
            Logger(label: "test") { label in
                LineLogHandler(.text, label: label, level: .info) { line in lines.withLockedValue { $0.append(line) } }
            }
        )
        return lines.withLockedValue { $0.map { String(buffer: $0) }.joined() }
    }

    /// Whether a reader sees each character as it is, in the order in which it stands there.
    private func isPlain(_ line: String) -> Bool {
        line.unicodeScalars.dropLast().allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
            default: true
            }
        } && line.unicodeScalars.last == "\n"
    }

    @Test func aMessageIsOneLine() {
        let line = self.line { $0.info("Listening", metadata: ["port": "3000", "address": "::1"]) }
        #expect(line.hasSuffix(" info test: address=::1 port=3000 [SocketIONodeTests] Listening\n"))
    }

    @Test(arguments: namesThatForge) func namesFromOutsideStayText(_ name: String) {
        let value = self.line { $0.info("A client", metadata: ["reason": "\(name)"]) }
        #expect(self.isPlain(value))
        let message = self.line { $0.info("\(name)") }
        #expect(self.isPlain(message))
        let key = self.line { $0.info("A client", metadata: [name: "x"]) }
        #expect(self.isPlain(key))
        let nested = self.line { $0.info("A client", metadata: ["list": ["\(name)", ["k": "\(name)"]]]) }
        #expect(self.isPlain(nested))
    }

    @Test(arguments: [
        ("plain", "plain"), ("a\nb", #"a\nb"#), ("a\\nb", #"a\\nb"#), ("\u{1B}[1m", #""\u{1B}[1m""#), ("", #""""#),
        ("x user=admin", #""x user=admin""#), (#"a "b""#, #""a \"b\"""#), ("é", "é"), ("日本", "日本"),
        ("a\u{202E}b", #"a\u{202E}b"#),
    ])
    func values(text: String, expected: String) {
        var line = ""
        LogText.append(value: text, to: &line)
        #expect(line == expected)
    }

    /// The time for a text of a hundred thousand marks on one letter is that for a long text, and the line is short.
    @Test func longTextsAreCut() {
        let text = "a" + String(repeating: "\u{301}\u{323}", count: 100_000)
        let line = self.line { $0.info("A client", metadata: ["reason": "\(text)"]) }
        #expect(line.utf8.count < LogText.longest + 200)
        #expect(line.contains("(400001 bytes)"))
    }
}

@Suite(.timeLimit(.minutes(1)))
struct JSONLogValidityTests {
    @Test(arguments: namesThatForge) func anyNameIsValid(_ name: String) throws {
        let lines = NIOLockedValueBox<[ByteBuffer]>([])
        let logger = Logger(label: "test") { label in
            LineLogHandler(.json, label: label, level: .info) { line in lines.withLockedValue { $0.append(line) } }
        }
        logger.info("\(name)", metadata: [name: ["\(name)"], "sio.event": "\(name)"])
        let written = try #require(lines.withLockedValue { $0.first })
        #expect(written.readableBytesView.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        #expect(written.readableBytesView.last == UInt8(ascii: "\n"))
        _ = try JSONSerialization.jsonObject(with: Data(written.readableBytesView))
        let object = try JSONValue(parsing: written)
        #expect(object["sio.event"] == .string(name))
        #expect(object["message"] == .string(name))
    }
}

/// What both formats say alike.
@Suite(.timeLimit(.minutes(1)))
struct LineLogTests {
    private struct Broken: Error, CustomStringConvertible { let description = "thrown" }

    /// What is said of the message outdoes what is said of its logger, and an error that was thrown all else.
    @Test(arguments: [NodeConfiguration.Logging.Format.text, .json])
    func theNearestWins(format: NodeConfiguration.Logging.Format) throws {
        var handler = LineLogHandler(format, label: "test", level: .info) { _ in }
        handler.metadata = ["a": "logger", "b": "logger", "c": "logger", "error": "logger"]
        handler.metadataProvider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
        let event = LogEvent(
            level: .info,
            message: "Said",
            error: Broken(),
            metadata: ["c": "message", "error": "message"],
            source: "Tests",
            file: #fileID,
            function: #function,
            line: #line
        )
        let line = String(buffer: handler.line(for: event))
        switch format {
        case .text:
            #expect(line.hasSuffix(" info test: a=logger b=provider c=message error=thrown [Tests] Said\n"))
        case .json:
            let value = try JSONValue(parsing: ByteBuffer(string: line))
            #expect(value["a"] == "logger")
            #expect(value["b"] == "provider")
            #expect(value["c"] == "message")
            #expect(value["error"] == "thrown")
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct LogWriterTests {
    /// A pipe, closed with the test.
    private struct Pipe {
        let reading: FileHandle
        let writing: FileHandle

        init() {
            let pipe = Foundation.Pipe()
            self.reading = pipe.fileHandleForReading
            self.writing = pipe.fileHandleForWriting
        }
    }

    private func writer(_ pipe: Pipe, limit: Int) -> LogWriter {
        LogWriter(descriptor: pipe.writing.fileDescriptor, limit: limit) { ByteBuffer(string: "dropped \($0)\n") }
    }

    @Test func linesComeInOrder() throws {
        let pipe = Pipe()
        let writer = self.writer(pipe, limit: 1024)
        for number in 0..<50 { writer.write(ByteBuffer(string: "\(number)\n")) }
        #expect(writer.flush(within: .seconds(30)))
        writer.close()
        try pipe.writing.close()
        let text = String(decoding: pipe.reading.readDataToEndOfFile(), as: UTF8.self)
        #expect(text == (0..<50).map { "\($0)\n" }.joined())
    }

    /// Who logs goes on, what waits is bounded, and the reader learns how much is missing.
    @Test func nobodyReads() throws {
        let pipe = Pipe()
        let writer = self.writer(pipe, limit: 100_000)
        let line = String(repeating: "x", count: 99) + "\n"
        // A pipe takes 64 KiB, the thread holds as much as waits: this is far more.
        for _ in 0..<20_000 { writer.write(ByteBuffer(string: line)) }
        #expect(!writer.flush(within: .milliseconds(1)))
        let reader = NIOLockedValueBox("")
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let data = pipe.reading.readDataToEndOfFile()
            reader.withLockedValue { $0 = String(decoding: data, as: UTF8.self) }
            done.signal()
        }
        #expect(writer.flush(within: .seconds(30)))
        writer.write(ByteBuffer(string: "after\n"))
        #expect(writer.flush(within: .seconds(30)))
        writer.close()
        try pipe.writing.close()
        done.wait()
        let lines = reader.withLockedValue { $0.split(separator: "\n") }
        let written = lines.filter { $0.hasPrefix("x") }.count
        let dropped = lines.filter { $0.hasPrefix("dropped ") }.compactMap { Int($0.dropFirst(8)) }.reduce(0, +)
        #expect(written + dropped == 20_000)
        #expect(dropped > 15_000)
        #expect(lines.last == "after")
        // It stands where the lines are missing.
        #expect(lines.dropLast().last?.hasPrefix("dropped") == true)
    }

    @Test func aReaderThatIsGoneHoldsNobodyUp() throws {
        signal(SIGPIPE, SIG_IGN)
        let pipe = Pipe()
        let writer = self.writer(pipe, limit: 1000)
        try pipe.reading.close()
        for _ in 0..<100 { writer.write(ByteBuffer(string: "line\n")) }
        #expect(writer.flush(within: .seconds(30)))
        writer.close()
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ShutdownWatchdogTests {
    @Test func endsTheProcessAfterTheDeadline() async {
        await withCheckedContinuation { continuation in
            let watchdog = ShutdownWatchdog(deadline: .milliseconds(1)) { continuation.resume() }
            // However often it hears of the shutdown, it ends the process once.
            watchdog.arm()
            watchdog.arm()
        }
    }
}
