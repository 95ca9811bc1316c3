import NIOCore
import NIOEmbedded
import NIOHTTP1
import SocketIOTestSupport
import Testing

@testable import EngineIO

/// Heads that are read without NIO's decoder mean what they mean to it.
@Suite(.timeLimit(.minutes(1))) struct PlainRequestHeadTests {
    /// What a request is to its reader.
    private struct Request: Equatable {
        var method: HTTPMethod
        var target: String
        var fields: [String]
        var isKeptAlive: Bool
        var isUpgrade: Bool
        var bodyBytes: Int
    }

    private static func plain(_ text: [UInt8], maximumFields: Int = 100) -> PlainRequestHead.Outcome {
        text.withUnsafeBufferPointer {
            PlainRequestHead.read($0, maximumFields: maximumFields, maximumBytes: 65_536)
        }
    }

    /// The request as it is read without the decoder; `nil` if it is for the decoder, or not complete.
    private static func request(_ text: [UInt8]) -> Request? {
        guard case .whole(let head) = Self.plain(text) else { return nil }
        return text.withUnsafeBufferPointer { bytes in
            var fields: [String] = []
            head.forEachField(in: bytes) { fields.append("\($0.text): \($1.text)") }
            return Request(
                method: head.isPost ? .POST : .GET,
                target: bytes.part(head.target).text,
                fields: fields,
                isKeptAlive: head.isKeptAlive,
                isUpgrade: head.isUpgrade,
                bodyBytes: head.contentLength ?? 0
            )
        }
    }

    /// The same as NIO's decoder reads it; `nil` if it refuses it.
    private static func decoded(_ text: [UInt8]) -> Request? {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
        )
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        guard (try? channel.writeInbound(ByteBuffer(bytes: text))) != nil else { return nil }
        var request: Request?
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                request = Request(
                    method: head.method,
                    target: head.uri,
                    fields: head.headers.map { "\($0.name): \($0.value)" },
                    isKeptAlive: head.isKeepAlive,
                    isUpgrade: head.headers.contains(name: "upgrade"),
                    bodyBytes: 0
                )
            case .body(let bytes): request?.bodyBytes += bytes.readableBytes
            case .end: return request
            }
        }
        return nil
    }

    static let usual = [
        "GET /socket.io/?EIO=4&transport=polling&sid=abcdefghijklmnopqrst&t=Pz%20-_.~! HTTP/1.1\r\nHost: a\r\n\r\n",
        """
        GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nConnection: keep-alive\r
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) "x" {y}\r\nAccept: */*\r\nOrigin: https://a.example\r
        Accept-Encoding: gzip, deflate, br\r\nCookie: io=a; b=c\r\nsec-ch-ua-mobile:?0\r\n\r\n
        """,
        "POST /x HTTP/1.1\r\nhost:a\r\nContent-Type: text/plain;charset=UTF-8\r\ncontent-length: 5\r\n\r\n4abcd",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "GET /w HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
    ]

    @Test(arguments: Self.usual) func usualHeadsAreRead(text: String) throws {
        let bytes = Array(text.utf8)
        let request = try #require(Self.request(bytes))
        #expect(request == Self.decoded(bytes))
        // However little of it has come, nothing is wrong yet.
        let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8))).upperBound
        for count in 1..<end {
            guard case .incomplete = Self.plain(Array(bytes.prefix(count))) else {
                Issue.record("\(count) bytes: \(String(decoding: bytes.prefix(count), as: UTF8.self))")
                return
            }
        }
    }

    static let unusual = [
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{E9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:  a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{E9}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nOrigin: a\r\norigin: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: PlainRequestHead.maximumLength))\r\n\r\n",
    ]

    @Test(arguments: Self.unusual) func unusualHeadsAreForTheDecoder(text: String) {
        guard case .unusual = Self.plain(Array(text.utf8)) else {
            Issue.record("read without the decoder")
            return
        }
    }

    @Test func theDecoderCountsFields() {
        let text = Array("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n".utf8)
        func isRead(_ maximumFields: Int) -> Bool {
            if case .whole = Self.plain(text, maximumFields: maximumFields) { true } else { false }
        }
        #expect(isRead(4))
        #expect(!isRead(3))
    }

    /// Whatever is read without the decoder is what the decoder reads.
    @Test(arguments: 0..<20) func everythingThatIsReadMeansTheSame(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var count = 0
        let samples = (Self.usual + Self.unusual.dropLast()).map { Array($0.utf8) }
        let insertions: [[UInt8]] = [
            [0x0D, 0x0A], [0x0A], [0x0D], [0x20], [0x09], [0x00], [0x7F], [0x80], [0x3A], [0x2C], [0x23], [0x25],
            Array("\r\nConnection: close".utf8), Array("\r\nContent-Length: 3".utf8), Array("\r\nX-Y_Z: a".utf8),
            Array("\r\nTransfer-Encoding: chunked".utf8), Array("\r\nUpgrade: websocket".utf8),
        ]
        for _ in 0..<3000 {
            // Mostly what is nearly right.
            let sampleCount = Int.random(in: 0..<4, using: &random) == 0 ? samples.count : Self.usual.count
            var bytes = samples[Int.random(in: 0..<sampleCount, using: &random)]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default:
                    let what = insertions[Int.random(in: 0..<insertions.count, using: &random)]
                    bytes.insert(contentsOf: what, at: place)
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            guard let request = Self.request(bytes) else { continue }
            count += 1
            // What is missing of the body does not matter, nor does what comes behind it.
            let missing = request.bodyBytes > 100_000 ? 0 : request.bodyBytes
            guard missing == request.bodyBytes else { continue }
            let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound ?? bytes.count
            let whole = bytes.prefix(end) + Array(repeating: 0x34, count: missing)
            #expect(request == Self.decoded(Array(whole)), "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(count > 100)
    }
}
