public import Gateway
import Incidents
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
import NIOHTTP1
import OrderedCollections
public import ServiceLifecycle
public import SocketIOServer
import SocketIOWire

/// The HTTP API through which back ends publish: each route is one method of ``IO``.
///
/// A request carries an API token of the gateway as its bearer token. The token's scopes name the verb (`io.emit`).
/// Bodies and answers are JSON; a refusal is `{"error": {"code", "message"}}`. The API belongs on an address of its own
/// that the public cannot reach.
public struct PublishAPI: Sendable {
    /// What the API accepts.
    public struct Configuration: Sendable {
        /// The longest body, in bytes.
        public var maximumBodyBytes = 1_000_000
        /// The longest answer, in bytes.
        ///
        /// The API refuses a question whose list of sockets is longer.
        public var maximumAnswerBytes = 4_000_000
        /// The most bytes that the bodies and answers of all connections may have together, at the same time.
        public var maximumTotalBytes = 64_000_000
        /// The most operations of one batch.
        public var maximumBatch = 100
        /// How long a new connection may take to send the head of its first request.
        public var headTimeout = TimeAmount.seconds(10)
        /// How long a body may take to arrive.
        public var bodyTimeout = TimeAmount.seconds(30)
        /// How long an answer may take to leave.
        public var answerTimeout = TimeAmount.seconds(60)
        /// How long a connection may wait for its next request.
        public var idleTimeout = TimeAmount.seconds(75)
        /// The most connections.
        ///
        /// If there are more, the API closes those that have been idle longest.
        public var maximumConnections = 1000
        /// The most requests of one token at a time.
        public var requestsPerToken = 1000
        /// The most different questions for lists of sockets at the same time.
        ///
        /// Equal questions share one answer.
        public var maximumQuestions = 16
        /// What happens to a message while the cluster is out of reach.
        public var whileDisconnected = UnreachablePolicy.queue
        /// How long the broker may take to confirm a message before it counts as queued.
        public var confirmationTimeout = TimeAmount.seconds(2)

        /// The defaults.
        public init() {}
    }

    /// Answers a health check: it gets the path (`/readyz`) and returns status and body, or `nil` for other paths.
    public typealias Health = @Sendable (_ path: String) -> (status: Int, body: ByteBuffer)?

    private let settings: NIOLockedValueBox<Configuration>
    let budget: ByteBudget
    let logger: Logger
    /// What the log is told of refusals.
    let incidents: IncidentLog
    let io: IO
    /// What the cluster remembers; `nil` if this node's own memory is enough.
    let eventIDs: (any SharedEventIDs)?
    private let healthChecks: Health
    /// A token's requests that are under way.
    private let places: Places
    let questions: SharedAnswers<AnswerBody>

    /// Makes the API; ``service(host:port:eventLoopGroup:onListening:)`` serves it.
    ///
    /// - Parameters:
    ///   - io: What the routes call, and whose API tokens may call them.
    ///   - configuration: What is accepted.
    ///   - logger: Where failures and refusals go, and at debug every request.
    ///   - eventIDs: The memory of event ids that all nodes share. Without it each node has its own only.
    ///   - health: Answers `/healthz` and `/readyz`, to anybody and at any time. Without it these routes do not exist.
    public init(
        io: IO,
        configuration: Configuration = Configuration(),
        logger: Logger,
        eventIDs: (any SharedEventIDs)? = nil,
        health: @escaping Health = { _ in nil }
    ) {
        self.io = io
        self.eventIDs = eventIDs
        self.settings = NIOLockedValueBox(configuration)
        self.logger = logger
        self.incidents = IncidentLog(logger: logger, source: "Console", eventLoop: io.server.sockets.eventLoop)
        self.healthChecks = health
        self.places = Places(limit: configuration.requestsPerToken)
        self.budget = ByteBudget(limit: configuration.maximumTotalBytes)
        self.questions = SharedAnswers(limit: configuration.maximumQuestions)
    }

    /// What is accepted now.
    var configuration: Configuration { self.settings.withLockedValue { $0 } }

    /// Accepts something else from the next request on.
    ///
    /// The most bytes of all requests, the most connections and the most questions stay as they were.
    public func reconfigure(_ configuration: Configuration) {
        self.settings.withLockedValue { current in
            let former = current
            current = configuration
            current.maximumTotalBytes = former.maximumTotalBytes
            current.maximumConnections = former.maximumConnections
            current.maximumQuestions = former.maximumQuestions
        }
        self.places.allow(configuration.requestsPerToken)
    }

    /// The API as a service on an address.
    ///
    /// - Parameters:
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 for a free one.
    ///   - eventLoopGroup: Where connections are handled.
    ///   - onListening: Called with the address once requests are served.
    /// - Returns: The service. It ends when its group shuts down gracefully.
    public func service(
        host: String,
        port: Int,
        eventLoopGroup: any EventLoopGroup,
        onListening: @escaping @Sendable (SocketAddress?) async -> Void
    ) -> any Service {
        APIServer(
            api: self,
            host: host,
            port: port,
            eventLoopGroup: eventLoopGroup,
            onListening: onListening
        )
    }
}

// MARK: - The head decides

/// A request whose head has passed all checks.
struct AdmittedRequest: Sendable {
    /// Places and event ids belong to the id of the token.
    var token: APIToken
    var route: PublishRoute
    /// The segments of the path that the route leaves open.
    var values: [String]
    var target: RequestTarget
    /// The version of the answer that the caller has.
    var ifNoneMatch: String?
    /// Who asks.
    var address: SocketAddress?
    /// What is to be there still.
    var ifMatch: String?
}

extension PublishAPI: ServedAPI {
    var limits: ServerLimits {
        ServerLimits(
            headTimeout: self.configuration.headTimeout,
            bodyTimeout: self.configuration.bodyTimeout,
            answerTimeout: self.configuration.answerTimeout,
            idleTimeout: self.configuration.idleTimeout,
            maximumBodyBytes: self.configuration.maximumBodyBytes,
            maximumConnections: self.configuration.maximumConnections
        )
    }

    /// Decides about a request by its head.
    ///
    /// Health checks are answered to anybody and at any time. An admitted request holds one of its token's places.
    func admit(
        _ head: RequestHead,
        from address: SocketAddress?,
        isShuttingDown: Bool
    ) throws(APIError) -> Admission<AdmittedRequest> {
        guard head.hasValidHost else { throw .invalidHost }
        if let answer = self.health(head) { return .answered(answer) }
        guard !isShuttingDown else { throw .shuttingDown }
        let request = try self.admit(head, from: address)
        guard self.places.take(request.token.id) else { throw .noPlace }
        return .request(request)
    }

    /// The longest body that a loop reads as JSON itself.
    private static let shortBody = 16_384

    func isShort(_ request: AdmittedRequest, bodyBytes: Int) -> Bool {
        guard bodyBytes <= Self.shortBody else { return false }
        return switch request.route.action {
        case .verb, .batch: true
        case .question: false
        }
    }

    func release(_ request: AdmittedRequest) { self.places.leave(request.token.id) }

    /// The answer to a health check; `nil` for any other request.
    func health(_ head: RequestHead) -> APIAnswer? {
        guard head.method == .get || head.method == .head, let path = head.target?.path, path.count == 1,
            let (status, body) = self.healthChecks("/\(path[0].string)")
        else { return nil }
        return APIAnswer(status: status, body: AnswerBody(uncounted: body))
    }

    /// Checks all that a request's head says: token first, then route, scope, and length.
    func admit(_ head: RequestHead, from address: SocketAddress? = nil) throws(APIError) -> AdmittedRequest {
        guard let token = head.bearerKey.flatMap({ self.io.apiToken(forKey: $0) }) else { throw .unauthorized }
        guard let target = head.target else { throw .notFound }
        var request = try self.route(target, head.method, token)
        request.address = address
        request.ifNoneMatch = head.ifNoneMatch
        request.ifMatch = head.ifMatch
        switch head.bodyLength {
        case .bytes(let count) where count > self.configuration.maximumBodyBytes:
            throw .tooLarge(self.configuration.maximumBodyBytes)
        case .none, .bytes, .unknown: return request
        }
    }

    /// The route of a target, if the token may use it.
    func route(
        _ target: RequestTarget,
        _ method: RequestHead.Method,
        _ token: APIToken
    ) throws(APIError) -> AdmittedRequest {
        guard target.path.reduce(0, { $0 + $1.utf8.count }) <= PublishRequest.maximumPathBytes else {
            throw .pathTooLong
        }
        var allowed: [RequestHead.Method] = []
        for route in PublishRoute.all {
            guard let values = route.match(target.path) else { continue }
            // Who may GET an answer may also ask for its HEAD.
            guard route.method == method || (route.method == .get && method == .head) else {
                allowed.append(route.method)
                continue
            }
            if let verb = route.verb, !token.ability.allowsVerb(verb) { throw .forbidden(verb) }
            return AdmittedRequest(token: token, route: route, values: values, target: target)
        }
        throw allowed.isEmpty ? .notFound : .methodNotAllowed(allowed)
    }
}
