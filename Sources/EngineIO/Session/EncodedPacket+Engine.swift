import NIOCore
import SocketIOWire

extension EncodedPacket {
    /// The server's heartbeat, the same bytes for all.
    static let ping = EncodedPacket(.ping)
    static let probeAnswer = EncodedPacket(.pong, data: ByteBuffer(string: "probe"))

    /// A packet of text.
    convenience init(_ type: EnginePacketType, data: ByteBuffer = ByteBuffer()) {
        let length = 1 + data.readableBytes
        let headerLength = WebSocketFrameHeader.unmaskedLength(forPayloadOf: length)
        var frames = ByteBufferAllocator().buffer(capacity: headerLength + length)
        frames.writeWebSocketFrameHeader(WebSocketFrameHeader(opcode: .text, payloadLength: length))
        frames.writeInteger(type.rawValue)
        frames.writeImmutableBuffer(data)
        let text = frames.getSlice(at: frames.readerIndex + headerLength, length: length) ?? ByteBuffer()
        self.init(frames: frames, text: text, attachments: [])
    }

    /// A message of bytes.
    convenience init(binary: ByteBuffer) {
        var frames = ByteBufferAllocator().buffer(
            capacity: WebSocketFrameHeader.maximumUnmaskedLength + binary.readableBytes
        )
        frames.writeWebSocketFrame(.binary, payload: binary)
        self.init(frames: frames, text: ByteBuffer(), attachments: [binary])
    }

    /// The open packet of a session.
    convenience init(open handshake: EngineHandshake) {
        var data = ByteBuffer()
        data.writeOpenPacket(handshake)
        data.moveReaderIndex(forwardBy: 1)
        self.init(.open, data: data)
    }
}

extension ByteBuffer {
    /// Appends a packet as frames for a client that asked for text only (`b64`).
    mutating func writeTextFrames(of packet: EncodedPacket) {
        if packet.text.readableBytes > 0 { self.writeWebSocketFrame(.text, payload: packet.text) }
        for attachment in packet.attachments {
            var text = ByteBuffer()
            text.writeInteger(UInt8(ascii: "b"))
            text.writeBase64Encoded(attachment)
            self.writeWebSocketFrame(.text, payload: text)
        }
    }
}
