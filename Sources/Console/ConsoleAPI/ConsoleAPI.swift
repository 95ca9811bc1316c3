public import Gateway
import Incidents
public import Logging
public import NIOCore
import NIOHTTP1
public import ServiceLifecycle
import SocketIOWire

/// What the internal listener serves, for those who operate the node.
///
/// It belongs on an address that only they can reach, because `GET /metrics` asks for no token. Everything else but the
/// health checks needs an API token whose scopes allow it, from every address: whoever is on the same machine is not
/// therefore an operator.
public struct ConsoleAPI: Sendable {
    /// The most connections.
    ///
    /// Scrapers and operators are few.
    public static let maximumConnections = 32
    /// The most requests of one token at a time, streams not counted.
    private static let requestsPerToken = 16
    /// The longest body, in bytes.
    private static let maximumBodyBytes = 1_000_000

    let limits = ServerLimits(
        headTimeout: .seconds(10),
        bodyTimeout: .seconds(10),
        answerTimeout: .seconds(10),
        idleTimeout: .seconds(75),
        maximumBodyBytes: Self.maximumBodyBytes,
        maximumConnections: Self.maximumConnections
    )
    let budget = ByteBudget(limit: 16_000_000)
    private let routes: [ConsoleRoute]
    /// The API token of a key.
    private let token: @Sendable (String) -> APIToken?
    /// A token's requests that are under way.
    private let places = Places(limit: Self.requestsPerToken)
    private let health: PublishAPI.Health
    private let incidents: IncidentLog

    /// Makes the API; ``service(host:port:eventLoopGroup:onListening:)`` serves it.
    ///
    /// - Parameters:
    ///   - metrics: What `GET /metrics` answers.
    ///   - io: The gateway that operators look at, and whose API tokens they show; `nil` if there are only metrics.
    ///   - logger: Where refusals go.
    ///   - eventLoop: Its time is the log's.
    ///   - health: Answers `/healthz` and `/readyz`.
    public init(
        metrics: MetricRegistry,
        io: IO? = nil,
        logger: Logger,
        eventLoop: any EventLoop,
        health: @escaping PublishAPI.Health = { _ in nil }
    ) {
        self.init(
            routes: [.metrics(metrics)] + (io.map { ConsoleRoute.all(of: $0) } ?? []),
            token: { key in io?.apiToken(forKey: key) },
            logger: logger,
            eventLoop: eventLoop,
            health: health
        )
    }

    init(
        routes: [ConsoleRoute],
        token: @escaping @Sendable (String) -> APIToken? = { _ in nil },
        logger: Logger,
        eventLoop: any EventLoop,
        health: @escaping PublishAPI.Health = { _ in nil }
    ) {
        self.routes = routes
        self.token = token
        self.health = health
        self.incidents = IncidentLog(logger: logger, source: "Console", eventLoop: eventLoop)
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
        APIServer(api: self, host: host, port: port, eventLoopGroup: eventLoopGroup, onListening: onListening)
    }
}

// MARK: - The head decides

extension ConsoleAPI: ServedAPI {
    /// Finds the route of a request, and checks its token.
    ///
    /// A request with a body that nobody reads is refused before a byte of it is kept.
    func admit(
        _ head: RequestHead,
        from address: SocketAddress?,
        isShuttingDown: Bool
    ) throws(APIError) -> Admission<ConsoleRequest> {
        guard head.hasValidHost else { throw .invalidHost }
        guard let path = head.target?.path else { throw .notFound }
        if path.count == 1, head.method == .get || head.method == .head,
            let (status, body) = self.health("/\(path[0].string)")
        {
            return .answered(APIAnswer(status: status, body: AnswerBody(uncounted: body)))
        }
        guard !isShuttingDown else { throw .shuttingDown }
        guard path.reduce(0, { $0 + $1.utf8.count }) <= PublishRequest.maximumPathBytes else { throw .pathTooLong }
        var request = try self.route(head, path)
        request.address = address
        switch head.bodyLength {
        case .none: break
        case .bytes(let count) where count > Self.maximumBodyBytes: throw .tooLarge(Self.maximumBodyBytes)
        case .bytes, .unknown: guard request.route.members != nil else { throw .noBody }
        }
        if let token = request.token, !self.places.take(token.id) { throw .noConsolePlace }
        return .request(request)
    }

    private func route(_ head: RequestHead, _ path: [UTF8Text]) throws(APIError) -> ConsoleRequest {
        var allowed: [RequestHead.Method] = []
        for route in self.routes {
            guard let values = route.match(path) else { continue }
            guard route.takes(head.method) else {
                allowed.append(route.method)
                continue
            }
            var request = ConsoleRequest(route: route, head: head, values: values)
            if case .scope(let verb) = route.access {
                guard let token = head.bearerKey.flatMap(self.token) else { throw .unauthorized }
                guard token.ability.allowsVerb(verb) else { throw .forbidden(verb) }
                request.token = token
            }
            return request
        }
        throw allowed.isEmpty ? .notFound : .methodNotAllowed(allowed)
    }

    /// Most of them ask other nodes, or write long texts.
    func isShort(_ request: ConsoleRequest, bodyBytes: Int) -> Bool { false }

    func answer(_ request: ConsoleRequest, body: ByteBuffer) async -> APIAnswer {
        do {
            var request = request
            if body.readableBytes > 0 {
                do {
                    request.body = try JSONValue(parsing: body)
                } catch {
                    throw APIError.invalidJSON("\(error)")
                }
            }
            if let members = request.route.members { try PublishRequest.check(request.body, members: members) }
            if let parameters = request.route.parameters {
                try PublishRequest.check(request.head.target?.query ?? [], parameters: parameters)
            }
            switch try await request.route.answer(request) {
            case .stream(let stream, let contentType):
                let body = AnswerBody(uncounted: ByteBuffer())
                return APIAnswer(status: 200, contentType: contentType, body: body, stream: stream)
            case .bytes(let bytes, let contentType, let status, let headers):
                guard let body = AnswerBody(bytes, of: self.budget) else { throw APIError.tooManyAnswers }
                return APIAnswer(status: status, contentType: contentType, headers: headers, body: body)
            }
        } catch {
            let refusal = APIError(error)
            if refusal.status == .internalServerError { self.failed(error) }
            self.refused(refusal, request, from: request.address)
            return APIAnswer(refusal)
        }
    }

    func release(_ request: ConsoleRequest) {
        if let token = request.token { self.places.leave(token.id) }
    }
}

// MARK: - The log

extension ConsoleAPI {
    func refused(_ error: APIError, _ request: ConsoleRequest?, from address: SocketAddress?) {
        self.incidents.record(
            "Requests to the console were refused",
            reason: error.code,
            details: ["status": "\(error.status.code)", "address": "\(address?.ipAddress ?? "unknown")"]
        )
    }

    /// A request failed by a fault of the node's; its caller is not told which.
    private func failed(_ error: any Error) {
        self.incidents.record(
            "Requests to the console failed",
            reason: "internal",
            level: .error,
            pace: .failures,
            details: ["error": "\(error)"]
        )
    }

    func gaveWay() {
        self.incidents.record(
            "Connections to the console that asked nothing were closed, because there are too many",
            reason: "connections",
            details: ["limit": "\(Self.maximumConnections)"]
        )
    }
}

extension APIError {
    /// The token's limit is reached.
    fileprivate static let noConsolePlace = Self(
        status: .tooManyRequests,
        code: "too_many_requests",
        message: "Too many requests of this token are under way; try again.",
        headers: [("Retry-After", "1")]
    )
}
