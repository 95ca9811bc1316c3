public import Gateway
import HTTPTypes
import Hummingbird
public import Logging
public import NIOCore
import NIOHTTP1
import OrderedCollections
public import ServiceLifecycle
import SocketIOWire

/// The HTTP API through which back ends publish: each route is one method of ``IO``.
///
/// Requests carry a bearer API token whose scopes name the verb (`io.emit`). Bodies and answers are JSON; a refusal is
/// `{"error": {"code", "message"}}`. It belongs on a listener of its own, away from the public's.
public struct PublishAPI: Sendable {
    /// What the API accepts.
    public struct Configuration: Sendable {
        /// The longest body, in bytes.
        public var maximumBodyBytes = 1_000_000
        /// The most operations of one batch.
        public var maximumBatch = 100
        /// How many `eventId`s are remembered.
        public var rememberedEvents = 10_000
        /// How long a body may take to arrive.
        public var bodyTimeout = TimeAmount.seconds(30)
        /// The most connections at a time; further ones wait until one is closed.
        public var maximumConnections = 1000
        /// Tokens that may publish.
        public var tokens: [APIToken]
        /// What the tokens' hashes were made with.
        public var tokenSalt: String

        /// The defaults, with these tokens.
        public init(tokens: [APIToken], tokenSalt: String) {
            self.tokens = tokens
            self.tokenSalt = tokenSalt
        }
    }

    /// An answer, before it is written as HTTP.
    struct Answer: Sendable {
        var status: HTTPResponseStatus
        var headers: [String: String] = [:]
        var body: JSONValue
    }

    private let io: IO
    private let configuration: Configuration
    private let logger: Logger
    private let memory: EventMemory
    /// By hash: finding one tells nothing about the hash of another, for nobody can choose a hash.
    private let tokens: [String: APIToken]
    private let now: @Sendable () -> Double

    /// Makes the API; ``service(host:port:onListening:)`` serves it.
    ///
    /// - Parameters:
    ///   - io: What the routes call.
    ///   - configuration: What is accepted.
    ///   - logger: Where failures go.
    ///   - now: Unix time in seconds, by which tokens expire.
    public init(
        io: IO,
        configuration: Configuration,
        logger: Logger,
        now: @escaping @Sendable () -> Double
    ) {
        self.io = io
        self.configuration = configuration
        self.logger = logger
        self.now = now
        self.memory = EventMemory(capacity: configuration.rememberedEvents)
        self.tokens = Dictionary(
            configuration.tokens.filter { !$0.isRevoked }.map { ($0.hash.lowercased(), $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    // MARK: Requests

    /// Answers one request.
    ///
    /// - Parameters:
    ///   - method: The HTTP method.
    ///   - target: The path, and the query.
    ///   - authorization: The header of that name.
    ///   - body: Reads the body.
    /// - Returns: The answer, for a refusal as well.
    func respond(
        method: String,
        target: String,
        authorization: String?,
        body: () async throws -> ByteBuffer
    ) async -> Answer {
        do {
            // Nobody's body is read before they have shown who they are.
            let token = try self.token(authorization)
            let body = try await body()
            var value = JSONValue.null
            if body.readableBytes > 0 {
                do {
                    value = try JSONValue(parsing: body)
                } catch {
                    throw PublishError(
                        status: .badRequest,
                        code: "invalid_json",
                        message: "The body is not JSON: \(error)"
                    )
                }
            }
            guard let request = PublishRequest(method: method, target: target, body: value) else {
                throw PublishError.notFound
            }
            if request.path == ["io", "batch"] {
                guard method == "POST" else { throw PublishError.methodNotAllowed(["POST"]) }
                return Answer(status: .ok, body: try await self.batch(request, token))
            }
            return Answer(status: .ok, body: try await self.perform(request, token))
        } catch {
            let refusal = PublishError(error)
            if refusal.status == .internalServerError {
                self.logger.error("A request to the publish API failed", metadata: ["error": "\(error)"])
            }
            return Answer(status: refusal.status, headers: refusal.headers, body: refusal.body)
        }
    }

    private func token(_ authorization: String?) throws -> APIToken {
        guard let authorization, let space = authorization.firstIndex(of: " "),
            authorization[..<space].lowercased() == "bearer"
        else { throw PublishError.unauthorized }
        let key = authorization[authorization.index(after: space)...].drop { $0 == " " }
        guard (1...1024).contains(key.utf8.count),
            let token = self.tokens[APIToken.hash(of: String(key), salt: self.configuration.tokenSalt)],
            !token.isExpired(at: self.now())
        else { throw PublishError.unauthorized }
        return token
    }

    private func perform(_ request: PublishRequest, _ token: APIToken) async throws -> JSONValue {
        // Paths are remembered together with event ids, and part of names of rooms.
        guard request.path.reduce(0, { $0 + $1.utf8.count }) <= PublishRequest.maximumPathBytes else {
            throw PublishError.pathTooLong
        }
        var allowed: [String] = []
        for route in PublishRoute.all {
            guard let values = route.match(request.path) else { continue }
            guard route.method == request.method else {
                allowed.append(route.method)
                continue
            }
            guard token.ability.allowsVerb(route.verb) else { throw PublishError.forbidden(route.verb) }
            let eventID = try request.eventID().map { "\(request.path.joined(separator: "/")) \($0)" }
            if let eventID, !self.memory.insert(eventID) { return ["success": true, "duplicate": true] }
            do {
                return try await route.action(self.io, request, values)
            } catch {
                if let eventID { self.memory.remove(eventID) }
                throw error
            }
        }
        throw allowed.isEmpty ? PublishError.notFound : PublishError.methodNotAllowed(allowed)
    }

    /// `{"operations": [{"method"?, "path", "body"?}]}`: one after the other; one that fails doesn't stop the rest.
    private func batch(_ request: PublishRequest, _ token: APIToken) async throws -> JSONValue {
        guard let operations = try request.object()["operations"]?.arrayValue else {
            throw PublishError.invalidRequest(
                "'operations' must be a list of {\"path\": \"/io/raw\", \"body\": {...}}."
            )
        }
        guard operations.count <= self.configuration.maximumBatch else {
            throw PublishError.invalidRequest("A batch may hold at most \(self.configuration.maximumBatch) operations.")
        }
        var results: [JSONValue] = []
        for operation in operations {
            do {
                guard let path = operation["path"]?.stringValue,
                    let single = PublishRequest(
                        method: operation["method"]?.stringValue ?? "POST",
                        target: path,
                        body: operation["body"] ?? .null
                    )
                else { throw PublishError.invalidRequest("An operation must have a 'path' such as '/io/raw'.") }
                results.append(["status": 200, "body": try await self.perform(single, token)])
            } catch {
                let refusal = PublishError(error)
                if refusal.status == .internalServerError {
                    self.logger.error("An operation of a batch failed", metadata: ["error": "\(error)"])
                }
                results.append(["status": .int(Int(refusal.status.code)), "body": refusal.body])
            }
        }
        return ["results": .array(results)]
    }

    // MARK: HTTP

    /// The API as a service on an address.
    ///
    /// - Parameters:
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 for a free one.
    ///   - eventLoopGroup: Where connections are handled.
    ///   - onListening: Called with the address once requests are served.
    /// - Returns: The service; it ends with the graceful shutdown of its group.
    public func service(
        host: String,
        port: Int,
        eventLoopGroup: any EventLoopGroup,
        onListening: @escaping @Sendable (SocketAddress?) async -> Void
    ) -> any Service {
        Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                await self.respond(to: request)
            },
            server: .http1(configuration: .init(idleTimeout: .seconds(75))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(self.configuration.maximumConnections, logger: self.logger)
            ),
            onServerRunning: { channel in await onListening(channel.localAddress) },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: self.logger
        )
    }

    private func respond(to request: Request) async -> Response {
        let answer = await self.respond(
            method: request.method.rawValue,
            target: request.head.path ?? "/",
            authorization: request.headers[.authorization]
        ) {
            try await self.read(request.body)
        }
        // An answer that overtakes the body is lost to clients that are still writing when the connection is closed.
        if answer.status == .unauthorized { _ = try? await self.read(request.body) }
        var bytes = ByteBuffer()
        bytes.writeJSON(answer.body)
        var headers = HTTPFields()
        headers[.contentType] = "application/json; charset=utf-8"
        headers[.cacheControl] = "no-store"
        for (name, value) in answer.headers {
            if let name = HTTPTypes.HTTPField.Name(name) { headers[name] = value }
        }
        return Response(
            status: HTTPResponse.Status(code: Int(answer.status.code)),
            headers: headers,
            body: ResponseBody(byteBuffer: bytes)
        )
    }

    /// The body, if it comes in time.
    private func read(_ body: RequestBody) async throws -> ByteBuffer {
        let timeout = self.configuration.bodyTimeout.nanoseconds
        return try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.collect(body) }
            group.addTask {
                try await Task.sleep(for: .nanoseconds(timeout))
                throw PublishError.tooSlow
            }
            guard let bytes = try await group.next() else { throw PublishError.tooSlow }
            return bytes
        }
    }

    /// The body, kept up to the limit.
    ///
    /// What is longer is read on for a while and thrown away, so that the client hears why.
    private func collect(_ body: RequestBody) async throws -> ByteBuffer {
        let limit = self.configuration.maximumBodyBytes
        var kept = ByteBuffer()
        var count = 0
        do {
            for try await var chunk in body {
                count += chunk.readableBytes
                if count <= limit { kept.writeBuffer(&chunk) }
                if count / 8 > limit { break }
            }
        } catch {
            throw PublishError.invalidRequest("The body could not be read.")
        }
        guard count <= limit else { throw PublishError.tooLarge(limit) }
        return kept
    }
}
