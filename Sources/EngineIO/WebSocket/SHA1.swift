/// SHA-1 (FIPS 180-4), for the answer to a WebSocket's key (RFC 6455, section 4.2.2).
///
/// There it is a checksum and no secret.
///
/// For this single use, a cryptography library would be the larger part of what an application has to compile.
enum SHA1 {
    /// The five words of a digest.
    private struct State {
        var a: UInt32 = 0x6745_2301
        var b: UInt32 = 0xEFCD_AB89
        var c: UInt32 = 0x98BA_DCFE
        var d: UInt32 = 0x1032_5476
        var e: UInt32 = 0xC3D2_E1F0
    }

    /// The 20 bytes of the digest.
    static func digest(of bytes: [UInt8]) -> [UInt8] {
        let padding = (119 - bytes.count % 64) % 64
        let bitCount = UInt64(bytes.count) * 8
        var message = bytes
        message.reserveCapacity(bytes.count + padding + 9)
        message.append(0x80)
        for _ in 0..<padding { message.append(0) }
        for shift in stride(from: 56, through: 0, by: -8) {
            message.append(UInt8(truncatingIfNeeded: bitCount >> UInt64(shift)))
        }

        var state = State()
        message.withUnsafeBufferPointer { message in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { words in
                for start in stride(from: 0, to: message.count, by: 64) {
                    self.add(message.part(start..<start + 64), to: &state, words)
                }
            }
        }
        return [UInt8](unsafeUninitializedCapacity: 20) { digest, count in
            for word in [state.a, state.b, state.c, state.d, state.e] {
                for shift in stride(from: 24, through: 0, by: -8) {
                    digest[count] = UInt8(truncatingIfNeeded: word >> UInt32(shift))
                    count += 1
                }
            }
        }
    }

    private static func add(_ block: Bytes, to state: inout State, _ words: UnsafeMutableBufferPointer<UInt32>) {
        for index in 0..<16 {
            var word: UInt32 = 0
            for byte in 0..<4 { word = word << 8 | UInt32(block[index * 4 + byte]) }
            words[index] = word
        }
        for index in 16..<80 {
            let mixed = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
            words[index] = Self.rotate(mixed, by: 1)
        }
        var (a, b, c, d, e) = (state.a, state.b, state.c, state.d, state.e)
        for index in 0..<80 {
            let (mixed, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: ((b & c) | (~b & d), 0x5A82_7999)
                case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case ..<60: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = Self.rotate(a, by: 5) &+ mixed &+ e &+ constant &+ words[index]
            (a, b, c, d, e) = (next, a, Self.rotate(b, by: 30), c, d)
        }
        state.a &+= a
        state.b &+= b
        state.c &+= c
        state.d &+= d
        state.e &+= e
    }

    private static func rotate(_ word: UInt32, by count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
}
