import EngineIO
import Metrics
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire

/// A server on one loop that stands still until it is told to go on: no network, and time that the tests move.
final class StillServer {
    let loop = EmbeddedEventLoop()
    let io: SocketServer

    init(
        configuration: SocketServerConfiguration = SocketServerConfiguration(),
        adapter: any AdapterFactory = InMemoryAdapterFactory(),
        metrics: any MetricsFactory = NOOPMetricsHandler.instance
    ) {
        self.io = SocketServer(
            configuration: configuration,
            eventLoopGroup: self.loop,
            adapter: adapter,
            metricsFactory: metrics
        )
    }

    /// A client whose WebSocket is open, what it was sent having been read.
    func connect() throws -> Client {
        let channel = EmbeddedChannel(loop: self.loop)
        try self.io.engine.configure(channel)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let client = Client(loop: self.loop, channel: channel)
        try channel.writeInbound(
            ByteBuffer(
                string: "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                    + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
        )
        self.loop.run()
        while try channel.readOutbound(as: ByteBuffer.self) != nil {}
        return client
    }

    /// A client that has joined the main namespace.
    func join() throws -> Client {
        let client = try self.connect()
        try client.send("40")
        _ = try client.received()
        return client
    }

    /// One client.
    final class Client {
        let channel: EmbeddedChannel
        private let loop: EmbeddedEventLoop

        fileprivate init(loop: EmbeddedEventLoop, channel: EmbeddedChannel) {
            self.loop = loop
            self.channel = channel
        }

        /// Sends messages in one write.
        func send(_ texts: String...) throws { try self.send(texts) }

        /// Sends messages in one write.
        func send(_ texts: [String]) throws {
            try self.send(texts.map { (.text, Array($0.utf8)) })
        }

        /// Sends messages in one write.
        func send(_ messages: [(WebSocketOpcode, [UInt8])]) throws {
            var bytes = ByteBuffer()
            for (opcode, payload) in messages {
                bytes.writeMaskedWebSocketFrame(opcode, payload: ByteBuffer(bytes: payload), mask: WebSocketMask(7))
            }
            try self.channel.writeInbound(bytes)
            self.loop.run()
        }

        /// The payloads of the frames that have come since the last time.
        func received() throws -> [String] {
            self.loop.run()
            var bytes = ByteBuffer()
            while let more = try self.channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(more) }
            var texts: [String] = []
            while let header = try bytes.readWebSocketFrameHeader() {
                texts.append(bytes.readString(length: header.payloadLength) ?? "")
            }
            return texts
        }

        func close() throws {
            _ = try self.channel.finish(acceptAlreadyClosed: true)
            self.loop.run()
        }
    }
}
