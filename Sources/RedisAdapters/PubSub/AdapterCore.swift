import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What the parts of one namespace's adapter share.
final class AdapterCore: Sendable {
    let host: any AdapterHost
    let configuration: PubSubAdapterConfiguration
    let bus: any ClusterBus
    let uid: String
    let channels: ClassicChannels
    let encoder: ClassicEncoder
    let metrics: PubSubAdapterMetrics
    let logger: Logger
    private let state = NIOLockedValueBox(State())

    private struct State {
        var isClosed = false
        /// What goes on in the background.
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextTask = 0
    }

    init(
        host: any AdapterHost,
        configuration: PubSubAdapterConfiguration,
        bus: any ClusterBus,
        logger: Logger,
        metrics: PubSubAdapterMetrics
    ) {
        self.host = host
        self.configuration = configuration
        self.bus = bus
        self.metrics = metrics
        self.uid = configuration.makeID()
        self.channels = ClassicChannels(key: configuration.key, namespace: host.name)
        self.encoder = ClassicEncoder(namespace: host.name, writesNumericRooms: configuration.writesNumericRooms)
        var logger = logger
        logger[metadataKey: "sio.namespace"] = "\(host.name)"
        logger[metadataKey: "sio.node.id"] = "\(self.uid)"
        self.logger = logger
    }

    var eventLoop: any EventLoop { self.host.eventLoop }

    var isClosed: Bool { self.state.withLockedValue { $0.isClosed } }

    var closedError: ClusterError {
        ClusterError(code: .closed, message: "the adapter of namespace \(self.host.name) is closed")
    }

    /// Runs something that ``close()`` waits for; nothing any more after that.
    func runTask(_ body: @escaping @Sendable () async -> Void) {
        self.state.withLockedValue { state in
            guard !state.isClosed else { return }
            state.nextTask += 1
            let id = state.nextTask
            // Awaited by `close()`; takes itself off the list, which it can't do before it is on it: the lock is held.
            state.tasks[id] = Task {
                await body()
                self.state.withLockedValue { _ = $0.tasks.removeValue(forKey: id) }
            }
        }
    }

    /// Waits until nothing goes on any more; nothing more begins.
    func close() async {
        let tasks = self.state.withLockedValue { state in
            state.isClosed = true
            return Array(state.tasks.values)
        }
        for task in tasks { await task.value }
    }
}
