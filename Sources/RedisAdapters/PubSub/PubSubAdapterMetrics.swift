import Metrics
import SocketIOWire

/// What the adapters of one server count.
struct PubSubAdapterMetrics: Sendable {
    /// Broadcasts of other nodes that had somebody to go to here.
    let delivered: Counter
    /// Broadcasts to rooms that nobody here is in.
    let filtered: Counter
    /// Questions that not every node answered in time.
    let timeouts: Counter
    /// Messages for the cluster that Redis was not handed.
    let unpublished: Counter
    /// Questions of other nodes that were not answered: the answer is too large, or too many ask.
    let answersRefused: Counter
    /// Answers of other nodes for which no memory was left.
    let answersDropped: Counter
    private let rejected: [ClusterProtocolError.Reason: Counter]

    init(factory: any MetricsFactory) {
        self.delivered = Counter(label: "socketio_cluster_broadcasts_received_total", factory: factory)
        self.filtered = Counter(label: "socketio_cluster_broadcasts_filtered_total", factory: factory)
        self.timeouts = Counter(label: "socketio_cluster_request_timeouts_total", factory: factory)
        self.unpublished = Counter(label: "socketio_cluster_messages_unpublished_total", factory: factory)
        self.answersRefused = Counter(label: "socketio_cluster_answers_refused_total", factory: factory)
        self.answersDropped = Counter(label: "socketio_cluster_answers_dropped_total", factory: factory)
        self.rejected = Dictionary(
            uniqueKeysWithValues: ClusterProtocolError.Reason.allCases.map { reason in
                let dimensions = [("reason", reason.rawValue)]
                let label = "socketio_cluster_messages_rejected_total"
                return (reason, Counter(label: label, dimensions: dimensions, factory: factory))
            }
        )
    }

    func rejected(_ reason: ClusterProtocolError.Reason) {
        self.rejected[reason]?.increment()
    }
}
