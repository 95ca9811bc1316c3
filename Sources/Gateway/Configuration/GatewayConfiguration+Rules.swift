import EngineIO
import SocketIOServer
import SocketIOWire

// What a configuration means for the rules. It is read here and nowhere else, so rules that change while the gateway
// runs are made in the same way as the first ones.

extension ContentRules {
    init(_ configuration: GatewayConfiguration, others: [Privacy] = []) {
        let events = configuration.events
        let schema = Schema(
            contentTypes: configuration.contentTypes,
            components: configuration.components,
            others: others
        )
        self.init(
            schema: schema,
            sanitiser: Sanitiser(
                schema: schema,
                blocklist: Blocklist(
                    additionalNames: events.sensitiveFields + events.excludeFields,
                    patterns: events.sensitivePatterns
                )
            ),
            payloadFormat: events.payloadFormat,
            usesPastNames: events.customEventNames,
            sendsOnlyPublished: events.onlyPublished,
            subscriptionMode: configuration.entitySubscriptions.mode,
            coalesces: configuration.contentTypes.contains { $0.coalescing > .zero }
        )
    }
}

extension AccessRules {
    /// - Throws: What jwt-kit says about a key that it cannot use.
    init(_ configuration: GatewayConfiguration, keySets: KeySetDirectory? = nil) async throws {
        let events = configuration.events
        let authentication = configuration.authentication
        var verifier: JWTVerifier?
        if let jwt = authentication.jwt { verifier = try await JWTVerifier(jwt, keySets: keySets) }
        self.init(
            roles: RoleDirectory(configuration.roles),
            tokens: TokenTable(configuration.apiTokens, salt: configuration.apiTokenSalt),
            audiences: AudienceDirectory(
                configuration.roles,
                configuration.apiTokens,
                operatorsReceiveEvents: events.operatorsReceiveEvents,
                policy: .init(receives: events.receivePolicy, usesAliases: events.actionAliases)
            ),
            publicRole: authentication.publicRole,
            defaultRole: authentication.defaultRole,
            requiresAuthentication: configuration.security.requireAuthentication,
            verifier: verifier,
            checks: ConnectionChecks(configuration.security),
            roomPolicy: RoomPolicy(configuration),
            subscriptionPolicy: SubscriptionPolicy(settings: configuration.entitySubscriptions),
            statePolicy: StatePolicy(configuration.roles),
            defaultRooms: configuration.rooms.defaultRooms.map { Room($0) }
        )
    }
}

extension ConnectionChecks {
    init(_ security: GatewayConfiguration.Security) {
        self.init(
            whitelist: security.ipWhitelist.compactMap { AddressRange($0) },
            blacklist: security.ipBlacklist.compactMap { AddressRange($0) },
            maximumConnections: security.maximumConnections,
            requiresAuthentication: security.requireAuthentication
        )
    }
}

extension RoomPolicy {
    init(_ configuration: GatewayConfiguration) {
        let rooms = configuration.rooms
        self.init(
            configuration.roles,
            settings: Settings(
                allowsColon: rooms.allowsColon,
                allowsDot: rooms.allowsDot,
                maximumNameLength: rooms.maximumNameLength,
                maximumRoomsPerSocket: rooms.maximumRoomsPerSocket,
                hasPrivateRooms: rooms.enablePrivateRooms,
                defaultRooms: Set(rooms.defaultRooms.map { Room($0) })
            )
        )
    }
}

extension SubscriptionPolicy {
    init(settings: GatewayConfiguration.EntitySubscriptions) {
        self.init(
            settings: Settings(
                isEnabled: settings.enabled,
                mode: settings.mode,
                maximumSubscriptionsPerSocket: settings.maximumSubscriptionsPerSocket,
                allowedContentTypes: settings.allowedContentTypes
            )
        )
    }
}

extension GatewayConfiguration.Limits {
    /// How often a client may have wishes of that kind.
    func rate(of kind: ClientBudget.Kind) -> RateLimit {
        switch kind {
        case .questions: self.questions
        case .changes: self.changes
        }
    }
}
