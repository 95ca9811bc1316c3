import Incidents
import Metrics

/// The gateway's counters.
///
/// Each is made once, so that counting needs no look-up, and so that metrics show zeros, too.
struct GatewayMetrics: Sendable {
    /// Why the gateway disconnected a client.
    enum Expulsion: String, Hashable, CaseIterable {
        case requested
        case tokenExpired = "token_expired"
        case tokenRevoked = "token_revoked"
        /// The rules were replaced, and the client may not stay.
        case rulesChanged = "rules_changed"
    }

    private let events: CounterFamily<EmitReport.Outcome>
    private let variants: Counter
    private let failures: Counter
    private let malformedEvents: Counter
    private let refusals: CounterFamily<ConnectionRefusal.Reason>
    private let admissions: CounterFamily<PrincipalRecord.Kind>
    private let expulsions: CounterFamily<Expulsion>
    private let limitedEvents: CounterFamily<ClientEvent>
    private let limitedActions: CounterFamily<LimitedAction>
    private let incidents: IncidentLog
    /// What is counted of custom events.
    let customEvents: CustomEventMetrics
    /// What is counted of webhooks.
    let webhooks: WebhookMetrics

    init(factory: any MetricsFactory, incidents: IncidentLog) {
        self.incidents = incidents
        self.events = CounterFamily("socketio_gateway_events_total", "outcome", factory)
        self.variants = Counter(label: "socketio_gateway_variants_total", factory: factory)
        self.failures = Counter(label: "socketio_gateway_sanitiser_failures_total", factory: factory)
        self.malformedEvents = Counter(
            label: "socketio_malformed_total",
            dimensions: [("reason", "lifecycle event")],
            factory: factory
        )
        self.refusals = CounterFamily("socketio_gateway_refusals_total", "reason", factory)
        self.admissions = CounterFamily("socketio_gateway_admissions_total", "kind", factory)
        self.expulsions = CounterFamily("socketio_gateway_disconnections_total", "reason", factory)
        self.customEvents = CustomEventMetrics(factory: factory)
        self.webhooks = WebhookMetrics(factory: factory)
        self.limitedEvents = CounterFamily("socketio_gateway_limited_total", "event", factory)
        self.limitedActions = CounterFamily("socketio_gateway_cluster_limited_total", "action", factory)
    }

    /// A lifecycle event was handled.
    func event(_ report: EmitReport) {
        self.events.increment(report.outcome)
        self.variants.increment(by: report.projections)
        if !report.failures.isEmpty { self.failures.increment(by: report.failures.count) }
    }

    /// A lifecycle event of another process could not be read.
    func malformedEvent() { self.malformedEvents.increment() }

    /// The gateway has refused a client.
    func refused(_ reason: ConnectionRefusal.Reason) {
        self.refusals.increment(reason)
        self.incidents.record("Clients were not let in", reason: reason.rawValue)
    }

    /// The gateway has let a client in.
    func admitted(_ kind: PrincipalRecord.Kind) { self.admissions.increment(kind) }

    /// The gateway has disconnected a client.
    func expelled(_ reason: Expulsion) {
        self.expulsions.increment(reason)
        self.incidents.record("Clients were disconnected", reason: reason.rawValue)
    }

    /// A limit of the cluster was exceeded.
    func limited(_ action: LimitedAction) {
        self.limitedActions.increment(action)
        self.incidents.record("A limit of the cluster was exceeded", reason: action.rawValue)
    }

    /// A client has asked too often.
    func limited(_ event: ClientEvent) {
        self.limitedEvents.increment(event)
        self.incidents.record("Clients asked too often", reason: event.rawValue)
    }
}

/// One counter for each value of a dimension.
struct CounterFamily<Value: RawRepresentable & Hashable & CaseIterable & Sendable>: Sendable
where Value.RawValue == String {
    private let counters: [Value: Counter]

    init(_ label: String, _ dimension: String, _ factory: any MetricsFactory) {
        self.counters = Dictionary(
            uniqueKeysWithValues: Value.allCases.map { value in
                (value, Counter(label: label, dimensions: [(dimension, value.rawValue)], factory: factory))
            }
        )
    }

    func increment(_ value: Value) { self.counters[value]?.increment() }
}
