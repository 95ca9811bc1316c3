package import NIOCore

extension ByteBuffer {
    /// The same bytes, for whoever keeps them for a while: a copy, if they share memory that is much larger.
    ///
    /// What a client sends lies in memory that was made for more than that, such as the body of a request or the longest
    /// message of a read; a few bytes that wait must not keep all of it.
    package func detached() -> ByteBuffer {
        guard self.storageCapacity > 2 * self.readableBytes + 256 else { return self }
        return ByteBuffer(bytes: self.readableBytesView)
    }
}
