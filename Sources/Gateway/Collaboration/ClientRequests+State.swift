import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What members of a room remember together.
extension ClientRequests {
    func registerCollaboration() {
        self.on(.setState) { requests, socket, payload in try await requests.setState(socket, payload) }
        self.on(.removeState) { requests, socket, payload in try await requests.removeState(socket, payload) }
        self.on(.getState) { requests, socket, payload in try await requests.getState(socket, payload) }
        self.on(.joinPresence) { requests, socket, payload in try await requests.joinPresence(socket, payload) }
        self.on(.leavePresence) { requests, socket, payload in try await requests.leavePresence(socket, payload) }
        self.on(.beatPresence) { requests, socket, _ in try requests.beatPresence(socket) }
        self.on(.typing) { requests, socket, payload in try requests.typing(socket, payload) }
        self.on(.checkPresence) { requests, socket, payload in try await requests.checkPresence(socket, payload) }
        self.on(.watchOnline) { requests, socket, payload in try await requests.watchOnline(socket, payload) }
        self.on(.unwatchOnline) { requests, socket, _ in try requests.unwatchOnline(socket) }
        self.on(.subscribePreview) { requests, socket, payload in try await requests.subscribePreview(socket, payload) }
        self.on(.unsubscribePreview) { requests, socket, payload in try requests.unsubscribePreview(socket, payload) }
        self.on(.changePreviewField) { requests, socket, payload in try requests.changePreviewField(socket, payload) }
    }

    private var states: RoomStates { self.collaboration.states }

    /// The answer to a join, with the state of the room if rooms have one.
    ///
    /// `state` is `null` if it cannot be read now; then the client asks again, or is told when it can.
    func answer(_ answer: JSONObject, withStateOf room: Room, for socket: Socket) async -> JSONValue {
        guard self.context.rules(for: socket).configuration.roomState.enabled, Self.isOpen(room) else {
            return .object(answer)
        }
        var answer = answer
        if let snapshot = try? await self.states.snapshot(of: room, for: socket) {
            for (name, value) in snapshot.object { answer[name] = value }
        } else {
            answer["state"] = .null
            answer["version"] = .null
        }
        return .object(answer)
    }

    /// Whether clients may have to do with the state of a room.
    ///
    /// The rooms of roles, tokens and operators have too many members, and none of them chose to be in.
    private static func isOpen(_ room: Room) -> Bool {
        Collaboration.hasOwnState(room) && !room.name.utf8.starts(with: "io-".utf8) && SocketID(room.name) == nil
    }

    /// The room of a wish, in which the client has to be.
    private func stateRoom(_ socket: Socket, _ payload: JSONValue?) throws(ClientRefusal) -> Room {
        guard let payload, payload.objectValue != nil else { throw .invalidPayload }
        guard self.context.rules(for: socket).configuration.roomState.enabled else { throw .stateDisabled }
        guard let name = payload["room"]?.stringValue, !name.isEmpty else { throw .invalidRoomName }
        let room = Room(name)
        guard Self.isOpen(room) else { throw .reservedRoom }
        guard socket.rooms.contains(room) else { throw .notAMember }
        return room
    }

    private func stateKey(_ socket: Socket, _ payload: JSONValue?) throws(ClientRefusal) -> UTF8Text {
        let rules = self.context.rules(for: socket)
        guard let key = payload?["key"]?.stringValue,
            (1...rules.configuration.roomState.maximumKeyLength).contains(key.utf8.count)
        else { throw .invalidKey }
        let principal = self.context.principal(of: socket)
        let mayChange = rules.access.statePolicy.allows(
            UTF8Text(key),
            for: principal,
            socketID: socket.id.description
        )
        guard mayChange else { throw .joinDenied }
        return UTF8Text(key)
    }

    func setState(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let room = try self.stateRoom(socket, payload)
        let key = try self.stateKey(socket, payload)
        let settings = self.context.rules(for: socket).configuration.roomState
        let value = try RoomStateValue.checked(payload?["value"], settings)
        let longest = Int(settings.maximumLifetime.nanoseconds / 1_000_000)
        var lifetime: Int?
        if let ttl = payload?["ttl"], !ttl.isNull {
            guard let milliseconds = ttl.intValue, milliseconds > 0 else { throw ClientRefusal.invalidLifetime }
            lifetime = min(milliseconds, longest)
        }
        var isHeld = false
        if let held = payload?["held"], !held.isNull {
            guard let flag = held.boolValue else { throw ClientRefusal.invalidParameters }
            isHeld = flag
        }
        try self.countChange(of: socket)
        // What nobody holds must not stay for ever.
        if !isHeld, lifetime == nil { lifetime = longest }
        let request = StateRequest(
            room: room,
            key: key,
            wish: .set(value, lifetime: lifetime),
            by: self.author(socket),
            limits: settings.sizes,
            holder: isHeld ? socket : nil,
            rate: RateLimit(perSecond: settings.changesPerSecond),
            membership: room
        )
        return try await self.answer(self.states.change(request), settings)
    }

    func removeState(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let room = try self.stateRoom(socket, payload)
        let key = try self.stateKey(socket, payload)
        let settings = self.context.rules(for: socket).configuration.roomState
        try self.countChange(of: socket)
        let request = StateRequest(
            room: room,
            key: key,
            wish: .remove,
            by: self.author(socket),
            limits: settings.sizes,
            rate: RateLimit(perSecond: settings.changesPerSecond)
        )
        return try await self.answer(self.states.change(request), settings)
    }

    func getState(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let room = try self.stateRoom(socket, payload)
        try self.countChange(of: socket)
        var answer = try await self.states.snapshot(of: room, for: socket).object
        answer["success"] = true
        answer["room"] = .string(room.name)
        return .object(answer)
    }

    /// Who changes something: `{userId}`, or `{socketId}` of somebody whom nobody knows.
    private func author(_ socket: Socket) -> JSONValue {
        if let user = self.context.principal(of: socket).user { return ["userId": user.id.value] }
        return ["socketId": .string(socket.id.description)]
    }

    private func answer(
        _ answer: StateAnswer,
        _ settings: GatewayConfiguration.RoomState
    ) throws(ClientRefusal) -> JSONValue {
        switch answer {
        case .changed(let version), .unchanged(let version): return ["success": true, "version": .int(version)]
        case .replaced: return ["success": true, "replaced": true]
        case .queued: return ["success": true, "delivery": "queued"]
        case .refused(.tooManyKeys): throw .maximumKeys(settings.maximumKeys)
        case .refused(.tooLarge): throw .maximumStateBytes(settings.maximumRoomBytes)
        case .busy, .unreachable: throw .rateLimitExceeded(retryAfterMilliseconds: 1_000)
        case .notAMember, .tooMany: throw .notAMember
        }
    }
}

/// Values that a room may remember.
enum RoomStateValue {
    /// The value, if rooms may remember it.
    static func checked(
        _ value: JSONValue?,
        _ settings: GatewayConfiguration.RoomState
    ) throws(ClientRefusal) -> JSONValue {
        guard let value, !value.isNull else { throw .missingValue }
        guard !value.hasBytes else { throw .bytesInValue }
        guard value.jsonByteCount <= settings.maximumValueBytes else {
            throw .maximumValueBytes(settings.maximumValueBytes)
        }
        return value
    }
}

extension JSONValue {
    /// Whether bytes are a part of it, which only an event of a socket can carry.
    var hasBytes: Bool {
        switch self {
        case .binary: true
        case .array(let elements): elements.contains(where: \.hasBytes)
        case .object(let members): members.values.contains(where: \.hasBytes)
        case .null, .bool, .int, .double, .string: false
        }
    }
}

extension GatewayConfiguration.RoomState {
    var sizes: StateLimits { StateLimits(keys: self.maximumKeys, bytes: self.maximumRoomBytes) }
}

extension ClientRefusal {
    static let stateDisabled = ClientRefusal("Room state is disabled")
    static let notAMember = ClientRefusal("Not a member of this room")
    static let invalidKey = ClientRefusal("Invalid key")
    static let missingValue = ClientRefusal("Invalid value: null is no value; state:remove removes a key")
    static let bytesInValue = ClientRefusal("Invalid value: bytes cannot be remembered")
    static let invalidLifetime = ClientRefusal("Invalid ttl: it is a number of milliseconds above 0")
    static func maximumKeys(_ count: Int) -> ClientRefusal { ClientRefusal("Maximum keys (\(count)) reached") }
    static func maximumValueBytes(_ count: Int) -> ClientRefusal { ClientRefusal("Value too large (\(count) bytes)") }
    static func maximumStateBytes(_ count: Int) -> ClientRefusal {
        ClientRefusal("Room state too large (\(count) bytes)")
    }
}
