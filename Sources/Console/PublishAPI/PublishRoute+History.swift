import Gateway
import NIOCore
import NIOHTTP1
import SocketIOServer
import SocketIOWire

extension PublishRoute {
    private static let historyParameters: [UTF8Text] = ["since", "limit", "wait"]

    /// `GET /io/rooms/ROOM/history`: what was sent to a room.
    static let roomHistory = PublishRoute(
        .get,
        "io/rooms/:/history",
        "rooms",
        parameters: Self.historyParameters,
        .verb { publisher, request in
            let question = try HistoryParameters(request)
            let page = try await publisher.io.history(
                of: Room(request.values[0]),
                since: question.since,
                limit: question.limit,
                wait: question.wait,
                as: .token(request.token)
            )
            return try question.answer(page)
        }
    )

    /// `GET /io/entities/UID/ID/history`: what has happened to an entity, as the token may see it.
    static let entityHistory = PublishRoute(
        .get,
        "io/entities/:/:/history",
        "entities",
        parameters: Self.historyParameters,
        .verb { publisher, request in
            let question = try HistoryParameters(request)
            let page = try await publisher.io.history(
                of: EntityRef(uid: request.values[0], id: request.values[1]),
                since: question.since,
                limit: question.limit,
                wait: question.wait,
                as: .token(request.token)
            )
            return try question.answer(page)
        }
    )
}

/// What a request for a history asks for.
struct HistoryParameters: Sendable {
    /// The most events of an answer.
    static let maximumLimit = 1_000

    var since: HistoryPosition?
    var limit = 100
    var wait = TimeAmount.zero
    /// The position that the caller has an answer for.
    private var known: HistoryPosition?

    init(_ request: PublishRequest) throws {
        self.known = request.admitted.ifNoneMatch.flatMap(Self.position(inTag:))
        if let text = request.parameter("since") {
            guard let position = HistoryPosition(text: text) else {
                throw APIError.invalidRequest(
                    "'since' must be a position <offset>@<epoch>, as the ETag of an answer has it."
                )
            }
            self.since = position
        } else {
            self.since = self.known
        }
        if let text = request.parameter("limit") {
            guard let limit = Int(text), (1...Self.maximumLimit).contains(limit) else {
                throw APIError.invalidRequest("'limit' must be 1 to \(Self.maximumLimit).")
            }
            self.limit = limit
        }
        if let text = request.parameter("wait") {
            guard let wait = Self.time(text), wait <= IO.longestHistoryWait else {
                throw APIError.invalidRequest("'wait' must be a time up to 60s, such as 30s or 500ms.")
            }
            self.wait = wait
        }
    }

    /// `30s`, `500ms` or `30`.
    static func time(_ text: String) -> TimeAmount? {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard (1...6).contains(digits.count), let number = Int64(String(decoding: digits, as: UTF8.self)) else {
            return nil
        }
        switch UTF8Text(decoding: text.utf8.dropFirst(digits.count)) {
        case "", "s": return .seconds(number)
        case "ms": return .milliseconds(number)
        default: return nil
        }
    }

    /// The position in `"<offset>@<epoch>"`.
    private static func position(inTag tag: String) -> HistoryPosition? {
        let quote = UInt8(ascii: "\"")
        guard tag.utf8.count > 2, tag.utf8.first == quote, tag.utf8.last == quote else { return nil }
        return HistoryPosition(text: String(decoding: tag.utf8.dropFirst().dropLast(), as: UTF8.self))
    }

    /// The answer, whose entity tag is the position.
    func answer(_ page: HistoryPage?) throws -> VerbResult {
        guard let page else { throw APIError.noHistory }
        var answer = JSONAnswer(value: page.value, headers: [("ETag", "\"\(page.position.text)\"")])
        if page.position == self.known, page.events.isEmpty, page.loss == nil { answer.status = 304 }
        var result = VerbResult()
        result.answerInstead = answer
        return result
    }
}

extension APIError {
    fileprivate static let noHistory = APIError(
        status: .notFound,
        code: "no_history",
        message: "This room or content type has no history; see gateway.history.rooms and contentTypes.<uid>.history."
    )
}
