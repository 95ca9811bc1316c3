import Gateway
import NIOHTTP1
import SocketIOServer
import SocketIOWire

/// One route: what it is called, what it asks of a token, what it does.
struct PublishRoute: Sendable {
    typealias Action = @Sendable (IO, PublishRequest, [String]) async throws -> JSONValue

    var method: String
    /// The segments; `:` stands for any one, which the action gets.
    var pattern: [String]
    /// The scope is `io.<verb>`.
    var verb: String
    var action: Action

    init(_ method: String, _ pattern: String, _ verb: String, _ action: @escaping Action) {
        self.method = method
        self.pattern = pattern.split(separator: "/").map(String.init)
        self.verb = verb
        self.action = action
    }

    /// The segments that stand for `:`, or `nil` if the path is another one.
    func match(_ path: [String]) -> [String]? {
        guard path.count == self.pattern.count else { return nil }
        var values: [String] = []
        for (wanted, segment) in zip(self.pattern, path) {
            if wanted == ":" { values.append(segment) } else if wanted != segment { return nil }
        }
        return values
    }
}

extension PublishRoute {
    private static let success: JSONValue = ["success": true]

    /// Every route but the batch; each is one method of ``IO``.
    static let all: [PublishRoute] = [
        PublishRoute("POST", "io/emit", "emit") { io, request, _ in
            if let event = request.body["event"]?.stringValue, event.contains("::"), request.body["schema"] == nil {
                throw PublishError.invalidRequest(
                    "'event' must be an action such as 'create', and the content type's uid goes into 'schema': "
                        + "{\"event\": \"create\", \"schema\": \"api::article.article\", \"data\": {...}}."
                )
            }
            var event = try LifecycleEvent(request.body)
            // This API has its own memory of ids, which forgets those that failed.
            event.eventID = nil
            return try io.emit(event).value
        },
        PublishRoute("POST", "io/raw", "raw") { io, request, _ in
            let event = try request.text("event")
            if request.body["room"] != nil {
                throw PublishError.invalidRequest("'rooms', a list, takes the place of 'room'.")
            }
            try request.allowOnly("event", "data", "rooms", "eventId")
            try io.raw(event: event, rooms: try request.rooms() ?? [], data: request.data)
            return Self.success
        },
        PublishRoute("POST", "io/namespaces/:/emit", "raw") { io, request, values in
            guard try io.emitToNamespace(values[0], event: try request.text("event"), data: request.data) else {
                throw PublishError(
                    status: .notFound,
                    code: "not_found",
                    message: "No namespace of that name is configured."
                )
            }
            return Self.success
        },
        PublishRoute("GET", "io/rooms/:/sockets", "rooms") { io, _, values in
            ["sockets": .array(try await io.getSocketsInRoom(Room(values[0])).map(\.value))]
        },
        PublishRoute("POST", "io/sockets/:/join", "sockets") { io, request, values in
            let room = Room(try request.text("room", expected: "a room's name"))
            return ["success": .bool(try await io.joinRoom(values[0], room))]
        },
        PublishRoute("POST", "io/sockets/:/leave", "sockets") { io, request, values in
            let room = Room(try request.text("room", expected: "a room's name"))
            return ["success": .bool(try await io.leaveRoom(values[0], room))]
        },
        PublishRoute("POST", "io/sockets/:/message", "sockets") { io, request, values in
            try io.sendPrivateMessage(values[0], event: try request.text("event"), data: request.data)
            return Self.success
        },
        PublishRoute("POST", "io/sockets/:/broadcast", "sockets") { io, request, values in
            let event = try request.text("event")
            return ["success": .bool(try await io.broadcast(values[0], event: event, data: request.data))]
        },
        PublishRoute("POST", "io/sockets/:/disconnect", "sockets") { io, request, values in
            let reason = try request.optionalText("reason")
            return ["success": .bool(try await io.disconnectSocket(values[0], reason: reason ?? "server disconnect"))]
        },
        PublishRoute("GET", "io/sockets/:/subscriptions", "entities") { io, _, values in
            try await io.getEntitySubscriptions(values[0]).value
        },
        PublishRoute("POST", "io/sockets/:/subscriptions", "entities") { io, request, values in
            let entity = try request.entity()
            return try await io.subscribeToEntity(values[0], entity.uid, entity.id).value
        },
        PublishRoute("DELETE", "io/sockets/:/subscriptions", "entities") { io, request, values in
            let entity = try request.entity()
            return try await io.unsubscribeFromEntity(values[0], entity.uid, entity.id).value
        },
        PublishRoute("POST", "io/entities/:/:/emit", "entities") { io, request, values in
            let event = try request.text("event")
            try io.emitToEntity(values[0], .string(values[1]), event: event, data: request.data)
            return Self.success
        },
        PublishRoute("GET", "io/entities/:/:/sockets", "entities") { io, _, values in
            let sockets = try await io.getEntityRoomSockets(values[0], .string(values[1]))
            return ["sockets": .array(sockets.map(\.value))]
        },
        PublishRoute("POST", "io/users/:/message", "sockets") { io, request, values in
            try io.sendToUser(.string(values[0]), event: try request.text("event"), data: request.data)
            return Self.success
        },
        PublishRoute("POST", "io/users/:/disconnect", "sockets") { io, request, values in
            let reason = try request.optionalText("reason") ?? "server disconnect"
            io.disconnectUser(.string(values[0]), reason: reason)
            return Self.success
        },
    ]
}

extension EmitReport {
    /// `{success, outcome, event, audiences, variants}`: whether it was sent, and to how many roles and tokens.
    fileprivate var value: JSONValue {
        [
            "success": true,
            "outcome": .string(self.outcome.rawValue),
            "event": .string(self.event),
            "audiences": .int(self.audiences),
            "variants": .int(self.projections),
        ]
    }
}
