import NIOCore
import SocketIOWire

/// The zlib streams of one event loop.
///
/// They are made when they are first needed, and all of its connections share them.
///
/// It is `@unchecked Sendable` because a closure on its loop tidies it. It is used only on that loop, and that is
/// asserted.
final class LoopCompression: @unchecked Sendable {
    private let messages: PerMessageDeflate
    private let bodies: HTTPCompression
    private var inflater: Inflater?
    private var deflaters: [Deflater.Format: Deflater] = [:]
    private let eventLoop: any EventLoop

    /// The part of the client in the frames of a packet.
    private struct Variant: Hashable {
        let packet: ObjectIdentifier
        let form: WebSocketForm
        let windowBits: Int
    }

    /// The frames that were made in this tick, so that each loop compresses a broadcast once.
    ///
    /// The packets are kept, too, so that no other packet takes the place of one in memory.
    private var made: [Variant: (packet: EncodedPacket, frames: ByteBuffer)] = [:]
    /// The most packets that are remembered.
    ///
    /// In one tick no more are sent to many clients.
    private static let maximumMade = 64

    init(_ configuration: EngineConfiguration, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.messages = configuration.perMessageDeflate ?? PerMessageDeflate()
        self.bodies = configuration.httpCompression ?? HTTPCompression()
    }

    // MARK: From clients

    /// Decompresses a message; see ``Inflater/inflate(_:limit:)``.
    func inflate(_ message: ByteBuffer, limit: Int) throws(WebSocketError) -> ByteBuffer {
        assert(self.eventLoop.inEventLoop, "the zlib streams of an event loop were used elsewhere")
        if self.inflater == nil { self.inflater = Inflater() }
        guard let inflater = self.inflater else { throw .invalidCompressedData }
        return try inflater.inflate(message, limit: limit)
    }

    /// Releases buffers that one big message has made large.
    func shrink(to capacity: Int) { self.inflater?.shrink(to: capacity) }

    // MARK: To clients

    /// A packet's frames for clients that get them in that form.
    ///
    /// They are compressed where that is worth it.
    ///
    /// - Parameters:
    ///   - packet: The packet.
    ///   - form: What it is made into.
    ///   - windowBits: The window that both sides have agreed on; 0 if there is no compression.
    /// - Returns: The frames. In this tick they are the same for all of these clients.
    func frames(of packet: EncodedPacket, as form: WebSocketForm, windowBits: Int) -> ByteBuffer {
        let isCompressed =
            windowBits > 0 && packet.isCompressible && packet.frames.readableBytes >= self.messages.threshold
        guard isCompressed || form != .standard else { return packet.frames }
        let variant = Variant(
            packet: ObjectIdentifier(packet),
            form: form,
            windowBits: isCompressed ? windowBits : 0
        )
        if let made = self.made[variant] { return made.frames }
        var frames = ByteBuffer()
        packet.forEachMessage(as: form) { opcode, payload in
            if isCompressed {
                self.writeFrame(opcode, payload: payload, windowBits: windowBits, into: &frames)
            } else {
                frames.writeWebSocketFrame(opcode, payload: payload)
            }
        }
        if self.made.count < Self.maximumMade {
            if self.made.isEmpty { self.eventLoop.execute { self.made.removeAll(keepingCapacity: true) } }
            self.made[variant] = (packet, frames)
        }
        return frames
    }

    /// Appends a frame, compressed if that is worth it.
    ///
    /// - Parameters:
    ///   - opcode: The kind of message.
    ///   - payload: The whole message.
    ///   - windowBits: The window that both sides have agreed on.
    ///   - frames: Where the frame is appended.
    func writeFrame(_ opcode: WebSocketOpcode, payload: ByteBuffer, windowBits: Int, into frames: inout ByteBuffer) {
        guard payload.readableBytes >= self.messages.threshold,
            let deflater = self.deflater(
                .raw(windowBits: windowBits),
                level: self.messages.level,
                memoryLevel: self.messages.memoryLevel
            )
        else { return frames.writeWebSocketFrame(opcode, payload: payload) }
        let start = frames.writerIndex
        // The header's length depends on the result. There is room for the longest one, and a shorter one is moved.
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
    /// - Returns: The compressed body and the name of its coding; `nil` if the body stays as it is.
    func compress(_ body: ByteBuffer, accepting header: String) -> (ByteBuffer, ContentEncoding)? {
        guard body.readableBytes >= self.bodies.threshold, body.readableBytes <= self.bodies.largestBody,
            let encoding = ContentEncoding.preferred(by: header),
            let deflater = self.deflater(encoding.format, level: self.bodies.level, memoryLevel: 8)
        else { return nil }
        var compressed = ByteBuffer()
        return deflater.writeStream(of: body, into: &compressed) ? (compressed, encoding) : nil
    }

    private func deflater(_ format: Deflater.Format, level: Int, memoryLevel: Int) -> Deflater? {
        assert(self.eventLoop.inEventLoop, "the zlib streams of an event loop were used elsewhere")
        if let deflater = self.deflaters[format] { return deflater }
        guard let deflater = Deflater(format, level: level, memoryLevel: memoryLevel) else { return nil }
        self.deflaters[format] = deflater
        return deflater
    }
}
