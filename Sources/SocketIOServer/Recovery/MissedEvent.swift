public import SocketIOWire

/// An event that a client is about to be sent which was away when it came.
public struct MissedEvent: Sendable {
    /// Whom it addressed, and how.
    public let options: BroadcastOptions
    private let packet: EncodedPacket

    init(_ event: LoggedEvent) {
        self.options = event.options
        self.packet = event.packet
    }

    /// The event's name; `nil` if other nodes have published something that has none.
    public var name: String? { self.packet.decodedEvent?.name }

    /// What follows the name, without the offset.
    public var arguments: [JSONValue] {
        ((try? self.packet.decodedEvent?.arguments.values()) ?? []).dropLast()
    }
}
