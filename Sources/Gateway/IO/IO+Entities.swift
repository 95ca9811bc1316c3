public import SocketIOServer
import SocketIOWire

// MARK: - Entities

extension IO {
    /// Subscribes a socket to an entry.
    ///
    /// Its permissions do not matter now. They decide later what it receives.
    ///
    /// If the type has an ``ContentType/ownerField``, only the owner and those who may see entries of others can follow
    /// the entry. While the owner is not known, the subscription exists but brings no events.
    ///
    /// - Returns: The room of the entry's subscribers. Or an error: `Socket not found`, `Content type not found`, that
    ///   the id cannot be one of that type, or that somebody else owns the entry.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    @discardableResult
    public func subscribeToEntity(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws
        -> EntitySubscriptionResult
    {
        let (result, socket, rooms) = try await self.subscriptions.subscription(socketID, uid, id)
        if let socket { self.sockets.join(socket, rooms) }
        return result
    }

    /// Ends a socket's subscription to an entry, if there is one.
    ///
    /// - Returns: The room it has left, or `Socket not found`.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    @discardableResult
    public func unsubscribeFromEntity(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws
        -> EntitySubscriptionResult
    {
        let (result, socket, rooms) = try await self.subscriptions.unsubscription(socketID, uid, id)
        if let socket { self.sockets.leave(socket, rooms) }
        return result
    }

    /// The entries that a socket has subscribed to.
    ///
    /// - Returns: The list, or `Socket not found`.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    public func getEntitySubscriptions(_ socketID: String) async throws -> EntitySubscriptions {
        guard let socket = try await self.sockets.find(socketID) else { return EntitySubscriptions(.socketNotFound) }
        return EntitySubscriptions(rooms: socket.rooms)
    }

    /// The sockets that have subscribed to an entry.
    ///
    /// - Returns: One description for each socket.
    /// - Throws: `ClusterError` if a node has not answered, ``GatewayError`` for a text that cannot be a content type's
    ///   uid.
    public func getEntityRoomSockets(
        _ uid: String,
        _ id: EntityID,
        allowPartial: Bool = false
    ) async throws -> [SocketInfo] {
        guard let rooms = try Subscriptions.followerRooms(uid, id) else { return [] }
        return try await self.sockets.sockets(in: rooms, allowPartial: allowPartial)
    }

    /// The sockets that have subscribed to an entry, on all nodes that answer.
    ///
    /// - Returns: One description for each socket, and which nodes are missing.
    /// - Throws: `ClusterError` if the other nodes could not be asked at all, ``GatewayError`` for a text that cannot be a
    ///   content type's uid.
    public func getEntityRoomSocketsAllowingPartial(
        _ uid: String,
        _ id: EntityID
    ) async throws -> ClusterAnswer<[SocketInfo]> {
        guard let rooms = try Subscriptions.followerRooms(uid, id) else { return ClusterAnswer([]) }
        return try await self.sockets.socketsAllowingPartial(in: rooms)
    }
}
