import Gateway
import Logging
import Metrics
import NIOCore
import NIOPosix
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire
import Testing

@testable import Console

/// The names that dashboards and alerts use.
///
/// A line is added with its metric, and never changed.
@Suite(.timeLimit(.minutes(1)))
struct MetricNamesTests {
    static let counters = [
        "process_cpu_seconds_total", "redis_command_timeouts_total", "redis_connections_lost_total",
        "redis_gaps_total",
        "redis_messages_unusable_total", "redis_publishes_dropped_total", "socketio_accepting_paused_total",
        "socketio_broadcasts_total", "socketio_bytes_received_total", "socketio_bytes_sent_total",
        "socketio_cluster_answers_dropped_total", "socketio_cluster_answers_refused_total",
        "socketio_cluster_broadcasts_filtered_total", "socketio_cluster_broadcasts_received_total",
        "socketio_cluster_messages_rejected_total", "socketio_cluster_messages_unpublished_total",
        "socketio_cluster_request_timeouts_total", "socketio_connections_closed_total",
        "socketio_connections_opened_total",
        "socketio_events_total",
        "socketio_gateway_admissions_total", "socketio_gateway_client_events_total",
        "socketio_gateway_cluster_limited_total",
        "socketio_gateway_disconnections_total", "socketio_gateway_events_total",
        "socketio_gateway_limited_total", "socketio_gateway_refusals_total",
        "socketio_gateway_sanitiser_failures_total", "socketio_gateway_variants_total",
        "socketio_handler_failures_total", "socketio_handshake_rejected_total", "socketio_malformed_input_total",
        "socketio_malformed_total", "socketio_packets_received_total", "socketio_packets_sent_total",
        "socketio_reading_paused_total", "socketio_recoveries_total", "socketio_recovery_replayed_total",
        "socketio_rejected_total",
        "socketio_remote_acknowledgements_refused_total", "socketio_slow_consumers_total",
        "socketio_unencodable_events_total", "socketio_upgrades_total", "socketio_webhook_events_total",
        "socketio_webhook_requests_total",
    ]
    static let gauges = [
        "process_max_fds", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds",
        "redis_publishes_queued", "redis_up", "socketio_build_info", "socketio_cluster_nodes", "socketio_config_info",
        "socketio_connections", "socketio_request_bytes", "socketio_send_queue_bytes", "socketio_settings_rejected",
        "socketio_sockets", "socketio_webhook_resting", "socketio_webhook_waiting_bytes",
        "socketio_webhook_waiting_events",
    ]

    static let histograms = [
        "redis_loopback_seconds", "socketio_event_loop_lag_seconds", "socketio_handler_seconds",
        "socketio_handshake_seconds",
    ]

    @Test func theCatalogueHasThem() {
        let entries = MetricCatalogue.entries
        #expect(entries.filter { $0.kind == .counter }.map(\.name.string).sorted() == Self.counters)
        #expect(entries.filter { $0.kind == .gauge }.map(\.name.string).sorted() == Self.gauges)
        #expect(entries.filter { $0.kind == .histogram }.map(\.name.string).sorted() == Self.histograms)
        for entry in entries { #expect(entry.help.hasSuffix("."), "\(entry.name.string)") }
    }

    /// The page of the library tells about each; the node's own are in its README.
    @Test func theyAreDocumented() throws {
        let page = try RepositoryFile.text("Sources/SocketIOServer/SocketIOServer.docc/Deploying.md")
        for name in Self.counters + Self.gauges + Self.histograms { #expect(page.contains("`\(name)`"), "\(name)") }
    }

    /// What a server with a gateway, a namespace and Redis makes is in the catalogue, with its kind.
    @Test func aNodeMakesNoOthers() async throws {
        let registry = MetricRegistry.forTests()
        let server = SocketServer(eventLoopGroup: .singletonMultiThreadedEventLoopGroup, metricsFactory: registry)
        var configuration = GatewayConfiguration()
        configuration.namespaces = [GatewayNamespace(name: "chat")]
        _ = try await IO.install(on: server, configuration: configuration, metricsFactory: registry)
        try await server.start()
        // It connects to nothing before it is told to.
        let redis = RESPClient(configuration: try RESPConfiguration(url: "redis://127.0.0.1"), metricsFactory: registry)
        let families = registry.read()
        #expect(families.count > 30)
        for family in families {
            let entry = MetricCatalogue.entry(for: family.name)
            #expect(entry?.kind == family.kind, "\(family.name.string)")
            #expect(!family.series.isEmpty, "\(family.name.string)")
        }
        #expect(registry.samples("socketio_sockets").contains(#"socketio_sockets{namespace="/chat"} 0"#))
        await server.close()
        await redis.close()
    }
}
