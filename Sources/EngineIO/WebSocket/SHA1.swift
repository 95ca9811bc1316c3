import NIOCore

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

    /// The 20 bytes of the digest of two pieces in a row.
    static func digest(of first: Bytes, _ second: Bytes = Bytes(start: nil, count: 0)) -> ByteBuffer {
        let count = first.count + second.count
        let paddedCount = (count + 9 + 63) / 64 * 64
        var state = State()
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: paddedCount) { message in
            message.initialize(repeating: 0)
            for (index, byte) in first.enumerated() { message[index] = byte }
            for (index, byte) in second.enumerated() { message[first.count + index] = byte }
            message[count] = 0x80
            for (index, shift) in stride(from: 56, through: 0, by: -8).enumerated() {
                message[paddedCount - 8 + index] = UInt8(truncatingIfNeeded: (UInt64(count) * 8) >> UInt64(shift))
            }
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { words in
                for start in stride(from: 0, to: paddedCount, by: 64) {
                    self.add(Bytes(rebasing: message[start..<start + 64]), to: &state, words)
                }
            }
        }
        var digest = ByteBufferAllocator().buffer(capacity: 20)
        digest.writeMultipleIntegers(state.a, state.b, state.c, state.d, state.e)
        return digest
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
