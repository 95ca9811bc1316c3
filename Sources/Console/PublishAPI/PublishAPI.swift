public import Gateway
public import Logging
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

    /// An answer, before it is written as HTTP.
    struct Answer: Sendable {
        var status: Int
        var headers: [(name: String, value: String)] = []
        var body: AnswerBody
    }

    /// Answers a health check: it gets the path (`/readyz`) and returns status and body, or `nil` for other paths.
    public typealias Health = @Sendable (_ path: String) -> (status: Int, body: ByteBuffer)?

    let configuration: Configuration
    let budget: ByteBudget
    private let io: IO
    private let logger: Logger
    private let healthChecks: Health
    private let questions: SharedAnswers<AnswerBody>

    /// Makes the API; ``service(host:port:eventLoopGroup:onListening:)`` serves it.
    ///
    /// - Parameters:
    ///   - io: What the routes call, and whose API tokens may call them.
    ///   - configuration: What is accepted.
    ///   - logger: Where failures go.
    ///   - health: Answers `/healthz` and `/readyz`, to anybody and at any time. Without it these routes do not exist.
    public init(
        io: IO,
        configuration: Configuration = Configuration(),
        logger: Logger,
        health: @escaping Health = { _ in nil }
    ) {
        self.io = io
        self.configuration = configuration
        self.logger = logger
        self.healthChecks = health
        self.budget = ByteBudget(limit: configuration.maximumTotalBytes)
        self.questions = SharedAnswers(limit: configuration.maximumQuestions)
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
        PublishServer(
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
}

extension PublishAPI {
    /// The answer to a health check; `nil` for any other request.
    func health(_ head: RequestHead) -> Answer? {
        guard head.method == .get || head.method == .head, let path = head.target?.path, path.count == 1,
            let (status, body) = self.healthChecks("/\(path[0].string)")
        else { return nil }
        return Answer(status: status, body: AnswerBody(uncounted: body))
    }

    /// Checks all that a request's head says: token first, then route, scope, and length.
    func admit(_ head: RequestHead) throws(PublishError) -> AdmittedRequest {
        guard let token = self.token(head.authorization) else { throw .unauthorized }
        guard let target = head.target else { throw .notFound }
        let request = try self.route(target, head.method, token)
        switch head.bodyLength {
        case .bytes(let count) where count > self.configuration.maximumBodyBytes:
            throw .tooLarge(self.configuration.maximumBodyBytes)
        case .none, .bytes, .unknown: return request
        }
    }

    /// The token of `Bearer <key>`, checked by the gateway.
    private func token(_ authorization: String?) -> APIToken? {
        guard let authorization, authorization.hasASCIIPrefix("bearer ") else { return nil }
        let key = authorization.utf8.dropFirst("bearer ".utf8.count).drop { $0 == UInt8(ascii: " ") }
        guard (1...1024).contains(key.count), let key = String(key) else { return nil }
        return self.io.apiToken(forKey: key)
    }

    /// The route of a target, if the token may use it.
    private func route(
        _ target: RequestTarget,
        _ method: RequestHead.Method,
        _ token: APIToken
    ) throws(PublishError) -> AdmittedRequest {
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

// MARK: - Answers

extension PublishAPI {
    /// Answers a request whose body is complete.
    func answer(_ admitted: AdmittedRequest, body: ByteBuffer) async -> Answer {
        do {
            var value = JSONValue.null
            if body.readableBytes > 0 {
                do {
                    value = try JSONValue(parsing: body)
                } catch {
                    throw PublishError.invalidJSON("\(error)")
                }
            }
            let request = PublishRequest(admitted, body: value)
            let (status, bytes) = try await self.result(of: request)
            return Answer(status: status, body: bytes)
        } catch {
            return Answer(self.refusal(error))
        }
    }

    /// Status and bytes of the answer to one request, or to one operation of a batch.
    private func result(of request: PublishRequest) async throws -> (status: Int, body: AnswerBody) {
        try request.check()
        switch request.route.action {
        case .batch: return (200, try await self.batch(request))
        case .verb(let action):
            let answer = try await self.perform(action, request)
            var bytes = ByteBuffer()
            bytes.writeJSON(answer.value)
            guard let body = AnswerBody(bytes, of: self.budget) else { throw PublishError.busy }
            return (answer.status, body)
        case .question(let ask):
            // This byte occurs in no UTF-8 text.
            let question = Array(request.target.path.map { Array($0.utf8) }.joined(separator: [0xFF]))
            let body = try await self.questions.answer(to: question, tooMany: PublishError.tooManyQuestions) {
                try self.body(try await ask(self.io, request), limit: self.configuration.maximumAnswerBytes)
            }
            return (200, body)
        }
    }

    /// A list as JSON.
    ///
    /// Writing stops as soon as the list is too long.
    private func body(_ list: AnswerList, limit: Int) throws -> AnswerBody {
        var bytes = ByteBuffer()
        bytes.writeString("{\"\(list.name)\":[")
        for (index, element) in list.elements.enumerated() {
            if index > 0 { bytes.writeInteger(UInt8(ascii: ",")) }
            bytes.writeJSON(list.value(of: element))
            guard bytes.readableBytes < limit else {
                throw PublishError.answerTooLarge(list.elements.count, limit: limit)
            }
        }
        bytes.writeString("]}")
        guard let body = AnswerBody(bytes, of: self.budget) else { throw PublishError.busy }
        return body
    }

    private func refusal(_ error: any Error) -> PublishError {
        let refusal = PublishError(error)
        if refusal.status == .internalServerError {
            self.logger.error("A request to the publish API failed", metadata: ["error": "\(error)"])
        }
        return refusal
    }

    /// Does what a request asks for, unless its id was seen before.
    private func perform(_ action: PublishRoute.Verb, _ request: PublishRequest) async throws -> JSONAnswer {
        let publisher = self.io.publisher(
            whileUnreachable: self.configuration.whileDisconnected,
            timeout: self.configuration.confirmationTimeout,
            wantsReceipt: try request.flag("receipt")
        )
        guard let id = try request.eventID() else { return try await action(publisher, request).answer }
        let scope = [request.token.id] + request.target.path.map(\.string)
        let result = try await self.io.once(id, scope: scope) {
            let result = try await action(publisher, request)
            return (result, result.hasPublished)
        }
        return result?.answer.remembered() ?? JSONAnswer(value: ["success": true, "duplicate": true]).remembered()
    }

    /// Runs `{"operations": [{"method"?, "path", "body"?}]}` one after the other.
    ///
    /// One that fails does not stop the rest.
    private func batch(_ request: PublishRequest) async throws -> AnswerBody {
        guard let operations = try request.object()["operations"]?.arrayValue else {
            throw PublishError.invalidRequest(
                "'operations' must be a list of {\"path\": \"/io/raw\", \"body\": {...}}."
            )
        }
        guard operations.count <= self.configuration.maximumBatch else {
            throw PublishError.invalidRequest("A batch may hold at most \(self.configuration.maximumBatch) operations.")
        }
        let eventID = try request.eventID()
        var bytes = ByteBuffer()
        bytes.writeString("{\"results\":[")
        for (index, operation) in operations.enumerated() {
            if index > 0 { bytes.writeString(",") }
            do {
                let single = try self.operation(operation, eventID.map { "\($0)/\(index)" }, request.token)
                let (status, body) = try await self.result(of: single)
                guard bytes.readableBytes + body.bytes.readableBytes < self.configuration.maximumAnswerBytes else {
                    throw PublishError.answerTooLarge(operations.count, limit: self.configuration.maximumAnswerBytes)
                }
                bytes.writeString("{\"status\":\(status),\"body\":")
                bytes.writeImmutableBuffer(body.bytes)
                bytes.writeString("}")
            } catch {
                let refusal = self.refusal(error)
                bytes.writeJSON(["status": .int(Int(refusal.status.code)), "body": refusal.body])
            }
        }
        bytes.writeString("]}")
        guard let body = AnswerBody(bytes, of: self.budget) else { throw PublishError.busy }
        return body
    }

    /// One operation of a batch.
    ///
    /// If it has no `eventId` of its own, it gets one made of the batch's and its number.
    private func operation(_ value: JSONValue, _ eventID: String?, _ token: APIToken) throws -> PublishRequest {
        guard let path = value["path"]?.stringValue, let target = RequestTarget(path) else {
            throw PublishError.invalidRequest("An operation must have a 'path' such as '/io/raw'.")
        }
        try PublishRequest.check(value, members: ["method", "path", "body"])
        let method = RequestHead.Method(name: UTF8Text(value["method"]?.stringValue ?? "POST"))
        let admitted = try self.route(target, method, token)
        if case .batch = admitted.route.action { throw PublishError.notFound }
        var request = PublishRequest(admitted, body: value["body"] ?? .null)
        if admitted.route.publishes { request.defaultEventID = eventID }
        return request
    }
}
