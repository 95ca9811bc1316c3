import Logging
import NIOCore
public import SocketIOServer
public import SocketIOWire

// MARK: - Sockets and their rooms

extension IO {
    /// Whether the members of a room see what is meant for others.
    ///
    /// That is so in the rooms of roles, tokens, users and entities, and in the room of a socket's own id.
    ///
    /// A back end needs more than the right to move sockets to put one into such a room.
    ///
    /// - Throws: `ClusterError` if the room's name looks like a socket's id and a node has not answered.
    public func isReserved(_ room: Room) async throws -> Bool {
        if RoomName.isReserved(room.name) { return true }
        return try await self.sockets.isSocketID(room.name) { try await self.sockets.find($0) }
    }

    /// Makes a socket join a room.
    ///
    /// - Returns: Whether there is such a socket.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    @discardableResult
    public func joinRoom(_ socketID: String, _ room: Room) async throws -> Bool {
        guard let socket = try await self.sockets.find(socketID) else { return false }
        self.sockets.join(socket, [room])
        return true
    }

    /// Makes a socket leave a room.
    ///
    /// The socket need not be in it.
    ///
    /// - Returns: Whether there is such a socket.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    @discardableResult
    public func leaveRoom(_ socketID: String, _ room: Room) async throws -> Bool {
        guard let socket = try await self.sockets.find(socketID) else { return false }
        self.sockets.leave(socket, [room])
        return true
    }

    /// The sockets in a room.
    ///
    /// - Parameters:
    ///   - room: The room. One that does not exist has no sockets.
    ///   - allowPartial: Whether the sockets of the nodes that did answer are enough.
    /// - Returns: One description for each socket.
    /// - Throws: `ClusterError` if a node has not answered.
    public func getSocketsInRoom(_ room: Room, allowPartial: Bool = false) async throws -> [SocketInfo] {
        try await self.sockets.sockets(in: [room], allowPartial: allowPartial)
    }

    /// The sockets in a room, on all nodes that answer.
    ///
    /// - Parameter room: The room. One that does not exist has no sockets.
    /// - Returns: One description for each socket, and which nodes are missing.
    /// - Throws: `ClusterError` if the other nodes could not be asked at all.
    public func getSocketsInRoomAllowingPartial(_ room: Room) async throws -> ClusterAnswer<[SocketInfo]> {
        try await self.sockets.socketsAllowingPartial(in: [room])
    }

    // MARK: Leaving

    /// Disconnects a socket and closes its connection.
    ///
    /// Before that, it tells the client why, with the event `io:disconnect` and `{reason}`.
    ///
    /// - Returns: Whether there was such a socket.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    @discardableResult
    public func disconnectSocket(_ socketID: String, reason: String = "server disconnect") async throws -> Bool {
        guard let socket = try await self.sockets.find(socketID) else { return false }
        self.context.logger.debug(
            "A socket is disconnected on request",
            metadata: ["sio.socket.id": "\(socketID)", "reason": "\(reason)"]
        )
        self.context.metrics.expelled(.requested)
        if let local = socket.local {
            self.context.expel(local, reason: reason, closingConnection: true)
        } else {
            self.events.send(self.context.disconnection(of: [self.context.main], room: socket.room, reason: reason))
        }
        return true
    }

    /// Tells all sockets of a user why, and disconnects them, in all of the gateway's namespaces.
    public func disconnectUser(_ userID: EntityID, reason: String = "server disconnect") {
        self.events.send(self.events.userDisconnection(userID, reason: reason))
    }
}
