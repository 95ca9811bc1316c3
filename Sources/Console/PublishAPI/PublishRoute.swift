import Gateway
import SocketIOServer
import SocketIOWire

/// One route: what it is called, what it asks of a token, what it takes, what it does.
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
    /// The segments; `:` stands for any one, which the action gets.
    var pattern: [UTF8Text]
    /// The scope is `io.<verb>`; `nil`: that of each operation.
    var verb: String?
    /// The names that the body may have.
    var members: [UTF8Text]
    /// The names that the query may have.
    var parameters: [UTF8Text] = []
    var action: Action

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

    /// A route that sends an event: it takes an `eventId`, and tells on request how many clients got it.
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

    /// Whether a batch's `eventId` concerns it.
    var publishes: Bool { self.members.contains("eventId") }

    /// The segments that stand for `:`, or `nil` if the path is another one.
    func match(_ path: [UTF8Text]) -> [String]? {
        guard path.count == self.pattern.count else { return nil }
        var values: [String] = []
        for (wanted, segment) in zip(self.pattern, path) {
            if wanted == ":" { values.append(segment.string) } else if wanted != segment { return nil }
        }
        return values
    }
}
