public import NIOCore

/// The kinds of Engine.IO packets.
///
/// The raw value is the digit that a packet's text begins with.
public enum EnginePacketType: UInt8, Sendable {
    /// The handshake's answer: `0{"sid":…}`.
    case open = 0x30
    case close = 0x31
    /// The server's heartbeat. With the data `probe` it is the start of an upgrade.
    case ping = 0x32
    case pong = 0x33
    case message = 0x34
    /// The end of an upgrade. The new transport takes over.
    case upgrade = 0x35
    /// Answers a held poll with nothing.
    case noop = 0x36
}

/// An Engine.IO packet as received (protocol 4, section 1 of the packet encoding).
public struct EnginePacket: Hashable, Sendable {
    /// The kind of packet.
    public let type: EnginePacketType
    /// Whether this is a message of bytes.
    ///
    /// Only messages can have bytes.
    public let isBinary: Bool
    /// What follows the type digit, or a binary message's bytes.
    ///
    /// It shares the storage that the packet was read from.
    public let data: ByteBuffer

    /// A packet that travels as text.
    public init(_ type: EnginePacketType, data: ByteBuffer = ByteBuffer()) {
        self.type = type
        self.isBinary = false
        self.data = data
    }

    /// A message of bytes.
    public init(binary: ByteBuffer) {
        self.type = .message
        self.isBinary = true
        self.data = binary
    }

    /// Reads the text form: a digit and data (`4hello`), or `b` and base64.
    ///
    /// Base64 is decoded as leniently as Node does.
    ///
    /// - Returns: The packet; `nil` if the text is empty or begins with anything else. Close the session then.
    public init?(text: ByteBuffer) {
        var text = text
        guard let first = text.readInteger(as: UInt8.self) else { return nil }
        if first == UInt8(ascii: "b") {
            var bytes = ByteBuffer()
            bytes.writeBase64Decoded(text)
            self.init(binary: bytes)
        } else if let type = EnginePacketType(rawValue: first) {
            self.init(type, data: text.slice())
        } else {
            return nil
        }
    }
}

extension EnginePacket {
    /// Whether this is the `2probe` that starts an upgrade.
    package var isProbe: Bool {
        self.type == .ping && self.data.readableBytesView.elementsEqual("probe".utf8)
    }
}
