import NIOCore
import Testing

@testable import EngineIO

@Suite struct SHA1Tests {
    /// The examples of FIPS 180 and RFC 6455, and lengths around the ends of blocks (computed with sha1sum).
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (
            "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            "b37a4f2cc0624f1690f64606cf385945b2bec4ea"
        ),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 63), "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    ])
    func digests(text: String, digest: String) {
        let bytes = Array(text.utf8)
        for split in Set([0, bytes.count / 2, bytes.count]) {
            let found = bytes[..<split].withUnsafeBufferPointer { first in
                bytes[split...].withUnsafeBufferPointer { SHA1.digest(of: first, $0) }
            }
            #expect(Array(found.readableBytesView).hex == digest)
        }
    }
}
