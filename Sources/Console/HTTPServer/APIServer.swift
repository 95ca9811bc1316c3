import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle
import SocketIOServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An API on an address: its connections, and the limits that they share.
final class APIServer<API: ServedAPI>: Service {
    private struct Entry {
        let connection: APIConnection<API>
        let eventLoop: any EventLoop
        /// Since when the connection waits for a request; `nil` while an admitted one is under way.
        var waitsSince: UInt64?
    }

    private struct State {
        var connections: [ObjectIdentifier: Entry] = [:]
        /// Counts opened connections and requests.
        ///
        /// The connection that has waited longest has the lowest number.
        var clock: UInt64 = 0
        var isShuttingDown = false
        /// Completed when the last connection is closed.
        var emptied: EventLoopPromise<Void>?
    }

    let api: API
    var budget: ByteBudget { self.api.budget }
    var limits: ServerLimits { self.api.limits }

    /// Unix time in seconds.
    var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int(time.tv_sec)
    }

    private let host: String
    private let port: Int
    private let group: any EventLoopGroup
    private let onListening: @Sendable (SocketAddress?) async -> Void
    private let state = NIOLockedValueBox(State())
    /// Run tasks on the loops of the group.
    private let executors: [ObjectIdentifier: LoopTaskExecutor]

    init(
        api: API,
        host: String,
        port: Int,
        eventLoopGroup: any EventLoopGroup,
        onListening: @escaping @Sendable (SocketAddress?) async -> Void
    ) {
        self.api = api
        self.host = host
        self.port = port
        self.group = eventLoopGroup
        self.onListening = onListening
        self.executors = Dictionary(
            eventLoopGroup.makeIterator().map { (ObjectIdentifier($0), LoopTaskExecutor(eventLoop: $0)) }
        ) { first, _ in first }
    }

    /// Runs tasks on a loop of the group, without a change of threads.
    func executor(on eventLoop: any EventLoop) -> any TaskExecutor {
        self.executors[ObjectIdentifier(eventLoop)] ?? globalConcurrentExecutor
    }

    /// How long the requests under way may take when the service ends.
    private static var shutdownGrace: TimeAmount { .seconds(5) }

    /// Serves until the graceful shutdown.
    ///
    /// Then it lets the requests under way end.
    ///
    /// - Throws: If the address can't be listened on.
    func run() async throws {
        let listener = try await ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try APIConnection.addHandlers(to: channel, server: self)
                }
            }
            .bind(host: self.host, port: self.port)
            .get()
        await self.onListening(listener.localAddress)
        await withTaskCancellationOrGracefulShutdownHandler {
            try? await listener.closeFuture.get()
        } onCancelOrGracefulShutdown: {
            listener.close(promise: nil)
        }
        await self.closeConnections(on: listener.eventLoop)
    }

    /// Idle connections are closed at once, so that no silent client delays the end.
    private func closeConnections(on loop: any EventLoop) async {
        let emptied = loop.makePromise(of: Void.self)
        let connections = self.state.withLockedValue { state in
            state.isShuttingDown = true
            if state.connections.isEmpty { emptied.succeed() } else { state.emptied = emptied }
            return Array(state.connections.values)
        }
        for entry in connections { entry.eventLoop.execute { entry.connection.shutDown() } }
        let timer = loop.scheduleTask(in: Self.shutdownGrace) {
            for entry in self.state.withLockedValue({ Array($0.connections.values) }) {
                entry.eventLoop.execute { entry.connection.closeNow() }
            }
        }
        try? await emptied.futureResult.get()
        timer.cancel()
    }

    // MARK: Connections

    func opened(_ connection: APIConnection<API>, on eventLoop: any EventLoop) {
        let (toClose, isShuttingDown) = self.state.withLockedValue { state -> ([Entry], Bool) in
            state.clock += 1
            state.connections[ObjectIdentifier(connection)] = Entry(
                connection: connection,
                eventLoop: eventLoop,
                waitsSince: state.clock
            )
            return (self.superfluous(state), state.isShuttingDown)
        }
        for entry in toClose { entry.eventLoop.execute { entry.connection.giveWay() } }
        if isShuttingDown { eventLoop.execute { connection.shutDown() } }
    }

    /// The connections to close if there are too many: those that have been idle longest, and never the newest while there
    /// are others.
    private func superfluous(_ state: State) -> [Entry] {
        let limit = self.limits.maximumConnections
        guard state.connections.count > limit else { return [] }
        let newest = state.connections.values.max { $0.waitsSince ?? 0 < $1.waitsSince ?? 0 }
        let waiting = state.connections.values.filter { $0.waitsSince != nil && $0.waitsSince != newest?.waitsSince }
        // Where every other has a request under way, the newest must go, or there would be no limit.
        guard !waiting.isEmpty else { return newest.map { [$0] } ?? [] }
        // A few at once, so that not every new connection causes a search.
        let count = state.connections.count - limit + limit / 64
        return Array(waiting.sorted { $0.waitsSince ?? 0 < $1.waitsSince ?? 0 }.prefix(count))
    }

    func becameBusy(_ connection: APIConnection<API>) {
        self.state.withLockedValue { $0.connections[ObjectIdentifier(connection)]?.waitsSince = nil }
    }

    func becameIdle(_ connection: APIConnection<API>) {
        self.state.withLockedValue { state in
            state.clock += 1
            state.connections[ObjectIdentifier(connection)]?.waitsSince = state.clock
        }
    }

    func closed(_ connection: APIConnection<API>) {
        self.state.withLockedValue { state -> EventLoopPromise<Void>? in
            state.connections[ObjectIdentifier(connection)] = nil
            guard state.connections.isEmpty, let emptied = state.emptied else { return nil }
            state.emptied = nil
            return emptied
        }?.succeed()
    }
}
