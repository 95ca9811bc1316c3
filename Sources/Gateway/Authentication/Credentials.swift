import SocketIOWire

/// What a client sent to prove who it is: `{strategy?, token?}`.
struct Credentials: Sendable, Hashable {
    enum Strategy: Sendable, Hashable {
        /// No token: a visitor.
        case visitor
        case jwt
        case apiToken
        /// One that the application brought along.
        case custom(UTF8Text)
        case unknown
    }

    var strategy: Strategy
    var token: String

    /// Reads the `auth` of a CONNECT packet or the payload of `authenticate`.
    ///
    /// Without a token the strategy doesn't matter; with one it defaults to `jwt`.
    init(_ auth: JSONValue, customStrategies: Set<UTF8Text> = []) {
        self.token = ""
        switch auth["token"] {
        case nil, .null, .string(""):
            self.strategy = .visitor
        case .string(let token):
            self.token = token
            switch auth["strategy"] {
            case nil, .null, "jwt": self.strategy = .jwt
            case "api-token", "apiToken", "token": self.strategy = .apiToken
            case .string(let name) where customStrategies.contains(UTF8Text(name)):
                self.strategy = .custom(UTF8Text(name))
            default: self.strategy = .unknown
            }
        default:
            self.strategy = .unknown
        }
    }
}

/// A principal whose credentials were good, and until when they are.
public struct AuthenticatedPrincipal: Sendable, Hashable {
    /// Who it is.
    public var principal: Principal
    /// Unix time in seconds; `nil`: until the client leaves.
    public var expiresAt: Double?

    /// A principal whose credentials end at a time, or never.
    public init(_ principal: Principal, expiresAt: Double? = nil) {
        self.principal = principal
        self.expiresAt = expiresAt
    }
}
