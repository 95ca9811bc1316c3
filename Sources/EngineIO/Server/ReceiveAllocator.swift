import NIOCore

/// Chooses the buffer that a connection's bytes are read into.
///
/// A channel keeps the first buffer that it reads into for ever, because its pool wants to use it again. That would be
/// half a kilobyte or more for each idle connection. So the first buffer holds a single byte. With `maxMessagesPerRead`
/// at 1, and a `record` that always promises growth, the channel neither uses it again nor keeps another one. Later
/// bytes are read into the one buffer that all connections of the loop share. If NIO's decoder reads, they are read
/// into new buffers, because the decoder keeps what it gets. The price is one more read for each new connection.
struct ReceiveAllocator: RecvByteBufferAllocator {
    private enum Phase {
        case first
        case own
        case shared
    }

    private static let smallestOwn: Int32 = 2048

    private let loop: EngineLoop
    private var size = Self.smallestOwn
    private var phase = Phase.first

    /// The allocator of a new connection, or of one that has come from another loop.
    init(loop: EngineLoop) { self.loop = loop }

    /// The allocator of a connection that has been read from, and whose bytes nobody keeps.
    static func shared(_ loop: EngineLoop) -> Self {
        var allocator = Self(loop: loop)
        allocator.phase = .shared
        return allocator
    }

    /// The allocator of a connection that has been read from, and whose bytes are kept.
    static func own(_ loop: EngineLoop) -> Self {
        var allocator = Self(loop: loop)
        allocator.phase = .own
        return allocator
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        switch self.phase {
        case .first: allocator.buffer(capacity: 1)
        case .own: allocator.buffer(capacity: Int(self.size))
        case .shared: self.loop.takeReceiveBuffer()
        }
    }

    /// There is no hint, so that the channel does not pool.
    func nextBufferSize() -> Int? { nil }

    mutating func record(actualReadBytes: Int) -> Bool {
        switch self.phase {
        case .first:
            self.phase = .shared
        case .own:
            if actualReadBytes >= Int(self.size) { self.size = min(self.size * 2, 65_536) }
        case .shared:
            break
        }
        return true
    }
}
