import SocketIOWire

/// A namespace besides the main one, with the same checks.
public struct GatewayNamespace: Sendable, Hashable {
    /// The name, without the leading slash.
    public var name: String
    /// Whether clients without credentials are refused.
    public var requireAuth: Bool
    /// If there are any, only these roles may connect, by type.
    ///
    /// Operators may connect as well.
    ///
    /// API tokens have no role. Those in ``tokens`` may connect.
    public var roles: [String]
    /// The API tokens that may connect, by name.
    ///
    /// If neither roles nor tokens are listed, every token may.
    public var tokens: [String]
    /// Whether the gateway checks address, credentials and the right to connect as for the main namespace.
    public var inheritsChecks: Bool

    /// The defaults.
    public init(
        name: String,
        requireAuth: Bool = false,
        roles: [String] = [],
        tokens: [String] = [],
        inheritsChecks: Bool = true
    ) {
        self.name = name.utf8.first == UInt8(ascii: "/") ? String(Substring(name.utf8.dropFirst())) : name
        self.requireAuth = requireAuth
        self.roles = roles
        self.tokens = tokens
        self.inheritsChecks = inheritsChecks
    }

    /// Whether the roles and tokens allow that principal to connect.
    func check(_ principal: Principal) throws(ConnectionRefusal) {
        switch principal {
        case .visitor(let role), .user(_, let role):
            guard
                self.roles.isEmpty || self.roles.contains(where: { UTF8Text(RoomName.slug($0)) == UTF8Text(role.type) })
            else {
                throw .roleNotAllowed(role.type)
            }
        case .token(let token):
            guard
                (self.roles.isEmpty && self.tokens.isEmpty)
                    || self.tokens.contains(where: { UTF8Text(RoomName.slug($0)) == UTF8Text(token.slug) })
            else { throw .tokenNotAllowed(token.name) }
        case .operator:
            break
        }
    }
}
