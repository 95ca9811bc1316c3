import Incidents
import Logging
import NIOCore
import SocketIOServer
import SocketIOWire

/// The events that clients may send in the main namespace.
enum ClientEvent: String, Sendable, Hashable, CaseIterable {
    case joinRoom = "join-room"
    case leaveRoom = "leave-room"
    case getRooms = "get-rooms"
    case subscribeEntity = "subscribe-entity"
    case unsubscribeEntity = "unsubscribe-entity"
    case getEntitySubscriptions = "get-entity-subscriptions"
    case privateMessage = "private-message"
    /// Event mode.
    case join
    /// Event mode.
    case leave
}

/// What clients may ask for. The answer to each event is `{success: true, …}` or `{success: false, error}`.
extension IO {
    func registerClientEvents() {
        self.on(.joinRoom) { io, socket, payload in try await io.joinRoom(socket, payload) }
        self.on(.leaveRoom) { io, socket, payload in try io.leaveRoom(socket, payload) }
        self.on(.getRooms) { io, socket, _ in io.rooms(of: socket) }
        self.on(.subscribeEntity) { io, socket, payload in try await io.subscribe(socket, payload) }
        self.on(.unsubscribeEntity) { io, socket, payload in try io.unsubscribe(socket, payload) }
        self.on(.getEntitySubscriptions) { _, socket, _ in EntitySubscriptions(rooms: socket.rooms).value }
        self.on(.privateMessage) { io, socket, payload in try await io.privateMessage(socket, payload) }
        if self.configuration.authentication.mode == .event {
            self.on(.join) { io, socket, payload in try await io.joinRooms(socket, payload) }
            self.on(.leave) { io, socket, payload in try io.leaveRooms(socket, payload) }
        }
    }

    /// Handles an event of the main namespace.
    ///
    /// A client's events wait for each other, so that its wishes are granted in the order in which they came.
    private func on(
        _ event: ClientEvent,
        _ handler: @escaping @Sendable (IO, Socket, JSONValue?) async throws -> JSONValue
    ) {
        self.main.on(event.rawValue) { (socket: Socket, payload: JSONValue?) async -> JSONValue in
            do {
                return try await handler(self, socket, payload)
            } catch {
                return self.refusal(error, socket, event: event).answer
            }
        }
    }

    /// What a client is told if its wish has failed.
    ///
    /// If that is not the client's fault, it is logged.
    func refusal(_ error: any Error, _ socket: Socket, event: ClientEvent) -> ClientRefusal {
        let refusal = ClientRefusal(error)
        if let retryAfter = refusal.retryAfterMilliseconds {
            self.metrics.limited(event)
            self.logger.debug(
                "A client asks too often",
                metadata: [
                    "sio.socket.id": "\(socket.id)", "sio.event": "\(event.rawValue)", "retryAfter": "\(retryAfter)",
                ]
            )
        } else if !(error is ClientRefusal) {
            self.incidents.record(
                "Clients' events could not be handled",
                reason: event.rawValue,
                pace: .failures,
                details: ["sio.socket.id": "\(socket.id)", "error": "\(error)"]
            )
        }
        return refusal
    }

    // MARK: Limits

    /// Counts a change of rooms or subscriptions that a client asks for.
    func countChanges(_ count: Int = 1, of socket: Socket) throws(ClientRefusal) {
        try self.connections.spend(.changes, count, of: socket, limits: self.configuration.limits)
    }

    /// Looks for a socket on behalf of a client.
    ///
    /// To look on this node costs nothing. To ask other nodes counts as one of the client's questions.
    func find(_ socketID: String, for socket: Socket) async throws -> FoundSocket? {
        // A text that cannot be an id is not looked for on other nodes.
        guard let id = SocketID(socketID) else { return nil }
        if let found = await self.findHere(id) { return found }
        try self.connections.spend(.questions, 1, of: socket, limits: self.configuration.limits)
        return try await self.findElsewhere(socketID)
    }
}
