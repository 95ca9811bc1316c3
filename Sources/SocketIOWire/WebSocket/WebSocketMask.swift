package import NIOCore

/// The four bytes that a client's payload is XORed with (RFC 6455, section 5.3).
package struct WebSocketMask: Hashable, Sendable {
    /// The bytes as they stand in the header, the first one most significant.
    package let key: UInt32

    package init(_ key: UInt32) { self.key = key }

    /// A key that nobody can foresee.
    package static func random(using generator: inout some RandomNumberGenerator) -> Self { Self(generator.next()) }

    /// The mask for eight payload bytes that begin at that offset, in the order in which they lie in memory.
    fileprivate func word(at offset: Int) -> UInt64 {
        let shift = UInt32(truncatingIfNeeded: offset & 3) * 8
        let rotated = shift == 0 ? self.key : self.key << shift | self.key >> (32 - shift)
        return (UInt64(rotated) << 32 | UInt64(rotated)).bigEndian
    }
}

extension ByteBuffer {
    /// Writes bytes XORed with a mask, eight at a time: masks and unmasks.
    ///
    /// The input is usually shared with the pool that the channel reads into, so it is unmasked by copying.
    ///
    /// - Parameters:
    ///   - source: Bytes to copy.
    ///   - mask: The key.
    ///   - offset: How many bytes of the payload came before these.
    /// - Returns: Whether all written bytes are ASCII.
    @discardableResult
    package mutating func writeXORed(_ source: ByteBufferView, with mask: WebSocketMask, offset: Int) -> Bool {
        source.withUnsafeBytes { self.writeXORed($0, with: mask, offset: offset) }
    }

    /// Writes bytes, which are not this buffer's own, XORed with a mask.
    @discardableResult
    mutating func writeXORed(_ source: UnsafeRawBufferPointer, with mask: WebSocketMask, offset: Int) -> Bool {
        let count = source.count
        guard count > 0 else { return true }
        var seen: UInt64 = 0
        // As a rule there is room, and then one look at the storage is enough.
        if self.writableBytes < count { self.reserveCapacity(minimumWritableBytes: count) }
        self.withUnsafeMutableWritableBytes { target in
            let word = mask.word(at: offset)
            var index = 0
            while index &+ 8 <= count {
                let value = source.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ word
                target.storeBytes(of: value, toByteOffset: index, as: UInt64.self)
                seen |= value
                index &+= 8
            }
            guard index < count else { return }
            if count >= 8 {
                // The last eight bytes, some of them once more.
                let last = count &- 8
                let value = source.loadUnaligned(fromByteOffset: last, as: UInt64.self) ^ mask.word(at: offset &+ last)
                target.storeBytes(of: value, toByteOffset: last, as: UInt64.self)
                seen |= value
                return
            }
            // `index` is a multiple of 4, so the word still starts with the right byte of the key.
            withUnsafeBytes(of: word) { key in
                while index < count {
                    let value = source[index] ^ key[index & 7]
                    target[index] = value
                    seen |= UInt64(value)
                    index &+= 1
                }
            }
        }
        self.moveWriterIndex(forwardBy: count)
        return seen & 0x8080_8080_8080_8080 == 0
    }
}
