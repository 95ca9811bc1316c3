import Logging
import Metrics
import NIOCore
import OrderedCollections
import SocketIOWire

@testable import RedisAdapters
@testable import SocketIOServer

/// A node of a simulated cluster: a namespace's members, its adapter as a factory makes it, and a client of Redis.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class SimulatedNode: @unchecked Sendable {
    let number: Int
    let client: SimulatedClient
    let host: SimulatedHost
    let adapter: ClusterAdapter
    private let executor: SimulatedExecutor
    private let history: History
    /// How many tasks run.
    private(set) var tasks = 0
    private(set) var hasStarted = false
    private(set) var hasClosed = false

    init(_ number: Int, _ script: Script, redis: SimulatedRedis, history: History) {
        self.number = number
        self.history = history
        let client = SimulatedClient(node: number, redis: redis)
        self.client = client
        self.executor = SimulatedExecutor(client.loop)
        let host = SimulatedHost(
            node: number,
            loop: client.loop,
            history: history,
            forgetsExceptions: redis.mutation == .forgetsExceptions
        )
        self.host = host
        let ids = SimulatedIDs(node: number)
        self.adapter = Self.adapter(script.kind, host, SimulatedBus(client: client), ids)
        if self.adapter.subscribesToRooms {
            host.confirm = { [unowned self] room, done in
                let done = UnsafeSimulated(done)
                self.run { adapter in
                    await adapter.confirmSubscriptions(to: [room])
                    done.value()
                }
            }
        }
        for member in 0..<script.membersPerNode { host.add(Script.member(member, of: number)) }
    }

    private static func adapter(
        _ kind: Script.Kind,
        _ host: SimulatedHost,
        _ bus: SimulatedBus,
        _ ids: SimulatedIDs
    ) -> ClusterAdapter {
        var cluster = ClusterConfiguration()
        cluster.requestsTimeout = Simulation.timeout
        // Often enough that something can be concluded before a question's time is up.
        cluster.livenessInterval = .milliseconds(300)
        let logger = Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() })
        let factory: any AdapterFactory
        switch kind {
        case .pattern, .rooms:
            var configuration = PubSubAdapterConfiguration()
            configuration.subscriptions = kind == .rooms ? .rooms : .pattern
            configuration.cluster = cluster
            configuration.makeID = { ids.next() }
            factory = PubSubAdapterFactory(
                configuration: configuration,
                bus: bus,
                logger: logger,
                metricsFactory: NOOPMetricsHandler.instance
            )
        case .shardedStatic, .shardedDynamic, .shardedDynamicPrivate:
            var configuration = ShardedAdapterConfiguration()
            configuration.subscriptionMode =
                kind == .shardedStatic ? .static : kind == .shardedDynamic ? .dynamic : .dynamicPrivate
            configuration.cluster = cluster
            configuration.makeID = { ids.next() }
            factory = ShardedAdapterFactory(
                configuration: configuration,
                bus: bus,
                logger: logger,
                metricsFactory: NOOPMetricsHandler.instance
            )
        }
        guard let adapter = factory.makeAdapter(for: host) as? ClusterAdapter else {
            preconditionFailure("the factories make cluster adapters")
        }
        return adapter
    }

    // MARK: Life

    func start() {
        self.run { [self] adapter in
            do { try await adapter.start() } catch {
                self.history.violations.append("node \(self.number) could not start: \(error)")
            }
            self.hasStarted = true
        }
    }

    func close() {
        self.run { [self] adapter in
            await adapter.close()
            self.hasClosed = true
        }
    }

    /// Runs a task, on the node's loop.
    func run(_ body: @escaping @Sendable (ClusterAdapter) async -> Void) {
        self.tasks += 1
        let adapter = self.adapter
        Task(executorPreference: self.executor) {
            await body(adapter)
            self.tasks -= 1
        }
    }

    /// What is kept though nobody waits for anything any more.
    var leftovers: [String] {
        let core = self.adapter.core.value
        var found: [String] = []
        func check(_ count: Int, _ what: String) { if count != 0 { found.append("\(count) \(what)") } }
        check(core.questions.waiters.count, "waiters")
        check(core.questions.open.count, "open questions")
        check(core.questions.groups.count { $0.key != .search }, "groups")
        check(core.counter.waiting, "who wait for a count")
        check(core.desk.waiting, "who wait for answers")
        check(core.context.budget.bytes, "bytes in the budget")
        check(max(0, core.questions.unanswered.count - 65), "remembered questions too many")
        check(self.tasks, "tasks")
        return found
    }
}

/// The ids of a node and its requests.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
private final class SimulatedIDs: @unchecked Sendable {
    private let node: Int
    private var last = 0

    init(node: Int) { self.node = node }

    func next() -> String {
        self.last += 1
        return "n\(self.node)i\(10_000 + self.last)"
    }
}

/// Something that stays in the simulation's thread.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
struct UnsafeSimulated<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
