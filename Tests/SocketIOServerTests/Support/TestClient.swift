import EngineIO
import NIOCore
import NIOPosix
import SocketIOServer
import SocketIOWire
import Testing

/// A Socket.IO client over a real WebSocket, as plain as possible: it sends what it is told and hands over every frame.
final class TestClient {
    enum Frame: Equatable {
        case text(String)
        case binary([UInt8])
        case close
        /// The TCP connection ended.
        case end
    }

    struct HandshakeFailed: Error { let response: String }

    private let channel: any Channel
    private var frames: AsyncStream<Frame>.Iterator
    /// The engine's open packet.
    private(set) var open = ""

    private init(channel: any Channel, frames: AsyncStream<Frame>) {
        self.channel = channel
        self.frames = frames.makeAsyncIterator()
    }

    /// Opens a WebSocket and reads the open packet.
    static func connect(
        to address: SocketAddress,
        query: String = "",
        headers: [(String, String)] = []
    ) async throws -> TestClient {
        let (frames, continuation) = AsyncStream.makeStream(of: Frame.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameReader(continuation: continuation))
                }
            }
            .connect(to: address).get()
        let extra = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        let request =
            "GET /socket.io/?EIO=4&transport=websocket\(query) HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(extra)\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        let client = TestClient(channel: channel, frames: frames)
        switch await client.next() {
        case .text(let text): client.open = text
        case let other: throw HandshakeFailed(response: "\(other)")
        }
        return client
    }

    /// Opens a WebSocket and joins a namespace.
    ///
    /// - Returns: The client and its socket's id.
    static func join(
        _ namespace: String = "/",
        at address: SocketAddress,
        auth: String = ""
    ) async throws -> (client: TestClient, id: String) {
        let client = try await TestClient.connect(to: address)
        let id = try await client.join(namespace, auth: auth)
        return (client, id)
    }

    /// Joins a namespace of an open connection.
    func join(_ namespace: String = "/", auth: String = "") async throws -> String {
        let prefix = namespace == "/" ? "40" : "40\(namespace),"
        try await self.send(prefix + auth)
        let answer = try #require(await self.nextText())
        try #require(answer.hasPrefix("\(prefix){\"sid\":\""), "not a CONNECT reply: \(answer)")
        return String(answer.dropFirst("\(prefix){\"sid\":\"".count).prefix(20))
    }

    func send(_ text: String) async throws {
        try await self.write(opcode: 1, Array(text.utf8))
    }

    func send(binary bytes: [UInt8]) async throws {
        try await self.write(opcode: 2, bytes)
    }

    /// Bytes as they are, not a frame.
    func send(raw bytes: [UInt8]) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    private func write(opcode: UInt8, _ payload: [UInt8]) async throws {
        var frame: [UInt8] = [0x80 | opcode]
        switch payload.count {
        case ..<126: frame.append(0x80 | UInt8(payload.count))
        case ..<65_536: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: frame += [0x80 | 127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
        }
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        frame += mask
        frame += payload.enumerated().map { $1 ^ mask[$0 & 3] }
        try await self.channel.writeAndFlush(ByteBuffer(bytes: frame)).get()
    }

    /// The next frame; pings of Engine.IO are answered and passed over.
    func next() async -> Frame {
        while let frame = await self.frames.next(isolation: #isolation) {
            if frame == .text("2") {
                try? await self.send("3")
                continue
            }
            return frame
        }
        return .end
    }

    /// The next frame's text, or `nil` if it is no text frame.
    func nextText() async -> String? {
        if case .text(let text) = await self.next() { text } else { nil }
    }

    /// Closes the connection without saying so first.
    func close() async throws {
        try await self.channel.close().get()
    }
}

/// Takes the HTTP answer and then the frames of a server apart.
private final class FrameReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let continuation: AsyncStream<TestClient.Frame>.Continuation
    private var bytes: [UInt8] = []
    private var hasUpgraded = false

    init(continuation: AsyncStream<TestClient.Frame>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes += Array(self.unwrapInboundIn(data).readableBytesView)
        if !self.hasUpgraded {
            guard let end = self.bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            self.hasUpgraded = true
            self.bytes.removeSubrange(..<end.upperBound)
        }
        while let frame = self.nextFrame() {
            self.continuation.yield(frame)
            if frame == .close {
                // A close frame is answered by one; the server then ends the connection.
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: [0x88, 0x80, 0, 0, 0, 0])), promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.continuation.finish() }

    private func nextFrame() -> TestClient.Frame? {
        guard self.bytes.count >= 2 else { return nil }
        var length = Int(self.bytes[1] & 0x7F)
        var start = 2
        if length == 126 {
            guard self.bytes.count >= 4 else { return nil }
            length = Int(self.bytes[2]) << 8 | Int(self.bytes[3])
            start = 4
        } else if length == 127 {
            guard self.bytes.count >= 10 else { return nil }
            length = self.bytes[2..<10].reduce(0) { $0 << 8 | Int($1) }
            start = 10
        }
        guard self.bytes.count >= start + length else { return nil }
        let payload = Array(self.bytes[start..<start + length])
        let opcode = self.bytes[0] & 0x0F
        self.bytes.removeSubrange(..<(start + length))
        return switch opcode {
        case 1: .text(String(decoding: payload, as: UTF8.self))
        case 2: .binary(payload)
        default: .close
        }
    }
}

/// A server on a free port for the length of a test.
struct TestServer {
    var configuration = SocketServerConfiguration()
    var adapter: any AdapterFactory = InMemoryAdapterFactory()
    var setUp: (SocketServer) -> Void = { _ in }

    func run(_ body: (SocketServer, SocketAddress) async throws -> Void) async throws {
        let server = SocketServer(configuration: self.configuration, adapter: self.adapter)
        self.setUp(server)
        try await server.start()
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        do {
            try await body(server, address)
        } catch {
            await server.close()
            throw error
        }
        await server.close()
    }
}
