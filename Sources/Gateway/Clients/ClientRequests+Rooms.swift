import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Rooms that clients join and leave by themselves.
extension ClientRequests {
    /// Handles a room's name, or `{room, since?, position?}`.
    func joinRoom(
        _ socket: Socket,
        _ payload: JSONValue?
    ) async throws -> (answer: JSONValue, history: Histories.Beginning?) {
        let wish = try HistoryWish(payload)
        let name = payload?.objectValue == nil ? payload : payload?["room"]
        let (room, history) = try await self.join(socket, name, wish)
        let answer = await self.answer(
            ["success": true, "room": .string(room.name)],
            withStateOf: room,
            for: socket
        )
        return (answer, history)
    }

    private func join(
        _ socket: Socket,
        _ name: JSONValue?,
        _ wish: HistoryWish? = nil
    ) async throws -> (room: Room, history: Histories.Beginning?) {
        let decision = try await self.context.decide(for: socket) { rules in
            let room = try await self.roomToJoin(socket, name, rules.access)
            return (room, try self.histories.beginning(.room(room), wish, socket: socket, rules))
        } grant: { room, history in
            self.histories.join(socket, [room], .room(room), history)
        }
        await socket.confirm([decision.0])
        return decision
    }

    private func roomToJoin(_ socket: Socket, _ payload: JSONValue?, _ rules: AccessRules) async throws -> Room {
        let principal = rules.principal(of: PrincipalRecord(socket.data))
        let room = try rules.roomPolicy.roomToJoin(
            payload,
            principal: principal,
            socketID: socket.id.description,
            joined: socket.rooms
        )
        try self.countChange(of: socket)
        let isSocketID = try await self.sockets.isSocketID(room.name) {
            try await self.sockets.find($0, for: socket, self.budgets)
        }
        if isSocketID {
            throw ClientRefusal.reservedRoom
        }
        if let allowJoin = self.context.hooks.allowJoin {
            guard try await allowJoin(room.name, socket.id.description, principal) else {
                throw ClientRefusal.joinDenied
            }
        }
        return room
    }

    func leaveRoom(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let room = try self.context.rules(for: socket).access.roomPolicy.roomToLeave(
            payload,
            socketID: socket.id.description
        )
        try self.countChange(of: socket)
        socket.leave(room)
        self.histories.unfollow(.room(room), socket: socket)
        return ["success": true, "room": .string(room.name)]
    }

    func rooms(of socket: Socket) -> JSONValue {
        let own = socket.id.room
        let names = socket.rooms.filter { $0 != own && !RoomName.isInternal($0) }.map { UTF8Text($0.name) }.sorted()
        return ["success": true, "rooms": .array(names.map { .string($0.string) })]
    }

    /// Handles `{rooms: [name]}`: the client joins those rooms that it may join.
    func joinRooms(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let names = try Self.roomList(payload)
        var joined: [JSONValue] = []
        for name in names {
            do {
                let room = try await self.join(socket, name).room
                joined.append(.string(room.name))
            } catch let refusal as ClientRefusal where refusal.retryAfterMilliseconds == nil {
                continue
            } catch {
                return Self.answer(joined, self.refusal(error, socket, event: .join))
            }
        }
        return ["success": true, "rooms": .array(joined)]
    }

    /// Handles `{rooms: [name]}`: the client leaves those rooms that it may leave.
    func leaveRooms(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let names = try Self.roomList(payload)
        let policy = self.context.rules(for: socket).access.roomPolicy
        var left: [JSONValue] = []
        for name in names {
            do {
                let room = try policy.roomToLeave(name, socketID: socket.id.description)
                try self.countChange(of: socket)
                socket.leave(room)
                left.append(.string(room.name))
            } catch  where error.retryAfterMilliseconds == nil {
                continue
            } catch {
                return Self.answer(left, self.refusal(error, socket, event: .leave))
            }
        }
        return ["success": true, "rooms": .array(left)]
    }

    /// Why the rest of a list was not handled, and what was done before.
    private static func answer(_ rooms: [JSONValue], _ refusal: ClientRefusal) -> JSONValue {
        var object = refusal.answer.objectValue ?? [:]
        object["rooms"] = .array(rooms)
        return .object(object)
    }

    private static func roomList(_ payload: JSONValue?) throws(ClientRefusal) -> [JSONValue] {
        guard let rooms = payload?["rooms"]?.arrayValue else { throw .invalidPayload }
        guard rooms.count <= 100 else { throw ClientRefusal("At most 100 rooms at a time") }
        return rooms
    }
}
