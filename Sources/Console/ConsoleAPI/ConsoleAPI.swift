import Incidents
public import Logging
public import NIOCore
import NIOHTTP1
public import ServiceLifecycle
import SocketIOWire

/// What the internal listener serves, for those who operate the node.
///
/// It belongs on an address that only they can reach, because `GET /metrics` asks for no token. No route reads a body.
public struct ConsoleAPI: Sendable {
    /// The most connections.
    ///
    /// Scrapers are few.
    public static let maximumConnections = 32

    let limits = ServerLimits(
        headTimeout: .seconds(10),
        bodyTimeout: .seconds(10),
        answerTimeout: .seconds(10),
        idleTimeout: .seconds(75),
        maximumBodyBytes: 0,
        maximumConnections: Self.maximumConnections
    )
    let budget = ByteBudget(limit: 8_000_000)
    private let routes: [ConsoleRoute]
    private let health: PublishAPI.Health
    private let incidents: IncidentLog

    /// Makes the API; ``service(host:port:eventLoopGroup:onListening:)`` serves it.
    ///
    /// - Parameters:
    ///   - metrics: What `GET /metrics` answers.
    ///   - logger: Where refusals go.
    ///   - eventLoop: Its time is the log's.
    ///   - health: Answers `/healthz` and `/readyz`.
    public init(
        metrics: MetricRegistry,
        logger: Logger,
        eventLoop: any EventLoop,
        health: @escaping PublishAPI.Health = { _ in nil }
    ) {
        self.init(routes: [.metrics(metrics)], logger: logger, eventLoop: eventLoop, health: health)
    }

    init(
        routes: [ConsoleRoute],
        logger: Logger,
        eventLoop: any EventLoop,
        health: @escaping PublishAPI.Health = { _ in nil }
    ) {
        self.routes = routes
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

extension ConsoleAPI: ServedAPI {
    /// Finds the route of a request.
    ///
    /// A request with a body is refused before a byte of it is kept.
    func admit(
        _ head: RequestHead,
        from address: SocketAddress?,
        isShuttingDown: Bool
    ) throws(APIError) -> Admission<ConsoleRoute.Request> {
        guard head.hasValidHost else { throw .invalidHost }
        guard let path = head.target?.path else { throw .notFound }
        if path.count == 1, head.method == .get || head.method == .head,
            let (status, body) = self.health("/\(path[0].string)")
        {
            return .answered(APIAnswer(status: status, body: AnswerBody(uncounted: body)))
        }
        guard !isShuttingDown else { throw .shuttingDown }
        let routes = self.routes.filter { $0.path == path }
        guard let route = routes.first(where: { $0.takes(head.method) }) else {
            throw routes.isEmpty ? .notFound : .methodNotAllowed(routes.map(\.method))
        }
        guard head.bodyLength == .none else { throw .noBody }
        return .request(ConsoleRoute.Request(route: route, head: head))
    }

    func isShort(_ request: ConsoleRoute.Request, bodyBytes: Int) -> Bool { false }

    func answer(_ request: ConsoleRoute.Request, body: ByteBuffer) async -> APIAnswer {
        let (status, contentType, bytes) = await request.route.answer(request)
        guard let body = AnswerBody(bytes, of: self.budget) else {
            self.refused(.tooManyAnswers, request, from: nil)
            return APIAnswer(.tooManyAnswers)
        }
        return APIAnswer(status: status, contentType: contentType, body: body)
    }

    func release(_ request: ConsoleRoute.Request) {}

    func refused(_ error: APIError, _ request: ConsoleRoute.Request?, from address: SocketAddress?) {
        self.incidents.record(
            "Requests to the console were refused",
            reason: error.code,
            details: ["status": "\(error.status.code)", "address": "\(address?.ipAddress ?? "unknown")"]
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
