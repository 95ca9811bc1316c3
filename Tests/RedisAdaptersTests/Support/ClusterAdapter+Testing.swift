import Incidents
import Logging
import Metrics
import NIOCore
import SocketIOServer
import SocketIOWire

@testable import RedisAdapters
@testable import SocketIOServer

extension ClusterAdapter {
    /// An adapter as a factory makes it, with a bus of the test's.
    convenience init(
        host: any AdapterHost,
        configuration: PubSubAdapterConfiguration,
        bus: any ClusterBus,
        metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.init(
            host: host,
            transport: ClassicTransport(namespace: host.name, configuration: configuration, bus: bus),
            configuration: configuration.cluster,
            metrics: ClusterMetrics(
                factory: metrics,
                reasons: ClusterProtocolError.Reason.allCases.map(\.rawValue),
                incidents: IncidentLog(logger: logger, source: "Tests", eventLoop: bus.eventLoop)
            ),
            budget: AnswerBudget(limit: configuration.cluster.maximumCollectedBytes),
            logger: logger
        )
    }

    /// Looks at something that the loop owns.
    private func look<Result: Sendable>(_ body: @escaping @Sendable (ClusterCore) -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            self.core.execute { continuation.resume(returning: body($0)) }
        }
    }

    /// How many wait for answers of other nodes.
    var waiting: Int { get async { await self.look { $0.questions.waiters.count } } }
    /// How many wait for a count.
    var counting: Int { get async { await self.look { $0.counter.waiting } } }
    /// Whether nothing is asked.
    var isIdle: Bool { get async { await self.look { $0.questions.isIdle } } }
    /// How many bytes of answers are kept.
    var collectedBytes: Int { get async { await self.look { $0.context.budget.bytes } } }
}
