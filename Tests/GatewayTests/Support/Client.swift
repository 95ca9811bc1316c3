import NIOCore
import NIOPosix
import SocketIOWire

/// A Socket.IO client over a real WebSocket that keeps everything it is sent.
final class Client {
    enum Packet: Equatable {
        case connected(sid: String)
        case refused(JSONValue)
        case event(String, [JSONValue])
        case acknowledgement(Int, [JSONValue])
        case disconnected
        case end
    }

    struct Refused: Error, Equatable { let message: String }
    struct Unexpected: Error { let packet: Packet }

    private let channel: any Channel
    private var frames: AsyncStream<String>.Iterator
    private var lastID = 0
    /// Packets that arrived while another was waited for.
    private var pending: [Packet] = []
    private(set) var id = ""
    /// Every text frame that came.
    private(set) var transcript: [String] = []

    private init(channel: any Channel, frames: AsyncStream<String>) {
        self.channel = channel
        self.frames = frames.makeAsyncIterator()
    }

    /// Opens a WebSocket and joins a namespace.
    ///
    /// - Throws: ``Refused`` with the message of the CONNECT_ERROR.
    static func join(
        _ namespace: String = "/",
        at address: SocketAddress,
        auth: JSONValue? = nil,
        headers: [(String, String)] = []
    ) async throws -> Client {
        let client = try await Client.open(at: address, headers: headers)
        try await client.join(namespace, auth: auth)
        return client
    }

    static func open(at address: SocketAddress, headers: [(String, String)] = []) async throws -> Client {
        let (frames, continuation) = AsyncStream.makeStream(of: String.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TextFrameReader(continuation: continuation))
                }
            }
            .connect(to: address).get()
        let extra = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        let request =
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(extra)\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        let client = Client(channel: channel, frames: frames)
        _ = await client.frames.next(isolation: #isolation)
        return client
    }

    func join(_ namespace: String = "/", auth: JSONValue? = nil) async throws {
        var text = ByteBuffer(string: namespace == "/" ? "40" : "40\(namespace),")
        if let auth { text.writeJSON(auth) }
        try await self.write(String(buffer: text))
        let answer = await self.first { packet in
            switch packet {
            case .connected, .refused, .end: true
            default: false
            }
        }
        switch answer {
        case .connected(let sid): self.id = sid
        case .refused(let error): throw Refused(message: error["message"]?.stringValue ?? "")
        default: throw Unexpected(packet: answer)
        }
    }

    /// Sends an event of the main namespace and waits for its acknowledgement.
    func call(_ event: String, _ arguments: JSONValue...) async throws -> JSONValue {
        self.lastID += 1
        let id = self.lastID
        try await self.write("42\(id)" + Self.text(.array([.string(event)] + arguments)))
        let answer = await self.first { packet in
            if case .acknowledgement(id, _) = packet { true } else { packet == .end }
        }
        guard case .acknowledgement(_, let values) = answer else { throw Unexpected(packet: answer) }
        return values.first ?? .null
    }

    /// Sends an event of the main namespace.
    func emit(_ event: String, _ arguments: JSONValue...) async throws {
        try await self.write("42" + Self.text(.array([.string(event)] + arguments)))
    }

    /// The arguments of the next event of that name; earlier ones of other names are kept.
    func event(_ name: String) async throws -> [JSONValue] {
        let packet = await self.first { packet in
            if case .event(name, _) = packet { true } else { packet == .end }
        }
        guard case .event(_, let arguments) = packet else { throw Unexpected(packet: packet) }
        return arguments
    }

    /// All events up to the next one of that name, which is left out.
    func events(until name: String) async throws -> [Packet] {
        var events: [Packet] = []
        while true {
            let packet = await self.next()
            switch packet {
            case .event(name, _): return events
            case .end: throw Unexpected(packet: packet)
            default: events.append(packet)
            }
        }
    }

    /// The next packet.
    func next() async -> Packet {
        self.pending.isEmpty ? await self.receive() : self.pending.removeFirst()
    }

    private func first(where matches: (Packet) -> Bool) async -> Packet {
        if let index = self.pending.firstIndex(where: matches) { return self.pending.remove(at: index) }
        while true {
            let packet = await self.receive()
            if matches(packet) { return packet }
            self.pending.append(packet)
        }
    }

    private func receive() async -> Packet {
        while let frame = await self.frames.next(isolation: #isolation) {
            if frame == "2" {
                try? await self.write("3")
                continue
            }
            self.transcript.append(frame)
            if let packet = Self.parse(frame) { return packet }
        }
        return .end
    }

    func close() async throws { try await self.channel.close().get() }

    private static func text(_ value: JSONValue) -> String {
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        return String(buffer: buffer)
    }

    private static func parse(_ frame: String) -> Packet? {
        guard frame.hasPrefix("4") else { return nil }
        var rest = frame.dropFirst()
        guard let type = rest.popFirst() else { return nil }
        if rest.hasPrefix("/") {
            let comma = rest.firstIndex(of: ",") ?? rest.endIndex
            rest = comma == rest.endIndex ? "" : rest[rest.index(after: comma)...]
        }
        let digits = rest.prefix { $0.isNumber }
        let json = rest.dropFirst(digits.count)
        let value = (try? JSONValue(parsing: ByteBuffer(string: String(json)))) ?? .null
        switch type {
        case "0": return .connected(sid: value["sid"]?.stringValue ?? "")
        case "1": return .disconnected
        case "2": return .event(value[0]?.stringValue ?? "", Array((value.arrayValue ?? []).dropFirst()))
        case "3": return .acknowledgement(Int(digits) ?? -1, value.arrayValue ?? [])
        case "4": return .refused(value)
        default: return nil
        }
    }

    private func write(_ text: String) async throws {
        let payload = Array(text.utf8)
        var frame: [UInt8] = [0x81]
        switch payload.count {
        case ..<126: frame.append(0x80 | UInt8(payload.count))
        case ..<65_536: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: frame += [0x80 | 127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
        }
        // A mask of zeros is a mask.
        frame += [0, 0, 0, 0] + payload
        try await self.channel.writeAndFlush(ByteBuffer(bytes: frame)).get()
    }
}

/// Takes the HTTP answer and then the text frames of a server apart.
private final class TextFrameReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let continuation: AsyncStream<String>.Continuation
    private var bytes: [UInt8] = []
    private var hasUpgraded = false

    init(continuation: AsyncStream<String>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes += Array(self.unwrapInboundIn(data).readableBytesView)
        if !self.hasUpgraded {
            guard let end = self.bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            self.hasUpgraded = true
            self.bytes.removeSubrange(..<end.upperBound)
        }
        while let (opcode, payload) = self.nextFrame() {
            switch opcode {
            case 1: self.continuation.yield(String(decoding: payload, as: UTF8.self))
            case 8: context.close(promise: nil)
            default: break
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.continuation.finish() }

    private func nextFrame() -> (opcode: UInt8, payload: [UInt8])? {
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
        let frame = (self.bytes[0] & 0x0F, Array(self.bytes[start..<start + length]))
        self.bytes.removeSubrange(..<(start + length))
        return frame
    }
}
