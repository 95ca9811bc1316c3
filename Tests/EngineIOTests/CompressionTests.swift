import CZlib
import NIOCore
import NIOHTTP1
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// The codec and the negotiation of permessage-deflate, without a connection.
@Suite(.timeLimit(.minutes(1))) struct CompressionTests {
    // MARK: Negotiation

    private static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    /// What is offered, and the answer; `nil`: no compression, `-`: the handshake is refused.
    static let offers: [(String, String?)] = [
        ("permessage-deflate", Self.plain),
        ("permessage-deflate; client_max_window_bits", Self.plain),
        ("permessage-deflate; client_max_window_bits=8", Self.plain),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", Self.plain),
        ("permessage-deflate; server_max_window_bits=10", Self.plain + "; server_max_window_bits=10"),
        (#"permessage-deflate; server_max_window_bits="15""#, Self.plain + "; server_max_window_bits=15"),
        (
            "permessage-deflate;server_max_window_bits=9;client_max_window_bits=15",
            Self.plain + "; server_max_window_bits=9"
        ),
        ("x-webkit-deflate-frame, permessage-deflate", Self.plain),
        (" foo ; bar = 1", "-"),
        ("foo; bar=1", nil),
        // What zlib cannot do is declined; another offer may suit.
        ("permessage-deflate; server_max_window_bits=8", nil),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Self.plain),
        ("permessage-deflate, permessage-deflate; server_max_window_bits=9", Self.plain),
        // Nonsense is refused, also behind an offer that suits.
        ("permessage-deflate; server_max_window_bits", "-"),
        ("permessage-deflate; server_max_window_bits=7", "-"),
        ("permessage-deflate; server_max_window_bits=16", "-"),
        ("permessage-deflate; server_max_window_bits=010", "-"),
        ("permessage-deflate; server_max_window_bits=+9", "-"),
        ("permessage-deflate; server_max_window_bits=09", "-"),
        (#"permessage-deflate; server_max_window_bits="+9""#, "-"),
        (#"permessage-deflate; server_max_window_bits="09""#, "-"),
        ("permessage-deflate; client_max_window_bits=+9", "-"),
        ("permessage-deflate; server_max_window_bits=-9", "-"),
        ("permessage-deflate; server_max_window_bits=9.5", "-"),
        ("permessage-deflate; server_max_window_bits=99999999999999999999", "-"),
        ("permessage-deflate; client_max_window_bits=7", "-"),
        ("permessage-deflate; client_max_window_bits=x", "-"),
        ("permessage-deflate; server_no_context_takeover=1", "-"),
        ("permessage-deflate; client_no_context_takeover=false", "-"),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", "-"),
        ("permessage-deflate; unknown", "-"),
        ("permessage-deflate, permessage-deflate; unknown", "-"),
        ("permessage-deflate;", "-"),
        (";permessage-deflate", "-"),
        ("permessage-deflate,", "-"),
        (",", "-"),
        ("", "-"),
        ("permessage-deflate; server_max_window_bits=\"10", "-"),
        ("permessage-deflate; server_max_window_bits=\"\"", "-"),
        ("permessage-deflate; server_max_window_bits= 10", "-"),
        ("permessage-deflate; a b", "-"),
        ("permessage-deflate; __proto__", "-"),
        (String(repeating: "a,", count: 100) + "permessage-deflate", "-"),
    ]

    @Test(arguments: Self.offers) func offersAreAnswered(offer: String, answer: String?) {
        let outcome = DeflateAgreement.negotiate(offer, PerMessageDeflate())
        switch outcome {
        case .agreed(let agreement): #expect(agreement.headerValue == answer, "\(offer)")
        case .none: #expect(answer == nil, "\(offer)")
        case .refused: #expect(answer == "-", "\(offer)")
        }
    }

    @Test func fieldsAreOneList() {
        let name = "Sec-WebSocket-Extensions"
        let headers = HTTPHeaders([(name, "foo"), ("Host", "h"), (name.uppercased(), "permessage-deflate")])
        let header = headers.field("sec-websocket-extensions")
        let outcome = DeflateAgreement.negotiate(header, PerMessageDeflate())
        #expect(outcome == .agreed(DeflateAgreement(windowBits: 15, isWindowBounded: false)))
        #expect(DeflateAgreement.negotiate(nil, PerMessageDeflate()) == .none)
        var small = PerMessageDeflate()
        small.windowBits = 10
        let offer = "permessage-deflate; server_max_window_bits=12"
        #expect(
            DeflateAgreement.negotiate(offer, small)
                == .agreed(DeflateAgreement(windowBits: 10, isWindowBounded: true))
        )
    }

    @Test func longHeadersCostLinearTime() {
        let header = "permessage-deflate; server_max_window_bits=\"" + String(repeating: "\\1", count: 30_000)
        #expect(DeflateAgreement.negotiate(header, PerMessageDeflate()) == .refused)
        let spaces = "permessage-deflate" + String(repeating: " ", count: 60_000) + "x"
        #expect(DeflateAgreement.negotiate(spaces, PerMessageDeflate()) == .refused)
    }

    // MARK: Codec

    static let messages: [ByteBuffer] = [
        ByteBuffer(string: ""),
        ByteBuffer(string: "4"),
        ByteBuffer(string: "42[\"é€😀\"]"),
        ByteBuffer(repeating: 0x78, count: 1_000_000),
        ByteBuffer(bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37 >> 7) }),
    ]

    @Test(arguments: 9...15) func messagesSurvive(windowBits: Int) throws {
        let deflater = try #require(Deflater(.raw(windowBits: windowBits), level: 6))
        let inflater = try #require(Inflater())
        for message in Self.messages {
            var compressed = ByteBuffer(string: "before")
            #expect(deflater.writeMessage(message, into: &compressed))
            compressed.moveReaderIndex(forwardBy: 6)
            #expect(try inflater.inflate(compressed, limit: 1_000_000) == message)
        }
    }

    /// Each message stands for itself: the order does not matter, nor what went wrong before.
    @Test func contextsEndWithTheMessage() throws {
        let deflater = try #require(Deflater(.raw(windowBits: 15), level: 9))
        let inflater = try #require(Inflater())
        var first = ByteBuffer()
        var second = ByteBuffer()
        let message = ByteBuffer(string: "something that could be referred to")
        #expect(deflater.writeMessage(message, into: &first))
        #expect(deflater.writeMessage(message, into: &second))
        #expect(first == second)
        #expect(throws: WebSocketError.invalidCompressedData) {
            try inflater.inflate(ByteBuffer(bytes: [0xFF, 0xFF]), limit: 100)
        }
        #expect(try inflater.inflate(second, limit: 100) == message)
    }

    /// The examples of RFC 7692, section 7.2.3.
    @Test(arguments: [
        "f248cdc9c90700", "000500faff48656c6c6f00", "f348cdc9c9070000", "f24805000000ffffcac9c90700",
    ])
    func examplesOfTheSpecification(hex: String) throws {
        let inflater = try #require(Inflater())
        let message = ByteBuffer(bytes: [UInt8](hex: hex))
        #expect(try inflater.inflate(message, limit: 5) == ByteBuffer(string: "Hello"))
        #expect(throws: WebSocketError.messageTooBig) { try inflater.inflate(message, limit: 4) }
    }

    @Test func emptyMessages() throws {
        let inflater = try #require(Inflater())
        #expect(try inflater.inflate(ByteBuffer(bytes: [0x00]), limit: 0) == ByteBuffer())
        #expect(try inflater.inflate(ByteBuffer(), limit: 0) == ByteBuffer())
        #expect(try inflater.inflate(ByteBuffer(bytes: [0x02, 0x00]), limit: 0) == ByteBuffer())
    }

    @Test func cutMessagesAreErrors() throws {
        let deflater = try #require(Deflater(.raw(windowBits: 15), level: 6))
        let inflater = try #require(Inflater())
        var whole = ByteBuffer()
        let text = (0..<200).map { "\($0 * 7919 % 1000)" }.joined(separator: ",")
        #expect(deflater.writeMessage(ByteBuffer(string: text), into: &whole))
        var survivors = 0
        for length in 1..<whole.readableBytes - 1 {
            let cut = try #require(whole.getSlice(at: 0, length: length))
            // With the tail behind it, a cut message may happen to end with a block: then it is valid, but shorter.
            if let message = try? inflater.inflate(cut, limit: 10_000) {
                survivors += 1
                #expect(message.readableBytes < text.utf8.count)
            }
        }
        #expect(survivors < 3)
    }

    @Test func bombsStopAtTheLimit() throws {
        let deflater = try #require(Deflater(.raw(windowBits: 15), level: 9))
        let inflater = try #require(Inflater())
        var bomb = ByteBuffer()
        #expect(deflater.writeMessage(ByteBuffer(repeating: 0, count: 100_000_000), into: &bomb))
        #expect(bomb.readableBytes < 100_000)
        #expect(throws: WebSocketError.messageTooBig) { try inflater.inflate(bomb, limit: 1_000_000) }
        // Nor does it stay: what a big message took is given back.
        inflater.shrink(to: 65_536)
        #expect(try inflater.inflate(ByteBuffer(bytes: [0x00]), limit: 0).capacity <= 1024)
    }

    @Test func streamsWithoutEndAreErrors() throws {
        let inflater = try #require(Inflater())
        let empty: [UInt8] = [0x03, 0x00]
        let many = ByteBuffer(bytes: Array(repeating: empty, count: 100_000).joined())
        #expect(throws: WebSocketError.invalidCompressedData) { try inflater.inflate(many, limit: 1000) }
    }

    @Test func randomBytesAreErrorsOrMessages() throws {
        let inflater = try #require(Inflater())
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<5000 {
            let count = Int.random(in: 1...300, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let message = try? inflater.inflate(ByteBuffer(bytes: bytes), limit: 2000)
            #expect((message?.readableBytes ?? 0) <= 2000)
        }
    }

    // MARK: HTTP

    @Test(arguments: [
        ("gzip, deflate", ContentEncoding.gzip), ("deflate, gzip;q=1.0", .gzip), ("deflate", .deflate),
        ("gzip;q=0.5, deflate;q=0.8", .deflate), ("*", .gzip), ("gzip;q=0, *", .deflate), ("GZIP", .gzip),
        ("br, gzip", .gzip), ("gzip ; q=0.1", .gzip),
    ])
    func acceptedEncodings(header: String, encoding: ContentEncoding) {
        #expect(ContentEncoding.preferred(by: header) == encoding)
    }

    @Test(arguments: ["", "br", "identity", "gzip;q=0", "*;q=0", "gzip;q=0, deflate;q=0", "gzip;q=x", "gzip;q="])
    func encodingsNotAccepted(header: String) {
        #expect(ContentEncoding.preferred(by: header) == nil)
    }

    @Test func streamsHaveTheirHeaders() throws {
        let text = ByteBuffer(repeating: 0x78, count: 2001)
        var gzip = ByteBuffer()
        #expect(try #require(Deflater(.gzip, level: 6)).writeStream(of: text, into: &gzip))
        #expect(Array(gzip.readableBytesView.prefix(10)).hex == "1f8b0800000000000003")
        #expect(try inflated(gzip, windowBits: 31) == text)
        var zlib = ByteBuffer()
        #expect(try #require(Deflater(.zlib, level: 6)).writeStream(of: text, into: &zlib))
        #expect(Array(zlib.readableBytesView.prefix(2)).hex == "789c")
        #expect(try inflated(zlib, windowBits: 15) == text)
    }
}

/// What a client makes of compressed bytes: `windowBits` as zlib wants them, 31 for gzip, 15 for deflate, -15 for none.
func inflated(_ bytes: ByteBuffer, windowBits: CInt) throws -> ByteBuffer {
    struct Failure: Error {
        var status: CInt
    }
    var stream = z_stream()
    let version = ZLIB_VERSION
    let status = inflateInit2_(&stream, windowBits, version, CInt(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw Failure(status: status) }
    defer { inflateEnd(&stream) }
    var input = Array(bytes.readableBytesView)
    var output = [UInt8](repeating: 0, count: 4_000_000)
    let (count, result) = input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            let result = inflate(&stream, Z_SYNC_FLUSH)
            return (output.count - Int(stream.avail_out), result)
        }
    }
    guard result == Z_OK || result == Z_STREAM_END else { throw Failure(status: result) }
    return ByteBuffer(bytes: output[..<count])
}
