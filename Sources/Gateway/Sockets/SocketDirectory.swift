import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// Finds sockets of the main namespace, on this node and on the others.
final class SocketDirectory: Sendable {
    private let context: GatewayContext
    /// Names of rooms that look like ids of sockets but were found to be none.
    ///
    /// Ids are random, so they will never be one.
    private let harmlessRooms = NIOLockedValueBox(RecentIDs(capacity: 10_000))

    init(_ context: GatewayContext) { self.context = context }

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
        guard let socket = await self.context.main.socket(id) else { return nil }
        return FoundSocket(local: socket, id: id.description, rooms: Array(socket.rooms), data: socket.data)
    }

    /// Asks the other nodes for a socket.
    func findElsewhere(_ socketID: String) async throws -> FoundSocket? {
        try await self.context.main.findSocket(socketID, timeout: self.context.configuration.clusterTimeout).map {
            FoundSocket(local: nil, id: $0.id, rooms: $0.rooms, data: $0.data)
        }
    }

    /// Looks for a socket on behalf of a client.
    ///
    /// To look on this node costs nothing. To ask other nodes counts as one of the client's questions.
    func find(_ socketID: String, for socket: Socket, _ budgets: ClientBudgets) async throws -> FoundSocket? {
        // A text that cannot be an id is not looked for on other nodes.
        guard let id = SocketID(socketID) else { return nil }
        if let found = await self.findHere(id) { return found }
        try budgets.spend(.questions, 1, of: socket, limits: self.context.rules(for: socket).configuration.limits)
        return try await self.findElsewhere(socketID)
    }

    /// Whether a room's name is the id of a socket.
    ///
    /// Its members would read that socket's private messages.
    func isSocketID(_ name: String, _ find: (String) async throws -> FoundSocket?) async throws -> Bool {
        guard SocketID(name) != nil, !self.harmlessRooms.withLockedValue({ $0.contains(name) }) else { return false }
        if try await find(name) != nil { return true }
        self.harmlessRooms.withLockedValue { _ = $0.insert(name) }
        return false
    }

    // MARK: Rooms

    func join(_ socket: FoundSocket, _ rooms: [Room]) {
        if let local = socket.local { local.join(rooms) } else { self.context.main.to(socket.room).socketsJoin(rooms) }
    }

    func leave(_ socket: FoundSocket, _ rooms: [Room]) {
        guard let local = socket.local else {
            self.context.main.to(socket.room).socketsLeave(rooms)
            return
        }
        for room in rooms { local.leave(room) }
    }

    /// The sockets in a room, on all nodes.
    ///
    /// - Throws: `ClusterError` if a node has not answered.
    func found(in room: Room) async throws -> [FoundSocket] {
        let timeout = self.context.configuration.clusterTimeout
        return try await self.context.main.to(room).timeout(timeout).fetchSockets().map {
            FoundSocket(local: nil, id: $0.id, rooms: $0.rooms, data: $0.data)
        }
    }

    func socketsAllowingPartial(in rooms: [Room]) async throws -> ClusterAnswer<[SocketInfo]> {
        let found = try await self.context.main.to(rooms).timeout(self.context.configuration.clusterTimeout)
            .fetchSocketsAllowingPartial()
        var answer = ClusterAnswer<[SocketInfo]>(
            found.value.map { SocketInfo(id: $0.id, rooms: $0.rooms, data: $0.data, handshake: $0.handshake) },
            error: found.error
        )
        answer.missing = found.missing
        return answer
    }

    func sockets(in rooms: [Room], allowPartial: Bool) async throws -> [SocketInfo] {
        do {
            return try await self.context.main.to(rooms).timeout(self.context.configuration.clusterTimeout)
                .fetchSockets().map {
                    SocketInfo(id: $0.id, rooms: $0.rooms, data: $0.data, handshake: $0.handshake)
                }
        } catch let error as ClusterError where allowPartial {
            return error.partialSockets.map {
                SocketInfo(id: $0.id, rooms: $0.rooms, data: $0.data, handshake: $0.handshake)
            }
        }
    }
}
