import NIOCore

/// Where a connection's bytes are read into.
///
/// A channel keeps the first buffer it reads into for ever (its pool wants to use it again), which is half a kilobyte or
/// more for each idle connection. So the first buffer holds a single byte, and with `maxMessagesPerRead` at 1 and a
/// `record` that always promises growth the channel neither uses it again nor keeps another: as long as the connection
/// speaks HTTP it gets fresh buffers, then the one that all WebSockets of the loop share. The price is one more read for
/// each new connection.
struct ReceiveAllocator: RecvByteBufferAllocator {
    private enum Phase {
        case first
        case http
        case shared
    }

    private static let httpSize: Int32 = 2048

    private let loop: EngineLoop
    private var size = Self.httpSize
    private var phase = Phase.first
    private let second: Phase

    /// The allocator of a new connection, or of one that has been taken over from another loop as a WebSocket.
    init(loop: EngineLoop, isWebSocket: Bool = false) {
        self.loop = loop
        self.second = isWebSocket ? .shared : .http
    }

    /// The allocator of a connection that has become a WebSocket.
    static func shared(_ loop: EngineLoop) -> Self {
        var allocator = Self(loop: loop)
        allocator.phase = .shared
        return allocator
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        switch self.phase {
        case .first: allocator.buffer(capacity: 1)
        case .http: allocator.buffer(capacity: Int(self.size))
        case .shared: self.loop.takeReceiveBuffer()
        }
    }

    /// No hint, so that the channel does not pool.
    func nextBufferSize() -> Int? { nil }

    mutating func record(actualReadBytes: Int) -> Bool {
        switch self.phase {
        case .first:
            self.phase = self.second
        case .http:
            if actualReadBytes >= Int(self.size) { self.size = min(self.size * 2, 65_536) }
        case .shared:
            break
        }
        return true
    }
}
