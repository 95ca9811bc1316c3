import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct UTF8Tests {
    /// After Autobahn 6: whole characters at the edges of each length, noncharacters included.
    @Test(arguments: [
        "", "00", "48656c6c6f", "7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbd", "efbfbf", "f0908080",
        "f48fbfbf", "cebae1bdb9cf83cebcceb5", "efbbbf41", "f09f9880",
        "61616161616161616161616161616161c3a96161616161616161616161",
    ])
    func accepts(bytes: String) {
        #expect(hex(bytes).isValidUTF8)
        #expect(hex(bytes).isValidUTF8 == (String(validating: hex(bytes).readableBytesView, as: UTF8.self) != nil))
    }

    /// Overlong forms, surrogates, what is past U+10FFFF, lone and missing continuation bytes.
    @Test(arguments: [
        "80", "bf", "c0", "c080", "c1bf", "c0af", "e080af", "e09fbf", "f08080af", "f08fbfbf", "f8808080af",
        "fc80808080af", "eda080", "edafbf", "edb080", "edbfbf", "eda080edb080", "f4908080", "f5808080", "f7bfbfbf",
        "fe", "ff", "fefeffff", "c3", "e282", "e2", "f09f98", "f09f", "f0", "c328", "e28228", "f0288c28",
        "6161616161616161ff", "616161616161616161616161c3", "cebae1bdb9cf83cebcceb5eda080656469746564", "c3a9a9",
    ])
    func refuses(bytes: String) {
        #expect(!hex(bytes).isValidUTF8)
        #expect(String(validating: hex(bytes).readableBytesView, as: UTF8.self) == nil)
    }

    /// The same answer as the standard library's for every string of two bytes, and for edges of longer ones.
    @Test func agreesWithTheStandardLibrary() {
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5]
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max { self.check([first, second]) }
        }
        for first in edges {
            for second in edges {
                for third in edges {
                    self.check([first, second, third])
                    for fourth in edges { self.check([first, second, third, fourth]) }
                }
            }
        }
    }

    private func check(_ bytes: [UInt8]) {
        let expected = String(validating: bytes, as: UTF8.self) != nil
        guard ByteBuffer(bytes: bytes).isValidUTF8 != expected else { return }
        Issue.record("\(bytes) should be \(expected ? "valid" : "invalid")")
    }

    @Test func aCharacterMayComeInPieces() {
        for character in ["é", "€", "😀"] {
            let bytes = Array(character.utf8)
            var validator = UTF8Validator()
            for (index, byte) in bytes.enumerated() {
                #expect([byte].withUnsafeBytes { validator.consume($0) })
                #expect(validator.isComplete == (index == bytes.count - 1))
            }
        }
    }

    /// What can no longer become a character is refused at its first wrong byte.
    @Test(arguments: [("f490", 2), ("eda0", 2), ("e080", 2), ("f080", 2), ("c341", 2), ("e28241", 3)])
    func failsFast(bytes: String, at position: Int) {
        var validator = UTF8Validator()
        for (index, byte) in hex(bytes).readableBytesView.enumerated() {
            let isAccepted = [byte].withUnsafeBytes { validator.consume($0) }
            #expect(isAccepted == (index + 1 < position))
        }
    }
}
