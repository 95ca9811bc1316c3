import Metrics

/// What the client counts.
struct RESPMetrics {
    /// 1 while the client is ready, otherwise 0.
    let up: Meter
    /// Connections lost, by role.
    let commandReconnects: Counter
    let subscriberReconnects: Counter
    let streamReconnects: Counter
    /// Publishes kept until Redis is back.
    let queued: Meter
    /// Commands that had no reply within their deadline.
    let timeouts: Counter
    /// Messages of subscriptions that could not be used.
    let unusableMessages: Counter
    /// Times in which messages may have been missed.
    let gaps: Counter
    /// How long a message to this client itself takes by Redis.
    let loopback: Metrics.Timer
    private let dropped: [DropReason: Counter]

    enum DropReason: String, CaseIterable {
        /// The queue was full, and the caller got an error.
        case queueFull = "queue_full"
        /// The message was on its way when the connection was lost. Redis may have got it or not.
        case unconfirmed
        /// Redis answered with an error.
        case refused
        /// The message was kept for longer than the queue allows.
        case expired
        /// The client was closed.
        case closed
    }

    init(factory: any MetricsFactory) {
        self.up = Meter(label: "redis_up", factory: factory)
        self.commandReconnects = Counter(
            label: "redis_connections_lost_total",
            dimensions: [("connection", "commands")],
            factory: factory
        )
        self.subscriberReconnects = Counter(
            label: "redis_connections_lost_total",
            dimensions: [("connection", "subscriptions")],
            factory: factory
        )
        self.streamReconnects = Counter(
            label: "redis_connections_lost_total",
            dimensions: [("connection", "streams")],
            factory: factory
        )
        self.queued = Meter(label: "redis_publishes_queued", factory: factory)
        self.timeouts = Counter(label: "redis_command_timeouts_total", factory: factory)
        self.unusableMessages = Counter(label: "redis_messages_unusable_total", factory: factory)
        self.gaps = Counter(label: "redis_gaps_total", factory: factory)
        self.loopback = Metrics.Timer(label: "redis_loopback_seconds", factory: factory)
        self.dropped = Dictionary(
            uniqueKeysWithValues: DropReason.allCases.map {
                (
                    $0,
                    Counter(
                        label: "redis_publishes_dropped_total",
                        dimensions: [("reason", $0.rawValue)],
                        factory: factory
                    )
                )
            }
        )
    }

    func droppedPublishes(_ count: Int, _ reason: DropReason) {
        self.dropped[reason]?.increment(by: count)
    }
}
