import SocketIOWire

/// What the metrics of the node mean.
///
/// Dashboards and alerts use the names, so none is changed.
enum MetricCatalogue {
    struct Entry: Sendable {
        let name: UTF8Text
        let kind: MetricKind
        let help: String
    }

    static func entry(for name: UTF8Text) -> Entry? { self.byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: Self.entries.map { ($0.name, $0) })

    static let entries = Self.process + Self.connections + Self.sockets + Self.cluster + Self.redis + Self.gateway

    private static let process = [
        gauge("process_resident_memory_bytes", "Memory that the process has."),
        counter("process_cpu_seconds_total", "Time of processors that the process has used."),
        gauge("process_open_fds", "File descriptors that are open."),
        gauge("process_max_fds", "File descriptors that may be open."),
        gauge("socketio_build_info", "Always 1; the version is in the label."),
        gauge("process_start_time_seconds", "When the node was started, in Unix time."),
    ]

    private static let connections = [
        gauge("socketio_connections", "Open sessions."),
        counter("socketio_connections_opened_total", "Sessions that have begun."),
        histogram("socketio_event_loop_lag_seconds", "How long after their time event loops run a task."),
        counter("socketio_connections_closed_total", "Sessions that have ended."),
        counter("socketio_handshake_rejected_total", "Requests that were refused before there was a session."),
        counter("socketio_upgrades_total", "Changes from polling to WebSocket."),
        counter("socketio_packets_received_total", "Packets of Engine.IO from clients."),
        counter("socketio_packets_sent_total", "Packets of Engine.IO to clients."),
        counter("socketio_bytes_received_total", "Bytes of the packets from clients."),
        counter("socketio_bytes_sent_total", "Bytes of the packets to clients."),
        gauge("socketio_send_queue_bytes", "Bytes that clients have not taken yet."),
        gauge("socketio_request_bytes", "Bytes of requests and messages that are incomplete or wait for handlers."),
        counter("socketio_slow_consumers_total", "What was done to clients that read too slowly."),
        counter("socketio_malformed_input_total", "What clients sent that breaks a protocol or a limit."),
        counter("socketio_accepting_paused_total", "Pauses in accepting, because file descriptors had run out."),
    ]

    private static let sockets = [
        gauge("socketio_sockets", "Connected sockets."),
        counter("socketio_events_total", "Events of clients."),
        histogram("socketio_handler_seconds", "How long asynchronous handlers of clients' events took."),
        counter("socketio_broadcasts_total", "Broadcasts of this node's application."),
        counter("socketio_handler_failures_total", "Handlers and middlewares of events that have thrown."),
        counter("socketio_unencodable_events_total", "Events that could not be sent."),
        counter(
            "socketio_remote_acknowledgements_refused_total",
            "Broadcasts of other nodes that came while too many waited for answers."
        ),
        counter("socketio_rejected_total", "What limits have refused."),
        counter("socketio_reading_paused_total", "Pauses in which nothing is read from a client."),
        counter("socketio_recoveries_total", "Clients that wanted to go on where they were."),
        counter("socketio_recovery_replayed_total", "Missed events that clients got when they came back."),
        histogram("socketio_handshake_seconds", "How long middlewares took to decide about a client."),
    ]

    private static let cluster = [
        counter("socketio_cluster_broadcasts_received_total", "Broadcasts of other nodes with receivers here."),
        counter("socketio_cluster_broadcasts_filtered_total", "Broadcasts of other nodes without receivers here."),
        counter("socketio_cluster_request_timeouts_total", "Questions that not every node answered in time."),
        counter("socketio_cluster_messages_unpublished_total", "Messages that the broker was not handed."),
        counter("socketio_cluster_messages_rejected_total", "Messages of other nodes that were ignored."),
        counter("socketio_cluster_answers_refused_total", "Questions of other nodes that were not answered."),
        counter("socketio_cluster_answers_dropped_total", "Answers for which no memory was left."),
    ]

    private static let redis = [
        gauge("redis_up", "1 while the node has Redis, otherwise 0."),
        counter("redis_gaps_total", "Times in which messages of subscriptions may have been missed."),
        counter("redis_connections_lost_total", "Connections to Redis that were lost."),
        gauge("redis_publishes_queued", "Publishes that wait until Redis is back."),
        counter("redis_publishes_dropped_total", "Publishes that were given up."),
        counter("redis_command_timeouts_total", "Commands without a reply in time."),
        counter("redis_messages_unusable_total", "Messages of subscriptions that could not be used."),
        histogram("redis_loopback_seconds", "How long a message to the node itself takes by Redis."),
    ]

    private static let gateway = [
        counter("socketio_gateway_events_total", "Lifecycle events, by what became of them."),
        counter("socketio_gateway_variants_total", "Different payloads made of lifecycle events."),
        counter("socketio_gateway_sanitiser_failures_total", "Payloads that could not be made, and were not sent."),
        counter("socketio_malformed_total", "Lifecycle events of other processes that could not be read."),
        counter("socketio_gateway_refusals_total", "Clients that were not let in."),
        counter("socketio_gateway_admissions_total", "Clients that were let in."),
        counter("socketio_gateway_disconnections_total", "Clients that the gateway has disconnected."),
        counter("socketio_gateway_cluster_limited_total", "Requests that a limit of the whole cluster refused."),
        counter("socketio_gateway_limited_total", "Requests of clients that asked too often."),
        counter(
            "socketio_gateway_client_events_total",
            "Events of clients that are not the gateway's own, by what became of them."
        ),
        counter("socketio_webhook_requests_total", "Requests to webhooks, by what came of them."),
        counter("socketio_webhook_events_total", "Events for webhooks, by what became of them."),
        gauge("socketio_webhook_waiting_events", "Events that wait for a webhook on this node."),
        gauge("socketio_webhook_waiting_bytes", "Bytes of the events that wait for a webhook on this node."),
        gauge("socketio_webhook_resting", "1 while a webhook that failed again and again is asked nothing."),
        gauge("socketio_config_info", "1 for the digest of the configuration that is in force."),
        gauge("socketio_cluster_nodes", "Live nodes with the same and with a different configuration."),
        gauge("socketio_settings_rejected", "1 while the settings document is wrong and not in force."),
    ]

    private static func counter(_ name: UTF8Text, _ help: String) -> Entry {
        Entry(name: name, kind: .counter, help: help)
    }

    private static func histogram(_ name: UTF8Text, _ help: String) -> Entry {
        Entry(name: name, kind: .histogram, help: help)
    }

    private static func gauge(_ name: UTF8Text, _ help: String) -> Entry {
        Entry(name: name, kind: .gauge, help: help)
    }
}
