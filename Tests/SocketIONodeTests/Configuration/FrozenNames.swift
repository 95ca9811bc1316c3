import Testing

@testable import socketio_node

/// The names that deployments use.
///
/// A line is added with its setting, and never changed: whoever sets the variable would get the default instead.
@Suite(.timeLimit(.minutes(1)))
struct FrozenNames {
    static let names: [(path: String, variable: String)] = [
        ("listen.host", "SOCKETIO_LISTEN_HOST"),
        ("listen.port", "SOCKETIO_LISTEN_PORT"),
        ("listen.path", "SOCKETIO_LISTEN_PATH"),
        ("listen.transports", "SOCKETIO_LISTEN_TRANSPORTS"),
        ("listen.proxyProtocol", "SOCKETIO_LISTEN_PROXY_PROTOCOL"),
        ("listen.allowUpgrades", "SOCKETIO_LISTEN_ALLOW_UPGRADES"),
        ("listen.allowEIO3", "SOCKETIO_LISTEN_ALLOW_EIO3"),
        ("listen.compressPolls", "SOCKETIO_LISTEN_COMPRESS_POLLS"),
        ("listen.compressMessages", "SOCKETIO_LISTEN_COMPRESS_MESSAGES"),
        ("listen.connectTimeout", "SOCKETIO_LISTEN_CONNECT_TIMEOUT"),
        ("listen.threads", "SOCKETIO_LISTEN_THREADS"),
        ("heartbeat.interval", "SOCKETIO_HEARTBEAT_INTERVAL"),
        ("heartbeat.timeout", "SOCKETIO_HEARTBEAT_TIMEOUT"),
        ("heartbeat.upgradeTimeout", "SOCKETIO_HEARTBEAT_UPGRADE_TIMEOUT"),
        ("limits.messageSize", "SOCKETIO_LIMITS_MESSAGE_SIZE"),
        ("limits.attachments", "SOCKETIO_LIMITS_ATTACHMENTS"),
        ("limits.queuedBytes", "SOCKETIO_LIMITS_QUEUED_BYTES"),
        ("limits.totalQueuedBytes", "SOCKETIO_LIMITS_TOTAL_QUEUED_BYTES"),
        ("limits.totalRequestBytes", "SOCKETIO_LIMITS_TOTAL_REQUEST_BYTES"),
        ("limits.volatileBytes", "SOCKETIO_LIMITS_VOLATILE_BYTES"),
        ("limits.waitingEvents", "SOCKETIO_LIMITS_WAITING_EVENTS"),
        ("limits.waitingBytes", "SOCKETIO_LIMITS_WAITING_BYTES"),
        ("limits.namespacesPerConnection", "SOCKETIO_LIMITS_NAMESPACES_PER_CONNECTION"),
        ("limits.roomsPerSocket", "SOCKETIO_LIMITS_ROOMS_PER_SOCKET"),
        ("limits.pendingAcknowledgements", "SOCKETIO_LIMITS_PENDING_ACKNOWLEDGEMENTS"),
        ("limits.authSize", "SOCKETIO_LIMITS_AUTH_SIZE"),
        ("limits.packetsPerSecond", "SOCKETIO_LIMITS_PACKETS_PER_SECOND"),
        ("limits.bytesPerSecond", "SOCKETIO_LIMITS_BYTES_PER_SECOND"),
        ("limits.controlPacketsPerSecond", "SOCKETIO_LIMITS_CONTROL_PACKETS_PER_SECOND"),
        ("limits.connections", "SOCKETIO_LIMITS_CONNECTIONS"),
        ("limits.connectionsPerAddress", "SOCKETIO_LIMITS_CONNECTIONS_PER_ADDRESS"),
        ("limits.sessionsPerAddress", "SOCKETIO_LIMITS_SESSIONS_PER_ADDRESS"),
        ("limits.requestTimeout", "SOCKETIO_LIMITS_REQUEST_TIMEOUT"),
        ("limits.keepAliveTimeout", "SOCKETIO_LIMITS_KEEP_ALIVE_TIMEOUT"),
        ("cors.origins", "SOCKETIO_CORS_ORIGINS"),
        ("cors.methods", "SOCKETIO_CORS_METHODS"),
        ("cors.allowedHeaders", "SOCKETIO_CORS_ALLOWED_HEADERS"),
        ("cors.credentials", "SOCKETIO_CORS_CREDENTIALS"),
        ("cors.maxAge", "SOCKETIO_CORS_MAX_AGE"),
        ("adapter.type", "SOCKETIO_ADAPTER_TYPE"),
        ("adapter.redis.url", "SOCKETIO_ADAPTER_REDIS_URL"),
        ("adapter.redis.urlFile", "SOCKETIO_ADAPTER_REDIS_URL_FILE"),
        ("adapter.redis.tls.caFile", "SOCKETIO_ADAPTER_REDIS_TLS_CA_FILE"),
        ("adapter.redis.tls.certificateFile", "SOCKETIO_ADAPTER_REDIS_TLS_CERTIFICATE_FILE"),
        ("adapter.redis.tls.keyFile", "SOCKETIO_ADAPTER_REDIS_TLS_KEY_FILE"),
        ("adapter.redis.tls.serverName", "SOCKETIO_ADAPTER_REDIS_TLS_SERVER_NAME"),
        ("adapter.redis.tls.insecurelySkipVerification", "SOCKETIO_ADAPTER_REDIS_TLS_INSECURELY_SKIP_VERIFICATION"),
        ("adapter.redis.key", "SOCKETIO_ADAPTER_REDIS_KEY"),
        ("adapter.redis.subscriptions", "SOCKETIO_ADAPTER_REDIS_SUBSCRIPTIONS"),
        ("adapter.redis.address", "SOCKETIO_ADAPTER_REDIS_ADDRESS"),
        ("adapter.redis.requestsTimeout", "SOCKETIO_ADAPTER_REDIS_REQUESTS_TIMEOUT"),
        ("adapter.redis.readinessGrace", "SOCKETIO_ADAPTER_REDIS_READINESS_GRACE"),
        ("adapter.redis.whenLost", "SOCKETIO_ADAPTER_REDIS_WHEN_LOST"),
        ("adapter.redis.whenLostGrace", "SOCKETIO_ADAPTER_REDIS_WHEN_LOST_GRACE"),
        ("adapter.redis.keptBytes", "SOCKETIO_ADAPTER_REDIS_KEPT_BYTES"),
        ("adapter.redis.keptFor", "SOCKETIO_ADAPTER_REDIS_KEPT_FOR"),
        (
            "adapter.redis.publishOnSpecificResponseChannel",
            "SOCKETIO_ADAPTER_REDIS_PUBLISH_ON_SPECIFIC_RESPONSE_CHANNEL"
        ),
        ("adapter.sharded.subscriptionMode", "SOCKETIO_ADAPTER_SHARDED_SUBSCRIPTION_MODE"),
        ("adapter.streams.name", "SOCKETIO_ADAPTER_STREAMS_NAME"),
        ("adapter.streams.count", "SOCKETIO_ADAPTER_STREAMS_COUNT"),
        ("adapter.streams.maximumLength", "SOCKETIO_ADAPTER_STREAMS_MAXIMUM_LENGTH"),
        ("adapter.streams.readCount", "SOCKETIO_ADAPTER_STREAMS_READ_COUNT"),
        ("adapter.streams.shardedPubSub", "SOCKETIO_ADAPTER_STREAMS_SHARDED_PUB_SUB"),
        ("adapter.streams.onlyPlaintext", "SOCKETIO_ADAPTER_STREAMS_ONLY_PLAINTEXT"),
        ("recovery.enabled", "SOCKETIO_RECOVERY_ENABLED"),
        ("recovery.maxDisconnectionDuration", "SOCKETIO_RECOVERY_MAX_DISCONNECTION_DURATION"),
        ("recovery.skipMiddlewares", "SOCKETIO_RECOVERY_SKIP_MIDDLEWARES"),
        ("recovery.sessions", "SOCKETIO_RECOVERY_SESSIONS"),
        ("recovery.events", "SOCKETIO_RECOVERY_EVENTS"),
        ("recovery.bytes", "SOCKETIO_RECOVERY_BYTES"),
        ("gateway.contentTypes", "SOCKETIO_GATEWAY_CONTENT_TYPES"),
        ("gateway.components", "SOCKETIO_GATEWAY_COMPONENTS"),
        ("gateway.roles", "SOCKETIO_GATEWAY_ROLES"),
        ("gateway.authentication.mode", "SOCKETIO_GATEWAY_AUTHENTICATION_MODE"),
        ("gateway.authentication.timeout", "SOCKETIO_GATEWAY_AUTHENTICATION_TIMEOUT"),
        ("gateway.authentication.jwt.secret", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_SECRET"),
        ("gateway.authentication.jwt.secretFile", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_SECRET_FILE"),
        ("gateway.authentication.jwt.keys", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_KEYS"),
        ("gateway.authentication.jwt.algorithms", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_ALGORITHMS"),
        ("gateway.authentication.jwt.issuer", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_ISSUER"),
        ("gateway.authentication.jwt.audience", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_AUDIENCE"),
        ("gateway.authentication.jwt.leeway", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_LEEWAY"),
        ("gateway.authentication.jwt.requiresExpiration", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_REQUIRES_EXPIRATION"),
        ("gateway.authentication.jwt.claims.id", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_CLAIMS_ID"),
        ("gateway.authentication.jwt.claims.role", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_CLAIMS_ROLE"),
        ("gateway.authentication.jwt.claims.username", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_CLAIMS_USERNAME"),
        ("gateway.authentication.jwt.claims.email", "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_CLAIMS_EMAIL"),
        ("gateway.authentication.publicRole", "SOCKETIO_GATEWAY_AUTHENTICATION_PUBLIC_ROLE"),
        ("gateway.authentication.defaultRole", "SOCKETIO_GATEWAY_AUTHENTICATION_DEFAULT_ROLE"),
        ("gateway.authentication.maximumFailures", "SOCKETIO_GATEWAY_AUTHENTICATION_MAXIMUM_FAILURES"),
        ("gateway.authentication.failureWindow", "SOCKETIO_GATEWAY_AUTHENTICATION_FAILURE_WINDOW"),
        ("gateway.apiTokenSalt", "SOCKETIO_GATEWAY_API_TOKEN_SALT"),
        ("gateway.apiTokenSaltFile", "SOCKETIO_GATEWAY_API_TOKEN_SALT_FILE"),
        ("gateway.apiTokens", "SOCKETIO_GATEWAY_API_TOKENS"),
        ("gateway.security.requireAuthentication", "SOCKETIO_GATEWAY_SECURITY_REQUIRE_AUTHENTICATION"),
        ("gateway.security.ipWhitelist", "SOCKETIO_GATEWAY_SECURITY_IP_WHITELIST"),
        ("gateway.security.ipBlacklist", "SOCKETIO_GATEWAY_SECURITY_IP_BLACKLIST"),
        ("gateway.security.trustedProxies", "SOCKETIO_GATEWAY_SECURITY_TRUSTED_PROXIES"),
        ("gateway.security.maximumConnections", "SOCKETIO_GATEWAY_SECURITY_MAXIMUM_CONNECTIONS"),
        ("gateway.events.payloadFormat", "SOCKETIO_GATEWAY_EVENTS_PAYLOAD_FORMAT"),
        ("gateway.events.receivePolicy", "SOCKETIO_GATEWAY_EVENTS_RECEIVE_POLICY"),
        ("gateway.events.actionAliases", "SOCKETIO_GATEWAY_EVENTS_ACTION_ALIASES"),
        ("gateway.events.customEventNames", "SOCKETIO_GATEWAY_EVENTS_CUSTOM_EVENT_NAMES"),
        ("gateway.events.onlyPublished", "SOCKETIO_GATEWAY_EVENTS_ONLY_PUBLISHED"),
        ("gateway.events.excludeFields", "SOCKETIO_GATEWAY_EVENTS_EXCLUDE_FIELDS"),
        ("gateway.events.sensitiveFields", "SOCKETIO_GATEWAY_EVENTS_SENSITIVE_FIELDS"),
        ("gateway.events.sensitivePatterns", "SOCKETIO_GATEWAY_EVENTS_SENSITIVE_PATTERNS"),
        ("gateway.events.operatorsReceiveEvents", "SOCKETIO_GATEWAY_EVENTS_OPERATORS_RECEIVE_EVENTS"),
        ("gateway.events.rememberedEventIDs", "SOCKETIO_GATEWAY_EVENTS_REMEMBERED_EVENT_IDS"),
        ("gateway.rooms.enablePrivateRooms", "SOCKETIO_GATEWAY_ROOMS_ENABLE_PRIVATE_ROOMS"),
        ("gateway.rooms.messagePolicy", "SOCKETIO_GATEWAY_ROOMS_MESSAGE_POLICY"),
        ("gateway.rooms.allowsColon", "SOCKETIO_GATEWAY_ROOMS_ALLOWS_COLON"),
        ("gateway.rooms.allowsDot", "SOCKETIO_GATEWAY_ROOMS_ALLOWS_DOT"),
        ("gateway.rooms.maximumNameLength", "SOCKETIO_GATEWAY_ROOMS_MAXIMUM_NAME_LENGTH"),
        ("gateway.rooms.maximumRoomsPerSocket", "SOCKETIO_GATEWAY_ROOMS_MAXIMUM_ROOMS_PER_SOCKET"),
        ("gateway.rooms.defaultRooms", "SOCKETIO_GATEWAY_ROOMS_DEFAULT_ROOMS"),
        ("gateway.roomState.enabled", "SOCKETIO_GATEWAY_ROOM_STATE_ENABLED"),
        ("gateway.roomState.maximumKeys", "SOCKETIO_GATEWAY_ROOM_STATE_MAXIMUM_KEYS"),
        ("gateway.roomState.maximumKeyLength", "SOCKETIO_GATEWAY_ROOM_STATE_MAXIMUM_KEY_LENGTH"),
        ("gateway.roomState.maximumValueBytes", "SOCKETIO_GATEWAY_ROOM_STATE_MAXIMUM_VALUE_BYTES"),
        ("gateway.roomState.maximumRoomBytes", "SOCKETIO_GATEWAY_ROOM_STATE_MAXIMUM_ROOM_BYTES"),
        ("gateway.roomState.changesPerSecond", "SOCKETIO_GATEWAY_ROOM_STATE_CHANGES_PER_SECOND"),
        ("gateway.roomState.maximumLifetime", "SOCKETIO_GATEWAY_ROOM_STATE_MAXIMUM_LIFETIME"),
        ("gateway.roomState.lease", "SOCKETIO_GATEWAY_ROOM_STATE_LEASE"),
        ("gateway.presence.enabled", "SOCKETIO_GATEWAY_PRESENCE_ENABLED"),
        ("gateway.presence.maximumEntitiesPerSocket", "SOCKETIO_GATEWAY_PRESENCE_MAXIMUM_ENTITIES_PER_SOCKET"),
        ("gateway.presence.maximumEditors", "SOCKETIO_GATEWAY_PRESENCE_MAXIMUM_EDITORS"),
        ("gateway.presence.typingInterval", "SOCKETIO_GATEWAY_PRESENCE_TYPING_INTERVAL"),
        ("gateway.presence.typingLifetime", "SOCKETIO_GATEWAY_PRESENCE_TYPING_LIFETIME"),
        ("gateway.presence.onlineUsers", "SOCKETIO_GATEWAY_PRESENCE_ONLINE_USERS"),
        ("gateway.presence.maximumWatchedUsers", "SOCKETIO_GATEWAY_PRESENCE_MAXIMUM_WATCHED_USERS"),
        ("gateway.entitySubscriptions.enabled", "SOCKETIO_GATEWAY_ENTITY_SUBSCRIPTIONS_ENABLED"),
        ("gateway.entitySubscriptions.mode", "SOCKETIO_GATEWAY_ENTITY_SUBSCRIPTIONS_MODE"),
        (
            "gateway.entitySubscriptions.maximumSubscriptionsPerSocket",
            "SOCKETIO_GATEWAY_ENTITY_SUBSCRIPTIONS_MAXIMUM_SUBSCRIPTIONS_PER_SOCKET"
        ),
        (
            "gateway.entitySubscriptions.allowedContentTypes",
            "SOCKETIO_GATEWAY_ENTITY_SUBSCRIPTIONS_ALLOWED_CONTENT_TYPES"
        ),
        ("gateway.entitySubscriptions.enableMetrics", "SOCKETIO_GATEWAY_ENTITY_SUBSCRIPTIONS_ENABLE_METRICS"),
        ("gateway.entitySubscriptions.rememberedIDs", "SOCKETIO_GATEWAY_ENTITY_SUBSCRIPTIONS_REMEMBERED_IDS"),
        ("gateway.history.rooms", "SOCKETIO_GATEWAY_HISTORY_ROOMS"),
        ("gateway.history.maximumMissed", "SOCKETIO_GATEWAY_HISTORY_MAXIMUM_MISSED"),
        ("gateway.livePreview.enabled", "SOCKETIO_GATEWAY_LIVE_PREVIEW_ENABLED"),
        ("gateway.livePreview.draftEvents", "SOCKETIO_GATEWAY_LIVE_PREVIEW_DRAFT_EVENTS"),
        ("gateway.livePreview.debounce", "SOCKETIO_GATEWAY_LIVE_PREVIEW_DEBOUNCE"),
        (
            "gateway.livePreview.maximumSubscriptionsPerSocket",
            "SOCKETIO_GATEWAY_LIVE_PREVIEW_MAXIMUM_SUBSCRIPTIONS_PER_SOCKET"
        ),
        ("gateway.fieldChanges.enabled", "SOCKETIO_GATEWAY_FIELD_CHANGES_ENABLED"),
        ("gateway.fieldChanges.excludeFields", "SOCKETIO_GATEWAY_FIELD_CHANGES_EXCLUDE_FIELDS"),
        ("gateway.fieldChanges.maximumDepth", "SOCKETIO_GATEWAY_FIELD_CHANGES_MAXIMUM_DEPTH"),
        ("gateway.limits.questionsPerSecond", "SOCKETIO_GATEWAY_LIMITS_QUESTIONS_PER_SECOND"),
        ("gateway.limits.changesPerSecond", "SOCKETIO_GATEWAY_LIMITS_CHANGES_PER_SECOND"),
        ("gateway.namespaces", "SOCKETIO_GATEWAY_NAMESPACES"),
        ("gateway.monitoring.enableEventLogging", "SOCKETIO_GATEWAY_MONITORING_ENABLE_EVENT_LOGGING"),
        ("gateway.monitoring.enableConnectionLogging", "SOCKETIO_GATEWAY_MONITORING_ENABLE_CONNECTION_LOGGING"),
        ("gateway.monitoring.maxEventLogSize", "SOCKETIO_GATEWAY_MONITORING_MAX_EVENT_LOG_SIZE"),
        ("gateway.monitoring.maxAuditLogSize", "SOCKETIO_GATEWAY_MONITORING_MAX_AUDIT_LOG_SIZE"),
        ("gateway.webhooks", "SOCKETIO_GATEWAY_WEBHOOKS"),
        ("gateway.customEvents", "SOCKETIO_GATEWAY_CUSTOM_EVENTS"),
        ("gateway.clusterTimeout", "SOCKETIO_GATEWAY_CLUSTER_TIMEOUT"),
        ("publish.enabled", "SOCKETIO_PUBLISH_ENABLED"),
        ("publish.host", "SOCKETIO_PUBLISH_HOST"),
        ("publish.port", "SOCKETIO_PUBLISH_PORT"),
        ("publish.whileDisconnected", "SOCKETIO_PUBLISH_WHILE_DISCONNECTED"),
        ("publish.eventIdLifetime", "SOCKETIO_PUBLISH_EVENT_ID_LIFETIME"),
        ("publish.stream", "SOCKETIO_PUBLISH_STREAM"),
        ("publish.bodySize", "SOCKETIO_PUBLISH_BODY_SIZE"),
        ("publish.answerSize", "SOCKETIO_PUBLISH_ANSWER_SIZE"),
        ("publish.totalSize", "SOCKETIO_PUBLISH_TOTAL_SIZE"),
        ("publish.batchSize", "SOCKETIO_PUBLISH_BATCH_SIZE"),
        ("publish.headTimeout", "SOCKETIO_PUBLISH_HEAD_TIMEOUT"),
        ("publish.requestTimeout", "SOCKETIO_PUBLISH_REQUEST_TIMEOUT"),
        ("publish.requestsPerToken", "SOCKETIO_PUBLISH_REQUESTS_PER_TOKEN"),
        ("publish.maximumConnections", "SOCKETIO_PUBLISH_MAXIMUM_CONNECTIONS"),
        ("outgoing.allow", "SOCKETIO_OUTGOING_ALLOW"),
        ("outgoing.tls.caFile", "SOCKETIO_OUTGOING_TLS_CA_FILE"),
        ("console.enabled", "SOCKETIO_CONSOLE_ENABLED"),
        ("console.host", "SOCKETIO_CONSOLE_HOST"),
        ("console.port", "SOCKETIO_CONSOLE_PORT"),
        ("logging.level", "SOCKETIO_LOGGING_LEVEL"),
        ("logging.format", "SOCKETIO_LOGGING_FORMAT"),
        ("shutdown.delay", "SOCKETIO_SHUTDOWN_DELAY"),
        ("shutdown.deadline", "SOCKETIO_SHUTDOWN_DEADLINE"),
    ]

    @Test func everySettingHasItsName() {
        let paths = ConfigurationReader.paths()
        #expect(Set(Self.names.map(\.path)) == Set(paths))
        #expect(Self.names.count == paths.count)
        for (path, variable) in Self.names { #expect(SettingNames.environmentName(of: path) == variable) }
    }

    /// A variable and a flag of that name are taken for that setting; a secret and its file in two goes.
    @Test(arguments: [false, true])
    func variablesAndFlagsAreRead(files: Bool) {
        let secrets = Set(Self.names.map(\.path)).filter { Self.names.map(\.path).contains($0 + "File") }
        let names = Self.names.filter { name in
            files ? secrets.contains { $0 + "File" == name.path } : !secrets.contains { $0 + "File" == name.path }
        }
        #expect(names.count == (files ? secrets.count : Self.names.count - secrets.count))
        // Wrong for all but texts, which take it.
        let environment = Dictionary(uniqueKeysWithValues: names.map { ($0.variable, "{") })
        let byVariable = load(environment: environment, files: ["{": "{"])
        let byFlag = load(flags: names.map { "\($0.path)={" }, files: ["{": "{"])
        #expect(byVariable.warnings.isEmpty)
        let (settings, flagSettings) = ("\(byVariable.settings)", "\(byFlag.settings)")
        for (path, variable) in names {
            let isTold = byVariable.problems.contains { $0.hasPrefix("environment \(variable): \(path)") }
            #expect(isTold || settings.contains("origin: environment \(variable),"), "\(variable)")
            let isFlagTold = byFlag.problems.contains { $0.hasPrefix("flag --set \(path): \(path)") }
            #expect(isFlagTold || flagSettings.contains("origin: flag --set \(path),"), "\(path)")
        }
    }
}
