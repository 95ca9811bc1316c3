package import NIOCore
package import NIOHTTP1

/// NIO's decoder, with a step before it that decodes the texts of a request's head as Node does.
///
/// Node reads a head's bytes beyond ASCII as Latin-1, one character each. NIO reads them as UTF-8, and loses bytes that
/// are not UTF-8. So NIO gets the UTF-8 of these characters. Bodies pass unchanged.
///
/// NIO's decoder stops for good behind a request that it considers an upgrade, and it has its own rules for that: a tab
/// behind a token counts, and so does `Proxy-Connection`. This class does not depend on these rules. Behind every
/// request that names a protocol, and behind every CONNECT, it holds the next bytes back until the connection knows
/// what they are. Then a new decoder reads them.
package final class RequestDecoder: ByteToMessageDecoder {
    package typealias InboundOut = HTTPServerRequestPart

    /// What the next byte belongs to.
    private enum Phase: Equatable {
        case head
        /// A body. `rest` bytes of it are missing; it is `nil` if nobody knows (in chunks).
        case body(rest: Int?)
        /// Perhaps another protocol. NIO's decoder reads nothing behind a request for an upgrade.
        case stopped
    }

    private let limits: NIOHTTPDecoderLimitConfiguration
    private var decoder: HTTPRequestDecoder
    private var context: ChannelHandlerContext?
    private var phase = Phase.head
    private var isUpgrade = false
    private var isDecoding = false
    /// Whether the bytes behind the request for an upgrade are to be read as requests.
    private var isRestartDue = false
    /// How many of the unread bytes NIO's decoder has seen.
    ///
    /// It leaves the bytes of an incomplete field unread.
    private var seen = 0
    /// In how many pieces a body of unknown length has been read.
    private var pieces = 0
    /// How many empty lines a body of unknown length may have.
    ///
    /// Each ends a piece.
    private static let maximumPieces = 1024

    package init(limits: NIOHTTPDecoderLimitConfiguration) {
        self.limits = limits
        self.decoder = HTTPRequestDecoder(limitConfiguration: limits)
    }

    convenience init(limits: EngineLimits) {
        var configuration = NIOHTTPDecoderLimitConfiguration()
        configuration.maxHeaderFieldSize = limits.maxHeaderBytes
        configuration.maxHeaderListSize = limits.maxHeaderBytes
        configuration.maxHeaderFieldCount = limits.maxHeaderCount
        self.init(limits: configuration)
    }

    /// Whether a request for an upgrade has stopped the decoder.
    package var isStopped: Bool { self.phase == .stopped }

    /// Continues behind a request for an upgrade that was answered like any other.
    ///
    /// - Returns: Whether the caller has to make the decoder's handler look at its bytes again.
    package func restart() -> Bool {
        self.isRestartDue = true
        guard !self.isDecoding else { return false }
        self.replaceDecoder()
        return true
    }

    /// NIO's decoder has stopped for good, so another one takes its place.
    private func replaceDecoder() {
        self.isRestartDue = false
        guard self.phase == .stopped, let context = self.context else { return }
        self.decoder.decoderRemoved(context: context)
        self.decoder = HTTPRequestDecoder(limitConfiguration: self.limits)
        self.decoder.decoderAdded(context: context)
        self.phase = .head
        self.seen = 0
    }

    // MARK: What has been decoded, as the connection sees it

    package func decodedHead(_ head: HTTPRequestHead) {
        self.isUpgrade = head.method == .CONNECT || head.headers.contains(name: "upgrade")
        self.pieces = 0
        self.isRestartDue = false
        self.phase = .body(rest: head.headers.first(name: "content-length").flatMap { Int($0) })
    }

    package func decodedBody(_ count: Int) {
        if case .body(let rest?) = self.phase { self.phase = .body(rest: rest - count) }
    }

    package func decodedEnd() { self.phase = self.isUpgrade ? .stopped : .head }

    // MARK: Decoding

    package func decoderAdded(context: ChannelHandlerContext) {
        self.context = context
        self.decoder.decoderAdded(context: context)
    }

    package func decoderRemoved(context: ChannelHandlerContext) {
        self.decoder.decoderRemoved(context: context)
        self.context = nil
    }

    package func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        try self.feed(context, &buffer)
        return .needMoreData
    }

    package func decodeLast(
        context: ChannelHandlerContext,
        buffer: inout ByteBuffer,
        seenEOF: Bool
    ) throws -> DecodingState {
        try self.feed(context, &buffer)
        guard self.phase == .stopped else {
            return try self.decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
        }
        // These bytes belong to the protocol that the connection has changed to.
        if buffer.readableBytes > 0, !seenEOF { context.fireChannelRead(NIOAny(buffer)) }
        return .needMoreData
    }

    private func feed(_ context: ChannelHandlerContext, _ buffer: inout ByteBuffer) throws {
        while buffer.readableBytes > self.seen {
            let start = buffer.readerIndex + self.seen
            switch self.phase {
            case .stopped:
                return
            case .body(let rest?):
                try self.feed(context, &buffer, upTo: min(start + max(rest, 1), buffer.writerIndex))
            case .body(nil):
                self.pieces += 1
                guard self.pieces <= Self.maximumPieces else { throw HTTPParserError.invalidChunkSize }
                // A head can begin behind any empty line.
                try self.feed(context, &buffer, upTo: buffer.endOfHead(from: start))
            case .head:
                // The decoder never gets bytes behind the head, because only the decoder knows whether it stops there.
                let end = buffer.endOfHead(from: start)
                let first = buffer.firstByteBeyondASCII(from: start, to: end) ?? end
                if first == start { buffer.decodeLatin1Line(from: start) }
                try self.feed(context, &buffer, upTo: first == start ? buffer.endOfLine(from: start) : first)
            }
        }
    }

    private func feed(_ context: ChannelHandlerContext, _ buffer: inout ByteBuffer, upTo end: Int) throws {
        self.isDecoding = true
        defer {
            self.isDecoding = false
            if self.isRestartDue { self.replaceDecoder() }
        }
        guard end < buffer.writerIndex else {
            _ = try self.decoder.decode(context: context, buffer: &buffer)
            self.seen = buffer.readableBytes
            return try self.checkUnread()
        }
        guard var part = buffer.getSlice(at: buffer.readerIndex, length: end - buffer.readerIndex) else { return }
        let length = part.readableBytes
        _ = try self.decoder.decode(context: context, buffer: &part)
        buffer.moveReaderIndex(forwardBy: length - part.readableBytes)
        self.seen = part.readableBytes
        try self.checkUnread()
    }

    /// No field is that long, so the decoder has stopped reading, for a reason that is not known here.
    private func checkUnread() throws {
        guard self.phase != .stopped, self.seen > self.limits.maxHeaderListSize else { return }
        throw HTTPParserError.headerOverflow
    }
}

extension ByteBuffer {
    fileprivate func firstByteBeyondASCII(from start: Int, to end: Int) -> Int? {
        self.withUnsafeReadableBytes { bytes in
            let highBits: UInt64 = 0x8080_8080_8080_8080
            let end = end - self.readerIndex
            var index = start - self.readerIndex
            while index + 8 <= end,
                bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & highBits == 0
            {
                index += 8
            }
            while index < end {
                if bytes[index] >= 0x80 { return index + self.readerIndex }
                index += 1
            }
            return nil
        }
    }

    /// The index behind the next empty line, or the end of the bytes.
    fileprivate func endOfHead(from start: Int) -> Int {
        var line = start
        while line < self.writerIndex {
            let end = self.endOfLine(from: line)
            let isEmpty = end - line <= 2 && [0x0D, 0x0A].contains(self.getInteger(at: line, as: UInt8.self))
            if isEmpty { return end }
            line = end
        }
        return self.writerIndex
    }

    /// The index behind the next line feed, or the end of the bytes.
    fileprivate func endOfLine(from start: Int) -> Int {
        let rest = self.viewBytes(at: start, length: self.writerIndex - start)
        return rest?.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? self.writerIndex
    }

    /// Replaces the bytes of a line, from there on, with the UTF-8 of their Latin-1 characters.
    fileprivate mutating func decodeLatin1Line(from start: Int) {
        let end = self.endOfLine(from: start)
        guard let line = self.viewBytes(at: start, length: end - start) else { return }
        let rest = self.getSlice(at: end, length: self.writerIndex - end)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 * line.count)
        for byte in line {
            if byte < 0x80 {
                bytes.append(byte)
            } else {
                bytes.append(0xC0 | byte >> 6)
                bytes.append(0x80 | byte & 0x3F)
            }
        }
        self.moveWriterIndex(to: start)
        self.writeBytes(bytes)
        if let rest { self.writeImmutableBuffer(rest) }
    }
}
