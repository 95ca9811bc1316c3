package import Incidents
package import Logging
package import Metrics

/// What the adapters of one server count; of what they drop or refuse the log has a line a minute and reason, too.
package struct ClusterMetrics: Sendable {
    /// Why another node's question was not answered.
    package enum Refusal: String, Sendable {
        case tooLong = "too_long"
        case tooMany = "too_many"
        case leaving
        /// It does not say who asks.
        case nameless
    }

    /// What became of a message for the cluster that the broker was not handed.
    package enum Loss: String, Sendable {
        case refused, dropped, unconfirmed
    }

    /// Broadcasts of other nodes that had somebody to go to here.
    package let delivered: Counter
    /// Broadcasts to rooms in which this node has no sockets.
    package let filtered: Counter
    /// Questions that not every node answered in time.
    package let timeouts: Counter
    private let unpublished: Counter
    private let answersRefused: Counter
    private let answersDropped: Counter
    private let rejected: [String: Counter]
    private let incidents: IncidentLog

    /// Makes the counters.
    ///
    /// - Parameters:
    ///   - factory: Makes the counters.
    ///   - reasons: Why a message of another node may be ignored.
    ///   - incidents: Where it is told to whoever has no metrics.
    package init(factory: any MetricsFactory, reasons: [String], incidents: IncidentLog) {
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
        self.incidents = incidents
    }

    /// A message of another node was ignored.
    package func rejected(_ reason: String, details: @autoclosure () -> Logger.Metadata = [:]) {
        self.rejected[reason]?.increment()
        self.incidents.record("Messages of other nodes were ignored", reason: reason, details: details())
    }

    /// Questions of other nodes were not answered.
    package func refused(_ reason: Refusal, count: Int = 1, details: @autoclosure () -> Logger.Metadata = [:]) {
        self.answersRefused.increment(by: count)
        self.incidents.record(
            "Questions of other nodes were not answered",
            reason: reason.rawValue,
            count: count,
            details: details()
        )
    }

    /// There was no memory left for an answer of another node.
    package func answerDropped(limit: Int) {
        self.answersDropped.increment()
        self.incidents.record(
            "Answers of other nodes were dropped: this node keeps too many of them already",
            reason: "memory",
            details: ["limit": "\(limit)"]
        )
    }

    /// The broker was not handed messages for the cluster, or nobody knows whether it was.
    ///
    /// - Parameters:
    ///   - kind: What they were: a word of a few.
    ///   - loss: What became of them.
    ///   - count: How many.
    ///   - error: Why.
    package func unpublished(
        _ kind: StaticString,
        _ loss: Loss = .refused,
        count: Int = 1,
        error: @autoclosure () -> String
    ) {
        self.unpublished.increment(by: count)
        self.incidents.record(
            "What other nodes should get was not handed to the broker",
            reason: "\(kind)_\(loss.rawValue)",
            count: count,
            details: ["error": "\(error())"]
        )
    }

    /// What is kept of a client, so that it may come back to any node, could not be written.
    package func sessionNotKept(_ reason: String, details: @autoclosure () -> Logger.Metadata) {
        self.incidents.record("Clients can't come back to another node", reason: reason, details: details())
    }
}
