import Gateway
import NIOHTTP1
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Why an API refuses a request.
///
/// The answer is `{"error": {"code", "message"}}`, with `missing` if nodes have not answered.
struct APIError: Error {
    var status: HTTPResponseStatus
    /// For programs: stable, in snake case.
    var code: String
    /// For people: what is wrong and what would be right.
    var message: String
    var headers: [(name: String, value: String)] = []
    /// The nodes that have not answered; `nil` where nobody was asked.
    var missing: [ClusterNode]?
    /// The milliseconds after which the same request may be granted; `nil` where waiting does not help.
    var retryAfter: Int?

    static func invalidRequest(_ message: String) -> Self {
        Self(status: .badRequest, code: "invalid_request", message: message)
    }

    static func invalidJSON(_ reason: String) -> Self {
        Self(status: .badRequest, code: "invalid_json", message: "The body is not JSON: \(reason)")
    }

    static let malformed = Self(
        status: .badRequest,
        code: "malformed",
        message: "This is no HTTP/1.1 request that can be read."
    )

    static let invalidHost = Self(
        status: .badRequest,
        code: "invalid_host",
        message: "A request must have exactly one Host field."
    )

    static let headTooLarge = Self(
        status: .requestHeaderFieldsTooLarge,
        code: "head_too_large",
        message: "A request's first line and fields are too long."
    )

    static let unauthorized = Self(
        status: .unauthorized,
        code: "unauthorized",
        message: "This needs a valid API token: Authorization: Bearer <token>.",
        headers: [("WWW-Authenticate", "Bearer")]
    )

    static func forbidden(_ verb: String) -> Self {
        Self(status: .forbidden, code: "forbidden", message: "This needs an API token with the scope io.\(verb).")
    }

    static let notFound = Self(status: .notFound, code: "not_found", message: "There is no such route.")

    static let unknownNamespace = Self(
        status: .notFound,
        code: "not_found",
        message: "No namespace of that name is configured."
    )

    static let pathTooLong = Self(
        status: .uriTooLong,
        code: "path_too_long",
        message: "A path may have at most \(PublishRequest.maximumPathBytes) bytes."
    )

    static func methodNotAllowed(_ allowed: [RequestHead.Method]) -> Self {
        let list = allowed.map(\.rawValue).sorted().joined(separator: ", ")
        return Self(
            status: .methodNotAllowed,
            code: "method_not_allowed",
            message: "This route takes \(list).",
            headers: [("Allow", list)]
        )
    }

    static func tooLarge(_ limit: Int) -> Self {
        Self(status: .payloadTooLarge, code: "too_large", message: "A body may have at most \(limit) bytes.")
    }

    /// A route reads no body at all.
    static let noBody = Self(
        status: .payloadTooLarge,
        code: "too_large",
        message: "This route takes no body."
    )

    /// Too many bytes wait for clients that do not read them.
    static let tooManyAnswers = Self(
        status: .serviceUnavailable,
        code: "busy",
        message: "Too many answers wait for clients that read slowly; try again.",
        headers: [("Retry-After", "1")]
    )

    static let tooSlow = Self(
        status: .requestTimeout,
        code: "too_slow",
        message: "The body took too long to arrive."
    )

    static func answerTooLarge(_ count: Int, limit: Int) -> Self {
        Self(
            status: .unprocessableEntity,
            code: "answer_too_large",
            message: "The list has \(count) elements; an answer may have at most \(limit) bytes (publish.answerSize)."
        )
    }

    static func answerTooLarge(limit: Int) -> Self {
        Self(
            status: .unprocessableEntity,
            code: "answer_too_large",
            message: "An answer may have at most \(limit) bytes (publish.answerSize)."
        )
    }

    /// A limit that all requests share is reached.
    ///
    /// The caller may try again.
    static let busy = Self(
        status: .serviceUnavailable,
        code: "busy",
        message: "The node holds as many requests as it may (publish.totalSize); try again.",
        headers: [("Retry-After", "1")]
    )

    /// Another node does what a request with the same id asks for.
    static let eventUnderWay = Self(
        status: .conflict,
        code: "under_way",
        message: "Another node is publishing the event with this eventId; ask again to hear whether it has.",
        headers: [("Retry-After", "1")]
    )

    /// Too many different questions to the cluster are under way.
    static let tooManyQuestions = Self(
        status: .serviceUnavailable,
        code: "busy",
        message: "Too many different lists of sockets are being asked for; try again.",
        headers: [("Retry-After", "1")]
    )

    /// The token's limit is reached.
    ///
    /// The caller may try again.
    static let noPlace = Self(
        status: .tooManyRequests,
        code: "too_many_requests",
        message: "Too many requests of this token are under way (publish.requestsPerToken); try again.",
        headers: [("Retry-After", "1")]
    )

    /// A limit of the whole cluster.
    static func rateLimited(_ milliseconds: Int) -> Self {
        var error = Self(
            status: .tooManyRequests,
            code: "rate_limited",
            message: "Rate limit exceeded: this token or its tenant has asked for too much (gateway.limits.cluster).",
            headers: [("Retry-After", "\((milliseconds + 999) / 1000)")]
        )
        error.retryAfter = milliseconds
        return error
    }

    static let shuttingDown = Self(
        status: .serviceUnavailable,
        code: "unavailable",
        message: "The node is shutting down; ask another one.",
        headers: [("Retry-After", "1")]
    )

    static func unreachable(_ reason: String) -> Self {
        Self(status: .serviceUnavailable, code: "cluster_unreachable", message: reason)
    }

    var body: JSONValue {
        var error: JSONObject = ["code": .string(self.code), "message": .string(self.message)]
        if let missing = self.missing { error["missing"] = .array(missing.map(\.value)) }
        error["retryAfter"] = self.retryAfter.map { .int($0) }
        return ["error": .object(error)]
    }
}

extension APIError {
    /// What the caller is told about a failure of the gateway or the cluster.
    init(_ error: any Error) {
        switch error {
        case let error as APIError:
            self = error
        case let refusal as SettingsRefusal:
            self.init(refusal)
        case let error as SettingsChangeError:
            self.init(error)
        case let error as GatewayError:
            self.init(status: .badRequest, code: "invalid_request", message: error.message)
        case let error as ClusterError where error.code == .timeout:
            self.init(status: .gatewayTimeout, code: "timeout", message: error.message, missing: error.missing)
        case let error as ClusterError where error.code == .incomplete:
            self.init(status: .gatewayTimeout, code: "incomplete", message: error.message, missing: error.missing)
        case let error as ClusterError where error.code == .refused:
            self.init(
                status: .serviceUnavailable,
                code: "refused",
                message: error.message,
                headers: [("Retry-After", "1")],
                missing: error.missing
            )
        case let error as ClusterError where error.code == .unreachable:
            self = .unreachable(error.message)
        case let error as ClusterError:
            self.init(status: .serviceUnavailable, code: "unavailable", message: error.message)
        default:
            // The cause goes to the log only, because it may hold something that this caller must not see.
            self.init(status: .internalServerError, code: "internal", message: "The node failed; its log says why.")
        }
    }
}
