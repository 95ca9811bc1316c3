import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import EngineIO

/// The head of a request as it is read without NIO's decoder: it means the same as to the decoder, and however little of
/// it has come, nothing is wrong yet.
let plainHeadTarget = Target(name: "plain-head") { input in
    let bytes = Array(input.readableBytesView)
    let outcome = measured(bytes.count) { plain(bytes, bytes.count) }
    guard case .whole(let head) = outcome else {
        if case .incomplete = outcome { checkIncomplete(bytes) }
        return
    }
    require(head.length <= bytes.count, "a head of \(head.length) bytes in \(bytes.count)")
    for count in stride(from: 0, to: head.length, by: 1 + head.length / 128) {
        guard case .incomplete = plain(bytes, count) else { fatalError("what is read is no part after \(count) bytes") }
    }
    let request = Request(head, in: bytes)
    var sent = Array(bytes.prefix(head.length))
    sent += [UInt8](repeating: UInt8(ascii: "x"), count: min(head.contentLength ?? 0, 10))
    let decoded = Request(decoding: sent)
    require(decoded == request, "here: \(request), for the decoder: \(String(describing: decoded))")
}

private func plain(_ bytes: [UInt8], _ count: Int) -> PlainRequestHead.Outcome {
    bytes.withUnsafeBufferPointer {
        PlainRequestHead.read($0.part(0..<count), maximumFields: 100, maximumBytes: 16_384)
    }
}

/// What may go on has been nothing unusual before either.
private func checkIncomplete(_ bytes: [UInt8]) {
    for count in stride(from: 0, to: bytes.count, by: 1 + bytes.count / 128) {
        guard case .incomplete = plain(bytes, count) else { fatalError("unusual after \(count) bytes, and then not") }
    }
}

/// What a request is to whoever reads it.
private struct Request: Equatable {
    var method: HTTPMethod
    var target: String
    var fields: [String]
    var isKeptAlive: Bool
    var isUpgrade: Bool

    init(_ head: PlainRequestHead, in bytes: [UInt8]) {
        self = bytes.withUnsafeBufferPointer { bytes in
            var fields: [String] = []
            head.forEachField(in: bytes) { fields.append("\($0.text): \($1.text)") }
            require(fields.count == head.fieldCount, "\(head.fieldCount) fields, \(fields.count) handed out")
            return Request(
                method: head.isPost ? .POST : .GET,
                target: bytes.part(head.target).text,
                fields: fields,
                isKeptAlive: head.isKeptAlive,
                isUpgrade: head.isUpgrade
            )
        }
    }

    init(method: HTTPMethod, target: String, fields: [String], isKeptAlive: Bool, isUpgrade: Bool) {
        self.method = method
        self.target = target
        self.fields = fields
        self.isKeptAlive = isKeptAlive
        self.isUpgrade = isUpgrade
    }

    /// What NIO's decoder makes of it; `nil` if it refuses it.
    init?(decoding bytes: [UInt8]) {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
        )
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        guard (try? channel.writeInbound(ByteBuffer(bytes: bytes))) != nil,
            case .head(let head)? = try? channel.readInbound(as: HTTPServerRequestPart.self)
        else { return nil }
        self.init(
            method: head.method,
            target: head.uri,
            fields: head.headers.map { "\($0.name): \($0.value)" },
            isKeptAlive: head.isKeepAlive,
            isUpgrade: head.headers.contains(name: "upgrade")
        )
    }
}

/// Requests of all kinds: however they are cut, the same parts come of them, also behind offers that are not taken.
let decoderTarget = Target(name: "decoder") { input in
    var input = input
    let cut = input.takeChoice()
    let pieces = input.pieces(cut)
    // NIO's decoder has a buffer of its own, and its parser; each field is a text.
    let (whole, cutUp) = measured(2 * input.readableBytes, bytesForEach: Memory.values) {
        (decode([input]), decode(pieces))
    }
    require(whole == cutUp, "in one piece: \(whole), in pieces: \(cutUp)")
}

/// What a decoder has read, bodies put together.
private struct Requests: Equatable {
    var heads: [HTTPRequestHead] = []
    var bodies: [[UInt8]] = []
    var ends = 0
    var isRefused = false
}

private func decode(_ pieces: [ByteBuffer]) -> Requests {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = 400
    limits.maxHeaderListSize = 1000
    limits.maxHeaderFieldCount = 20
    let decoder = RequestDecoder(limits: limits)
    let handler = ByteToMessageHandler(decoder)
    let reader = Reader(decoder, handler)
    let channel = EmbeddedChannel(handlers: [handler, reader])
    for piece in pieces where !reader.requests.isRefused {
        // What is read no further is refused.
        do { try channel.writeInbound(piece) } catch { reader.requests.isRefused = true }
        reader.goOn(channel)
    }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return reader.requests
}

/// Takes no offer of another protocol.
private final class Reader: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    var requests = Requests()
    private let decoder: RequestDecoder
    private let handler: ByteToMessageHandler<RequestDecoder>

    init(_ decoder: RequestDecoder, _ handler: ByteToMessageHandler<RequestDecoder>) {
        self.decoder = decoder
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.requests.isRefused else { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            require(self.requests.ends == self.requests.heads.count, "a head before the end of another request")
            self.decoder.decodedHead(head)
            self.requests.heads.append(head)
            self.requests.bodies.append([])
        case .body(let bytes):
            self.decoder.decodedBody(bytes.readableBytes)
            self.requests.bodies[self.requests.bodies.count - 1] += bytes.readableBytesView
        case .end:
            self.decoder.decodedEnd()
            self.requests.ends += 1
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.requests.isRefused = true }

    func goOn(_ channel: EmbeddedChannel) {
        while !self.requests.isRefused, self.decoder.isStopped, self.decoder.restart(),
            let context = try? channel.pipeline.syncOperations.context(handler: self.handler)
        {
            self.handler.channelRead(context: context, data: NIOAny(ByteBuffer()))
        }
    }
}

/// The header in front of a connection from a load balancer: as soon as it is there, or cannot be one any more, that is
/// said, and more bytes change nothing.
let proxyHeaderTarget = Target(name: "proxy-header") { input in
    let whole = measured(input.readableBytes) { proxyHeader(input) }
    for count in 0..<input.readableBytes {
        guard let part = input.getSlice(at: input.readerIndex, length: count) else { return }
        let outcome = proxyHeader(part)
        if outcome == .incomplete { continue }
        return require(outcome == whole, "after \(count) bytes: \(outcome), at the end: \(whole)")
    }
    guard case .header(.client(let address, _), _) = whole else { return }
    require(IPAddress(address.description) == address, "no address: \(address)")
}

private enum ProxyHeaderOutcome: Equatable {
    case header(ProxyHeader, length: Int)
    case incomplete
    case malformed
}

private func proxyHeader(_ input: ByteBuffer) -> ProxyHeaderOutcome {
    var rest = input
    do throws(ProxyHeader.Malformed) {
        guard let header = try ProxyHeader.read(from: &rest) else {
            require(rest == input, "bytes are missing of a header that is incomplete")
            return .incomplete
        }
        return .header(header, length: input.readableBytes - rest.readableBytes)
    } catch {
        return .malformed
    }
}
