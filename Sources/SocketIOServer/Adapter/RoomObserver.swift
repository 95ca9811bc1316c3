public import SocketIOWire

/// Hears in which rooms this node has sockets, so that an adapter can subscribe to these rooms and no others.
///
/// The namespace calls it with a lock held, once for each change and in order. So the observer only takes note, and
/// calls nothing of the namespace.
public protocol RoomObserver: AnyObject, Sendable {
    /// A room has its first member on this node, or a client may come back to it.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - isPrivate: Whether it is the room of the id of a socket of this node.
    func roomAppeared(_ room: Room, isPrivate: Bool)

    /// No socket of this node is in the room any more, and no client may come back to it.
    func roomVanished(_ room: Room)
}
