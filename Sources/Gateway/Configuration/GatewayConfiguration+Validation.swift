import EngineIO
import JWTKit
import NIOCore
import SocketIOServer
import SocketIOWire

extension GatewayConfiguration {
    /// Every problem of this configuration; empty if it can be used.
    public func validate() -> [ConfigurationProblem] {
        var validation = Validation()
        validation.check(self)
        return validation.problems
    }
}

/// Names that have been seen, compared by their bytes.
struct ConfigurationNames {
    private var texts: Set<UTF8Text>

    init(_ names: [String] = []) { self.texts = Set(names.map { UTF8Text($0) }) }

    func contains(_ name: String) -> Bool { self.texts.contains(UTF8Text(name)) }

    /// Adds a name.
    ///
    /// - Returns: Whether it is new.
    mutating func insert(_ name: String) -> Bool { self.texts.insert(UTF8Text(name)).inserted }
}

struct Validation {
    var problems: [ConfigurationProblem] = []

    mutating func report(_ path: String, _ value: String, _ advice: String) {
        self.problems.append(ConfigurationProblem(path: path, value: value, advice: advice))
    }

    mutating func check(_ configuration: GatewayConfiguration) {
        let types = ConfigurationNames(configuration.contentTypes.map(\.uid))
        let components = ConfigurationNames(configuration.components.map(\.uid))
        self.checkContentTypes(configuration, types: types, components: components)
        self.checkComponents(configuration, types: types, components: components)
        self.checkRoles(configuration, types: types, components: components)
        self.checkTokens(configuration, types: types)
        self.checkAuthentication(configuration)
        self.checkSecurity(configuration.security)
        self.checkRest(configuration, types: types)
        self.checkHistory(configuration)
        self.checkCollaboration(configuration)
        self.checkWebhooks(configuration.webhooks)
        self.checkCustomEvents(configuration)
    }

    mutating func checkSecurity(_ security: GatewayConfiguration.Security) {
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

    mutating func checkRest(_ configuration: GatewayConfiguration, types: ConfigurationNames) {
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
        if subscriptions.rememberedIDs < 0 {
            self.report("entitySubscriptions.rememberedIDs", "\(subscriptions.rememberedIDs)", "must be 0 or more")
        }
        let rooms = configuration.rooms
        if !(1...512).contains(rooms.maximumNameLength) {
            self.report("rooms.maximumNameLength", "\(rooms.maximumNameLength)", "must be 1 to 512")
        }
        if rooms.maximumRoomsPerSocket < 1 {
            self.report("rooms.maximumRoomsPerSocket", "\(rooms.maximumRoomsPerSocket)", "must be at least 1")
        }
        for (index, room) in rooms.defaultRooms.enumerated() {
            // The gateway's own default rooms have names of this kind: `io-default` and `io-notification`.
            let isAudience = ["io-role-", "io-token-", "io-admin", "io-owner-"].contains {
                room.utf8.starts(with: $0.utf8)
            }
            let isReserved = RoomName.isReserved(room) && !room.utf8.starts(with: "io-".utf8)
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
        for (name, rate) in [("questions", configuration.limits.questions), ("changes", configuration.limits.changes)]
        where rate.perSecond < 1 || rate.burst < 1 {
            self.report(
                "limits.\(name)",
                "\(rate.perSecond) a second, \(rate.burst) at once",
                "must be at least 1 each"
            )
        }
        for (path, value) in configuration.limits.cluster.problems {
            let advice = path == "burst" ? "must be 1 second to 1 hour" : "must be 0 or more"
            self.report("limits.cluster.\(path)", value, advice)
        }
        if configuration.clusterTimeout <= .zero {
            self.report(
                "clusterTimeout",
                "\(configuration.clusterTimeout.nanoseconds / 1_000_000) ms",
                "must be more than 0"
            )
        }
        var names = ConfigurationNames()
        let roles = ConfigurationNames(configuration.roles.map(\.type))
        let tokens = ConfigurationNames(configuration.apiTokens.map(\.slug))
        for (index, namespace) in configuration.namespaces.enumerated() {
            let path = "namespaces[\(index)]"
            let isValid =
                !namespace.name.isEmpty && namespace.name.utf8.count <= 128 && namespace.name != "main"
                && !namespace.name.utf8.contains(UInt8(ascii: ","))
            if !isValid {
                self.report(
                    "\(path).name",
                    namespace.name,
                    "must be a name without ',' other than 'main', which is the namespace '/'"
                )
            }
            if !names.insert(namespace.name) {
                self.report("\(path).name", namespace.name, "is there already; each namespace may appear once")
            }
            for role in namespace.roles where !roles.contains(RoomName.slug(role)) {
                self.report("\(path).roles", role, "is no role of this configuration")
            }
            for token in namespace.tokens where !tokens.contains(RoomName.slug(token)) {
                self.report("\(path).tokens", token, "is no API token of this configuration")
            }
            let isRestricted = namespace.requireAuth || !namespace.roles.isEmpty || !namespace.tokens.isEmpty
            if isRestricted && !namespace.inheritsChecks {
                self.report(
                    "\(path).inheritsChecks",
                    "false",
                    "must be true where requireAuth, roles or tokens are set, for nobody would be known otherwise"
                )
            }
        }
    }

    static func isEventName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte.isASCIIAlphanumeric || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
            }
    }

    static func isAutoJoinable(_ room: String) -> Bool {
        (1...128).contains(room.utf8.count) && !RoomName.isReserved(room)
    }
}
