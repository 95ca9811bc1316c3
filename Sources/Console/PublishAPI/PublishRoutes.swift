import Gateway
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension PublishRoute {
    /// Every route; each is one method of ``Publisher`` or ``IO``.
    static let all = Self.publishing + Self.collaborating + Self.settings

    /// Events, and sockets.
    static let publishing: [PublishRoute] = [
        sending("io/emit", "emit", ["event", "schema", "data", "previous", "at"]) { io, request in
            try await Self.emit(io, request)
        },
        sending("io/raw", "raw", ["event", "data", "rooms"]) { io, request in
            let event = try request.text("event")
            return VerbResult(report: try await io.raw(event: event, rooms: try request.rooms(), data: request.data))
        },
        sending("io/namespaces/:/emit", "raw", ["event", "data", "rooms"]) { io, request in
            let report = try await io.emitToNamespace(
                request.values[0],
                event: try request.text("event"),
                rooms: try request.rooms(),
                data: request.data
            )
            guard let report else { throw APIError.unknownNamespace }
            return VerbResult(report: report)
        },
        listing("io/rooms/:/sockets", "rooms") { io, request in
            let room = Room(request.values[0])
            guard try request.allowsPartial() else {
                return AnswerList(name: "sockets", elements: try await io.getSocketsInRoom(room))
            }
            return AnswerList(name: "sockets", try await io.getSocketsInRoomAllowingPartial(room))
        },
        moving("join") { try await $0.joinRoom($1, $2) },
        moving("leave") { try await $0.leaveRoom($1, $2) },
        sending("io/sockets/:/message", "sockets", ["event", "data"]) { io, request in
            let event = try request.text("event")
            return VerbResult(try await io.sendPrivateMessage(request.values[0], event: event, data: request.data))
        },
        sending("io/sockets/:/broadcast", "sockets", ["event", "data"]) { io, request in
            let event = try request.text("event")
            return VerbResult(try await io.broadcast(request.values[0], event: event, data: request.data))
        },
        PublishRoute(
            .post,
            "io/sockets/:/disconnect",
            "sockets",
            members: ["reason", "eventId"],
            .verb { io, request in
                let reason = try request.optionalText("reason") ?? "server disconnect"
                return VerbResult(try await io.disconnectSocket(request.values[0], reason: reason))
            }
        ),
        PublishRoute(
            .get,
            "io/sockets/:/subscriptions",
            "entities",
            .verb { io, request in VerbResult(value: try await io.io.getEntitySubscriptions(request.values[0]).value) }
        ),
        following(.post, parameters: []) { try await $0.subscribeToEntity($1, $2, $3) },
        following(.delete, parameters: ["uid", "id"]) { try await $0.unsubscribeFromEntity($1, $2, $3) },
        sending("io/entities/:/:/emit", "entities", ["event", "data"]) { io, request in
            let event = try request.text("event")
            let id = EntityID.string(request.values[1])
            return VerbResult(
                report: try await io.emitToEntity(request.values[0], id, event: event, data: request.data)
            )
        },
        listing("io/entities/:/:/sockets", "entities") { io, request in
            let (uid, id) = (request.values[0], EntityID.string(request.values[1]))
            guard try request.allowsPartial() else {
                return AnswerList(name: "sockets", elements: try await io.getEntityRoomSockets(uid, id))
            }
            return AnswerList(name: "sockets", try await io.getEntityRoomSocketsAllowingPartial(uid, id))
        },
        sending("io/users/:/message", "sockets", ["event", "data"]) { io, request in
            let event = try request.text("event")
            let user = EntityID.string(request.values[0])
            return VerbResult(report: try await io.sendToUser(user, event: event, data: request.data))
        },
        PublishRoute(
            .post,
            "io/users/:/disconnect",
            "sockets",
            members: ["reason", "eventId"],
            .verb { io, request in
                let reason = try request.optionalText("reason") ?? "server disconnect"
                return VerbResult(report: try await io.disconnectUser(.string(request.values[0]), reason: reason))
            }
        ),
        Self.roomHistory, Self.entityHistory,
        Self.explaining,
        Self.revoking,
        PublishRoute(.post, "io/batch", nil, members: ["operations", "eventId"], .batch),
    ]

    private static func emit(_ io: Publisher, _ request: PublishRequest) async throws -> VerbResult {
        if let event = request.body["event"]?.stringValue, Self.isDoubleColonIn(event),
            request.body["schema"] == nil
        {
            throw APIError.invalidRequest(
                "'event' must be an action such as 'create', and the content type's uid goes into 'schema': "
                    + "{\"event\": \"create\", \"schema\": \"api::article.article\", \"data\": {...}}."
            )
        }
        var event = try LifecycleEvent(request.body)
        // The API keeps its ids by token and route. The gateway's own ids are for events that come from the cluster.
        event.eventID = nil
        let (report, sent) = try await io.emit(event)
        return VerbResult(
            report: report,
            details: [
                "outcome": .string(sent.outcome.rawValue), "event": .string(sent.event),
                "audiences": .int(sent.audiences), "variants": .int(sent.projections),
            ]
        )
    }

    private static func isDoubleColonIn(_ text: String) -> Bool {
        zip(text.utf8, text.utf8.dropFirst()).contains { $0 == UInt8(ascii: ":") && $1 == UInt8(ascii: ":") }
    }

    /// `join` and `leave`.
    private static func moving(
        _ verb: String,
        _ move: @escaping @Sendable (Publisher, String, Room) async throws -> PublishReport?
    ) -> PublishRoute {
        PublishRoute(
            .post,
            "io/sockets/:/\(verb)",
            "sockets",
            members: ["room", "eventId"],
            .verb { io, request in
                let room = Room(try request.text("room", expected: "a room's name"))
                // A member of such a room sees what is meant for others.
                if !request.token.ability.allowsVerb("audiences"), try await io.io.isReserved(room) {
                    throw APIError.forbidden("audiences")
                }
                return VerbResult(try await move(io, request.values[0], room))
            }
        )
    }

    /// Subscribes a socket to an entity, or ends that.
    private static func following(
        _ method: RequestHead.Method,
        parameters: [UTF8Text],
        _ follow:
            @escaping @Sendable (Publisher, String, String, EntityID) async throws
            -> (EntitySubscriptionResult, PublishReport?)
    ) -> PublishRoute {
        PublishRoute(
            method,
            "io/sockets/:/subscriptions",
            "entities",
            members: ["uid", "id"],
            parameters: parameters,
            .verb { io, request in
                let entity = try request.entity()
                let (result, report) = try await follow(io, request.values[0], entity.uid, entity.id)
                var answer = VerbResult(value: result.value)
                answer.report = report
                return answer
            }
        )
    }
}

extension VerbResult {
    /// The result for one socket; `nil` means that there is no such socket.
    init(_ report: PublishReport?) { self.init(success: report != nil, report: report) }

    /// A result that is an object with `success`.
    init(value: JSONValue) {
        var object = value.objectValue ?? [:]
        self.init(success: object.removeValue(forKey: "success")?.boolValue ?? true, details: object)
    }
}
