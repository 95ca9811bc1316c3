import CZlib
import NIOCore

/// A zlib stream that compresses one message or body after the other.
///
/// Each is independent of the others.
final class Deflater {
    /// The format around the compressed bytes.
    enum Format: Hashable {
        /// No format. The window has two to that power bytes.
        case raw(windowBits: Int)
        /// `Content-Encoding: gzip`.
        case gzip
        /// `Content-Encoding: deflate`, which means zlib's format.
        case zlib

        fileprivate var windowBits: CInt {
            switch self {
            case .raw(let bits): -CInt(clamping: bits)
            case .gzip: 15 + 16
            case .zlib: 15
            }
        }
    }

    /// On the heap, because zlib remembers where its stream is.
    private let stream: UnsafeMutablePointer<z_stream>

    /// Makes a stream; `nil` if there is no memory for it, or no such level.
    init?(_ format: Format, level: Int, memoryLevel: Int = 8) {
        self.stream = .allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        let status = deflateInit2_(
            self.stream,
            CInt(clamping: level),
            Z_DEFLATED,
            format.windowBits,
            CInt(clamping: memoryLevel),
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size)
        )
        guard status == Z_OK else { return nil }
    }

    deinit {
        deflateEnd(self.stream)
        self.stream.deinitialize(count: 1)
        self.stream.deallocate()
    }

    /// Appends bytes as a whole stream: header, data, trailer.
    func writeStream(of input: ByteBuffer, into output: inout ByteBuffer) -> Bool {
        self.write(input, ending: Z_FINISH, into: &output)
    }

    /// Appends bytes as the payload of a compressed message (RFC 7692, section 7.2.1).
    func writeMessage(_ input: ByteBuffer, into output: inout ByteBuffer) -> Bool {
        guard self.write(input, ending: Z_SYNC_FLUSH, into: &output) else { return false }
        // These bytes are the end of an empty block. The receiver adds them again.
        output.moveWriterIndex(to: output.writerIndex - 4)
        return true
    }

    private func write(_ input: ByteBuffer, ending: CInt, into output: inout ByteBuffer) -> Bool {
        guard deflateReset(self.stream) == Z_OK else { return false }
        let start = output.writerIndex
        let isDone = input.withUnsafeReadableBytes { bytes in
            // zlib only reads from here.
            self.stream.pointee.next_in = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?
                .assumingMemoryBound(to: Bytef.self)
            self.stream.pointee.avail_in = UInt32(bytes.count)
            while true {
                var status = Z_OK
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: max(256, bytes.count / 4)) { target in
                    self.stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: Bytef.self)
                    self.stream.pointee.avail_out = UInt32(target.count)
                    status = deflate(self.stream, ending)
                    return target.count - Int(self.stream.pointee.avail_out)
                }
                // If room is left, zlib holds nothing back. If there is no progress, nothing was left to do.
                if status == Z_STREAM_END || status == Z_BUF_ERROR { return true }
                guard status == Z_OK else { return false }
                if ending != Z_FINISH, self.stream.pointee.avail_out > 0 { return true }
            }
        }
        self.stream.pointee.next_in = nil
        self.stream.pointee.next_out = nil
        if !isDone { output.moveWriterIndex(to: start) }
        return isDone
    }
}
