/// What a WebSocket frame is (RFC 6455, section 5.2).
package enum WebSocketOpcode: UInt8, Sendable {
    /// Goes on with the message of an earlier frame.
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

    /// Whether the frame stands between messages: never fragmented, at most 125 bytes of payload.
    package var isControl: Bool { self.rawValue & 0x8 != 0 }
}
