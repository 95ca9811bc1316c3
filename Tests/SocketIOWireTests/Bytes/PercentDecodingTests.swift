import Testing

@testable import SocketIOWire

@Suite struct PercentDecodingTests {
    @Test(
        arguments: [
            ("", "", ""),
            ("a%41%6a%6Az", "aAjjz", "aAjjz"),
            ("%C3%A9", "é", "é"),
            // A plus is a space in forms only.
            ("a+b%2B", "a+b+", "a b+"),
            // Decoded once.
            ("%2541", "%41", "%41"),
            // Without two digits.
            ("%", nil, "%"),
            ("100%", nil, "100%"),
            ("%4", nil, "%4"),
            ("%4g+", nil, "%4g "),
            ("%%41", nil, "%A"),
            ("%+1", nil, "% 1"),
        ] as [(String, String?, String)]
    )
    func decodes(text: String, strict: String?, form: String) {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            #expect(PercentDecoding.strict(bytes) == strict.map { Array($0.utf8) })
            #expect(PercentDecoding.form(bytes) == Array(form.utf8))
        }
    }

    @Test func everyByteCanBeEncoded() {
        let digits = Array("0123456789abcdef".utf8)
        let text = (0...255).flatMap { [UInt8(ascii: "%"), digits[$0 >> 4], digits[$0 & 15]] }
        text.withUnsafeBufferPointer { bytes in
            #expect(PercentDecoding.strict(bytes) == Array(0...255))
            #expect(PercentDecoding.form(bytes) == Array(0...255))
        }
    }
}
