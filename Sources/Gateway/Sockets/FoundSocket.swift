import SocketIOServer
import SocketIOWire

/// A socket that was found, on this node or on another one.
struct FoundSocket: Sendable {
    /// The socket itself, if it is connected to this node.
    var local: Socket?
    var id: String
    var rooms: [Room]
    var data: JSONValue

    var room: Room { Room(self.id) }
}
