/// The kind of a WebSocket frame (RFC 6455, section 5.2).
package enum WebSocketOpcode: UInt8, Sendable {
    /// Continues the message of an earlier frame.
    case continuation = 0x0
    /// Starts a message of UTF-8 text.
    case text = 0x1
    /// Starts a message of bytes.
    case binary = 0x2
    /// Ends the connection.
    case close = 0x8
    /// Asks for a pong with the same payload.
    case ping = 0x9
    /// Answers a ping.
    case pong = 0xA

    /// Whether this is a control frame.
    ///
    /// It is never fragmented, has at most 125 bytes of payload, and may come inside of a message.
    package var isControl: Bool { self.rawValue & 0x8 != 0 }
}
