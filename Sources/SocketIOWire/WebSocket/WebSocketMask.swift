package import NIOCore

/// The four bytes that a client's payload is XORed with (RFC 6455, section 5.3).
package struct WebSocketMask: Hashable, Sendable {
    /// The bytes of the header.
    ///
    /// The first one is the most significant.
    package let key: UInt32

    package init(_ key: UInt32) { self.key = key }

    /// Makes a key that nobody can predict.
    package static func random(using generator: inout some RandomNumberGenerator) -> Self { Self(generator.next()) }

    /// The mask for the eight payload bytes from that offset on, in the order of memory.
    fileprivate func word(at offset: Int) -> UInt64 {
        let shift = UInt32(truncatingIfNeeded: offset & 3) * 8
        let rotated = shift == 0 ? self.key : self.key << shift | self.key >> (32 - shift)
        return (UInt64(rotated) << 32 | UInt64(rotated)).bigEndian
    }
}

extension ByteBuffer {
    /// Masks or unmasks: writes bytes XORed with a mask, eight at a time.
    ///
    /// The input usually shares the memory that the channel reads into, so it is copied while it is unmasked.
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

    /// Writes bytes XORed with a mask.
    ///
    /// They must not be this buffer's own.
    @discardableResult
    mutating func writeXORed(_ source: UnsafeRawBufferPointer, with mask: WebSocketMask, offset: Int) -> Bool {
        let count = source.count
        guard count > 0 else { return true }
        var seen: UInt64 = 0
        // Usually there is room, and then one access to the storage is enough.
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
                // The last eight bytes. Some of them have been done already.
                let last = count &- 8
                let value = source.loadUnaligned(fromByteOffset: last, as: UInt64.self) ^ mask.word(at: offset &+ last)
                target.storeBytes(of: value, toByteOffset: last, as: UInt64.self)
                seen |= value
                return
            }
            // `index` is a multiple of 4, so the word starts with the right byte of the key.
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
