import CZlib
import NIOCore
import SocketIOWire

/// A zlib stream that decompresses one message after the other.
///
/// Each is independent of the others.
final class Inflater {
    /// How many times a message may end its stream and begin another.
    ///
    /// A message of empty streams costs more time than its length allows.
    private static let maximumStreams = 16
    /// The bytes that the sender left out at the end of the message (RFC 7692, section 7.2.2).
    private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

    private let stream: UnsafeMutablePointer<z_stream>
    private var output = ByteBuffer()
    private var streams = 0
    private var hasEnded = false

    /// Makes a stream; `nil` if there is no memory for it.
    init?() {
        self.stream = .allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        // A stream with the largest window also reads messages that were made with a smaller one.
        guard inflateInit2_(self.stream, -15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
    }

    deinit {
        inflateEnd(self.stream)
        self.stream.deinitialize(count: 1)
        self.stream.deallocate()
    }

    /// Decompresses a message.
    ///
    /// - Parameters:
    ///   - message: The message's payload, all frames of it.
    ///   - limit: The most bytes that may come out. With the first byte more the work stops. So a small message cannot
    ///     cost more than the largest one that is allowed.
    /// - Returns: The bytes. The storage is used again for the next message.
    /// - Throws: ``WebSocketError/messageTooBig`` or ``WebSocketError/invalidCompressedData``.
    func inflate(_ message: ByteBuffer, limit: Int) throws(WebSocketError) -> ByteBuffer {
        // An empty message should be a block of one byte, but not all senders do this.
        guard message.readableBytes > 0 else { return message }
        guard inflateReset(self.stream) == Z_OK else { throw .invalidCompressedData }
        self.streams = 1
        self.hasEnded = false
        self.output.clear(minimumCapacity: min(limit, max(1024, message.readableBytes * 3)))
        defer {
            self.stream.pointee.next_in = nil
            self.stream.pointee.next_out = nil
        }
        if let error = message.withUnsafeReadableBytes({ self.feed($0, limit: limit) }) { throw error }
        if !self.hasEnded {
            if let error = Self.tail.withUnsafeBytes({ self.feed($0, limit: limit) }) { throw error }
            // The message ends in the middle of a block, so it has been cut.
            guard self.hasEnded || self.stream.pointee.data_type & 128 != 0 else { throw .invalidCompressedData }
        }
        return self.output
    }

    /// Releases a buffer that one big message has made large.
    func shrink(to capacity: Int) {
        if self.output.capacity > capacity { self.output = ByteBuffer() }
    }

    private func feed(_ bytes: UnsafeRawBufferPointer, limit: Int) -> WebSocketError? {
        // zlib only reads from here.
        self.stream.pointee.next_in = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?
            .assumingMemoryBound(to: Bytef.self)
        self.stream.pointee.avail_in = UInt32(bytes.count)
        while true {
            // This is one byte more than allowed, to see whether there is one.
            let room = limit - self.output.readableBytes + 1
            var status = Z_OK
            let wanted = min(room, max(1024, self.output.readableBytes))
            self.output.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { target in
                let count = min(target.count, room)
                self.stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: Bytef.self)
                self.stream.pointee.avail_out = UInt32(count)
                status = CZlib.inflate(self.stream, Z_SYNC_FLUSH)
                return count - Int(self.stream.pointee.avail_out)
            }
            guard self.output.readableBytes <= limit else { return .messageTooBig }
            switch status {
            case Z_OK, Z_BUF_ERROR:
                // If room is left, all input has been used.
                guard self.stream.pointee.avail_out > 0 else { continue }
                return self.stream.pointee.avail_in == 0 ? nil : .invalidCompressedData
            case Z_STREAM_END:
                // This is allowed within a message (section 7.2.3.4).
                guard self.stream.pointee.avail_in > 0 else {
                    self.hasEnded = true
                    return nil
                }
                self.streams += 1
                guard self.streams <= Self.maximumStreams, inflateReset(self.stream) == Z_OK else {
                    return .invalidCompressedData
                }
            default:
                return .invalidCompressedData
            }
        }
    }
}
