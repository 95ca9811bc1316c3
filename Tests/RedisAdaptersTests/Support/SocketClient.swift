import NIOCore
import NIOPosix
import SocketIOWire
import Testing

/// A Socket.IO client over a real WebSocket: sends what it is told, hands over packet after packet.
final class SocketClient {
    /// A Socket.IO packet: its text without Engine.IO's digit, and its attachments.
    struct Received: Equatable, CustomStringConvertible {
        var text: String
        var attachments: [[UInt8]] = []
        var description: String { self.attachments.isEmpty ? self.text : "\(self.text) \(self.attachments)" }
    }

    private enum Frame: Sendable {
        case text(String)
        case binary([UInt8])
    }

    private let channel: any Channel
    private var frames: AsyncStream<Frame>.Iterator
    private(set) var id = ""

    private init(channel: any Channel, frames: AsyncStream<Frame>) {
        self.channel = channel
        self.frames = frames.makeAsyncIterator()
    }

    /// Connects, joins the namespace, and then rooms, by the event `join` which the server must answer.
    static func connect(
        to address: SocketAddress,
        namespace: String = "/",
        rooms: [String]
    ) async throws -> SocketClient {
        let (frames, continuation) = AsyncStream.makeStream(of: Frame.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = FrameHandler { opcode, payload in
                        switch opcode {
                        case 1: continuation.yield(.text(String(decoding: payload, as: UTF8.self)))
                        case 2: continuation.yield(.binary(payload))
                        default: continuation.finish()
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: address).get()
        channel.closeFuture.whenComplete { _ in continuation.finish() }
        let request =
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        let client = SocketClient(channel: channel, frames: frames)
        let open = await client.frame()
        guard case .text(let text)? = open, text.hasPrefix("0{") else {
            throw ChannelError.eof
        }
        let prefix = namespace == "/" ? "0" : "0\(namespace),"
        try await client.send(prefix)
        let answer = try #require(await client.next()?.text)
        client.id = String(answer.dropFirst("\(prefix){\"sid\":\"".count).prefix(20))
        if !rooms.isEmpty {
            let list = JSONValue.array(["join", .array(rooms.map { .string($0) })]).text
            try await client.send(namespace == "/" ? "20\(list)" : "2\(namespace),0\(list)")
            _ = await client.next()
        }
        return client
    }

    /// Sends a packet's text.
    func send(_ text: String) async throws {
        let payload = Array("4\(text)".utf8)
        try await self.write(payload)
    }

    private func write(_ payload: [UInt8]) async throws {
        var frame = ByteBuffer(bytes: [0x81])
        if payload.count < 126 {
            frame.writeInteger(0x80 | UInt8(payload.count))
        } else {
            frame.writeInteger(0xFE as UInt8)
            frame.writeInteger(UInt16(payload.count))
        }
        // A mask of zeros is a mask.
        frame.writeInteger(0 as UInt32)
        frame.writeBytes(payload)
        try await self.channel.writeAndFlush(frame).get()
    }

    private func frame() async -> Frame? { await self.frames.next(isolation: #isolation) }

    /// The next packet with all its attachments, or `nil` if the connection ended.
    func next() async -> Received? {
        while let frame = await self.frame() {
            guard case .text(let text) = frame else { continue }
            if text == "2" {
                try? await self.write(Array("3".utf8))
                continue
            }
            var packet = Received(text: String(text.dropFirst()))
            guard let type = packet.text.first, type == "5" || type == "6" else { return packet }
            let count = Int(packet.text.dropFirst().prefix { $0.isNumber }) ?? 0
            while packet.attachments.count < count, case .binary(let bytes)? = await self.frame() {
                packet.attachments.append(bytes)
            }
            return packet
        }
        return nil
    }

    func close() async throws { try await self.channel.close().get() }
}

/// Passes the HTTP answer over and takes a server's frames apart.
private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let onFrame: @Sendable (UInt8, [UInt8]) -> Void
    private var buffer = ByteBuffer()
    private var hasUpgraded = false

    init(onFrame: @escaping @Sendable (UInt8, [UInt8]) -> Void) { self.onFrame = onFrame }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.buffer.writeImmutableBuffer(self.unwrapInboundIn(data))
        if !self.hasUpgraded {
            guard let end = self.buffer.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            self.buffer.moveReaderIndex(to: end.upperBound)
            self.hasUpgraded = true
        }
        while let (opcode, payload) = self.frame() { self.onFrame(opcode, payload) }
    }

    private func frame() -> (UInt8, [UInt8])? {
        var rest = self.buffer
        guard let first = rest.readInteger(as: UInt8.self), let second = rest.readInteger(as: UInt8.self) else {
            return nil
        }
        let length: Int? =
            switch second {
            case 126: rest.readInteger(as: UInt16.self).map(Int.init)
            case 127: rest.readInteger(as: UInt64.self).map { Int($0) }
            default: Int(second)
            }
        guard let length, let payload = rest.readBytes(length: length) else { return nil }
        self.buffer = rest
        return (first & 0x0F, payload)
    }
}
