public import Logging
public import Metrics
import NIOConcurrencyHelpers
public import NIOCore
public import NIOPosix
public import ServiceLifecycle

/// A connection to one Redis, for commands, publishing and subscriptions.
///
/// It restores itself after a loss.
///
/// ```swift
/// import NIOCore
/// import RESP
///
/// let redis = RESPClient(configuration: try .init(url: "redis://localhost:6379"))
/// try await redis.connect()
/// let subscription = try await redis.subscribe(channels: ["news"]) { message in
///     print(String(buffer: message.payload))       // on the connection's event loop
/// }
/// try redis.publish(channel: "news", message: ByteBuffer(string: "hello"))
/// let greeting = try await redis.send("GET", "greeting")
/// ```
///
/// You can call it from any thread. What many threads send within one tick of the client's event loop leaves in one
/// write. Messages arrive at most once. This client never gets what others publish while its connection is away.
/// ``onStateChange(_:)`` tells when that is.
public final class RESPClient: Sendable {
    /// What the client was made with.
    public let configuration: RESPConfiguration
    /// The event loop on which replies and messages are handled.
    public let eventLoop: any EventLoop
    let shared: NIOLockedValueBox<ClientShared>
    let core: NIOLoopBoundBox<ClientCore>

    /// Makes a client.
    ///
    /// It does nothing before ``connect()`` or ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: Where Redis is, and how long to wait for it.
    ///   - eventLoopGroup: The client lives on one of its loops. If the caller runs on one of them, it is that one. With the
    ///     loops of a server, a message wakes one loop and not two, and a publish from that loop wakes none.
    ///   - logger: Where the client logs. By default it does not log.
    ///   - metricsFactory: Where the client counts.
    public convenience init(
        configuration: RESPConfiguration,
        eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        logger: Logger = Logger(label: "redis", factory: { _ in SwiftLogNoOpLogHandler() }),
        metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.init(
            configuration: configuration,
            eventLoop: eventLoopGroup.any(),
            logger: logger,
            metricsFactory: metricsFactory,
            connector: networkConnector(),
            random: { .random(in: 0..<1) }
        )
    }

    init(
        configuration: RESPConfiguration,
        eventLoop: any EventLoop,
        logger: Logger,
        metricsFactory: any MetricsFactory,
        connector: @escaping RESPConnector,
        random: @escaping @Sendable () -> Double
    ) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        let shared = NIOLockedValueBox(ClientShared(queue: CommandQueue(limits: configuration.queue)))
        self.shared = shared
        let core = ClientCore(
            eventLoop: eventLoop,
            configuration: configuration,
            shared: shared,
            logger: logger,
            metricsFactory: metricsFactory,
            connector: connector,
            random: random
        )
        self.core = NIOLoopBoundBox.makeBoxSendingValue(core, eventLoop: eventLoop)
    }

    deinit {
        guard self.state != .closed else { return }
        // Somebody has forgotten the client and not closed it. Its sockets and timers must not outlive it.
        let core = self.core
        self.eventLoop.execute { core.value.finishClosing() }
    }

    // MARK: Life

    /// Connects, and returns when Redis has accepted the client.
    ///
    /// From then on the client keeps the connection, until ``close()``.
    ///
    /// - Throws: ``RESPError`` that names the URL (without password), the reason, and what to check. You can then call
    ///   it again.
    public func connect() async throws {
        try await self.connected().get()
    }

    func connected() -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.eventLoop.execute { self.core.value.connect(promise) }
        return promise.futureResult
    }

    /// Sends what is waiting, waits a second for replies, then closes.
    ///
    /// Callers that still wait get an error.
    public func close() async {
        _ = try? await self.closed().get()
    }

    func closed() -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.eventLoop.execute { self.core.value.close(promise) }
        return promise.futureResult
    }

    /// The state of the client.
    public var state: RESPClientState { self.shared.withLockedValue { $0.state } }

    /// Whether Redis executes commands now, and all subscriptions are in force.
    public var isReady: Bool { self.state == .ready }

    /// Calls a handler after each change of ``state``, on the event loop, in order.
    @discardableResult
    public func onStateChange(_ handler: @escaping @Sendable (RESPClientState) -> Void) -> RESPStateObserver {
        let id = self.nextID()
        self.shared.withLockedValue { $0.observers[id] = handler }
        let shared = self.shared
        return RESPStateObserver {
            shared.withLockedValue { _ = $0.observers.removeValue(forKey: id) }
        }
    }

    /// Calls a handler, on the event loop, when messages may be missed from now on, and again when that is over.
    ///
    /// Messages are missed while the connection is away, when Redis cuts off a subscriber that reads too slowly, when it
    /// ends a subscription by itself, and when a message is longer than ``RESPConfiguration/limits`` allow.
    ///
    /// - Parameter handler: Called with the gap.
    /// - Returns: What ends that.
    @discardableResult
    public func onGap(_ handler: @escaping @Sendable (RESPGap) -> Void) -> RESPStateObserver {
        let id = self.nextID()
        self.shared.withLockedValue { $0.gapObservers[id] = handler }
        let shared = self.shared
        return RESPStateObserver {
            shared.withLockedValue { _ = $0.gapObservers.removeValue(forKey: id) }
        }
    }

    // MARK: Helpers

    func nextID() -> Int {
        self.shared.withLockedValue { shared in
            shared.nextID += 1
            return shared.nextID
        }
    }

    func withQueue<Value>(
        _ body: (inout CommandQueue) throws(RESPError) -> Value
    ) throws(RESPError) -> Value {
        try self.shared.withLockedValue { shared in
            Result { () throws(RESPError) in try body(&shared.queue) }
        }.get()
    }

    func drainSoon() {
        let core = self.core
        self.eventLoop.execute { core.value.drain() }
    }
}

extension RESPClient: Service {
    /// Connects, keeps the connection until the service is shut down or cancelled, and then closes it.
    ///
    /// - Throws: What ``connect()`` throws.
    public func run() async throws {
        do {
            try await self.connect()
        } catch let error as RESPError where error.code == .closed || Task.isCancelled {
            await self.close()
            return
        }
        // This throws when the task is cancelled, which is the other way to stop.
        try? await gracefulShutdown()
        await self.close()
    }
}
