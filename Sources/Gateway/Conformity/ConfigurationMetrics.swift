import Metrics
import NIOConcurrencyHelpers

/// What metrics say about configurations.
final class ConfigurationMetrics: Sendable {
    private let factory: any MetricsFactory
    private let digest = NIOLockedValueBox<(text: String, gauge: Gauge)?>(nil)
    private let same: Gauge
    private let different: Gauge
    private let rejected: Gauge

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        func nodes(_ configuration: String) -> Gauge {
            Gauge(
                label: "socketio_cluster_nodes",
                dimensions: [("configuration", configuration)],
                factory: factory
            )
        }
        self.same = nodes("same")
        self.different = nodes("different")
        self.rejected = Gauge(label: "socketio_settings_rejected", factory: factory)
        self.rejected.record(0)
    }

    /// A configuration of that digest is in force.
    func inForce(_ digest: String) {
        self.digest.withLockedValue { current in
            guard current?.text != digest else { return }
            // The series of a former digest stays, with a zero.
            current?.gauge.record(0)
            let gauge = Gauge(
                label: "socketio_config_info",
                dimensions: [("digest", digest)],
                factory: self.factory
            )
            gauge.record(1)
            current = (digest, gauge)
        }
    }

    func nodes(_ counts: (same: Int, different: Int)) {
        self.same.record(counts.same)
        self.different.record(counts.different)
    }

    /// Whether the settings document is refused.
    func isRejected(_ isRejected: Bool) { self.rejected.record(isRejected ? 1 : 0) }
}
