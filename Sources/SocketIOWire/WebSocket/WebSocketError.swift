/// How a peer broke the WebSocket protocol.
///
/// The connection must be failed with ``closeCode``.
package enum WebSocketError: Error, Hashable, Sendable {
    case reservedBitSet
    case unknownOpcode
    case maskMissing
    case maskPresent
    case controlFrameFragmented
    case controlFrameTooLong
    case unexpectedContinuation
    case continuationMissing
    case invalidLength
    case messageTooBig
    case tooManyFragments
    case invalidUTF8
    case invalidCompressedData
    case invalidCloseCode
    case invalidClosePayload

    /// The code for the close frame.
    package var closeCode: WebSocketCloseCode {
        switch self {
        case .messageTooBig: .messageTooBig
        case .tooManyFragments: .policyViolation
        case .invalidUTF8, .invalidCompressedData: .invalidPayload
        case .reservedBitSet, .unknownOpcode, .maskMissing, .maskPresent, .controlFrameFragmented, .controlFrameTooLong,
            .unexpectedContinuation, .continuationMissing, .invalidLength, .invalidCloseCode, .invalidClosePayload:
            .protocolError
        }
    }
}

extension WebSocketError: CustomStringConvertible {
    /// The text for a session's close description.
    ///
    /// For the size limit it is the reference implementation's text.
    package var description: String {
        switch self {
        case .reservedBitSet: "Invalid WebSocket frame: reserved bits must be clear"
        case .unknownOpcode: "Invalid WebSocket frame: invalid opcode"
        case .maskMissing: "Invalid WebSocket frame: MASK must be set"
        case .maskPresent: "Invalid WebSocket frame: MASK must be clear"
        case .controlFrameFragmented: "Invalid WebSocket frame: FIN must be set"
        case .controlFrameTooLong: "Invalid WebSocket frame: control frame longer than 125 bytes"
        case .unexpectedContinuation: "Invalid WebSocket frame: continuation without a message"
        case .continuationMissing: "Invalid WebSocket frame: new message before the end of the last"
        case .invalidLength: "Invalid WebSocket frame: payload length out of range"
        case .messageTooBig: "Max payload size exceeded"
        case .tooManyFragments: "Too many message fragments"
        case .invalidUTF8: "Invalid WebSocket frame: invalid UTF-8 sequence"
        case .invalidCompressedData: "Invalid WebSocket frame: invalid compressed data"
        case .invalidCloseCode: "Invalid WebSocket frame: invalid status code"
        case .invalidClosePayload: "Invalid WebSocket frame: invalid close payload"
        }
    }
}
