import Gateway
import SocketIOServer
import SocketIOWire

/// One route: its path, the scope that a token needs, the members that it takes, and what it does.
struct PublishRoute: Sendable {
    typealias Verb = @Sendable (Publisher, PublishRequest) async throws -> VerbResult

    enum Action: Sendable {
        /// Publishes, moves or disconnects.
        case verb(Verb)
        /// Asks all nodes for sockets.
        case question(@Sendable (IO, PublishRequest) async throws -> AnswerList)
        /// Does what other routes do, one after the other.
        case batch
    }

    var method: RequestHead.Method
    /// The segments of the path.
    ///
    /// `:` stands for any segment, and the action gets that segment.
    var pattern: [UTF8Text]
    /// The needed scope is `io.<verb>`.
    ///
    /// It is `nil` for a batch, whose operations each need their own.
    var verb: String?
    /// The names that the body may have.
    var members: [UTF8Text]
    /// The names that the query may have.
    var parameters: [UTF8Text] = []
    var action: Action
    /// Whether the body is a document whose members something else judges.
    var takesAnyMember = false

    init(
        _ method: RequestHead.Method,
        _ pattern: String,
        _ verb: String?,
        members: [UTF8Text] = [],
        parameters: [UTF8Text] = [],
        _ action: Action
    ) {
        self.method = method
        self.pattern = pattern.split(separator: "/").map { UTF8Text($0) }
        self.verb = verb
        self.members = members
        self.parameters = parameters
        self.action = action
    }

    /// A route that sends an event.
    ///
    /// It takes an `eventId`, and on request it tells how many clients got the event.
    static func sending(
        _ pattern: String,
        _ verb: String,
        _ members: [UTF8Text],
        _ action: @escaping Verb
    )
        -> PublishRoute
    {
        PublishRoute(.post, pattern, verb, members: members + ["eventId", "receipt"], .verb(action))
    }

    /// A route that asks all nodes for sockets, and takes a part of the answer on request.
    static func listing(
        _ pattern: String,
        _ verb: String,
        _ ask: @escaping @Sendable (IO, PublishRequest) async throws -> AnswerList
    ) -> PublishRoute {
        PublishRoute(.get, pattern, verb, parameters: ["allowPartial"], .question(ask))
    }

    /// Whether the `eventId` of a batch also applies to this operation.
    var publishes: Bool { self.members.contains("eventId") }

    /// The segments in the places of `:`, or `nil` if the path does not match.
    func match(_ path: [UTF8Text]) -> [String]? {
        guard path.count == self.pattern.count else { return nil }
        var values: [String] = []
        for (wanted, segment) in zip(self.pattern, path) {
            if wanted == ":" { values.append(segment.string) } else if wanted != segment { return nil }
        }
        return values
    }
}
