import Metrics

/// What is counted of webhooks.
struct WebhookMetrics: Sendable {
    /// What a request came to.
    enum Outcome: String, Hashable, CaseIterable {
        case answered, rejected, broken, failed
    }

    /// What an event came to.
    enum Fate: String, Hashable, CaseIterable {
        case delivered, overloaded, resting, expired, exhausted, rejected, malformed, closed
    }

    private let requests: CounterFamily<Outcome>
    private let events: CounterFamily<Fate>
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        self.requests = CounterFamily("socketio_webhook_requests_total", "outcome", factory)
        self.events = CounterFamily("socketio_webhook_events_total", "outcome", factory)
    }

    func request(_ verdict: WebhookVerdict) {
        switch verdict {
        case .answered: self.requests.increment(.answered)
        case .rejected: self.requests.increment(.rejected)
        case .broken: self.requests.increment(.broken)
        case .failed: self.requests.increment(.failed)
        }
    }

    func delivered() { self.events.increment(.delivered) }

    func dropped(_ failure: WebhookFailure) { self.events.increment(failure.fate) }

    /// The gauges of one webhook.
    func gauges(of webhook: String) -> WebhookGauges { WebhookGauges(webhook, factory: self.factory) }
}

/// How one webhook of this node stands.
struct WebhookGauges: Sendable {
    private let events: Gauge
    private let bytes: Gauge
    private let rest: Gauge

    init(_ webhook: String, factory: any MetricsFactory) {
        let dimensions = [("webhook", webhook)]
        self.events = Gauge(label: "socketio_webhook_waiting_events", dimensions: dimensions, factory: factory)
        self.bytes = Gauge(label: "socketio_webhook_waiting_bytes", dimensions: dimensions, factory: factory)
        self.rest = Gauge(label: "socketio_webhook_resting", dimensions: dimensions, factory: factory)
    }

    /// How much waits, what is under way included.
    func waiting(events: Int, bytes: Int) {
        self.events.record(events)
        self.bytes.record(bytes)
    }

    func resting(_ isResting: Bool) { self.rest.record(isResting ? 1 : 0) }
}

extension WebhookFailure {
    var fate: WebhookMetrics.Fate {
        switch self {
        case .overloaded: .overloaded
        case .resting: .resting
        case .expired: .expired
        case .exhausted: .exhausted
        case .rejected: .rejected
        case .malformed: .malformed
        case .closed: .closed
        }
    }

    /// The same as a word for the log.
    var word: String { self.fate.rawValue }
}

extension WebhookVerdict {
    /// The kind as a word for the log.
    var word: String {
        switch self {
        case .answered: "answered"
        case .rejected: "rejected"
        case .broken: "broken"
        case .failed: "failed"
        }
    }
}
