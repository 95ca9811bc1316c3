import Logging
import NIOCore
public import SocketIOServer
public import SocketIOWire

/// A socket that was found, on this node or on another one.
struct FoundSocket: Sendable {
    /// The socket itself, if it is connected to this node.
    var local: Socket?
    var id: String
    var rooms: [Room]
    var data: JSONValue

    var room: Room { Room(self.id) }
}

extension IO {
    /// Looks for a socket of the main namespace, first on this node and then on the others.
    ///
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    func find(_ socketID: String) async throws -> FoundSocket? {
        guard !socketID.isEmpty else { return nil }
        if let id = SocketID(socketID), let found = await self.findHere(id) { return found }
        return try await self.findElsewhere(socketID)
    }

    /// A socket of this node.
    func findHere(_ id: SocketID) async -> FoundSocket? {
        guard let socket = await self.main.socket(id) else { return nil }
        return FoundSocket(local: socket, id: id.description, rooms: Array(socket.rooms), data: socket.data)
    }

    /// Asks the other nodes for a socket.
    func findElsewhere(_ socketID: String) async throws -> FoundSocket? {
        try await self.main.findSocket(socketID, timeout: self.configuration.clusterTimeout).map {
            FoundSocket(local: nil, id: $0.id, rooms: $0.rooms, data: $0.data)
        }
    }

    private func join(_ socket: FoundSocket, _ rooms: [Room]) {
        if let local = socket.local { local.join(rooms) } else { self.main.to(socket.room).socketsJoin(rooms) }
    }

    private func leave(_ socket: FoundSocket, _ rooms: [Room]) {
        guard let local = socket.local else {
            self.main.to(socket.room).socketsLeave(rooms)
            return
        }
        for room in rooms { local.leave(room) }
    }

    // MARK: Rooms

    /// Whether the members of a room see what is meant for others.
    ///
    /// That is so in the rooms of roles, tokens, users and entities, and in the room of a socket's own id.
    ///
    /// A back end needs more than the right to move sockets to put one into such a room.
    ///
    /// - Throws: `ClusterError` if the room's name looks like a socket's id and a node has not answered.
    public func isReserved(_ room: Room) async throws -> Bool {
        if RoomName.isReserved(room.name) { return true }
        return try await self.isSocketID(room.name) { try await self.find($0) }
    }

    /// Makes a socket join a room.
    ///
    /// - Returns: Whether there is such a socket.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    @discardableResult
    public func joinRoom(_ socketID: String, _ room: Room) async throws -> Bool {
        guard let socket = try await self.find(socketID) else { return false }
        self.join(socket, [room])
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
        guard let socket = try await self.find(socketID) else { return false }
        self.leave(socket, [room])
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
        try await self.sockets(in: [room], allowPartial: allowPartial)
    }

    /// The sockets in a room, on all nodes that answer.
    ///
    /// - Parameter room: The room. One that does not exist has no sockets.
    /// - Returns: One description for each socket, and which nodes are missing.
    /// - Throws: `ClusterError` if the other nodes could not be asked at all.
    public func getSocketsInRoomAllowingPartial(_ room: Room) async throws -> ClusterAnswer<[SocketInfo]> {
        try await self.socketsAllowingPartial(in: [room])
    }

    private func socketsAllowingPartial(in rooms: [Room]) async throws -> ClusterAnswer<[SocketInfo]> {
        let found = try await self.main.to(rooms).timeout(self.configuration.clusterTimeout)
            .fetchSocketsAllowingPartial()
        var answer = ClusterAnswer<[SocketInfo]>(
            found.value.map { SocketInfo(id: $0.id, rooms: $0.rooms, data: $0.data, handshake: $0.handshake) },
            error: found.error
        )
        answer.missing = found.missing
        return answer
    }

    private func sockets(in rooms: [Room], allowPartial: Bool) async throws -> [SocketInfo] {
        do {
            return try await self.main.to(rooms).timeout(self.configuration.clusterTimeout).fetchSockets().map {
                SocketInfo(id: $0.id, rooms: $0.rooms, data: $0.data, handshake: $0.handshake)
            }
        } catch let error as ClusterError where allowPartial {
            return error.partialSockets.map {
                SocketInfo(id: $0.id, rooms: $0.rooms, data: $0.data, handshake: $0.handshake)
            }
        }
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
        guard let socket = try await self.find(socketID) else { return false }
        self.logger.debug(
            "A socket is disconnected on request",
            metadata: ["sio.socket.id": "\(socketID)", "reason": "\(reason)"]
        )
        self.metrics.expelled(.requested)
        if let local = socket.local {
            self.expel(local, reason: reason, closingConnection: true)
        } else {
            self.send(self.disconnection(of: [self.main], room: socket.room, reason: reason))
        }
        return true
    }

    /// Tells all sockets of a user why, and disconnects them, in all of the gateway's namespaces.
    public func disconnectUser(_ userID: EntityID, reason: String = "server disconnect") {
        self.send(self.userDisconnection(userID, reason: reason))
    }

    func userDisconnection(_ userID: EntityID, reason: String) -> Publication {
        self.metrics.expelled(.requested)
        let others = self.configuration.namespaces.map { self.server.of($0.name) }
        return self.disconnection(of: [self.main] + others, room: RoomName.user(userID), reason: reason)
    }

    /// Tells the members of a room why, and disconnects them.
    func disconnection(of namespaces: [Namespace], room: Room, reason: String) -> Publication {
        var publication = Publication()
        for namespace in namespaces {
            let target = namespace.to(room)
            publication.emit(Self.disconnectEvent, ["reason": .string(reason)], to: target, in: namespace)
            publication.add(.disconnect(closingConnection: true), target, namespace)
        }
        return publication
    }

    /// Tells a socket of this node why, and disconnects it.
    func expel(_ socket: Socket, reason: String, closingConnection: Bool) {
        socket.emit(Self.disconnectEvent, values: [["reason": .string(reason)]])
        socket.disconnect(closingConnection: closingConnection)
    }

    // MARK: Entities

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
        let (result, socket, rooms) = try await self.subscription(socketID, uid, id)
        if let socket { self.join(socket, rooms) }
        return result
    }

    /// The socket of a subscription, and the rooms that it is to join.
    func subscription(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws -> (EntitySubscriptionResult, FoundSocket?, [Room]) {
        guard let socket = try await self.find(socketID) else { return (.failed(.socketNotFound), nil, []) }
        let model = self.model
        guard let type = model.schema.contentType(uid) else { return (.failed(.typeNotFound), nil, []) }
        guard EntityRef.isValidID(id.text) else { return (.failed(.invalidEntityID), nil, []) }
        guard type.canHave(id: id.value) else { return (.failed(.unknownIDField(type.idFields)), nil, []) }
        let entity = EntityRef(uid: uid, id: id.text)
        let principal = model.principal(of: PrincipalRecord(socket.data))
        let policy = SubscriptionPolicy(settings: model.configuration.entitySubscriptions)
        let follower = policy.follower(
            principal,
            of: type,
            ability: model.ability(of: principal),
            owners: self.owners(of: entity, type)
        )
        guard let follower else { return (.failed(.noEntityAccess), nil, []) }
        let rooms = policy.rooms(of: entity, audience: principal.audienceRoom, follower: follower)
        return (.done(uid, id), socket, rooms)
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
        let (result, socket, rooms) = try await self.unsubscription(socketID, uid, id)
        if let socket { self.leave(socket, rooms) }
        return result
    }

    /// The socket of a subscription that ends, and the rooms that it is to leave.
    func unsubscription(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws -> (EntitySubscriptionResult, FoundSocket?, [Room]) {
        guard let socket = try await self.find(socketID) else { return (.failed(.socketNotFound), nil, []) }
        let entity = EntityRef(uid: uid, id: id.text)
        guard ContentType.isValidUID(uid) && EntityRef.isValidID(entity.id) else { return (.done(uid, id), nil, []) }
        let policy = SubscriptionPolicy(settings: self.configuration.entitySubscriptions)
        return (.done(uid, id), socket, policy.roomsToLeave(of: entity, joined: socket.rooms))
    }

    /// The entries that a socket has subscribed to.
    ///
    /// - Returns: The list, or `Socket not found`.
    /// - Throws: `ClusterError` if it wasn't found and a node has not answered.
    public func getEntitySubscriptions(_ socketID: String) async throws -> EntitySubscriptions {
        guard let socket = try await self.find(socketID) else { return EntitySubscriptions(.socketNotFound) }
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
        guard let rooms = try Self.followerRooms(uid, id) else { return [] }
        return try await self.sockets(in: rooms, allowPartial: allowPartial)
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
        guard let rooms = try Self.followerRooms(uid, id) else { return ClusterAnswer([]) }
        return try await self.socketsAllowingPartial(in: rooms)
    }

    /// The rooms of those who follow an entry; `nil` for an id that no entry has.
    private static func followerRooms(_ uid: String, _ id: EntityID) throws -> [Room]? {
        try self.checkUID(uid)
        guard EntityRef.isValidID(id.text) else { return nil }
        let entity = EntityRef(uid: uid, id: id.text)
        return [entity.room, RoomName.ownersOnly(entity)]
    }
}
