import EngineIO
import Incidents
import Metrics
import NIOCore
import SocketIOWire
import Synchronization

/// Counts what concerns the server as a whole.
struct ServerMetrics: Sendable {
    private let factory: any MetricsFactory
    private let pausesForRate: Counter
    private let pausesForHandlers: Counter
    private let connected: Metrics.Timer
    private let refused: Metrics.Timer
    private let replayed: Counter
    private let incidents: IncidentLog

    init(factory: any MetricsFactory, incidents: IncidentLog) {
        self.factory = factory
        self.incidents = incidents
        func pauses(_ reason: String) -> Counter {
            Counter(label: "socketio_reading_paused_total", dimensions: [("reason", reason)], factory: factory)
        }
        self.pausesForRate = pauses("byte_rate")
        self.pausesForHandlers = pauses("waiting_events")
        func handshakes(_ result: String) -> Metrics.Timer {
            Metrics.Timer(label: "socketio_handshake_seconds", dimensions: [("result", result)], factory: factory)
        }
        self.connected = handshakes("connected")
        self.refused = handshakes("refused")
        self.replayed = Counter(label: "socketio_recovery_replayed_total", factory: factory)
    }

    /// Why nothing more is read from a client for now.
    enum Pause {
        /// It has sent more bytes than ``SocketLimits/byteRate``.
        case byteRate
        /// Its sockets' handlers have enough to do.
        case waitingEvents
    }

    /// There is a reason not to read from a client.
    func paused(_ reason: Pause) {
        switch reason {
        case .byteRate:
            self.pausesForRate.increment()
            self.incidents.record("Clients that send too fast were not read for a while", reason: "byte_rate")
        case .waitingEvents: self.pausesForHandlers.increment()
        }
    }

    /// Something that a client asked for was refused: rare, so the counter is made when it is needed.
    func rejected(_ reason: String) {
        Counter(label: "socketio_rejected_total", dimensions: [("reason", reason)], factory: self.factory).increment()
        self.incidents.record("What clients asked for was refused", reason: reason)
    }

    /// A client sent something that the protocol does not allow; the engine counts under the same label what is wrong
    /// beneath.
    func malformed(_ reason: Malformed) {
        let dimensions = [("reason", reason.rawValue)]
        Counter(label: "socketio_malformed_input_total", dimensions: dimensions, factory: self.factory).increment()
        self.incidents.record("Clients sent what the protocol does not allow", reason: reason.rawValue)
    }

    /// What can be wrong with a client's Socket.IO packets.
    enum Malformed: String {
        case packet = "socketio_packet"
        case violation = "protocol_violation"
    }

    /// Middlewares have decided about a client.
    func decided(after time: TimeAmount, isRefused: Bool) {
        (isRefused ? self.refused : self.connected).recordNanoseconds(time.nanoseconds)
    }

    /// A client has come back, and gets so many events that it has missed.
    func replayed(_ count: Int) { self.replayed.increment(by: count) }

    /// A client wanted to go on where it was.
    func recovery(succeeded: Bool) {
        let dimensions = [("result", succeeded ? "recovered" : "lost")]
        Counter(label: "socketio_recoveries_total", dimensions: dimensions, factory: self.factory).increment()
    }
}

/// Counts what happens in one namespace.
final class NamespaceMetrics: Sendable {
    let sockets: Meter
    let broadcasts: Counter
    let unencodable: Counter
    /// Broadcasts of other nodes that were not delivered, because too many wait for acknowledgements.
    let remoteAcknowledgementsRefused: Counter
    let events: Counter
    /// How long asynchronous handlers take.
    let handlers: Metrics.Timer
    private let failures: Counter

    init(namespace: String, factory: any MetricsFactory) {
        let dimensions = [("namespace", namespace)]
        self.sockets = Meter(label: "socketio_sockets", dimensions: dimensions, factory: factory)
        self.broadcasts = Counter(label: "socketio_broadcasts_total", dimensions: dimensions, factory: factory)
        self.unencodable = Counter(label: "socketio_unencodable_events_total", dimensions: dimensions, factory: factory)
        self.remoteAcknowledgementsRefused = Counter(
            label: "socketio_remote_acknowledgements_refused_total",
            dimensions: dimensions,
            factory: factory
        )
        self.events = Counter(label: "socketio_events_total", dimensions: dimensions, factory: factory)
        self.handlers = Metrics.Timer(label: "socketio_handler_seconds", dimensions: dimensions, factory: factory)
        self.failures = Counter(label: "socketio_handler_failures_total", dimensions: dimensions, factory: factory)
    }

    func handlerFailed(_ error: any Error) { self.failures.increment() }
}
