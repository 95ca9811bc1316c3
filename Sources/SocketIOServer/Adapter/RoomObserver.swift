public import SocketIOWire

/// Hears which rooms this node has somebody in, so that an adapter can subscribe to those and no others.
///
/// Called with a lock held: it notes the change, and calls nothing of the namespace's. Changes come in their order.
public protocol RoomObserver: AnyObject, Sendable {
    /// A room has its first member on this node, or somebody may come back to it.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - isPrivate: Whether it is the room of the id of a socket of this node.
    func roomAppeared(_ room: Room, isPrivate: Bool)

    /// Nobody of this node is in the room any more, nor may come back to it.
    func roomVanished(_ room: Room)
}
