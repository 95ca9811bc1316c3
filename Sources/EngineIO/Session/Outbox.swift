import DequeModule
import NIOCore
import SocketIOWire

/// The packets that wait to be sent to one client, in order.
///
/// A single packet, which is usual, needs no array.
struct Outbox {
    private(set) var first: EncodedPacket?
    private var rest = Deque<EncodedPacket>()
    /// The packets' bytes, as WebSocket frames.
    private(set) var bytes = 0

    var isEmpty: Bool { self.first == nil }

    /// Whether there is exactly one packet.
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
        guard !self.rest.isEmpty else {
            self.first = nil
            return
        }
        self.first = self.rest.popFirst()
        if self.rest.isEmpty { self.rest = Deque() }
    }

    mutating func removeAll() {
        self.first = nil
        self.rest = Deque()
        self.bytes = 0
    }

    /// Takes the packets for one answer to a poll.
    ///
    /// It takes at least one packet with its attachments.
    ///
    /// - Parameters:
    ///   - maximumParts: How many Engine.IO packets that may be.
    ///   - maximumBytes: How many bytes they may have.
    /// - Returns: The first packets.
    mutating func removePackets(maximumParts: Int, maximumBytes: Int) -> [EncodedPacket] {
        guard let first = self.first else { return [] }
        var packets = [first]
        packets.reserveCapacity(self.count)
        var parts = first.partCount
        var bytes = first.pollingLength
        for packet in self.rest {
            parts += packet.partCount
            bytes += packet.pollingLength
            guard parts <= maximumParts, bytes <= maximumBytes else { break }
            packets.append(packet)
        }
        guard packets.count < self.count else {
            self.removeAll()
            return packets
        }
        for _ in packets { self.removeFirst() }
        return packets
    }
}
