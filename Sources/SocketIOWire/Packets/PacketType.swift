/// The kinds of Socket.IO packets.
///
/// The raw value is the digit on the wire (protocol 5).
public enum PacketType: UInt8, Sendable {
    /// Asks to join a namespace, or confirms that.
    case connect = 0
    /// Leaves a namespace.
    case disconnect = 1
    /// `[event, argument...]`
    case event = 2
    /// `[argument...]`, the answer to an event that carries an id.
    case acknowledgement = 3
    /// Refuses to join a namespace.
    case connectError = 4
    /// An event with attachments. Decoded packets are ``event``.
    case binaryEvent = 5
    /// An acknowledgement with attachments. Decoded packets are ``acknowledgement``.
    case binaryAcknowledgement = 6
}

/// Names of the protocol's own events.
///
/// A client that sends one breaks the protocol.
public let reservedEventNames: Set<UTF8Text> = [
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
]

/// Whether an event must not have that name.
///
/// Every packet asks this, so only likely names are looked up in the set.
package func isReservedEventName(_ name: String) -> Bool {
    switch name.utf8.first {
    case UInt8(ascii: "c"), UInt8(ascii: "d"), UInt8(ascii: "n"), UInt8(ascii: "r"):
        name.utf8.count <= 14 && reservedEventNames.contains(UTF8Text(name))
    default:
        false
    }
}
