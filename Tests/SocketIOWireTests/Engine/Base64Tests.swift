import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct Base64Tests {
    /// RFC 4648, section 10, and what its examples leave out.
    @Test(arguments: [
        ("", ""), ("66", "Zg=="), ("666f", "Zm8="), ("666f6f", "Zm9v"), ("666f6f62", "Zm9vYg=="),
        ("666f6f6261", "Zm9vYmE="), ("666f6f626172", "Zm9vYmFy"), ("00", "AA=="), ("fbffbf", "+/+/"), ("ff", "/w=="),
    ])
    func encodes(bytes: String, base64: String) {
        var buffer = ByteBuffer()
        buffer.writeBase64Encoded(hex(bytes))
        #expect(buffer.string == base64)
        #expect(ByteBuffer.base64Length(of: hex(bytes).readableBytes) == base64.utf8.count)
    }

    /// What `Buffer.from(text, "base64")` of Node 20 gives.
    @Test(arguments: [
        ("", ""), ("A", ""), ("AA", "00"), ("AAA", "0000"), ("AAAA", "000000"), ("YQ==", "61"), ("YQ", "61"),
        ("YQ=", "61"), ("YWI=", "6162"), ("YWI", "6162"), ("YWJj", "616263"), ("YWJjZA", "61626364"),
        ("+/+/", "fbffbf"), ("-_-_", "fbffbf"), ("+_-/", "fbffbf"), ("Y W\nJ\tj", "616263"), ("YW=Jj", "61"),
        ("YQ==YQ==", "61"), ("====", ""), ("=YQ==", ""), ("YW!J$j", "616263"), ("éYWJj", "616263"),
        ("YWJjé", "616263"), ("YWJj=ZGVm", "616263"), ("ab=c", "69"), ("AAAAA", "000000"), ("AAAAAA", "00000000"),
        ("AAAAAAA", "0000000000"), ("Y\0W", "61"), ("//79", "fffefd"), ("_-79", "ffeefd"),
        ("YWJjZGVmZ2hpamtsbW5vcA==", "6162636465666768696a6b6c6d6e6f70"), ("Y.W.J.j.Z.A", "61626364"),
        ("YWJj\r\nZGVm\r\n", "616263646566"),
    ])
    func decodesAsNodeDoes(base64: String, bytes: String) {
        var buffer = ByteBuffer()
        buffer.writeBase64Decoded(text(base64))
        #expect(buffer == hex(bytes))
    }

    @Test func everyByteSurvivesAtEveryLength() {
        for length in 0...300 {
            let bytes = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) })
            var encoded = ByteBuffer()
            encoded.writeBase64Encoded(bytes)
            var decoded = text("kept")
            decoded.writeBase64Decoded(encoded)
            #expect(decoded.readString(length: 4) == "kept")
            #expect(decoded == bytes)
        }
    }
}
