import Gateway
import NIOCore
import OrderedCollections
import SocketIOWire

/// A route of the internal listener.
struct ConsoleRoute: Sendable {
    /// Who may ask.
    enum Access: Sendable, Hashable {
        /// Everybody who can reach the listener.
        case anybody
        /// Who shows an API token with the scope `io.<verb>`.
        case scope(String)
    }

    var method: RequestHead.Method
    /// The segments of the path.
    ///
    /// `:` stands for any segment, and the route gets that segment.
    var pattern: [UTF8Text]
    var access: Access
    /// The names that the body may have; `nil` if the route reads no body.
    var members: [UTF8Text]?
    /// The names that the query may have; `nil` if the route does not look at it.
    var parameters: [UTF8Text]?
    /// Makes the answer, not on an event loop.
    ///
    /// What it throws is an answer, too; see ``APIError/init(_:)``.
    var answer: @Sendable (ConsoleRequest) async throws -> ConsoleAnswer

    init(
        _ method: RequestHead.Method = .get,
        _ pattern: String,
        access: Access = .scope("monitor"),
        members: [UTF8Text]? = nil,
        parameters: [UTF8Text]? = [],
        answer: @escaping @Sendable (ConsoleRequest) async throws -> ConsoleAnswer
    ) {
        self.method = method
        self.pattern = pattern.split(separator: "/").map { UTF8Text($0) }
        self.access = access
        self.members = members
        self.parameters = parameters
        self.answer = answer
    }

    /// Whether the route takes this method; who may GET an answer may also ask for its HEAD.
    func takes(_ method: RequestHead.Method) -> Bool {
        self.method == method || (self.method == .get && method == .head)
    }

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

/// A request for a route of the internal listener.
struct ConsoleRequest: Sendable {
    var route: ConsoleRoute
    var head: RequestHead
    /// The segments of the path that the route leaves open.
    var values: [String] = []
    /// Whose request it is; `nil` where anybody may ask.
    var token: APIToken?
    var address: SocketAddress?
    /// The body; `null` if there was none.
    var body = JSONValue.null

    /// The first parameter of that name in the query.
    func parameter(_ name: UTF8Text) -> String? { self.head.target?.query.first { $0.name == name }?.value }

    /// How many elements the answer may have, between 1 and ``maximumLimit``.
    func limit(default count: Int) throws -> Int {
        guard let text = self.parameter("limit") else { return count }
        guard let number = Int(text), (1...Self.maximumLimit).contains(number) else {
            throw APIError.invalidRequest("'limit' must be a number from 1 to \(Self.maximumLimit).")
        }
        return number
    }

    /// The most elements of one answer.
    static let maximumLimit = 1000
}

/// What a route of the internal listener answers.
enum ConsoleAnswer: Sendable {
    case bytes(ByteBuffer, contentType: String, status: Int = 200, headers: [(name: String, value: String)] = [])
    case stream(AnswerStream, contentType: String)

    static func json(
        _ value: JSONValue,
        status: Int = 200,
        headers: [(name: String, value: String)] = []
    ) -> ConsoleAnswer {
        var bytes = ByteBuffer()
        bytes.writeJSON(value)
        return .bytes(bytes, contentType: APIAnswer.json, status: status, headers: headers)
    }
}

extension ConsoleRoute {
    /// `GET /metrics`, in the format that the client asks for.
    static func metrics(_ registry: MetricRegistry) -> Self {
        ConsoleRoute(.get, "metrics", access: .anybody, parameters: nil) { request in
            let format = MetricsText.Format(accept: request.head.accept)
            var bytes = ByteBufferAllocator().buffer(capacity: 16_384)
            MetricsText.write(registry.read(), as: format, into: &bytes)
            return .bytes(bytes, contentType: format.contentType)
        }
    }
}
