import OrderedCollections
import SocketIOWire

/// Finds out whose credentials these are.
struct Authenticator: Sendable {
    let rules: AccessRules
    let hooks: GatewayHooks
    /// Asks a directory about the user of a verified token; `nil` if there is none to ask, or if the token is enough.
    ///
    /// It is not asked if the application looks users up itself.
    var lookUp: (@Sendable (User) async throws -> LookupAnswer?)?

    /// The principal of a client.
    ///
    /// - Throws: ``ConnectionRefusal``, or what a hook threw.
    func authenticate(_ request: GatewayHooks.Request, now: Double) async throws -> AuthenticatedPrincipal {
        let custom = self.hooks.strategies.keys.map { UTF8Text($0) }
        let credentials = Credentials(request.auth, customStrategies: Set(custom))
        switch credentials.strategy {
        case .visitor:
            guard let role = self.rules.roles.role(type: UTF8Text(self.rules.publicRole)) else {
                if self.rules.requiresAuthentication { throw ConnectionRefusal.authenticationRequired }
                throw ConnectionRefusal.noValidRoom
            }
            return AuthenticatedPrincipal(.visitor(role))
        case .jwt:
            return try await self.jwt(credentials.token, now: now)
        case .apiToken:
            return try self.apiToken(credentials.token, now: now)
        case .custom(let name):
            guard let strategy = self.hooks.strategies.first(where: { UTF8Text($0.key) == name })?.value,
                let principal = try await strategy(credentials.token, request)
            else { throw ConnectionRefusal.invalidCredentials }
            return principal.issued(at: now)
        case .unknown:
            throw ConnectionRefusal.invalidCredentials
        }
    }

    private func jwt(_ token: String, now: Double) async throws -> AuthenticatedPrincipal {
        guard let verifier = self.rules.verifier else { throw ConnectionRefusal.invalidToken }
        let jwt = verifier.configuration
        let claims: JSONObject
        do {
            claims = try await verifier.verifyFetchingKeys(token, now: now)
        } catch {
            throw ConnectionRefusal.invalidToken
        }
        var user: User
        if let findUser = self.hooks.findUser {
            guard let found = try await findUser(claims) else { throw ConnectionRefusal.invalidCredentials }
            user = found
        } else {
            guard let id = claims.claim(jwt.claims.id).flatMap({ EntityID($0) }), !id.text.isEmpty,
                id.text.utf8.count <= 256, claims["blocked"]?.isFalsy ?? true,
                claims["confirmed"].map({ $0.isNull || !$0.isFalsy }) ?? true
            else { throw ConnectionRefusal.invalidCredentials }
            user = User(
                id: id,
                username: claims.claim(jwt.claims.username)?.stringValue,
                email: claims.claim(jwt.claims.email)?.stringValue,
                tenant: claims.claim(jwt.claims.tenant)?.stringValue
            )
        }
        var named = user.role.map { JSONValue.string($0) } ?? claims.claim(jwt.claims.role)
        if self.hooks.findUser == nil, let answer = try await self.lookUp?(user) {
            guard case .known(let role, let username, let email) = answer else {
                throw ConnectionRefusal.invalidCredentials
            }
            user.username = username ?? user.username
            user.email = email ?? user.email
            named = role ?? named
        }
        let role: Role
        if let name = named, !name.isNull {
            // A role that is not configured does not count as the default role, because it may be meant to allow less.
            guard let found = self.rules.roles.role(claim: name) else { throw ConnectionRefusal.invalidCredentials }
            role = found
        } else {
            guard let found = self.rules.roles.role(type: UTF8Text(self.rules.defaultRole)) else {
                throw ConnectionRefusal.noValidRoom
            }
            role = found
        }
        let expiry = claims["exp"]?.doubleValue.map { $0 + jwt.leeway }
        return AuthenticatedPrincipal(
            .user(user, role),
            expiresAt: expiry,
            issuedAt: claims["iat"]?.doubleValue,
            jsonWebTokenID: claims["jti"]?.stringValue.flatMap { id in
                id.utf8.count <= Revocation.maximumIDBytes ? UTF8Text(id) : nil
            }
        )
    }

    private func apiToken(_ key: String, now: Double) throws(ConnectionRefusal) -> AuthenticatedPrincipal {
        guard let token = self.rules.tokens.token(forKey: key) else { throw .invalidCredentials }
        guard !token.isExpired(at: now) else { throw .tokenExpired }
        return AuthenticatedPrincipal(.token(token), expiresAt: token.expiresAt)
    }
}

/// What a directory says about a user.
enum LookupAnswer: Sendable, Hashable {
    /// The user is unknown or blocked.
    case refused
    /// The user is known; what is `nil` stays as the token says.
    case known(role: JSONValue?, username: String?, email: String?)
}

extension AuthenticatedPrincipal {
    /// The same, issued now unless it is known when.
    func issued(at now: Double) -> AuthenticatedPrincipal {
        var issued = self
        issued.issuedAt = self.issuedAt ?? now
        return issued
    }
}

extension JSONObject {
    /// A claim, found by its name or by a path of names with dots between them.
    func claim(_ path: String) -> JSONValue? {
        if let value = self[path] { return value }
        var value = JSONValue.object(self)
        for part in path.utf8.split(separator: UInt8(ascii: ".")) {
            guard let next = value[String(Substring(part))] else { return nil }
            value = next
        }
        return value
    }
}
