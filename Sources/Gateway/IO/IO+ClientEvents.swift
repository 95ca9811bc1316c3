import Logging
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// The events that clients may send. Each is answered by `{success: true, …}` or `{success: false, error}`.
extension IO {
    func registerClientEvents() {
        self.on("join-room") { io, socket, payload in try await io.joinRoom(socket, payload) }
        self.on("leave-room") { io, socket, payload in try io.leaveRoom(socket, payload) }
        self.on("get-rooms") { io, socket, _ in io.rooms(of: socket) }
        self.on("subscribe-entity") { io, socket, payload in try await io.subscribe(socket, payload) }
        self.on("unsubscribe-entity") { io, socket, payload in try io.unsubscribe(socket, payload) }
        self.on("get-entity-subscriptions") { _, socket, _ in EntitySubscriptions(rooms: socket.rooms).value }
        self.on("private-message") { io, socket, payload in try await io.privateMessage(socket, payload) }
        if self.configuration.authentication.mode == .event {
            self.on("join") { io, socket, payload in try await io.joinRooms(socket, payload) }
            self.on("leave") { io, socket, payload in try io.leaveRooms(socket, payload) }
        }
    }

    /// Handles an event of the main namespace.
    ///
    /// All of them wait their turn, so that a client's wishes are granted in the order in which they came.
    private func on(
        _ event: String,
        _ handler: @escaping @Sendable (IO, Socket, JSONValue?) async throws -> JSONValue
    ) {
        self.main.on(event) { (socket: Socket, payload: JSONValue?) async -> JSONValue in
            do {
                return try await handler(self, socket, payload)
            } catch let refusal as ClientRefusal {
                return Self.failure(refusal)
            } catch {
                self.logger.info(
                    "A client's event could not be handled",
                    metadata: [
                        "sio.socket.id": "\(socket.id)", "sio.event": "\(event)", "error": "\(error)",
                    ]
                )
                return Self.failure(.internalError)
            }
        }
    }

    // MARK: Rooms

    private func joinRoom(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let room = try await self.roomToJoin(socket, payload)
        socket.join(room)
        return ["success": true, "room": .string(room.name)]
    }

    private func roomToJoin(_ socket: Socket, _ payload: JSONValue?) async throws -> Room {
        let principal = self.principal(of: socket)
        let room = try self.model.roomPolicy.roomToJoin(
            payload,
            principal: principal,
            socketID: socket.id.description,
            joined: socket.rooms
        )
        if try await self.isSocketID(room.name) { throw ClientRefusal.reservedRoom }
        if let allowJoin = self.hooks.allowJoin {
            guard try await allowJoin(room.name, socket.id.description, principal) else {
                throw ClientRefusal.joinDenied
            }
        }
        return room
    }

    /// Whether a room's name is the id of some socket: its members would read that socket's private messages.
    private func isSocketID(_ name: String) async throws -> Bool {
        guard SocketID(name) != nil, !self.harmlessRooms.withLockedValue({ $0.contains(name) }) else { return false }
        if try await self.find(name) != nil { return true }
        self.harmlessRooms.withLockedValue { _ = $0.insert(name) }
        return false
    }

    private func leaveRoom(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let room = try self.model.roomPolicy.roomToLeave(payload, socketID: socket.id.description)
        socket.leave(room)
        return ["success": true, "room": .string(room.name)]
    }

    private func rooms(of socket: Socket) -> JSONValue {
        let own = socket.id.room
        let names = socket.rooms.filter { $0 != own && !RoomName.isInternal($0) }.map(\.name).sorted()
        return ["success": true, "rooms": .array(names.map { .string($0) })]
    }

    /// `{rooms: [name]}`: joins those that the client may join.
    private func joinRooms(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        var joined: [JSONValue] = []
        for name in try Self.roomList(payload) {
            do {
                let room = try await self.roomToJoin(socket, name)
                socket.join(room)
                joined.append(.string(room.name))
            } catch is ClientRefusal {
                continue
            }
        }
        return ["success": true, "rooms": .array(joined)]
    }

    private func leaveRooms(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let policy = self.model.roomPolicy
        var left: [JSONValue] = []
        for name in try Self.roomList(payload) {
            guard let room = try? policy.roomToLeave(name, socketID: socket.id.description) else { continue }
            socket.leave(room)
            left.append(.string(room.name))
        }
        return ["success": true, "rooms": .array(left)]
    }

    private static func roomList(_ payload: JSONValue?) throws -> ArraySlice<JSONValue> {
        guard let rooms = payload?["rooms"]?.arrayValue else { throw ClientRefusal.invalidPayload }
        return rooms.prefix(100)
    }

    // MARK: Entities

    private func subscribe(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let model = self.model
        let principal = self.principal(of: socket)
        let policy = SubscriptionPolicy(settings: model.configuration.entitySubscriptions)
        let request = try policy.request(
            payload,
            ability: model.ability(of: principal),
            joined: socket.rooms,
            schema: model.schema
        )
        if let verifyEntity = self.hooks.verifyEntity {
            let exists: Bool
            do {
                exists = try await verifyEntity(request.entity, principal)
            } catch {
                self.logger.info("The hook that verifies entities failed", metadata: ["error": "\(error)"])
                throw ClientRefusal.verificationFailed
            }
            guard exists else { throw ClientRefusal.entityNotFound }
        }
        socket.join(policy.rooms(of: request.entity, audience: principal.audienceRoom))
        return request.success
    }

    private func unsubscribe(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let policy = SubscriptionPolicy(settings: self.configuration.entitySubscriptions)
        let (entity, success) = try policy.cancellation(payload)
        if let entity {
            for room in policy.roomsToLeave(of: entity, joined: socket.rooms) { socket.leave(room) }
        }
        return success
    }

    // MARK: Private messages

    /// The longest private message, in UTF-16 code units as JavaScript counts them.
    private static let maximumMessageLength = 10_000

    private func privateMessage(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        guard let payload, payload.objectValue != nil else { throw ClientRefusal.invalidPayload }
        guard self.configuration.rooms.enablePrivateRooms else { throw ClientRefusal.privateMessagesDisabled }
        guard let target = payload["to"]?.stringValue, !target.isEmpty, let message = payload["message"],
            !message.isNull
        else { throw ClientRefusal.invalidParameters }
        guard let text = message.stringValue, (1...Self.maximumMessageLength).contains(text.utf16.count) else {
            throw ClientRefusal.invalidMessageLength
        }
        // What can't be an id is not looked for on other nodes.
        guard SocketID(target) != nil, try await self.find(target) != nil else { throw ClientRefusal.targetNotFound }
        let username = self.principal(of: socket).user?.username ?? "anonymous"
        self.main.to(Room(target)).emit(
            "private-message",
            values: [
                [
                    "from": .string(socket.id.description), "fromUser": .string(username), "message": .string(text),
                    "timestamp": .int(Int(self.now() * 1000)),
                ]
            ]
        )
        return ["success": true]
    }
}
