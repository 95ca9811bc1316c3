import Gateway
import NIOCore
import NIOHTTP1
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension PublishRoute {
    /// What rooms remember, who edits what, who is online, and previews.
    static let collaborating: [PublishRoute] = [
        PublishRoute(
            .get,
            "io/rooms/:/state",
            "rooms",
            .verb { io, request in
                let room = Room(request.values[0])
                var details = try await io.io.roomState(of: room).value.objectValue ?? [:]
                details["room"] = .string(room.name)
                return VerbResult(details: details)
            }
        ),
        PublishRoute(
            .get,
            "io/rooms/:/state/:",
            "rooms",
            .verb { io, request in
                let state = try await io.io.roomState(of: Room(request.values[0]))
                guard var details = state.entry(request.values[1])?.objectValue else { throw APIError.noSuchKey }
                details["room"] = .string(state.room.name)
                details["version"] = .int(state.version)
                return VerbResult(details: details)
            }
        ),
        PublishRoute(
            .put,
            "io/rooms/:/state/:",
            "raw",
            members: ["value", "ttl", "eventId"],
            .verb { io, request in
                let (report, version) = try await io.setState(
                    request.values[1],
                    in: Room(request.values[0]),
                    to: request.body["value"] ?? .null,
                    lifetime: try request.lifetime(),
                    by: ["token": .string(request.token.name)]
                )
                return VerbResult(report: report, version: version)
            }
        ),
        PublishRoute(
            .delete,
            "io/rooms/:/state/:",
            "raw",
            members: ["eventId"],
            .verb { io, request in
                let (report, version) = try await io.removeState(
                    request.values[1],
                    in: Room(request.values[0]),
                    by: ["token": .string(request.token.name)]
                )
                return VerbResult(report: report, version: version)
            }
        ),
        PublishRoute(
            .get,
            "io/rooms/:/count",
            "rooms",
            .verb { io, request in
                VerbResult(details: await io.io.countSockets(in: Room(request.values[0])).value.objectValue ?? [:])
            }
        ),
        PublishRoute(
            .get,
            "io/entities/:/:/editors",
            "entities",
            .verb { io, request in
                let editors = try await io.io.editors(of: request.values[0], request.values[1])
                return VerbResult(details: ["editors": .array(editors), "count": .int(editors.count)])
            }
        ),
        sending("io/entities/:/:/preview", "emit", ["kind", "data", "previous"]) { io, request in
            let (uid, id) = (request.values[0], request.values[1])
            switch UTF8Text(try request.text("kind", expected: "'change', 'publish' or 'unpublish'")) {
            case "change":
                let previous = request.body["previous"]
                return VerbResult(
                    report: try await io.emitDraftChange(uid, id, data: request.data, previous: previous)
                )
            case "publish": return VerbResult(report: try await io.emitPublish(uid, id, data: request.data))
            case "unpublish": return VerbResult(report: try await io.emitUnpublish(uid, id, data: request.data))
            default: throw APIError.invalidRequest("'kind' must be 'change', 'publish' or 'unpublish'.")
            }
        },
        PublishRoute(
            .get,
            "io/online-users",
            "monitor",
            parameters: ["cursor", "limit"],
            .verb { io, request in
                let limit = request.parameter("limit").map { Int($0) } ?? 100
                guard let limit, (1...1_000).contains(limit) else {
                    throw APIError.invalidRequest("'limit' must be a number from 1 to 1000.")
                }
                let page = try await io.io.onlineUsers(after: request.parameter("cursor"), limit: limit)
                return VerbResult(details: page.value.objectValue ?? [:])
            }
        ),
    ]
}

extension PublishRequest {
    /// `ttl` in milliseconds.
    fileprivate func lifetime() throws -> TimeAmount? {
        guard let value = self.body["ttl"], !value.isNull else { return nil }
        guard let milliseconds = value.intValue, (1...31_536_000_000).contains(milliseconds) else {
            throw APIError.invalidRequest("'ttl' must be a number of milliseconds, of at most a year.")
        }
        return .milliseconds(Int64(milliseconds))
    }
}

extension VerbResult {
    /// A change of a room's state.
    fileprivate init(report: PublishReport, version: Int?) {
        self.init(report: report, details: version.map { ["version": .int($0)] } ?? [:])
    }
}

extension APIError {
    fileprivate static let noSuchKey = Self(
        status: .notFound,
        code: "not_found",
        message: "The room remembers nothing under this key."
    )
}
