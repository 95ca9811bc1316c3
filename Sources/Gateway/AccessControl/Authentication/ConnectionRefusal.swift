import SocketIOWire

/// Why the gateway refuses a client.
///
/// The texts are part of the protocol, because clients compare them.
enum ConnectionRefusal: Error, Hashable {
    case noValidRoom
    case invalidToken
    case invalidCredentials
    case tokenExpired
    case tokenRevoked
    /// The node does not know which tokens are revoked.
    case revocationsUnknown
    case tooManyAttempts
    case rateLimited(retryAfterMilliseconds: Int)
    case notWhitelisted
    case blacklisted
    case maximumConnections
    case authenticationRequired
    case namespaceAuthenticationRequired(String)
    case roleNotAllowed(String)
    case tokenNotAllowed(String)

    /// What the client is told.
    var message: String {
        switch self {
        case .noValidRoom: "No valid room found"
        case .invalidToken: "Invalid token."
        case .invalidCredentials: "Invalid credentials"
        case .tokenExpired: "Token expired"
        case .tokenRevoked: "Token revoked"
        case .revocationsUnknown: "Tokens cannot be checked now. Try again later."
        case .tooManyAttempts: "Too many authentication attempts. Try again later."
        case .rateLimited: "Rate limit exceeded"
        case .notWhitelisted: "IP not whitelisted"
        case .blacklisted: "IP blacklisted"
        case .maximumConnections: "Max connections reached"
        case .authenticationRequired: "Authentication required"
        case .namespaceAuthenticationRequired(let name): "Authentication required for namespace /\(name)"
        case .roleNotAllowed(let role): "Role '\(role)' is not allowed to connect to Socket.IO"
        case .tokenNotAllowed(let name): "Token '\(name)' is not allowed to connect to this namespace"
        }
    }

    /// The value of a metric's `reason`.
    enum Reason: String, Sendable, Hashable, CaseIterable {
        case noRoom = "no_room"
        case invalidToken = "invalid_token"
        case invalidCredentials = "invalid_credentials"
        case tokenExpired = "token_expired"
        case tokenRevoked = "token_revoked"
        case revocationsUnknown = "revocations_unknown"
        case tooManyAttempts = "too_many_attempts"
        case rateLimited = "rate_limited"
        case notWhitelisted = "not_whitelisted"
        case blacklisted
        case maximumConnections = "max_connections"
        case authenticationRequired = "authentication_required"
        case roleNotAllowed = "role_not_allowed"
        case tokenNotAllowed = "token_not_allowed"
        /// Event mode: the client took too long.
        case authenticationTimeout = "authentication_timeout"
        /// A hook failed.
        case error
        /// The application has refused the client.
        case application
    }

    /// The reason as a metric's value.
    var reason: Reason {
        switch self {
        case .noValidRoom: .noRoom
        case .invalidToken: .invalidToken
        case .invalidCredentials: .invalidCredentials
        case .tokenExpired: .tokenExpired
        case .tokenRevoked: .tokenRevoked
        case .revocationsUnknown: .revocationsUnknown
        case .tooManyAttempts: .tooManyAttempts
        case .rateLimited: .rateLimited
        case .notWhitelisted: .notWhitelisted
        case .blacklisted: .blacklisted
        case .maximumConnections: .maximumConnections
        case .authenticationRequired, .namespaceAuthenticationRequired: .authenticationRequired
        case .roleNotAllowed: .roleNotAllowed
        case .tokenNotAllowed: .tokenNotAllowed
        }
    }

    /// The milliseconds after which the client may be let in; `nil` if waiting does not help.
    var retryAfterMilliseconds: Int? {
        guard case .rateLimited(let milliseconds) = self else { return nil }
        return milliseconds
    }

    /// Details for the client: `{retryAfter}` if it is to come back later.
    var data: JSONValue? { self.retryAfterMilliseconds.map { ["retryAfter": .int($0)] } }

    /// Whether the client gave bad credentials.
    ///
    /// These count against its address.
    var isFailedAuthentication: Bool {
        switch self {
        case .invalidToken, .invalidCredentials, .tokenExpired, .tokenRevoked: true
        default: false
        }
    }
}
