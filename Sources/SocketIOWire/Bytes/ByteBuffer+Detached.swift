package import NIOCore

extension ByteBuffer {
    /// The same bytes, to be kept for a while.
    ///
    /// It is a copy if they share memory that is much larger.
    ///
    /// What a client sends lies in memory that holds more, such as the whole body of a request. A few bytes that wait
    /// must not keep all of it.
    package func detached() -> ByteBuffer {
        guard self.storageCapacity > 2 * self.readableBytes + 256 else { return self }
        return ByteBuffer(bytes: self.readableBytesView)
    }
}
