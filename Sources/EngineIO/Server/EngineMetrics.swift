import Incidents
import Logging
import Metrics
import SocketIOWire

/// The engine's metrics.
///
/// Each server makes them once.
struct EngineMetrics: Sendable {
    /// The metrics of one transport.
    struct Traffic: Sendable {
        let packetsReceived: Counter
        let packetsSent: Counter
        let bytesReceived: Counter
        let bytesSent: Counter
        /// Sessions that began with this transport.
        let opened: Counter

        init(transport: TransportName, factory: any MetricsFactory) {
            let dimensions = [("transport", transport.rawValue)]
            func counter(_ label: String) -> Counter {
                Counter(label: label, dimensions: dimensions, factory: factory)
            }
            self.packetsReceived = counter("socketio_packets_received_total")
            self.packetsSent = counter("socketio_packets_sent_total")
            self.bytesReceived = counter("socketio_bytes_received_total")
            self.bytesSent = counter("socketio_bytes_sent_total")
            self.opened = counter("socketio_connections_opened_total")
        }
    }

    /// How an upgrade to WebSocket can end.
    enum UpgradeResult: String, CaseIterable {
        case completed
        case refused
        case failed
        case timeout
    }

    /// The kinds of wrong input from a client.
    enum Malformed: String, CaseIterable {
        case httpRequest = "http_request"
        case packet
        case payload
        case webSocketFrame = "websocket_frame"
        case tooLarge = "too_large"
        /// Refused because the requests of all clients together have too many bytes.
        case tooMuchForAll = "too_much_for_all"
        case proxyHeader = "proxy_header"
        case flood
    }

    /// What happened to a client that reads too slowly.
    enum SlowConsumer: String, CaseIterable {
        case volatileDropped = "volatile_dropped"
        case closed
        /// Closed because too much waits for all clients together.
        case closedForAll = "closed_for_all"
    }

    let connections: Meter
    /// The bytes that wait in sessions' queues because their clients do not take them.
    let sendQueueBytes: Meter
    /// The bytes of requests and messages that are not complete or wait to be handled.
    let requestBytes: Meter
    let polling: Traffic
    let webSocket: Traffic
    private let closed: [String: Counter]
    private let closedForAnotherReason: Counter
    private let rejected: [Counter]
    private let upgrades: [UpgradeResult: Counter]
    private let malformed: [Malformed: Counter]
    private let slowConsumers: [SlowConsumer: Counter]
    /// How often accepting stopped because file descriptors had run out.
    let acceptPaused: Counter
    /// How late event loops are.
    let loopLag: Metrics.Timer
    private let incidents: IncidentLog

    init(factory: any MetricsFactory, incidents: IncidentLog) {
        self.incidents = incidents
        self.acceptPaused = Counter(label: "socketio_accepting_paused_total", factory: factory)
        self.loopLag = Metrics.Timer(label: "socketio_event_loop_lag_seconds", factory: factory)
        self.connections = Meter(label: "socketio_connections", factory: factory)
        self.sendQueueBytes = Meter(label: "socketio_send_queue_bytes", factory: factory)
        self.requestBytes = Meter(label: "socketio_request_bytes", factory: factory)
        self.polling = Traffic(transport: .polling, factory: factory)
        self.webSocket = Traffic(transport: .websocket, factory: factory)
        func counter(_ label: String, _ name: String, _ value: String) -> Counter {
            Counter(label: label, dimensions: [(name, value)], factory: factory)
        }
        let reasons: [CloseReason] = [.transportError, .transportClose, .pingTimeout, .parseError, .forcedClose]
        self.closed = Dictionary(
            uniqueKeysWithValues: reasons.map { reason in
                let value = reason.rawValue.split(separator: " ").joined(separator: "_")
                return (reason.rawValue, counter("socketio_connections_closed_total", "reason", value))
            }
        )
        self.closedForAnotherReason = counter("socketio_connections_closed_total", "reason", "other")
        self.rejected = HandshakeError.Code.allCases.map {
            counter("socketio_handshake_rejected_total", "reason", $0.label)
        }
        func counters<Key: CaseIterable & RawRepresentable & Hashable>(
            _ label: String,
            _ name: String
        ) -> [Key: Counter]
        where Key.RawValue == String {
            Dictionary(uniqueKeysWithValues: Key.allCases.map { ($0, counter(label, name, $0.rawValue)) })
        }
        self.upgrades = counters("socketio_upgrades_total", "result")
        self.malformed = counters("socketio_malformed_input_total", "reason")
        self.slowConsumers = counters("socketio_slow_consumers_total", "action")
    }

    func sessionClosed(_ reason: CloseReason) {
        self.connections.decrement()
        (self.closed[reason.rawValue] ?? self.closedForAnotherReason).increment()
    }

    func handshakeRejected(_ code: HandshakeError.Code) {
        self.rejected[code.rawValue].increment()
        self.incidents.record("Requests were refused", reason: code.label)
    }

    func upgradeEnded(_ result: UpgradeResult) { self.upgrades[result]?.increment() }

    func malformedInput(_ reason: Malformed) {
        self.malformed[reason]?.increment()
        self.incidents.record("Clients sent what the protocol does not allow", reason: reason.rawValue)
    }

    /// Clients were given up because the server kept too much for all of them together.
    func gaveUp(_ kind: ByteBudget.Kind, count: Int, maximum: Int) {
        let message: String
        switch kind {
        case .queued:
            self.slowConsumers[.closedForAll]?.increment(by: count)
            message = "All clients together have too many unsent bytes; those with most were disconnected"
        case .request:
            self.malformed[.tooMuchForAll]?.increment(by: count)
            message = "All requests together have too many bytes; the longest were refused"
        }
        self.incidents.record(
            message,
            reason: kind.rawValue,
            count: count,
            level: .warning,
            details: ["limit": "\(maximum)"]
        )
    }

    func slowConsumer(_ action: SlowConsumer) {
        self.slowConsumers[action]?.increment()
        let message =
            switch action {
            case .volatileDropped: "Volatile packets were dropped, because clients read slowly"
            case .closed, .closedForAll: "Clients that read too slowly were cut off"
            }
        self.incidents.record(message, reason: action.rawValue)
    }
}

/// What a loop has counted since it last told the metrics.
///
/// These are plain integers, because they change with every packet.
struct TrafficCounts {
    var packetsReceived = 0
    var packetsSent = 0
    var bytesReceived = 0
    var bytesSent = 0

    mutating func report(to traffic: EngineMetrics.Traffic) {
        if self.packetsReceived > 0 { traffic.packetsReceived.increment(by: self.packetsReceived) }
        if self.packetsSent > 0 { traffic.packetsSent.increment(by: self.packetsSent) }
        if self.bytesReceived > 0 { traffic.bytesReceived.increment(by: self.bytesReceived) }
        if self.bytesSent > 0 { traffic.bytesSent.increment(by: self.bytesSent) }
        self = TrafficCounts()
    }
}
