import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// What leaves compressed, and what does not.
@Suite(.timeLimit(.minutes(1))) struct CompressedSendingTests {
    private static let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    private static let smallWindow = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n"

    private static func makeServer(threshold: Int = 20) -> EmbeddedServer {
        EmbeddedServer {
            $0.perMessageDeflate = PerMessageDeflate()
            $0.perMessageDeflate?.threshold = threshold
            $0.httpCompression?.threshold = threshold
        }
    }

    private static func message(_ count: Int) -> EncodedPacket {
        EncodedPacket(.message, data: ByteBuffer(repeating: UInt8(ascii: "x"), count: count))
    }

    /// The messages as the client understands them.
    private static func messages(_ frames: [RawConnection.Frame]) throws -> [String] {
        try frames.map { frame in
            guard frame.isCompressed else { return frame.text }
            return try String(buffer: inflated(ByteBuffer(bytes: frame.payload + [0, 0, 0xFF, 0xFF]), windowBits: -15))
        }
    }

    // MARK: WebSocket

    @Test func longMessagesAreCompressed() throws {
        let server = Self.makeServer()
        let channel = try server.webSocket(fields: Self.offer)
        let session = try #require(server.sessions.first)
        session.send(Self.message(18))
        session.send(Self.message(19))
        session.send(Self.message(2000))
        session.send(Self.message(2000), compress: false)
        session.send(binary: ByteBuffer(repeating: 7, count: 100))
        let frames = try server.frames(of: channel)
        #expect(frames.map(\.isCompressed) == [false, true, true, false, true])
        #expect(frames.map(\.opcode) == [.text, .text, .text, .text, .binary])
        #expect(try Self.messages(frames).map(\.utf8.count) == [19, 20, 2001, 2001, 100])
        #expect(frames[2].payload.count < 40)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func nothingIsCompressedForWhoDidNotOffer() throws {
        let server = Self.makeServer()
        let channel = try server.webSocket()
        try #require(server.sessions.first).send(Self.message(2000))
        #expect(try server.frames(of: channel).map(\.isCompressed) == [false])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func whatGetsNoSmallerStaysAsItIs() throws {
        let server = Self.makeServer()
        let channel = try server.webSocket(fields: Self.offer)
        var generator = SeededGenerator(seed: 10)
        let bytes = (0..<500).map { _ in UInt8.random(in: 0...255, using: &generator) }
        try #require(server.sessions.first).send(binary: ByteBuffer(bytes: bytes))
        #expect(try server.frames(of: channel) == [RawConnection.Frame(opcode: .binary, payload: bytes)])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Each client gets what it can read, and in order, whatever else leaves in the same tick.
    @Test func broadcastsReachEverybody() throws {
        let server = Self.makeServer()
        let channels = try ["", Self.offer, Self.smallWindow, Self.offer].map { try server.webSocket(fields: $0) }
        let base64 = try server.webSocket(query: "EIO=4&transport=websocket&b64=1", fields: Self.offer)
        let packets = [Self.message(3), Self.message(70_000), Self.message(500), Self.message(2)]
        let binary = EncodedPacket(binary: ByteBuffer(bytes: [1, 2, 3]))
        for session in server.sessions {
            for packet in packets { session.send(packet) }
            session.send(binary)
        }
        for (index, channel) in channels.enumerated() {
            let frames = try server.frames(of: channel)
            #expect(try Self.messages(frames).map(\.utf8.count) == [4, 70_001, 501, 3, 3])
            #expect(frames.map(\.isCompressed) == [false, index > 0, index > 0, false, false])
        }
        let frames = try server.frames(of: base64)
        #expect(try Self.messages(frames).map(\.utf8.count) == [4, 70_001, 501, 3, 5])
        #expect(frames.last == .text("bAQID"))
        for channel in channels + [base64] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func aBroadcastIsCompressedOncePerTick() throws {
        let loop = EmbeddedEventLoop()
        var configuration = EngineConfiguration()
        configuration.perMessageDeflate = PerMessageDeflate()
        let compression = LoopCompression(configuration, eventLoop: loop)
        func address(_ buffer: ByteBuffer) -> UnsafeRawPointer? { buffer.withUnsafeReadableBytes { $0.baseAddress } }
        weak var forgotten: EncodedPacket?
        do {
            let packet = Self.message(2000)
            forgotten = packet
            let first = compression.frames(of: packet, as: .standard, windowBits: 15)
            let again = compression.frames(of: packet, as: .standard, windowBits: 15)
            let other = compression.frames(of: packet, as: .standard, windowBits: 10)
            #expect(first.readableBytes < 100)
            #expect(address(first) == address(again))
            #expect(address(first) != address(other))
            // What is not compressed is not made again at all.
            #expect(address(compression.frames(of: packet, as: .standard, windowBits: 0)) == address(packet.frames))
        }
        #expect(forgotten != nil)
        loop.run()
        #expect(forgotten == nil)
    }

    // MARK: What clients compress

    @Test func compressedMessagesAreTaken() throws {
        let server = Self.makeServer()
        let channel = try server.webSocket(fields: Self.offer)
        var message = ByteBuffer()
        let deflater = try #require(Deflater(.raw(windowBits: 15), level: 6))
        #expect(deflater.writeMessage(ByteBuffer(string: "4hello"), into: &message))
        server.send(.text, Array(message.readableBytesView), isCompressed: true, to: channel)
        #expect(server.delegate.messages == ["hello"])
        // A bomb: 100 MB of zeros.
        message.clear()
        #expect(deflater.writeMessage(ByteBuffer(repeating: 0, count: 100_000_000), into: &message))
        _ = server.output(of: channel)
        server.send(.binary, Array(message.readableBytesView), isCompressed: true, to: channel)
        #expect(server.delegate.closed == ["transport error"])
        #expect(try server.frames(of: channel) == [RawConnection.Frame(opcode: .close, payload: [0x03, 0xF1])])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    // MARK: Polling

    @Test func pollsAreCompressedUnlessNoPacketWantsIt() throws {
        let server = Self.makeServer()
        let channel = try server.connect()
        let gzip = "Accept-Encoding: gzip\r\n"
        let opened = try server.request("GET", "EIO=4&transport=polling", fields: gzip, on: channel)
        #expect(opened.head.contains("\r\nContent-Encoding: gzip\r\n"))
        let session = try #require(server.sessions.first)
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        session.send(Self.message(500), compress: false)
        let plain = try server.request("GET", query, fields: gzip, on: channel)
        #expect(!plain.head.contains("Content-Encoding"))
        #expect(plain.body.readableBytes == 501)
        session.send(Self.message(500), compress: false)
        session.send(Self.message(3))
        let mixed = try server.request("GET", query, fields: gzip, on: channel)
        #expect(mixed.head.contains("\r\nContent-Encoding: gzip\r\n"))
        #expect(try inflated(mixed.body, windowBits: 31).readableBytes == 506)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func callbacksAreCompressedAsAWhole() throws {
        let server = Self.makeServer()
        let channel = try server.connect()
        let query = "EIO=4&transport=polling&j=3"
        let answer = try server.request("GET", query, fields: "Accept-Encoding: deflate\r\n", on: channel)
        #expect(answer.head.contains("\r\nContent-Encoding: deflate\r\n"))
        #expect(try String(buffer: inflated(answer.body, windowBits: 15)).hasPrefix(#"___eio[3]("0{\"sid\""#))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func compressionOfPollsCanBeSwitchedOff() throws {
        let server = EmbeddedServer { $0.httpCompression = nil }
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        session.send(Self.message(5000))
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        let answer = try server.request("GET", query, fields: "Accept-Encoding: gzip\r\n", on: channel)
        #expect(!answer.head.contains("Content-Encoding"))
        #expect(answer.body.readableBytes == 5001)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
