public import NIOCore

/// A command with its arguments: `RESPCommand("SET", "greeting", .bytes(payload))`.
public struct RESPCommand: Sendable, Hashable {
    /// One argument.
    ///
    /// The first one is the command's name.
    public enum Argument: Sendable, Hashable, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
        /// Text, sent as its UTF-8 bytes.
        case string(String)
        /// Bytes, sent as they are.
        case bytes(ByteBuffer)
        /// A number, sent as its decimal text.
        case int(Int)

        /// Text.
        public init(stringLiteral value: String) { self = .string(value) }
        /// A number.
        public init(integerLiteral value: Int) { self = .int(value) }

        /// How many bytes it has, or a few more.
        var count: Int {
            switch self {
            case .string(let text): text.utf8.count
            case .bytes(let bytes): bytes.readableBytes
            case .int: 20
            }
        }
    }

    /// The name, followed by the arguments.
    public var words: [Argument]

    /// Makes a command.
    public init(_ name: String, _ arguments: Argument...) {
        self.words = [.string(name)] + arguments
    }

    /// Makes a command of texts.
    public init(words: [String]) {
        self.words = words.map { .string($0) }
    }
}

extension ByteBuffer {
    /// Writes a command as the array of bulk strings that Redis expects.
    package mutating func writeCommand(_ command: RESPCommand) {
        self.writeRESPHeader(UInt8(ascii: "*"), command.words.count)
        for word in command.words {
            switch word {
            case .string(let text): self.writeBulkString(text)
            case .bytes(let bytes): self.writeBulkString(bytes)
            case .int(let number): self.writeBulkString(String(number))
            }
        }
    }

    /// Writes a command whose arguments are all names.
    mutating func writeCommand(_ command: String, _ names: some Collection<ByteBuffer>) {
        self.writeRESPHeader(UInt8(ascii: "*"), names.count + 1)
        self.writeBulkString(command)
        for name in names { self.writeBulkString(name) }
    }

    /// Writes `PUBLISH channel message`, or `SPUBLISH`, and builds no command for it.
    package mutating func writePublish(channel: String, message: ByteBuffer, isSharded: Bool = false) {
        self.reserveCapacity(minimumWritableBytes: 48 + channel.utf8.count + message.readableBytes)
        if isSharded {
            self.writeStaticString("*3\r\n$8\r\nSPUBLISH\r\n")
        } else {
            self.writeStaticString("*3\r\n$7\r\nPUBLISH\r\n")
        }
        self.writeBulkString(channel)
        self.writeBulkString(message)
    }

    private mutating func writeBulkString(_ text: String) {
        self.writeRESPHeader(UInt8(ascii: "$"), text.utf8.count)
        self.writeString(text)
        self.writeStaticString("\r\n")
    }

    private mutating func writeBulkString(_ bytes: ByteBuffer) {
        self.writeRESPHeader(UInt8(ascii: "$"), bytes.readableBytes)
        self.writeImmutableBuffer(bytes)
        self.writeStaticString("\r\n")
    }

    /// Writes a marker and a count that is not negative: `*3`.
    private mutating func writeRESPHeader(_ marker: UInt8, _ count: Int) {
        self.writeInteger(marker)
        if count < 10 {
            self.writeInteger(UInt8(ascii: "0") + UInt8(count))
        } else {
            self.writeString(String(count))
        }
        self.writeStaticString("\r\n")
    }
}
