public import SocketIOWire

/// What a client sent to prove who it is: `{strategy?, token?}`.
struct Credentials: Sendable, Hashable {
    enum Strategy: Sendable, Hashable {
        /// No token. The client is a visitor.
        case visitor
        case jwt
        case apiToken
        /// A strategy that the application adds.
        case custom(UTF8Text)
        case unknown
    }

    var strategy: Strategy
    var token: String

    /// Reads the `auth` of a CONNECT packet or the payload of `authenticate`.
    ///
    /// Without a token the strategy does not matter. With one it is `jwt` unless the client names another.
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

/// A principal with good credentials, and the time until which they are good.
public struct AuthenticatedPrincipal: Sendable, Hashable {
    /// Who it is.
    public var principal: Principal
    /// Unix time in seconds; `nil` if the credentials have no end.
    public var expiresAt: Double?
    /// Unix time in seconds at which the credentials were issued; `nil` if that is not known.
    ///
    /// Revocations of what was issued before a time mean credentials of which it is not known, too. Those of a strategy of
    /// the application that leaves it out count as issued when they are shown.
    public var issuedAt: Double?
    /// The `jti` of a JSON Web Token, by which it can be revoked.
    public var jsonWebTokenID: UTF8Text?

    /// Makes a principal whose credentials end at a time, or never.
    public init(
        _ principal: Principal,
        expiresAt: Double? = nil,
        issuedAt: Double? = nil,
        jsonWebTokenID: UTF8Text? = nil
    ) {
        self.principal = principal
        self.expiresAt = expiresAt
        self.issuedAt = issuedAt
        self.jsonWebTokenID = jsonWebTokenID
    }
}
