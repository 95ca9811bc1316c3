import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix
package import SocketIOWire

#if canImport(Glibc)
import Glibc
#endif

/// A TCP client that sees every byte.
package final class RawConnection: Sendable {
    /// The connection ended before what was waited for.
    package struct Closed: Error {}

    package struct Response: Sendable, Equatable {
        /// Status line and fields, with the empty line behind them.
        package var head: String
        package var body: [UInt8]

        package var status: String { String(self.head.prefix { $0 != "\r\n" }) }
        package var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    package struct Frame: Sendable, Equatable {
        package var opcode: WebSocketOpcode
        package var payload: [UInt8]
        /// Whether the payload is that of a compressed message.
        package var isCompressed: Bool

        package init(opcode: WebSocketOpcode, payload: [UInt8], isCompressed: Bool = false) {
            self.opcode = opcode
            self.payload = payload
            self.isCompressed = isCompressed
        }

        package var text: String { String(decoding: self.payload, as: UTF8.self) }

        package static func text(_ text: String) -> Self { Self(opcode: .text, payload: Array(text.utf8)) }
    }

    private let channel: any Channel
    private let inbox: Inbox

    package init(
        _ address: SocketAddress,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws {
        let inbox = Inbox()
        self.inbox = inbox
        self.channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox))
                }
            }
            .connect(to: address)
            .get()
    }

    // MARK: Sending

    package func send(_ text: String) async throws { try await self.send(ByteBuffer(string: text)) }

    package func send(_ bytes: ByteBuffer) async throws { try await self.channel.writeAndFlush(bytes) }

    package func send(_ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true) async throws {
        var buffer = ByteBuffer()
        buffer.writeMaskedWebSocketFrame(
            opcode,
            payload: ByteBuffer(bytes: payload),
            mask: WebSocketMask(0x1234_5678),
            isFinal: isFinal
        )
        try await self.send(buffer)
    }

    package func send(frame text: String) async throws { try await self.send(.text, Array(text.utf8)) }

    package func close() async { try? await self.channel.close() }

    /// Closes the connection with a reset.
    package func reset() async throws {
        if let socket = self.channel as? any SocketOptionProvider {
            try await socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await self.channel.close()
    }

    package func setReading(_ isReading: Bool) async throws {
        try await self.channel.setOption(.autoRead, value: isReading).get()
    }

    // MARK: Receiving

    /// Waits for a whole response; interim ones are skipped.
    package func response(isHead: Bool = false) async throws -> Response {
        try await self.inbox.wait { bytes, isClosed in
            guard let end = bytes.readableBytesView.firstRange(of: "\r\n\r\n".utf8) else {
                if isClosed { throw Closed() }
                return nil
            }
            let headLength = end.upperBound - bytes.readerIndex
            guard let head = bytes.getString(at: bytes.readerIndex, length: headLength) else { return nil }
            let bodyLength = isHead ? 0 : Self.contentLength(head)
            guard bytes.readableBytes >= headLength + bodyLength else {
                if isClosed { throw Closed() }
                return nil
            }
            bytes.moveReaderIndex(forwardBy: headLength)
            return Response(head: head, body: bytes.readBytes(length: bodyLength) ?? [])
        }
    }

    /// Waits for a whole WebSocket frame.
    package func frame() async throws -> Frame {
        try await self.inbox.wait { bytes, isClosed in
            var copy = bytes
            guard let header = try copy.readWebSocketFrameHeader(allowsCompression: true),
                let payload = copy.readBytes(length: header.payloadLength)
            else {
                if isClosed { throw Closed() }
                return nil
            }
            bytes = copy
            return Frame(opcode: header.opcode, payload: payload, isCompressed: header.isCompressed)
        }
    }

    /// Waits for a text, and returns what has come up to its end.
    package func text(until end: String) async throws -> String {
        try await self.inbox.wait { bytes, isClosed in
            guard let range = bytes.readableBytesView.firstRange(of: end.utf8) else {
                if isClosed { throw Closed() }
                return nil
            }
            return bytes.readString(length: range.upperBound - bytes.readerIndex)
        }
    }

    /// Waits for the end of the stream.
    ///
    /// - Returns: The bytes that came before it.
    package func end() async throws -> [UInt8] {
        try await self.inbox.wait { bytes, isClosed in
            isClosed ? bytes.readBytes(length: bytes.readableBytes) : nil
        }
    }

    /// The bytes that have come and not been looked at.
    package var pending: [UInt8] { self.inbox.pending }

    private static func contentLength(_ head: String) -> Int {
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length: ") {
            return Int(line.dropFirst(16)) ?? 0
        }
        return 0
    }
}

/// What a connection has received; one waits for it at a time.
private final class Inbox: Sendable {
    private struct State {
        var bytes = ByteBuffer()
        var isClosed = false
        /// Counts what happened, so that nobody waits for what has come already.
        var version = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())

    func received(_ bytes: ByteBuffer) { self.happened { $0.bytes.writeImmutableBuffer(bytes) } }

    func closed() { self.happened { $0.isClosed = true } }

    private func happened(_ change: (inout State) -> Void = { _ in }) {
        self.state.withLockedValue { state in
            change(&state)
            state.version += 1
            defer { state.waiter = nil }
            return state.waiter
        }?.resume()
    }

    var pending: [UInt8] { self.state.withLockedValue { Array($0.bytes.readableBytesView) } }

    /// Waits until something can be taken from the bytes, or the task is cancelled.
    func wait<Value: Sendable>(_ take: (inout ByteBuffer, Bool) throws -> Value?) async throws -> Value {
        while true {
            let (found, version) = try self.state.withLockedValue { state in
                (try take(&state.bytes, state.isClosed), state.version)
            }
            if let found { return found }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isLate = self.state.withLockedValue { state in
                        guard state.version == version else { return true }
                        state.waiter = continuation
                        return false
                    }
                    if isLate { continuation.resume() }
                }
            } onCancel: {
                self.happened()
            }
            try Task.checkCancellation()
        }
    }
}

private final class InboxHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.inbox.received(self.unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { self.inbox.closed() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
