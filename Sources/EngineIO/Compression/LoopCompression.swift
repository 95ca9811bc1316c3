import NIOCore
import SocketIOWire

/// The zlib streams of one event loop, made when first needed and shared by all of its connections.
final class LoopCompression {
    private let messages: PerMessageDeflate
    private let bodies: HTTPCompression
    private var inflater: Inflater?
    private var deflaters: [Deflater.Format: Deflater] = [:]

    init(_ configuration: EngineConfiguration) {
        self.messages = configuration.perMessageDeflate ?? PerMessageDeflate()
        self.bodies = configuration.httpCompression ?? HTTPCompression()
    }

    // MARK: From clients

    /// Decompresses a message; see ``Inflater/inflate(_:limit:)``.
    func inflate(_ message: ByteBuffer, limit: Int) throws(WebSocketError) -> ByteBuffer {
        if self.inflater == nil { self.inflater = Inflater() }
        guard let inflater = self.inflater else { throw .invalidCompressedData }
        return try inflater.inflate(message, limit: limit)
    }

    /// Lets go of what one big message made large.
    func shrink(to capacity: Int) { self.inflater?.shrink(to: capacity) }

    // MARK: To clients

    /// Appends a frame, compressed if that is worth while.
    ///
    /// - Parameters:
    ///   - opcode: The kind of message.
    ///   - payload: The whole message.
    ///   - windowBits: The window that has been agreed on.
    ///   - frames: What the frame is appended to.
    func writeFrame(_ opcode: WebSocketOpcode, payload: ByteBuffer, windowBits: Int, into frames: inout ByteBuffer) {
        guard payload.readableBytes >= self.messages.threshold,
            let deflater = self.deflater(
                .raw(windowBits: windowBits),
                level: self.messages.level,
                memoryLevel: self.messages.memoryLevel
            )
        else { return frames.writeWebSocketFrame(opcode, payload: payload) }
        let start = frames.writerIndex
        // The header's length depends on what comes out; the longest is moved down if it was too long.
        let reserved = WebSocketFrameHeader.unmaskedLength(forPayloadOf: payload.readableBytes)
        frames.writeRepeatingByte(0, count: reserved)
        guard deflater.writeMessage(payload, into: &frames) else {
            frames.moveWriterIndex(to: start)
            return frames.writeWebSocketFrame(opcode, payload: payload)
        }
        let length = frames.writerIndex - start - reserved
        guard length < payload.readableBytes else {
            frames.moveWriterIndex(to: start)
            return frames.writeWebSocketFrame(opcode, payload: payload)
        }
        let header = WebSocketFrameHeader(opcode: opcode, isCompressed: true, payloadLength: length)
        let shorter = reserved - header.encodedLength
        if shorter > 0 {
            frames.withUnsafeMutableReadableBytes { bytes in
                let payloadStart = bytes.count - length
                guard let base = bytes.baseAddress, payloadStart >= shorter else { return }
                (base + payloadStart - shorter).copyMemory(from: base + payloadStart, byteCount: length)
            }
            frames.moveWriterIndex(to: frames.writerIndex - shorter)
        }
        frames.setWebSocketFrameHeader(header, at: start)
    }

    /// Compresses the body of an answer.
    ///
    /// - Parameters:
    ///   - body: The body.
    ///   - header: The request's `Accept-Encoding`.
    /// - Returns: The compressed body and what to call it; `nil` if the body stays as it is.
    func compress(_ body: ByteBuffer, accepting header: String) -> (ByteBuffer, ContentEncoding)? {
        guard body.readableBytes >= self.bodies.threshold, let encoding = ContentEncoding.preferred(by: header),
            let deflater = self.deflater(encoding.format, level: self.bodies.level, memoryLevel: 8)
        else { return nil }
        var compressed = ByteBuffer()
        return deflater.writeStream(of: body, into: &compressed) ? (compressed, encoding) : nil
    }

    private func deflater(_ format: Deflater.Format, level: Int, memoryLevel: Int) -> Deflater? {
        if let deflater = self.deflaters[format] { return deflater }
        guard let deflater = Deflater(format, level: level, memoryLevel: memoryLevel) else { return nil }
        self.deflaters[format] = deflater
        return deflater
    }
}
