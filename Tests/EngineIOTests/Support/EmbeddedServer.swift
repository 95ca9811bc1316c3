import Logging
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// A server on one loop that stands still until it is told to go on: no network, and time that the tests move.
final class EmbeddedServer {
    let loop = EmbeddedEventLoop()
    let server: EngineServer
    let delegate = Delegate()

    /// Echoes each message, and writes down what happens.
    final class Delegate: EngineSessionDelegate {
        var sessions: [EngineSession] = []
        var messages: [String] = []
        var closed: [String] = []
        /// What else is done about a message.
        var onText: (EngineSession, String) -> Void = { _, _ in }

        func session(_ session: EngineSession, didReceiveText text: ByteBuffer) {
            self.messages.append(String(buffer: text))
            session.send(text: text)
            self.onText(session, String(buffer: text))
        }

        func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer) { session.send(binary: bytes) }

        func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?) {
            self.closed.append(reason.rawValue)
        }
    }

    init(_ configure: (inout EngineConfiguration) -> Void = { _ in }) {
        var configuration = EngineConfiguration()
        configure(&configuration)
        let box = NIOLoopBound(self.delegate, eventLoop: self.loop)
        self.server = EngineServer(
            configuration: configuration,
            eventLoopGroup: self.loop,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { session in
            box.value.sessions.append(session)
            return box.value
        }
    }

    var sessions: [EngineSession] { self.delegate.sessions }

    // MARK: Connections

    func connect() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: self.loop)
        try self.server.configure(channel)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    /// A WebSocket, its handshake and open packet read.
    func webSocket(query: String = "EIO=4&transport=websocket", fields: String = "") throws -> EmbeddedChannel {
        let channel = try self.connect()
        let head = try self.exchange(
            """
            GET /engine.io/?\(query) HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            \(fields)\r

            """,
            on: channel
        )
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        return channel
    }

    /// Sends text, and takes everything that comes back.
    func exchange(_ text: String, on channel: EmbeddedChannel) throws -> String {
        try channel.writeInbound(ByteBuffer(string: text))
        return self.text(of: channel)
    }

    /// Sends a request, and takes its answer.
    func request(
        _ method: String,
        _ query: String,
        body: [UInt8] = [],
        fields: String = "",
        on channel: EmbeddedChannel
    ) throws -> (head: String, body: ByteBuffer) {
        var request = ByteBuffer(string: "\(method) /engine.io/?\(query) HTTP/1.1\r\nHost: x\r\n\(fields)")
        if !body.isEmpty { request.writeString("Content-Length: \(body.count)\r\n") }
        request.writeString("\r\n")
        request.writeBytes(body)
        try channel.writeInbound(request)
        var answer = self.output(of: channel)
        let end = answer.readableBytesView.firstRange(of: "\r\n\r\n".utf8)?.upperBound ?? answer.writerIndex
        let head = answer.readString(length: end - answer.readerIndex) ?? ""
        return (head, answer)
    }

    // MARK: What comes out

    func output(of channel: EmbeddedChannel) -> ByteBuffer {
        self.loop.run()
        var output = ByteBuffer()
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { output.writeImmutableBuffer(bytes) }
        return output
    }

    func text(of channel: EmbeddedChannel) -> String { String(buffer: self.output(of: channel)) }

    func frames(of channel: EmbeddedChannel) throws -> [RawConnection.Frame] {
        var bytes = self.output(of: channel)
        var frames: [RawConnection.Frame] = []
        while let header = try bytes.readWebSocketFrameHeader(allowsCompression: true) {
            frames.append(
                RawConnection.Frame(
                    opcode: header.opcode,
                    payload: bytes.readBytes(length: header.payloadLength) ?? [],
                    isCompressed: header.isCompressed
                )
            )
        }
        return frames
    }

    // MARK: What goes in

    func send(_ bytes: ByteBuffer, to channel: EmbeddedChannel) {
        // A closed channel refuses; that is an answer, too.
        _ = try? channel.writeInbound(bytes)
        self.loop.run()
    }

    func send(_ text: String, to channel: EmbeddedChannel) { self.send(.text, Array(text.utf8), to: channel) }

    func send(
        _ opcode: WebSocketOpcode,
        _ payload: [UInt8],
        isCompressed: Bool = false,
        to channel: EmbeddedChannel
    ) {
        var bytes = ByteBuffer()
        bytes.writeMaskedWebSocketFrame(opcode, payload: ByteBuffer(bytes: payload), mask: WebSocketMask(3))
        if isCompressed { bytes.setInteger(0xC0 | opcode.rawValue, at: bytes.readerIndex) }
        self.send(bytes, to: channel)
    }
}
