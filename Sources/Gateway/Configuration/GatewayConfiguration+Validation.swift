import EngineIO
import JWTKit
import NIOCore
import SocketIOWire

extension GatewayConfiguration {
    /// Every problem of this configuration; empty if it can be used.
    public func validate() -> [ConfigurationProblem] {
        var validation = Validation()
        validation.check(self)
        return validation.problems
    }
}

private struct Validation {
    var problems: [ConfigurationProblem] = []

    private mutating func report(_ path: String, _ value: String, _ advice: String) {
        self.problems.append(ConfigurationProblem(path: path, value: value, advice: advice))
    }

    mutating func check(_ configuration: GatewayConfiguration) {
        let types = Set(configuration.contentTypes.map(\.uid))
        let components = Set(configuration.components.map(\.uid))
        self.checkContentTypes(configuration, types: types, components: components)
        self.checkComponents(configuration, types: types, components: components)
        self.checkRoles(configuration, types: types, components: components)
        self.checkTokens(configuration, types: types)
        self.checkAuthentication(configuration)
        self.checkSecurity(configuration.security)
        self.checkRest(configuration, types: types)
    }

    // MARK: Content types

    private mutating func checkContentTypes(
        _ configuration: GatewayConfiguration,
        types: Set<String>,
        components: Set<String>
    ) {
        var seen: Set<String> = []
        var eventNames: [String: String] = [:]
        for (index, type) in configuration.contentTypes.enumerated() {
            let path = "contentTypes[\(index)]"
            if type.uid != ContentType.wildcardUID && !ContentType.isValidUID(type.uid) {
                self.report(
                    "\(path).uid",
                    type.uid,
                    "must look like 'api::article.article' or 'plugin::users.user' (small letters, digits, dashes), or be '*'"
                )
            }
            if !seen.insert(type.uid).inserted {
                self.report("\(path).uid", type.uid, "is there already; each content type may appear once")
            }
            if type.uid != ContentType.wildcardUID {
                let prefix = type.eventPrefix ?? type.singularName
                if !Self.isEventName(prefix) {
                    self.report(
                        "\(path).\(type.eventPrefix == nil ? "singularName" : "eventPrefix")",
                        prefix,
                        "must be 1 to 64 letters, digits, '-', '_', '.' or ':'"
                    )
                }
                if let other = eventNames.updateValue(type.uid, forKey: prefix), other != type.uid {
                    self.report(
                        "\(path).singularName",
                        prefix,
                        "is also the name of '\(other)', so that their events could not be told apart; set eventPrefix"
                    )
                }
            }
            for action in type.actions.sorted() where action != "*" && !Self.isEventName(action) {
                self.report("\(path).actions", action, "must be an event's name: letters, digits, '-', '_', '.' or ':'")
            }
            self.checkFields(type.fields, "\(path).fields", types: types, components: components)
            if type.idFields.isEmpty {
                self.report("\(path).idFields", "", "must name at least one field, such as 'documentId' or 'id'")
            }
            if let owner = type.ownerField, owner.isEmpty {
                self.report(
                    "\(path).ownerField",
                    owner,
                    "must be the name of the field with the owner's id, or be left out"
                )
            }
            if let populate = type.populate, !type.fields.isEmpty {
                self.checkPopulate(populate, "\(path).populate", fields: type.fields, configuration)
            }
        }
    }

    private mutating func checkComponents(
        _ configuration: GatewayConfiguration,
        types: Set<String>,
        components: Set<String>
    ) {
        var seen: Set<String> = []
        for (index, component) in configuration.components.enumerated() {
            let path = "components[\(index)]"
            if component.uid.isEmpty || component.uid.utf8.count > 128 {
                self.report("\(path).uid", component.uid, "must be a name such as 'shared.seo'")
            }
            if !seen.insert(component.uid).inserted {
                self.report("\(path).uid", component.uid, "is there already; each component may appear once")
            }
            if types.contains(component.uid) {
                self.report("\(path).uid", component.uid, "is the uid of a content type as well")
            }
            self.checkFields(component.fields, "\(path).fields", types: types, components: components)
        }
    }

    private mutating func checkFields(
        _ fields: [String: Field],
        _ path: String,
        types: Set<String>,
        components: Set<String>
    ) {
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
            switch field.kind {
            case .relation(let target):
                if !types.contains(target) && target != Schema.fileUID {
                    self.report(
                        "\(path).\(name).target",
                        target,
                        "is no content type of this configuration; add it to contentTypes"
                    )
                }
            case .component(let uid):
                if !components.contains(uid) {
                    self.report(
                        "\(path).\(name).component",
                        uid,
                        "is no component of this configuration; add it to components"
                    )
                }
            case .dynamicZone(let uids):
                if uids.isEmpty {
                    self.report("\(path).\(name).components", "", "must name at least one component")
                }
                for uid in uids where !components.contains(uid) {
                    self.report(
                        "\(path).\(name).components",
                        uid,
                        "is no component of this configuration; add it to components"
                    )
                }
            case .scalar, .json, .password, .morph, .media:
                break
            }
        }
    }

    private mutating func checkPopulate(
        _ populate: Populate,
        _ path: String,
        fields: [String: Field],
        _ configuration: GatewayConfiguration
    ) {
        switch populate {
        case .all, .none:
            break
        case .paths(let paths):
            for text in paths {
                let first = text.split(separator: ".").first.map(String.init) ?? ""
                if first != "*" && fields[first] == nil {
                    self.report(path, text, "starts with a field that the content type doesn't have")
                }
            }
        case .tree(let nodes):
            for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
                guard let field = fields[name] else {
                    self.report("\(path).\(name)", name, "is no field of the content type")
                    continue
                }
                guard let below = node.populate, case .relation(let target) = field.kind,
                    let type = configuration.contentTypes.first(where: { $0.uid == target }), !type.fields.isEmpty
                else { continue }
                self.checkPopulate(below, "\(path).\(name).populate", fields: type.fields, configuration)
            }
        }
    }

    // MARK: Roles and tokens

    private mutating func checkRoles(
        _ configuration: GatewayConfiguration,
        types: Set<String>,
        components: Set<String>
    ) {
        var seen: Set<String> = []
        for (index, role) in configuration.roles.enumerated() {
            let path = "roles[\(index)]"
            if !RoomName.isValidSlug(role.type) {
                self.report("\(path).type", role.type, "must be 1 to 64 characters without ':' and '@'")
            }
            if !seen.insert(role.type).inserted {
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

    private mutating func checkScopes(_ scopes: [Scope], _ path: String, types: Set<String>) {
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

    private mutating func checkTokens(_ configuration: GatewayConfiguration, types: Set<String>) {
        var slugs: Set<String> = []
        var ids: Set<String> = []
        var hashes: Set<String> = []
        for (index, token) in configuration.apiTokens.enumerated() {
            let path = "apiTokens[\(index)]"
            if !RoomName.isValidSlug(token.slug) {
                self.report("\(path).name", token.name, "must be 1 to 64 characters without ':' and '@'")
            }
            if !slugs.insert(token.slug).inserted {
                self.report(
                    "\(path).name",
                    token.name,
                    "is there already (case and spaces make no difference); tokens that share a room would see each other's events"
                )
            }
            if !ids.insert(token.id).inserted {
                self.report("\(path).id", token.id, "is there already; each token needs an id of its own")
            }
            if APIToken.bytes(ofHash: token.hash) == nil {
                self.report(
                    "\(path).hash",
                    "(\(token.hash.utf8.count) characters)",
                    "must be 128 hexadecimal digits: what 'socketio-node token hash' prints for the key"
                )
            } else if !hashes.insert(token.hash.lowercased()).inserted {
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

    // MARK: Authentication

    private mutating func checkAuthentication(_ configuration: GatewayConfiguration) {
        let authentication = configuration.authentication
        if authentication.timeout <= .zero {
            self.report(
                "authentication.timeout",
                "\(authentication.timeout.nanoseconds / 1_000_000) ms",
                "must be more than 0"
            )
        }
        if authentication.maximumFailures < 1 {
            self.report("authentication.maximumFailures", "\(authentication.maximumFailures)", "must be at least 1")
        }
        if authentication.failureWindow <= .zero {
            self.report(
                "authentication.failureWindow",
                "\(authentication.failureWindow.nanoseconds / 1_000_000) ms",
                "must be more than 0"
            )
        }
        guard let jwt = authentication.jwt else { return }
        let path = "authentication.jwt"
        if jwt.keys.isEmpty {
            self.report("\(path).keys", "", "must hold a secret, a public key or a key set")
        }
        for algorithm in (jwt.algorithms ?? []).sorted() where !JWTConfiguration.knownAlgorithms.contains(algorithm) {
            self.report(
                "\(path).algorithms",
                algorithm,
                "is no algorithm that can be allowed; these are: \(JWTConfiguration.knownAlgorithms.joined(separator: ", "))"
            )
        }
        if jwt.algorithms?.isEmpty == true {
            self.report("\(path).algorithms", "", "must name at least one algorithm, or be left out")
        }
        if !(0...3600).contains(jwt.leeway) {
            self.report("\(path).leeway", "\(jwt.leeway)", "must be 0 to 3600 seconds")
        }
        if jwt.maximumTokenBytes < 256 || jwt.maximumTokenBytes > 1_000_000 {
            self.report("\(path).maximumTokenBytes", "\(jwt.maximumTokenBytes)", "must be 256 to 1000000")
        }
        for (name, claim) in [
            ("id", jwt.claims.id), ("role", jwt.claims.role), ("username", jwt.claims.username),
            ("email", jwt.claims.email),
        ] where claim.isEmpty {
            self.report("\(path).claims.\(name)", "", "must be the name of a claim")
        }
        for (index, key) in jwt.keys.enumerated() {
            self.checkKey(key, "\(path).keys[\(index)]", algorithms: jwt.algorithms)
        }
    }

    private mutating func checkKey(_ key: JWTConfiguration.Key, _ path: String, algorithms: Set<String>?) {
        switch key.material {
        case .secret(let secret):
            let length = secret.utf8.count
            if length < 32 {
                self.report(
                    "\(path).secret",
                    "(\(length) bytes)",
                    "must be at least 32 bytes, as long as the digest of HS256"
                )
            }
            if let algorithms {
                for (algorithm, needed) in [("HS384", 48), ("HS512", 64)] where algorithms.contains(algorithm) {
                    if length < needed {
                        self.report(
                            "\(path).secret",
                            "(\(length) bytes)",
                            "must be at least \(needed) bytes, as long as the digest of \(algorithm)"
                        )
                    }
                }
                if algorithms.isDisjoint(with: ["HS256", "HS384", "HS512"]) {
                    self.report("\(path).secret", "(hidden)", "is of no use: no HS algorithm is allowed")
                }
            }
        case .publicKey(let pem):
            if PublicKeyMaterial(pem: pem) == nil {
                self.report(
                    "\(path).publicKey",
                    "(\(pem.utf8.count) bytes)",
                    "must be a PEM public key: RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519"
                )
            }
        case .keySet(let json):
            if KeySetDocument(json: json) == nil {
                self.report(
                    "\(path).keySet",
                    "(\(json.utf8.count) bytes)",
                    "must be a JSON Web Key Set: {\"keys\": [...]}"
                )
            }
        }
    }

    // MARK: The rest

    private mutating func checkSecurity(_ security: GatewayConfiguration.Security) {
        for (name, list) in [
            ("ipWhitelist", security.ipWhitelist), ("ipBlacklist", security.ipBlacklist),
            ("trustedProxies", security.trustedProxies),
        ] {
            for (index, text) in list.enumerated() where AddressRange(text) == nil {
                self.report(
                    "security.\(name)[\(index)]",
                    text,
                    "must be an IP address or a network such as 10.0.0.0/8 or fd00::/8"
                )
            }
        }
        if let maximum = security.maximumConnections, maximum < 1 {
            self.report("security.maximumConnections", "\(maximum)", "must be at least 1, or be left out")
        }
    }

    private mutating func checkRest(_ configuration: GatewayConfiguration, types: Set<String>) {
        let subscriptions = configuration.entitySubscriptions
        if subscriptions.maximumSubscriptionsPerSocket < 1 {
            self.report(
                "entitySubscriptions.maximumSubscriptionsPerSocket",
                "\(subscriptions.maximumSubscriptionsPerSocket)",
                "must be at least 1; to switch subscriptions off set enabled to false"
            )
        }
        for (index, uid) in subscriptions.allowedContentTypes.enumerated()
        where !types.contains(uid) && !types.contains(ContentType.wildcardUID) {
            self.report(
                "entitySubscriptions.allowedContentTypes[\(index)]",
                uid,
                "is no content type of this configuration"
            )
        }
        let rooms = configuration.rooms
        if !(1...512).contains(rooms.maximumNameLength) {
            self.report("rooms.maximumNameLength", "\(rooms.maximumNameLength)", "must be 1 to 512")
        }
        if rooms.maximumRoomsPerSocket < 1 {
            self.report("rooms.maximumRoomsPerSocket", "\(rooms.maximumRoomsPerSocket)", "must be at least 1")
        }
        for (index, room) in rooms.defaultRooms.enumerated() {
            // `io-default` and `io-notification` are names of the originals.
            let isAudience = ["io-role-", "io-token-", "io-admin", "io-owner-"].contains { room.hasPrefix($0) }
            let isReserved = RoomName.isReserved(room) && !room.hasPrefix("io-")
            if room.isEmpty || room.utf8.count > 128 || isAudience || isReserved {
                self.report(
                    "rooms.defaultRooms[\(index)]",
                    room,
                    "must be a room's name that isn't an audience's or reserved"
                )
            }
        }
        for (index, pattern) in configuration.events.sensitivePatterns.enumerated()
        where pattern.isEmpty || pattern.allSatisfy({ $0 == "*" }) {
            self.report(
                "events.sensitivePatterns[\(index)]",
                pattern,
                "would drop every field; write a pattern such as '*secret*'"
            )
        }
        if configuration.events.rememberedEventIDs < 0 {
            self.report("events.rememberedEventIDs", "\(configuration.events.rememberedEventIDs)", "must be 0 or more")
        }
        if configuration.clusterTimeout <= .zero {
            self.report(
                "clusterTimeout",
                "\(configuration.clusterTimeout.nanoseconds / 1_000_000) ms",
                "must be more than 0"
            )
        }
        var names: Set<String> = []
        let roles = Set(configuration.roles.map(\.type))
        for (index, namespace) in configuration.namespaces.enumerated() {
            let path = "namespaces[\(index)]"
            let isValid =
                !namespace.name.isEmpty && namespace.name.utf8.count <= 128 && namespace.name != "main"
                && !namespace.name.contains(",")
            if !isValid {
                self.report(
                    "\(path).name",
                    namespace.name,
                    "must be a name without ',' other than 'main', which is the namespace '/'"
                )
            }
            if !names.insert(namespace.name).inserted {
                self.report("\(path).name", namespace.name, "is there already; each namespace may appear once")
            }
            for role in namespace.roles where !roles.contains(RoomName.slug(role)) {
                self.report("\(path).roles", role, "is no role of this configuration")
            }
            if (namespace.requireAuth || !namespace.roles.isEmpty) && !namespace.inheritsChecks {
                self.report(
                    "\(path).inheritsChecks",
                    "false",
                    "must be true where requireAuth or roles are set, for nobody would be known otherwise"
                )
            }
        }
    }

    private static func isEventName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte.isASCIIAlphanumeric || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
            }
    }

    private static func isAutoJoinable(_ room: String) -> Bool {
        (1...128).contains(room.utf8.count) && !RoomName.isReserved(room)
    }
}
