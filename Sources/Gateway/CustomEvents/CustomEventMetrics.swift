import Metrics

/// What is counted of the events that clients send besides the gateway's own.
struct CustomEventMetrics: Sendable {
    /// What became of an event.
    enum Outcome: String, Hashable, CaseIterable {
        /// A webhook, or a function of the application, was told.
        case handled
        case relayed
        case ignored
        /// Nobody handles an event of that name.
        case unknown
        /// The client's role may not send it.
        case forbidden
        /// The client sends it too often.
        case limited
        /// It is too long, or not what a relay allows.
        case invalid
    }

    private let outcomes: CounterFamily<Outcome>

    init(factory: any MetricsFactory) {
        self.outcomes = CounterFamily("socketio_gateway_client_events_total", "outcome", factory)
    }

    func count(_ outcome: Outcome) { self.outcomes.increment(outcome) }
}
