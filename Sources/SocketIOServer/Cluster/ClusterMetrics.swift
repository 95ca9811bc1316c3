package import Metrics

/// What the adapters of one server count.
package struct ClusterMetrics: Sendable {
    /// Broadcasts of other nodes that were delivered to sockets of this node.
    package let delivered: Counter
    /// Broadcasts to rooms in which this node has no sockets.
    package let filtered: Counter
    /// Questions that not every node answered in time.
    package let timeouts: Counter
    /// Messages for the cluster that the broker was not handed.
    package let unpublished: Counter
    /// Questions of other nodes that were not answered: the answer is too large, or too many ask.
    package let answersRefused: Counter
    /// Answers of other nodes for which no memory was left.
    package let answersDropped: Counter
    private let rejected: [String: Counter]

    /// Makes the counters.
    ///
    /// - Parameters:
    ///   - factory: Makes the counters.
    ///   - reasons: Why a message of another node may be ignored.
    package init(factory: any MetricsFactory, reasons: [String]) {
        self.delivered = Counter(label: "socketio_cluster_broadcasts_received_total", factory: factory)
        self.filtered = Counter(label: "socketio_cluster_broadcasts_filtered_total", factory: factory)
        self.timeouts = Counter(label: "socketio_cluster_request_timeouts_total", factory: factory)
        self.unpublished = Counter(label: "socketio_cluster_messages_unpublished_total", factory: factory)
        self.answersRefused = Counter(label: "socketio_cluster_answers_refused_total", factory: factory)
        self.answersDropped = Counter(label: "socketio_cluster_answers_dropped_total", factory: factory)
        self.rejected = Dictionary(
            uniqueKeysWithValues: reasons.map { reason in
                let label = "socketio_cluster_messages_rejected_total"
                return (reason, Counter(label: label, dimensions: [("reason", reason)], factory: factory))
            }
        )
    }

    /// A message of another node was ignored.
    package func rejected(_ reason: String) { self.rejected[reason]?.increment() }
}
