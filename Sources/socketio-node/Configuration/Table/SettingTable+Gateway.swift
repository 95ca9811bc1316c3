import Gateway

/// Who may connect, and who may see what.
extension SettingTable {
    static let gateway = SettingDeclaration<NodeConfiguration>.record(
        "gateway",
        "Who may connect, and who may see what.",
        [
            Self.contentTypes, Self.components, Self.roles, Self.authentication,
            .secret(
                "apiTokenSalt",
                \.gateway.declaredSalt,
                .salt,
                .live,
                "The key with which API tokens are hashed; the same on every node."
            ),
            Self.apiTokens, Self.security, Self.events, Self.rooms, Self.roomState, Self.presence,
            Self.entitySubscriptions, Self.history, Self.livePreview, Self.fieldChanges, Self.gatewayLimits,
            Self.namespaces, Self.webhooks, Self.customEvents, Self.monitoring,
            .duration(
                "clusterTimeout",
                \.gateway.clusterTimeout,
                10...600_000,
                .live,
                "How long this node waits for the answers of the other nodes before it gives up."
            ),
        ]
    )

    private static let security = SettingDeclaration<NodeConfiguration>.record(
        "security",
        "Which clients may connect at all.",
        [
            .bool(
                "requireAuthentication",
                \.gateway.security.requireAuthentication,
                .live,
                "Whether clients without credentials are refused."
            ),
            .texts(
                "ipWhitelist",
                \.gateway.security.ipWhitelist,
                .address,
                .live,
                "The only addresses or networks that may connect. Empty: all may."
            ),
            .texts(
                "ipBlacklist",
                \.gateway.security.ipBlacklist,
                .address,
                .live,
                "Addresses or networks that may not connect, nor may clients whose address cannot be read."
            ),
            .texts(
                "trustedProxies",
                \.gateway.security.trustedProxies,
                .address,
                .live,
                "Load balancers whose X-Forwarded-For or Forwarded is believed, also for limits.*PerAddress."
            ),
            .optionalInteger(
                "maximumConnections",
                \.gateway.security.maximumConnections,
                1...10_000_000,
                .live,
                "The most sockets of the main namespace on this node; no limit if missing."
            ),
        ]
    )

    private static let rooms = SettingDeclaration<NodeConfiguration>.record(
        "rooms",
        "The rooms that clients join by themselves, and private messages.",
        [
            .bool(
                "enablePrivateRooms",
                \.gateway.rooms.enablePrivateRooms,
                .live,
                """
                Whether clients may write private messages to each other. The joinPolicy of their role alone says which rooms \
                they may join.
                """
            ),
            .choice(
                "messagePolicy",
                \.gateway.rooms.messagePolicy,
                .live,
                """
                To whom a client may write, if enablePrivateRooms is on. sameRoom: to members of a room that it is in as well; \
                sameRole: to clients with its role.
                """
            ),
            .bool("allowsColon", \.gateway.rooms.allowsColon, .live, "Whether names of rooms may contain a colon."),
            .bool("allowsDot", \.gateway.rooms.allowsDot, .live, "Whether names of rooms may contain a dot."),
            .integer(
                "maximumNameLength",
                \.gateway.rooms.maximumNameLength,
                1...512,
                .live,
                "The most bytes in the name of a room."
            ),
            .integer(
                "maximumRoomsPerSocket",
                \.gateway.rooms.maximumRoomsPerSocket,
                1...1_000_000,
                .live,
                "The most rooms that a client may be in, besides the gateway's own."
            ),
            .texts(
                "defaultRooms",
                \.gateway.rooms.defaultRooms,
                .room,
                .live,
                "Rooms that every client with credentials joins."
            ),
        ]
    )

    private static let entitySubscriptions = SettingDeclaration<NodeConfiguration>.record(
        "entitySubscriptions",
        "How clients follow single entities.",
        [
            .bool(
                "enabled",
                \.gateway.entitySubscriptions.enabled,
                .live,
                "Whether clients may subscribe to entities."
            ),
            .choice(
                "mode",
                \.gateway.entitySubscriptions.mode,
                .live,
                """
                What a subscriber gets of a content type. narrow: only the entities that it subscribed to; additive: those as \
                well as everything that its role gets.
                """
            ),
            .integer(
                "maximumSubscriptionsPerSocket",
                \.gateway.entitySubscriptions.maximumSubscriptionsPerSocket,
                1...1_000_000,
                .live,
                "The most entities that one client may follow."
            ),
            .texts(
                "allowedContentTypes",
                \.gateway.entitySubscriptions.allowedContentTypes,
                .uid,
                .live,
                "The only content types that clients may subscribe to. Empty: all."
            ),
            .bool(
                "enableMetrics",
                \.gateway.entitySubscriptions.enableMetrics,
                .live,
                "Whether the log of events has who subscribes to what (gateway.monitoring)."
            ),
            .integer(
                "rememberedIDs",
                \.gateway.entitySubscriptions.rememberedIDs,
                0...10_000_000,
                .restart,
                """
                How many ids this node remembers, with the other ids and the owners of their entities. So an event that \
                carries one of two ids reaches clients that subscribed by the other.
                """
            ),
        ]
    )

    private static let gatewayLimits = SettingDeclaration<NodeConfiguration>.record(
        "limits",
        """
        How often one client may ask for what costs the cluster work. A client that asks too often is answered \
        `Rate limit exceeded`, with the milliseconds to wait in `retryAfter`.
        """,
        [
            .integer(
                "questionsPerSecond",
                \.gateway.limits.questionsPerSecond,
                1...1_000_000,
                .live,
                """
                Questions to the other nodes that a client may cause in a second, such as a private message to a socket of \
                another node; twice as many at once.
                """
            ),
            .integer(
                "changesPerSecond",
                \.gateway.limits.changesPerSecond,
                1...1_000_000,
                .live,
                """
                Rooms and entities that a client may join, leave, subscribe to or unsubscribe from in a second; four times as \
                many at once.
                """
            ),
            Self.clusterLimits,
        ]
    )

    private static let namespaces = SettingDeclaration<NodeConfiguration>.map(
        "namespaces",
        \.gateway.namespaces,
        named: .namespaceName,
        SettingEntry<GatewayNamespace>(
            [
                .bool("requireAuth", \.requireAuth, .restart, "Whether clients without credentials are refused."),
                .texts("roles", \.roles, .slug, .restart, "The only roles that may connect. Empty: all."),
                .texts(
                    "tokens",
                    \.tokens,
                    .slug,
                    .restart,
                    "The API tokens that may connect, by name. Empty: all, or none if `roles` is not empty."
                ),
                .bool(
                    "inheritsChecks",
                    \.inheritsChecks,
                    .restart,
                    "Whether this node checks address, credentials and role as for the main namespace."
                ),
            ],
            make: { GatewayNamespace(name: $0) }
        ),
        .restart,
        "The namespaces besides the main one, by name without the slash.",
        example: """
            namespaces:
              admin:
                requireAuth: true
            """
    )
}
