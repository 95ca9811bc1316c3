import SocketIOWire

/// All rules that are in force together: a configuration, prepared, so that everything that can be worked out once is
/// worked out once.
///
/// They never change. ``RulesInForce`` replaces them by others.
final class Rules: Sendable {
    /// Counts up with each replacement, from 1.
    let version: Int
    let configuration: GatewayConfiguration
    let content: ContentRules
    let access: AccessRules
    /// What has a history.
    let histories: HistoryRules
    /// Whether there is a content type whose events reach only the owners of entries.
    let hasOwnedTypes: Bool
    /// What becomes of events that are not the gateway's own.
    let customEvents: CustomEventTable

    private init(
        version: Int,
        configuration: GatewayConfiguration,
        content: ContentRules,
        access: AccessRules,
        hasOwnedTypes: Bool
    ) {
        self.version = version
        self.configuration = configuration
        self.content = content
        self.access = access
        self.histories = HistoryRules(configuration)
        self.hasOwnedTypes = hasOwnedTypes
        self.customEvents = CustomEventTable(configuration.customEvents)
    }

    /// The first rules, or rules that are to replace others.
    ///
    /// - Parameters:
    ///   - configuration: What this node is configured with.
    ///   - hooks: Functions of the application.
    ///   - keySets: The key sets that are fetched; `nil` if none can be.
    ///   - others: What is private to other nodes, and so here, too.
    /// - Throws: ``GatewayError`` with every problem of the configuration.
    convenience init(
        _ configuration: GatewayConfiguration,
        hooks: GatewayHooks,
        keySets: KeySetDirectory? = nil,
        others: [Privacy] = []
    ) async throws {
        let problems = configuration.validate() + configuration.problems(with: hooks)
        guard problems.isEmpty else { throw GatewayError(problems) }
        self.init(
            version: 1,
            configuration: configuration,
            content: ContentRules(configuration.hiding(others), others: others),
            access: try await AccessRules(configuration, keySets: keySets),
            hasOwnedTypes: configuration.contentTypes.contains { $0.ownerField != nil }
        )
    }

    /// The same rules under another number.
    func numbered(_ version: Int) -> Rules {
        Rules(
            version: version,
            configuration: self.configuration,
            content: self.content,
            access: self.access,
            hasOwnedTypes: self.hasOwnedTypes
        )
    }

    /// Works out what to send for an event, and to whom.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - now: The time, because tokens expire.
    ///   - complete: Adds to an identity what is known from earlier events.
    /// - Returns: What to send, and a report.
    /// - Throws: ``GatewayError`` for a content type that is not configured, and for names that cannot be sent.
    func plan(
        _ event: LifecycleEvent,
        now: Double,
        completing complete: (EntityIdentity) -> EntityIdentity = { $0 }
    ) throws(GatewayError) -> EventPlan {
        try self.content.plan(event, receivers: { self.receivers(of: $0, $1, now: now) }, completing: complete)
    }

    /// Works out what to send for several updates of different entries of a type, given as one list.
    ///
    /// - Throws: ``GatewayError`` for a content type that is not configured, and for names that cannot be sent.
    func bulkPlan(
        _ events: [LifecycleEvent],
        now: Double,
        completing complete: (EntityIdentity) -> EntityIdentity = { $0 }
    ) throws(GatewayError) -> EventPlan {
        try self.content.bulkPlan(events, receivers: { self.receivers(of: $0, $1, now: now) }, completing: complete)
    }

    func receivers(of event: String, _ type: ContentType, now: Double) -> [AudienceGroup] {
        let schema = self.content.schema
        return self.access.audiences.groups(event: event, type: type, reach: schema.reach(from: type.uid), now: now)
    }

    /// The rooms of the gateway that a socket of that principal is in.
    func rooms(of principal: Principal) -> [Room] {
        self.access.rooms(of: principal, hasOwnedTypes: self.hasOwnedTypes)
    }
}

extension GatewayConfiguration {
    /// What this configuration asks for and no hook gives.
    fileprivate func problems(with hooks: GatewayHooks) -> [ConfigurationProblem] {
        guard self.entitySubscriptions.requireVerification, hooks.verifyEntity == nil, hooks.findEntity == nil else {
            return []
        }
        return [
            ConfigurationProblem(
                path: "entitySubscriptions.requireVerification",
                value: "true",
                advice:
                    "needs something that knows which entities exist; set it to false, or give the gateway a verifyEntity or findEntity hook"
            )
        ]
    }
}
