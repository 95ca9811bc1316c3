import OrderedCollections
package import SocketIOWire

extension MetricRegistry {
    /// What this node tells of itself beside the gateway's figures: its version, its memory, and the sums of some metrics.
    package func details(version: String) -> JSONObject {
        var details: JSONObject = ["version": .string(version)]
        let families = self.read()
        for (name, metric) in Self.figures {
            guard let value = Self.sum(of: metric, in: families) else { continue }
            details[name] = Int(exactly: value).map { .int($0) } ?? .double(value)
        }
        // A mean over a while is a difference of sums by a difference of counts.
        if let (sum, count) = Self.histogram("socketio_event_loop_lag_seconds", in: families) {
            details["loopLag"] = ["sum": .double(sum), "count": .int(count)]
        }
        return details
    }

    /// Counters only grow, so whoever looks twice knows how many there were meanwhile.
    private static let figures: [(name: UTF8Text, metric: UTF8Text)] = [
        ("residentBytes", "process_resident_memory_bytes"), ("cpuSeconds", "process_cpu_seconds_total"),
        ("packetsReceived", "socketio_packets_received_total"), ("packetsSent", "socketio_packets_sent_total"),
        ("bytesReceived", "socketio_bytes_received_total"), ("bytesSent", "socketio_bytes_sent_total"),
        ("clientEvents", "socketio_events_total"), ("broadcasts", "socketio_broadcasts_total"),
        ("slowConsumers", "socketio_slow_consumers_total"), ("rejected", "socketio_handshake_rejected_total"),
        ("queuedBytes", "socketio_send_queue_bytes"), ("redisUp", "redis_up"),
    ]

    private static func histogram(
        _ name: UTF8Text,
        in families: [MetricsText.Family]
    ) -> (sum: Double, count: Int)? {
        guard let family = families.first(where: { $0.name == name }) else { return nil }
        return family.series.reduce(into: (sum: 0, count: 0)) { result, series in
            guard case .histogram(let reading) = series.reading else { return }
            result.sum += reading.sum
            result.count += reading.counts.reduce(0) { $0 + Int(clamping: $1) }
        }
    }

    /// The sum of all series of a counter or gauge; `nil` if there is no such metric.
    private static func sum(of name: UTF8Text, in families: [MetricsText.Family]) -> Double? {
        guard let family = families.first(where: { $0.name == name }) else { return nil }
        return family.series.reduce(0) { sum, series in
            switch series.reading {
            case .integer(let number): sum + Double(number)
            case .number(let number): sum + (number.isFinite ? number : 0)
            case .histogram: sum
            }
        }
    }
}
