import Gateway
import NIOHTTP1
import SocketIOServer
import SocketIOWire

/// Why the publish API refuses a request; its answer is `{"error": {"code", "message"}}`.
struct PublishError: Error, Hashable {
    var status: HTTPResponseStatus
    /// For programs: stable, in snake case.
    var code: String
    /// For people: what is wrong and what would be right.
    var message: String
    var headers: [String: String] = [:]

    static func invalidRequest(_ message: String) -> Self {
        Self(status: .badRequest, code: "invalid_request", message: message)
    }

    static let unauthorized = Self(
        status: .unauthorized,
        code: "unauthorized",
        message: "This needs a valid API token: Authorization: Bearer <token>.",
        headers: ["WWW-Authenticate": "Bearer"]
    )

    static func forbidden(_ verb: String) -> Self {
        Self(status: .forbidden, code: "forbidden", message: "This needs an API token with the scope io.\(verb).")
    }

    static let notFound = Self(status: .notFound, code: "not_found", message: "There is no such route.")

    static let pathTooLong = Self(
        status: .uriTooLong,
        code: "path_too_long",
        message: "A path may have at most \(PublishRequest.maximumPathBytes) bytes."
    )

    static func methodNotAllowed(_ allowed: [String]) -> Self {
        let list = allowed.sorted().joined(separator: ", ")
        return Self(
            status: .methodNotAllowed,
            code: "method_not_allowed",
            message: "This route takes \(list).",
            headers: ["Allow": list]
        )
    }

    static func tooLarge(_ limit: Int) -> Self {
        Self(status: .payloadTooLarge, code: "too_large", message: "A body may have at most \(limit) bytes.")
    }

    static let tooSlow = Self(
        status: .requestTimeout,
        code: "too_slow",
        message: "The body took too long to arrive."
    )

    var body: JSONValue { ["error": ["code": .string(self.code), "message": .string(self.message)]] }
}

extension PublishError {
    /// What a failure of the gateway or the cluster is for the caller.
    init(_ error: any Error) {
        switch error {
        case let error as PublishError:
            self = error
        case let error as GatewayError:
            self.init(status: .badRequest, code: "invalid_request", message: error.message)
        case let error as ClusterError where error.code == .timeout:
            self.init(status: .gatewayTimeout, code: "timeout", message: error.message)
        case let error as ClusterError:
            self.init(status: .serviceUnavailable, code: "unavailable", message: error.message)
        default:
            // The cause goes to the log; it may hold what this caller must not see.
            self.init(status: .internalServerError, code: "internal", message: "The node failed; its log says why.")
        }
    }
}
