import EngineIO
import Metrics
import SocketIOWire
import Synchronization

/// Counts what concerns the server as a whole.
struct ServerMetrics: Sendable {
    private let factory: any MetricsFactory
    private let pausesForRate: Counter
    private let pausesForHandlers: Counter

    init(factory: any MetricsFactory) {
        self.factory = factory
        func pauses(_ reason: String) -> Counter {
            Counter(label: "socketio_reading_paused_total", dimensions: [("reason", reason)], factory: factory)
        }
        self.pausesForRate = pauses("byte_rate")
        self.pausesForHandlers = pauses("waiting_events")
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
        case .byteRate: self.pausesForRate.increment()
        case .waitingEvents: self.pausesForHandlers.increment()
        }
    }

    /// Something that a client asked for was refused: rare, so the counter is made when it is needed.
    func rejected(_ reason: String) {
        Counter(label: "socketio_rejected_total", dimensions: [("reason", reason)], factory: self.factory).increment()
    }

    /// A client sent something that the protocol does not allow; the engine counts under the same label what is wrong
    /// beneath.
    func malformed(_ reason: Malformed) {
        let dimensions = [("reason", reason.rawValue)]
        Counter(label: "socketio_malformed_input_total", dimensions: dimensions, factory: self.factory).increment()
    }

    /// What can be wrong with a client's Socket.IO packets.
    enum Malformed: String {
        case packet = "socketio_packet"
        case violation = "protocol_violation"
    }

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
    private let events: Counter
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
        self.failures = Counter(label: "socketio_handler_failures_total", dimensions: dimensions, factory: factory)
    }

    /// Tells the counter of the events that have accumulated on a loop: in portions, so that a packet costs an addition.
    func flush(_ shard: NamespaceShard) {
        guard shard.uncountedEvents > 0 else { return }
        self.events.increment(by: Int64(shard.uncountedEvents))
        shard.uncountedEvents = 0
    }

    func handlerFailed(_ error: any Error) { self.failures.increment() }
}
