import Gateway
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension ConsoleRoute {
    /// What has happened, and who has changed what.
    static func logs(_ io: IO) -> [ConsoleRoute] {
        let streams = StreamPlaces(limit: 16)
        return [
            ConsoleRoute(.get, "io/event-log", parameters: ["limit", "cursor", "type", "lastEventId"]) { request in
                let types = request.head.target?.query.filter { $0.name == "type" }.map { UTF8Text($0.value) } ?? []
                if ServerSentEvents.isWanted(by: request.head.accept) {
                    guard let place = streams.take() else { throw APIError.tooManyStreams }
                    let reader = io.monitoring.eventLog.reader(after: try request.lastEventID())
                    // Who has the head of the answer hears what happens from then on.
                    try await reader.begin()
                    return .stream(
                        ServerSentEvents.stream(of: reader, types: types, place: place),
                        contentType: ServerSentEvents.contentType
                    )
                }
                return try await Self.page(of: io.monitoring.eventLog, request, types: types)
            },
            ConsoleRoute(.get, "io/audit", parameters: ["limit", "cursor"]) { request in
                try await Self.page(of: io.monitoring.auditLog, request, types: [])
            },
        ]
    }

    /// The newest entries before the cursor, the oldest of them first; the next cursor leads to older ones.
    private static func page(
        of log: EventLog,
        _ request: ConsoleRequest,
        types: [UTF8Text]
    ) async throws -> ConsoleAnswer {
        let limit = try request.limit(default: 50)
        let cursor = try request.parameter("cursor").map { text in
            guard let id = LogEntryID(text) else { throw APIError.invalidRequest("'cursor' must be one of an answer.") }
            return id
        }
        let entries = try await log.last(limit, before: cursor)
        let shown = entries.filter { entry in
            types.isEmpty || entry.type.map { types.contains(UTF8Text($0)) } ?? false
        }
        let next = entries.count < limit ? nil : entries.first?.id
        return .json(
            ["data": .array(shown.map(\.value)), "cursor": next.map { .string($0.description) } ?? .null]
        )
    }
}

extension ConsoleRequest {
    /// The entry that a reader of a stream has read last.
    fileprivate func lastEventID() throws -> LogEntryID? {
        guard let text = self.head.lastEventID ?? self.parameter("lastEventId"), !text.isEmpty else { return nil }
        guard let id = LogEntryID(text) else {
            throw APIError.invalidRequest("'Last-Event-ID' must be the id of an entry, such as 1789000000000-0.")
        }
        return id
    }
}

/// How many streams there are.
final class StreamPlaces: Sendable {
    /// One of them; it is free again when nobody holds it.
    final class Place: Sendable {
        private let places: StreamPlaces

        fileprivate init(_ places: StreamPlaces) { self.places = places }

        deinit { self.places.taken.withLockedValue { $0 -= 1 } }
    }

    private let limit: Int
    private let taken = NIOLockedValueBox(0)

    init(limit: Int) { self.limit = limit }

    func take() -> Place? {
        let isFree = self.taken.withLockedValue { taken in
            guard taken < self.limit else { return false }
            taken += 1
            return true
        }
        return isFree ? Place(self) : nil
    }
}

extension APIError {
    fileprivate static let tooManyStreams = Self(
        status: .serviceUnavailable,
        code: "busy",
        message: "Too many streams are open; close one, or try again.",
        headers: [("Retry-After", "5")]
    )
}
