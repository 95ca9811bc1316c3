/// A socket as other nodes see it: the snapshot that travels in the answer to `fetchSockets`.
public struct SocketDescription: Sendable, Hashable {
    /// 20 characters for sockets of protocol 5; other forms belong to old clients of Node.js nodes.
    public var id: String
    /// The handshake as JSON, its keys as in Node's `socket.handshake`.
    public var handshake: JSONValue
    /// The rooms it is in, its own included.
    public var rooms: [Room]
    /// What the application stored in `socket.data`.
    public var data: JSONValue

    /// A snapshot of a socket.
    public init(id: String, handshake: JSONValue, rooms: [Room], data: JSONValue) {
        self.id = id
        self.handshake = handshake
        self.rooms = rooms
        self.data = data
    }
}
