import NIOCore
import OrderedCollections
import SocketIOWire

/// A generator whose numbers are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var word = self.state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// Makes values of every shape.
struct JSONGenerator {
    var random: SeededGenerator
    /// Whether bytes are among the values.
    var makesBinary = false

    init(seed: UInt64, makesBinary: Bool = false) {
        self.random = SeededGenerator(seed: seed)
        self.makesBinary = makesBinary
    }

    mutating func value(depth: Int = 0) -> JSONValue {
        switch Int.random(in: 0..<(depth < 4 ? 12 : 9), using: &self.random) {
        case 0: .null
        case 1: .bool(.random(using: &self.random))
        case 2, 3: .int(self.integer())
        case 4: .double(self.double())
        case 5, 6, 7: .string(self.string())
        case 8: self.makesBinary ? .binary(self.bytes()) : .int(0)
        case 9: .array((0..<Int.random(in: 0..<6, using: &self.random)).map { _ in self.value(depth: depth + 1) })
        default: .object(self.members(depth: depth))
        }
    }

    private mutating func members(depth: Int) -> JSONObject {
        var members = JSONObject()
        for _ in 0..<Int.random(in: 0..<6, using: &self.random) {
            members[self.string()] = self.value(depth: depth + 1)
        }
        return members
    }

    mutating func integer() -> Int {
        let wide = Int(truncatingIfNeeded: self.random.next())
        return wide >> Int.random(in: 0..<64, using: &self.random)
    }

    mutating func double() -> Double {
        switch Int.random(in: 0..<3, using: &self.random) {
        case 0: Double.random(in: -1000...1000, using: &self.random)
        case 1: Double(self.integer()) / 1024
        default: self.anyDouble()
        }
    }

    private mutating func anyDouble() -> Double {
        let double = Double(bitPattern: self.random.next())
        return double.isFinite ? double : 0.5
    }

    mutating func string() -> String {
        let alphabets: [[Unicode.Scalar]] = [
            Array("abcdefghijklmnopqrstuvwxyz0123456789 _-".unicodeScalars),
            Array("\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}x".unicodeScalars),
            Array("aé€😀\u{10FFFF}\u{7F}\u{80}\u{FFFF}\u{2028}".unicodeScalars),
        ]
        var string = String.UnicodeScalarView()
        var length = Int.random(in: 0..<20, using: &self.random)
        if length == 19 { length = 300 }
        let alphabet = alphabets[Int.random(in: 0..<3, using: &self.random)]
        for _ in 0..<length {
            string.append(alphabet[Int.random(in: 0..<alphabet.count, using: &self.random)])
        }
        return String(string)
    }

    mutating func bytes() -> ByteBuffer {
        let count = Int.random(in: 0..<40, using: &self.random)
        return ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self.random) })
    }
}
