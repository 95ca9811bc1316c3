import SocketIOWire

/// Roles, tokens and their scopes.
extension Validation {
    mutating func checkRoles(
        _ configuration: GatewayConfiguration,
        types: ConfigurationNames,
        components: ConfigurationNames
    ) {
        var seen = ConfigurationNames()
        for (index, role) in configuration.roles.enumerated() {
            let path = "roles[\(index)]"
            if !RoomName.isValidSlug(role.type) {
                self.report("\(path).type", role.type, "must be 1 to 64 characters without ':' and '@'")
            }
            if !seen.insert(role.type) {
                self.report(
                    "\(path).type",
                    role.type,
                    "is there already (case and spaces make no difference); roles that share a room would see each other's events"
                )
            }
            self.checkScopes(role.scopes, "\(path).scopes", types: types)
            for (position, room) in role.autoJoin.enumerated() where !Self.isAutoJoinable(room) {
                self.report(
                    "\(path).autoJoin[\(position)]",
                    room,
                    "must be a room's name of 1 to 128 characters without a reserved prefix (io-, user:, narrow:, …), '::' and '@'"
                )
            }
            for (position, pattern) in role.joinPolicy.enumerated() where pattern.isEmpty || pattern.utf8.count > 128 {
                self.report("\(path).joinPolicy[\(position)]", pattern, "must be a pattern such as 'chat-*'")
            }
            for (uid, _) in role.fields.sorted(by: { $0.key < $1.key })
            where !types.contains(uid) && !components.contains(uid) && uid != Schema.fileUID {
                self.report(
                    "\(path).fields.\(uid)",
                    uid,
                    "is neither a content type nor a component of this configuration"
                )
            }
        }
        let publicRole = configuration.authentication.publicRole
        if !seen.contains(publicRole) && configuration.authentication.mode == .handshake
            && !configuration.security.requireAuthentication
        {
            self.report(
                "authentication.publicRole",
                publicRole,
                "is no role; clients without credentials could not connect: add a role of that type, or set security.requireAuthentication"
            )
        }
        if !seen.contains(configuration.authentication.defaultRole) && configuration.authentication.jwt != nil {
            self.report(
                "authentication.defaultRole",
                configuration.authentication.defaultRole,
                "is no role; add a role of that type for users whose token names none"
            )
        }
    }

    mutating func checkScopes(_ scopes: [Scope], _ path: String, types: ConfigurationNames) {
        for (index, scope) in scopes.enumerated() {
            if scope.subject == "io" {
                if scope.action != "*" && !Scope.verbs.contains(scope.action) {
                    self.report(
                        "\(path)[\(index)]",
                        scope.description,
                        "names no verb of the gateway; they are \(Scope.verbs.map { "io.\($0)" }.joined(separator: ", "))"
                    )
                }
            } else if scope.subject != "*" && !types.contains(scope.subject)
                && !types.contains(ContentType.wildcardUID) && scope.subject != Schema.fileUID
            {
                self.report("\(path)[\(index)]", scope.description, "names no content type of this configuration")
            }
        }
    }

    mutating func checkTokens(_ configuration: GatewayConfiguration, types: ConfigurationNames) {
        var slugs = ConfigurationNames()
        var ids = ConfigurationNames()
        var hashes = ConfigurationNames()
        for (index, token) in configuration.apiTokens.enumerated() {
            let path = "apiTokens[\(index)]"
            if !RoomName.isValidSlug(token.slug) {
                self.report("\(path).name", token.name, "must be 1 to 64 characters without ':' and '@'")
            }
            if !slugs.insert(token.slug) {
                self.report(
                    "\(path).name",
                    token.name,
                    "is there already (case and spaces make no difference); tokens that share a room would see each other's events"
                )
            }
            if !ids.insert(token.id) {
                self.report("\(path).id", token.id, "is there already; each token needs an id of its own")
            }
            if APIToken.bytes(ofHash: token.hash) == nil {
                self.report(
                    "\(path).hash",
                    "(\(token.hash.utf8.count) characters)",
                    "must be 128 hexadecimal digits: what 'socketio-node token hash' prints for the key"
                )
            } else if !hashes.insert(token.hash.lowercased()) {
                self.report(
                    "\(path).hash",
                    "(hidden)",
                    "belongs to another token as well; every token needs a key of its own"
                )
            }
            if token.kind == .custom && token.scopes.isEmpty {
                self.report(
                    "\(path).scopes",
                    "",
                    "is empty, so the token could do nothing; name scopes or choose another type"
                )
            }
            if token.kind != .custom && !token.scopes.isEmpty {
                self.report(
                    "\(path).scopes",
                    token.scopes.map(\.description).joined(separator: ", "),
                    "has no effect on a \(token.kind.rawValue) token; choose type 'custom' or remove it"
                )
            }
            self.checkScopes(token.scopes, "\(path).scopes", types: types)
        }
        if !configuration.apiTokens.isEmpty && configuration.apiTokenSalt.utf8.count < 16 {
            self.report(
                "apiTokenSalt",
                "(\(configuration.apiTokenSalt.utf8.count) bytes)",
                "must be at least 16 random bytes, the same on every node"
            )
        }
    }
}
