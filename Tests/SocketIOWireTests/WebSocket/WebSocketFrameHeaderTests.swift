import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct WebSocketFrameHeaderTests {
    /// The examples of RFC 6455, section 5.7, and the edges of the three forms of length.
    @Test(arguments: [
        (WebSocketFrameHeader(opcode: .text, payloadLength: 5), "8105"),
        (WebSocketFrameHeader(opcode: .text, mask: WebSocketMask(0x37FA_213D), payloadLength: 5), "8185 37fa213d"),
        (WebSocketFrameHeader(opcode: .text, isFinal: false, payloadLength: 3), "0103"),
        (WebSocketFrameHeader(opcode: .continuation, payloadLength: 2), "8002"),
        (WebSocketFrameHeader(opcode: .ping, payloadLength: 0), "8900"),
        (WebSocketFrameHeader(opcode: .pong, payloadLength: 125), "8a7d"),
        (WebSocketFrameHeader(opcode: .close, payloadLength: 2), "8802"),
        (WebSocketFrameHeader(opcode: .binary, payloadLength: 125), "827d"),
        (WebSocketFrameHeader(opcode: .binary, payloadLength: 126), "827e 007e"),
        (WebSocketFrameHeader(opcode: .binary, payloadLength: 256), "827e 0100"),
        (WebSocketFrameHeader(opcode: .binary, payloadLength: 65_535), "827e ffff"),
        (WebSocketFrameHeader(opcode: .binary, payloadLength: 65_536), "827f 0000000000010000"),
        (
            WebSocketFrameHeader(opcode: .binary, mask: WebSocketMask(1), payloadLength: .max),
            "82ff 7fffffffffffffff 00000001"
        ),
    ])
    func isWrittenAndRead(header: WebSocketFrameHeader, bytes: String) throws {
        var written = ByteBuffer()
        written.writeWebSocketFrameHeader(header)
        #expect(written == hex(bytes))
        #expect(header.encodedLength == written.readableBytes)

        for prefix in written.prefixes {
            var prefix = prefix
            #expect(try prefix.readWebSocketFrameHeader() == nil)
            #expect(prefix.readerIndex == 0)
        }
        written.writeInteger(UInt8(0xAA))
        #expect(try written.readWebSocketFrameHeader() == header)
        #expect(written == hex("aa"))
    }

    @Test(arguments: [
        ("c105", WebSocketError.reservedBitSet), ("a105", .reservedBitSet), ("9105", .reservedBitSet),
        ("f105", .reservedBitSet), ("8305", .unknownOpcode), ("8705", .unknownOpcode), ("8b00", .unknownOpcode),
        ("8f00", .unknownOpcode), ("0900", .controlFrameFragmented), ("0800", .controlFrameFragmented),
        ("897e", .controlFrameTooLong), ("88ff", .controlFrameTooLong), ("8a7e007e", .controlFrameTooLong),
        ("827f 8000000000000000", .invalidLength), ("827f ffffffffffffffff", .invalidLength),
    ])
    func isRefusedAtOnce(bytes: String, error: WebSocketError) {
        var buffer = hex(bytes)
        #expect(throws: error) { try buffer.readWebSocketFrameHeader() }
    }

    @Test func longerFormsOfLengthAreAccepted() throws {
        var buffer = hex("827e 0001")
        #expect(try buffer.readWebSocketFrameHeader()?.payloadLength == 1)
        buffer = hex("827f 0000000000000001")
        #expect(try buffer.readWebSocketFrameHeader()?.payloadLength == 1)
    }

    /// The reference is one byte at a time.
    @Test func masksAtEveryLengthAndOffset() {
        let mask = WebSocketMask(0x0102_83F4)
        let key: [UInt8] = [0x01, 0x02, 0x83, 0xF4]
        for length in 0...40 {
            for offset in 0...7 {
                let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ 5) }
                let expected = bytes.enumerated().map { $1 ^ key[($0 + offset) & 3] }
                var target = ByteBuffer(string: "kept")
                let isASCII = target.writeXORed(ByteBuffer(bytes: bytes).readableBytesView, with: mask, offset: offset)
                #expect(target.readString(length: 4) == "kept")
                #expect(Array(buffer: target) == expected)
                #expect(isASCII == expected.allSatisfy { $0 < 0x80 })
            }
        }
    }

    @Test func aFrameOfAClientIsMasked() {
        var buffer = ByteBuffer()
        buffer.writeMaskedWebSocketFrame(.text, payload: text("Hello"), mask: WebSocketMask(0x37FA_213D))
        #expect(buffer == hex("8185 37fa213d 7f9f4d5158"))
    }

    @Test func aCloseFrameIsCutToWhatItHolds() throws {
        var buffer = ByteBuffer()
        buffer.writeWebSocketClose(nil)
        #expect(buffer == hex("8800"))
        buffer.clear()
        buffer.writeWebSocketClose(.messageTooBig)
        #expect(buffer == hex("8802 03f1"))
        buffer.clear()
        buffer.writeWebSocketClose(.normal, reason: String(repeating: "é", count: 100))
        let header = try #require(try buffer.readWebSocketFrameHeader())
        #expect(header.payloadLength == 2 + 122)
        buffer.moveReaderIndex(forwardBy: 2)
        #expect(buffer.string == String(repeating: "é", count: 61))
    }
}
