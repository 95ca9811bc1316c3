import EngineIO
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire

/// A whole server on a channel without a network: HTTP requests, polling sessions, upgrades, WebSockets, packets.
///
/// The text `SESSION-SESSION-SESS` in the input stands for the id of a session that exists. At the end the client is gone
/// and time passes: no session may be left.
let serverTarget = Target(name: "server") { input in
    var input = input
    let options = input.takeChoice()
    let cut = input.takeChoice()
    let loop = EmbeddedEventLoop()
    let io = server(on: loop, options)
    let session = openSession(io, loop, options & 128 == 0 ? "" : "PROXY UNKNOWN\r\n")
    let channel = connect(io, loop)
    let request = substitute(session, in: input)
    let pieces = request.pieces(cut)
    // Three of zlib's streams, if they are allowed.
    measured(request.readableBytes, besides: options & 1 == 0 ? 0 : 1_000_000) {
        for piece in pieces {
            guard channel.isActive else { break }
            _ = try? channel.writeInbound(piece)
            loop.run()
            while let answer = try? channel.readOutbound(as: ByteBuffer.self) {
                require(answer.readableBytes > 0 || !channel.isActive, "an answer of nothing")
            }
        }
        loop.advanceTime(by: .seconds(1))
        channel.close(promise: nil)
        loop.advanceTime(by: .seconds(120))
    }
    require(io.engine.sessionCount == 0, "\(io.engine.sessionCount) sessions are left")
    require(!channel.isActive, "the channel is open still")
    _ = try? channel.finish(acceptAlreadyClosed: true)
}

private let placeholder = Array("SESSION-SESSION-SESS".utf8)

private func server(on loop: EmbeddedEventLoop, _ options: UInt8) -> SocketServer {
    var configuration = SocketServerConfiguration()
    configuration.engine.pingInterval = .seconds(5)
    configuration.engine.pingTimeout = .seconds(4)
    configuration.connectTimeout = .seconds(6)
    configuration.attachmentTimeout = .seconds(3)
    configuration.engine.cors = CORSConfiguration()
    configuration.engine.httpCompression = nil
    if options & 1 != 0 {
        configuration.engine.perMessageDeflate = PerMessageDeflate()
        configuration.engine.perMessageDeflate?.threshold = 16
        configuration.engine.httpCompression = HTTPCompression()
        configuration.engine.httpCompression?.threshold = 16
    }
    if options & 2 != 0 { configuration.engine.allowEIO3 = true }
    if options & 4 != 0 { configuration.engine.trustedProxies = ["127.0.0.1"].compactMap { AddressRange($0) } }
    if options & 8 != 0 { configuration.engine.cookie = CookieConfiguration() }
    if options & 16 != 0 {
        configuration.connectionStateRecovery = ConnectionStateRecovery(maxDisconnectionDuration: .seconds(30))
    }
    if options & 32 != 0 {
        configuration.limits.packetRate = RateLimit(perSecond: 1, burst: 5)
        configuration.limits.byteRate = RateLimit(perSecond: 100)
    }
    configuration.cleanupEmptyChildNamespaces = options & 64 != 0
    if options & 128 != 0 {
        configuration.engine.proxyProtocolSources = ["127.0.0.1"].compactMap { AddressRange($0) }
        configuration.engine.refusesForeignOrigins = true
    }
    let io = SocketServer(configuration: configuration, eventLoopGroup: loop)
    _ = io.of("/admin")
    _ = io.of(matching: /\/tenant-\d+/)
    io.sockets.on("echo") { (_: Socket, text: String, number: Double?) in text }
    io.sockets.on("text") { (socket: Socket, text: String) in socket.join(Room(text)) }
    io.sockets.on("number") { (socket: Socket, number: Double?) in socket.emit("number", number) }
    io.sockets.on("bytes") { (socket: Socket, bytes: ByteBuffer) in socket.emit("bytes", bytes) }
    return io
}

private func connect(_ io: SocketServer, _ loop: EmbeddedEventLoop) -> EmbeddedChannel {
    let channel = EmbeddedChannel(loop: loop)
    do {
        try io.engine.configure(channel)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    } catch {
        fatalError("no connection: \(error)")
    }
    return channel
}

/// The id of a new polling session, opened with what has to stand before a request.
private func openSession(_ io: SocketServer, _ loop: EmbeddedEventLoop, _ header: String) -> [UInt8] {
    let channel = connect(io, loop)
    let request = header + "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n"
    _ = try? channel.writeInbound(ByteBuffer(string: request))
    loop.run()
    var text = ""
    while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
    channel.close(promise: nil)
    loop.run()
    guard let start = text.firstRange(of: "\"sid\":\"")?.upperBound else { fatalError("no session: \(text)") }
    return Array(text[start...].utf8.prefix(20))
}

private func substitute(_ id: [UInt8], in input: ByteBuffer) -> ByteBuffer {
    var bytes = Array(input.readableBytesView)
    var index = 0
    while index + placeholder.count <= bytes.count {
        if bytes[index] == placeholder[0], bytes[index..<(index + placeholder.count)].elementsEqual(placeholder) {
            bytes.replaceSubrange(index..<(index + placeholder.count), with: id)
        }
        index += 1
    }
    return ByteBuffer(bytes: bytes)
}
