import DequeModule
import NIOCore
import SocketIOWire

/// The packets that wait to be sent to one client, in order.
///
/// The usual single one costs no array.
struct Outbox {
    private(set) var first: EncodedPacket?
    private var rest = Deque<EncodedPacket>()
    /// The packets' bytes, as WebSocket frames.
    private(set) var bytes = 0

    var isEmpty: Bool { self.first == nil }

    /// Whether there is one packet and no more.
    var isSingle: Bool { self.first != nil && self.rest.isEmpty }

    var count: Int { self.first == nil ? 0 : 1 + self.rest.count }

    mutating func append(_ packet: EncodedPacket) {
        self.bytes += packet.frames.readableBytes
        if self.first == nil {
            self.first = packet
        } else {
            self.rest.append(packet)
        }
    }

    mutating func removeFirst() {
        self.bytes -= self.first?.frames.readableBytes ?? 0
        self.first = self.rest.popFirst()
        if self.first == nil { self.rest = Deque() }
    }

    mutating func removeAll() {
        self.first = nil
        self.rest = Deque()
        self.bytes = 0
    }

    /// Takes everything, as the body of an answer to a poll.
    mutating func removePayload() -> ByteBuffer {
        guard let first = self.first else { return ByteBuffer() }
        var length = first.pollingLength
        for packet in self.rest { length += packet.pollingLength }
        var payload = ByteBufferAllocator().buffer(capacity: length)
        payload.writePollingPacket(first)
        for packet in self.rest { payload.writePollingPacket(packet) }
        self.removeAll()
        return payload
    }
}
