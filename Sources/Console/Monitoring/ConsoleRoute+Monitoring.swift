import Gateway
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension ConsoleRoute {
    /// What the cluster is doing.
    static func monitoring(_ io: IO) -> [ConsoleRoute] {
        [
            ConsoleRoute(.get, "io/stats", parameters: ["limit"]) { request in
                try await Self.statistics(io, limit: request.limit(default: 50))
            },
            ConsoleRoute(.get, "io/monitoring/stats") { _ in
                let nodes = await io.monitoring.nodes()
                let sum = NodeSum(nodes.value)
                return .json(
                    Self.answer(
                        [
                            "connections": ["connected": .int(sum.connected), "rooms": .int(sum.rooms)],
                            "events": sum.events, "timestamp": Self.timestamp,
                        ],
                        missing: nodes.missing,
                        ["roomsAreExact": .bool(sum.roomsAreExact)]
                    )
                )
            },
            ConsoleRoute(.get, "io/nodes") { _ in
                let nodes = await io.monitoring.nodes()
                return .json(Self.answer(.array(nodes.value.map(\.summary)), missing: nodes.missing))
            },
            ConsoleRoute(.get, "io/rooms", parameters: ["limit", "cursor", "sort", "prefix"]) { request in
                let page = await io.monitoring.rooms(try Self.roomQuery(request))
                return .json(
                    Self.answer(
                        .array(page.value.rooms.map(\.value)),
                        missing: page.missing,
                        ["cursor": page.value.next.map { .string($0) } ?? .null]
                    )
                )
            },
            ConsoleRoute(.get, "io/online-users", parameters: ["limit", "cursor"]) { request in
                let limit = try request.limit(default: 100)
                return .json(try await io.onlineUsers(after: request.parameter("cursor"), limit: limit).value)
            },
            ConsoleRoute(.get, "io/sockets", parameters: Self.socketParameters) { request in
                let page = await io.monitoring.sockets(try Self.socketQuery(request, io))
                return .json(
                    Self.answer(
                        .array(page.value.sockets),
                        missing: page.missing,
                        ["cursor": page.value.next.map { .string($0) } ?? .null]
                    )
                )
            },
        ]
    }

    /// `{data, …, complete, missing}`: nobody takes the answer of some nodes for that of all.
    static func answer(_ data: JSONValue, missing: [String], _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = ["data": data]
        for (name, value) in more { object[name] = value }
        object["complete"] = .bool(missing.isEmpty)
        object["missing"] = .array(missing.map { .string($0) })
        return .object(object)
    }

    /// Unix time in milliseconds.
    static var timestamp: JSONValue { .int(Int(WallTime.now * 1000)) }

    private static func statistics(_ io: IO, limit: Int) async throws -> ConsoleAnswer {
        var largest = RoomQuery()
        largest.order = .size
        largest.limit = limit
        var first = SocketQuery()
        first.limit = limit
        async let askedNodes = io.monitoring.nodes()
        async let askedRooms = io.monitoring.rooms(largest)
        async let askedSockets = io.monitoring.sockets(first)
        let (nodes, rooms, sockets) = await (askedNodes, askedRooms, askedSockets)
        let sum = NodeSum(nodes.value)
        let entityRooms = rooms.value.rooms.filter(\.isEntityRoom)
        let missing = OrderedSet((nodes.missing + rooms.missing + sockets.missing).map { UTF8Text($0) })
        return .json(
            Self.answer(
                [
                    "connections": [
                        "connected": .int(sum.connected), "roomCount": .int(sum.rooms),
                        "roomsAreExact": .bool(sum.roomsAreExact),
                        "rooms": .array(rooms.value.rooms.map(\.value)), "sockets": .array(sockets.value.sockets),
                        "entitySubscriptions": [
                            "total": .int(sum.subscriptions.reduce(0) { $0 + $1.count }),
                            "byContentType": NodeSum.object(sum.subscriptions),
                            "rooms": .array(entityRooms.map(\.value)),
                        ],
                    ],
                    "events": sum.eventsWithReset, "timestamp": Self.timestamp,
                ],
                missing: missing.map(\.string),
                ["cursor": sockets.value.next.map { .string($0) } ?? .null]
            )
        )
    }

    private static func roomQuery(_ request: ConsoleRequest) throws -> RoomQuery {
        var query = RoomQuery()
        query.limit = try request.limit(default: query.limit)
        query.after = request.parameter("cursor")
        query.prefix = request.parameter("prefix") ?? ""
        if let sort = request.parameter("sort").map({ UTF8Text($0) }) {
            guard let order = RoomQuery.Order.allCases.first(where: { UTF8Text($0.rawValue) == sort }) else {
                throw APIError.invalidRequest("'sort' must be name or size.")
            }
            query.order = order
        }
        if query.order == .size, query.after != nil {
            throw APIError.invalidRequest("Rooms by size have no 'cursor'; ask for more with 'limit', or by name.")
        }
        return query
    }

    static let socketParameters: [UTF8Text] = [
        "limit", "cursor", "namespace", "room", "user", "role", "address", "node",
    ]

    static func socketQuery(_ request: ConsoleRequest, _ io: IO) throws -> SocketQuery {
        var query = SocketQuery()
        query.limit = try request.limit(default: query.limit)
        query.after = request.parameter("cursor")
        query.room = request.parameter("room")
        query.user = request.parameter("user")
        query.role = request.parameter("role")
        query.address = request.parameter("address")
        query.node = request.parameter("node")
        if let name = request.parameter("namespace") {
            let known = io.namespaces.keys.contains { UTF8Text($0) == UTF8Text(name) }
            guard known else { throw APIError.unknownNamespace }
            query.namespace = name
        }
        return query
    }
}
