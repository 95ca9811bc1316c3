import SocketIOWire

/// Why a socket may not stay under the rules in force.
enum RenewalRefusal: Error, Hashable {
    /// A login would be refused.
    case refused(ConnectionRefusal)
    /// The token is gone, revoked, or has another key.
    case tokenRevoked

    /// What the client is told.
    var reason: String {
        switch self {
        case .refused(let refusal): refusal.message
        case .tokenRevoked: "Token revoked"
        }
    }
}

extension AccessRules {
    /// Who somebody is whom other rules have let in, if these rules would let him in, too.
    ///
    /// - Parameters:
    ///   - record: Who he was found to be.
    ///   - old: The rules that let him in.
    ///   - now: The time, because tokens expire.
    /// - Returns: Who he is to these rules.
    /// - Throws: ``RenewalRefusal`` if he may not stay.
    func renewed(
        _ record: PrincipalRecord,
        from old: AccessRules,
        now: Double
    ) throws(RenewalRefusal) -> Principal {
        let principal: Principal
        // Nobody in particular yet, or somebody whom a hook has given a role of its own: to the rules he is a stranger.
        if record.kind == .unauthorized || !(old.knows(record) || self.knows(record)) {
            return self.principal(of: record)
        }
        switch record.kind {
        case .unauthorized:
            principal = self.principal(of: record)
        case .visitor:
            // A hook may have given the visitor another role than that of all visitors.
            let isUsual = record.role == UTF8Text(old.publicRole)
            let type = isUsual ? UTF8Text(self.publicRole) : record.role
            guard let role = type.flatMap(self.roles.role(type:)) else {
                throw .refused(self.requiresAuthentication ? .authenticationRequired : .noValidRoom)
            }
            principal = .visitor(role)
        case .user:
            guard self.knows(record) else { throw .refused(.invalidCredentials) }
            principal = self.principal(of: record)
        case .token:
            principal = .token(try self.token(of: record, old, now: now))
        case .operator:
            principal = self.principal(of: record)
        }
        do {
            try self.checks.check(principal)
        } catch {
            throw .refused(error)
        }
        return principal
    }

    /// Whether the role or token of a record is one of these rules.
    func knows(_ record: PrincipalRecord) -> Bool {
        switch record.kind {
        case .visitor, .user: record.role.flatMap(self.roles.role(type:)) != nil
        case .token, .operator, .unauthorized: true
        }
    }

    private func token(of record: PrincipalRecord, _ old: AccessRules, now: Double) throws(RenewalRefusal) -> APIToken {
        guard let id = record.tokenID, let token = self.tokens.token(id: id) else { throw .tokenRevoked }
        // The key was changed because somebody has the old one.
        guard self.tokens.accepts(theKeyOf: id, as: old.tokens) else { throw .tokenRevoked }
        guard !token.isExpired(at: now) else { throw .refused(.tokenExpired) }
        return token
    }
}

extension Principal {
    /// The scopes that it holds, as texts.
    var permissions: Set<UTF8Text> {
        switch self {
        case .visitor(let role), .user(_, let role): Set(role.scopes.map { UTF8Text($0.description) })
        case .token(let token):
            switch token.kind {
            case .custom: Set(token.scopes.map { UTF8Text($0.description) })
            case .fullAccess: ["*"]
            case .readOnly: ["*.find", "*.findOne"]
            }
        case .operator: ["*"]
        }
    }
}
