import EngineIO
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire
import Testing

/// A server on one loop that runs by itself, without a network, and whose time the tests move.
struct ClockedServer {
    let loop = NIOAsyncTestingEventLoop()
    let io: SocketServer

    init() { self.io = SocketServer(eventLoopGroup: self.loop) }

    /// A client that has joined the main namespace over a WebSocket.
    func join() async throws -> Client {
        let channel = NIOAsyncTestingChannel(loop: self.loop)
        let engine = self.io.engine
        try await self.loop.executeInContext { try engine.configure(channel) }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
        try await channel.writeInbound(
            ByteBuffer(
                string: "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                    + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
        )
        _ = try await channel.waitForOutboundWrite(as: ByteBuffer.self)
        let client = Client(channel: channel)
        _ = try await client.next()
        try await client.send("40")
        let answer = try await client.next()
        client.id = String(answer.dropFirst("40{\"sid\":\"".count).prefix(20))
        return client
    }

    /// One client.
    final class Client {
        /// The socket's id.
        fileprivate(set) var id = ""
        private let channel: NIOAsyncTestingChannel
        private var received = ByteBuffer()

        fileprivate init(channel: NIOAsyncTestingChannel) { self.channel = channel }

        /// Sends a message; when this returns, the server has got it.
        func send(_ text: String) async throws {
            var bytes = ByteBuffer()
            bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(7))
            try await self.channel.writeInbound(bytes)
        }

        /// The next message.
        func next() async throws -> String {
            if self.received.readableBytes == 0 {
                self.received = try await self.channel.waitForOutboundWrite(as: ByteBuffer.self)
            }
            let header = try self.received.readWebSocketFrameHeader()
            let text = self.received.readString(length: try #require(header).payloadLength)
            return try #require(text)
        }

        func close() async throws { _ = try await self.channel.finish(acceptAlreadyClosed: true) }
    }
}
