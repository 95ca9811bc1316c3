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
    private let shared: NIOLockedValueBox<ClientShared>
    private let core: NIOLoopBoundBox<ClientCore>

    /// Makes a client.
    ///
    /// It does nothing before ``connect()`` or ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: Where Redis is, and how long to wait for it.
    ///   - eventLoopGroup: The client lives on one of its loops.
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
            connector: tcpConnector,
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
        let id = self.shared.withLockedValue { shared in
            shared.nextID += 1
            shared.observers[shared.nextID] = handler
            return shared.nextID
        }
        let shared = self.shared
        return RESPStateObserver {
            shared.withLockedValue { _ = $0.observers.removeValue(forKey: id) }
        }
    }

    // MARK: Commands

    /// Sends a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: Its name and arguments.
    ///   - timeout: How long to wait. By default it is ``RESPConfiguration/commandTimeout``.
    /// - Returns: The reply. It is never ``RESPValue/error(_:)``.
    /// - Throws: ``RESPError``. An error of Redis itself has the code `server`. While there is no connection, the code
    ///   is `disconnected`, at once.
    public func send(_ command: RESPCommand, timeout: TimeAmount? = nil) async throws -> RESPValue {
        try await withCheckedThrowingContinuation { continuation in
            self.send(command, timeout: timeout) { continuation.resume(with: $0) }
        }
    }

    /// Sends a command: `try await redis.send("GET", "greeting")`.
    public func send(_ name: String, _ arguments: RESPCommand.Argument...) async throws -> RESPValue {
        var command = RESPCommand(name)
        command.words += arguments
        return try await self.send(command)
    }

    /// Sends a command and calls back exactly once: on the event loop with the reply, or at once if it cannot send.
    public func send(
        _ command: RESPCommand,
        timeout: TimeAmount? = nil,
        completion: @escaping @Sendable (Result<RESPValue, RESPError>) -> Void
    ) {
        do throws(RESPError) {
            let timeout = timeout ?? self.configuration.commandTimeout
            let schedule = try self.withQueue { queue throws(RESPError) in
                try queue.send(command, timeout: timeout, completion)
            }
            if schedule { self.drainSoon() }
        } catch {
            completion(.failure(error))
        }
    }

    // MARK: Publishing

    /// Where a message is when ``publish(channel:message:)`` returns.
    public enum PublishStatus: Sendable, Hashable {
        /// It is on its way to Redis.
        case sent
        /// There is no connection. The client keeps the message, and sends it when Redis is back and the client's own
        /// subscriptions stand.
        case queued
    }

    /// Publishes, and does not wait for Redis.
    ///
    /// The client may take a message and then lose it, because the connection breaks before Redis has confirmed it, or
    /// because Redis refuses it. Then the client counts it in `redis_publishes_dropped_total`, logs it, and tells
    /// ``onPublishesDropped(_:)``. To know about one message, wait for `send("PUBLISH", …)`. To know about all so far,
    /// call ``flush(timeout:)``.
    ///
    /// - Throws: ``RESPError`` with the code `queueFull` or `closed` if the client has not taken the message.
    @discardableResult
    public func publish(channel: String, message: ByteBuffer) throws(RESPError) -> PublishStatus {
        do throws(RESPError) {
            let (isSent, schedule) = try self.withQueue { queue throws(RESPError) in
                try queue.publish(channel: channel, message: message, now: self.eventLoop.now)
            }
            if schedule { self.drainSoon() }
            return isSent ? .sent : .queued
        } catch {
            if error.code == .queueFull { self.refused(error) }
            throw error
        }
    }

    private func refused(_ error: RESPError) {
        let core = self.core
        self.eventLoop.execute { core.value.refusedPublish(error) }
    }

    /// Publishes all of some messages, or none, and returns when it is known what happens to them.
    ///
    /// - Parameters:
    ///   - messages: Channels and messages, in order.
    ///   - keeps: Whether they may wait for a Redis that is away or executes nothing now.
    ///   - timeout: How long to wait for Redis's replies.
    /// - Returns: The worst of what is known about them.
    package func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount
    ) async -> RESPPublishOutcome {
        await withCheckedContinuation { continuation in
            self.publish(messages, keeps: keeps, timeout: timeout) { continuation.resume(returning: $0) }
        }
    }

    package func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        guard !messages.isEmpty else { return completion(.published) }
        let ticket = PublishTicket(count: messages.count, keeps: keeps, completion: completion)
        do throws(RESPError) {
            let now = self.eventLoop.now
            let (isSent, schedule) = try self.withQueue { queue throws(RESPError) in
                try queue.publish(messages, ticket: ticket, timeout: timeout, now: now)
            }
            if schedule { self.drainSoon() }
            if !isSent { ticket.settle(.queued, count: messages.count) }
        } catch {
            if error.code == .queueFull { self.refused(error) }
            ticket.settle(.refused(error), count: messages.count)
        }
    }

    /// Waits until Redis has confirmed everything that was published before.
    ///
    /// - Throws: ``RESPError``. The code is `timeout` if that takes longer, for example because Redis is away. Kept
    ///   messages stay kept then. If a message was dropped since the last flush, the error has the reason.
    public func flush(timeout: TimeAmount? = nil) async throws {
        try await self.flushed(timeout: timeout).get()
    }

    func flushed(timeout: TimeAmount?) -> EventLoopFuture<Void> {
        let timeout = timeout ?? self.configuration.commandTimeout
        let promise = self.eventLoop.makePromise(of: Void.self)
        let mark = FlushMark(promise)
        do throws(RESPError) {
            let schedule = try self.withQueue { queue throws(RESPError) in
                try queue.send(RESPCommand("PING"), timeout: timeout, isHeld: true, now: self.eventLoop.now) { result in
                    mark.complete(result.map { _ in })
                }
            }
            if schedule { self.drainSoon() }
        } catch {
            mark.complete(.failure(error))
        }
        let timer = self.eventLoop.scheduleTask(in: timeout) {
            mark.complete(.failure(RESPError(code: .timeout, message: "Redis has not confirmed all publishes in time")))
        }
        return promise.futureResult.flatMapThrowing { [shared] in
            timer.cancel()
            let dropped = shared.withLockedValue { shared in
                defer { shared.droppedPublishes = 0 }
                return shared.droppedPublishes
            }
            guard dropped == 0 else {
                throw RESPError(code: .disconnected, message: "\(dropped) publishes were lost on their way to Redis")
            }
        }
    }

    /// Calls a handler with the number of messages that the client took and then lost, and with the reason.
    ///
    /// There is one handler. A new one replaces it.
    public func onPublishesDropped(_ handler: @escaping @Sendable (Int, RESPError) -> Void) {
        self.shared.withLockedValue { $0.dropHandler = handler }
    }

    // MARK: Subscriptions

    /// Subscribes patterns (`PSUBSCRIBE`) and channels (`SUBSCRIBE`), and returns when Redis has confirmed all of them.
    ///
    /// - Parameters:
    ///   - patterns: Redis globs. They are subscribed before the channels.
    ///   - channels: Names of channels.
    ///   - handler: Called on ``eventLoop`` for each message, so it must not block. A message that matches a pattern
    ///     and a channel comes twice, because Redis sends it twice.
    /// - Returns: The subscription. It is in force until you cancel it.
    /// - Throws: ``RESPError``. Then nothing is subscribed.
    public func subscribe(
        patterns: [String] = [],
        channels: [String] = [],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) async throws -> RESPSubscription {
        let subscription = self.addSubscription(patterns: patterns, channels: channels, handler: handler)
        do {
            try await subscription.confirmed()
        } catch {
            await subscription.cancel()
            throw error
        }
        return subscription
    }

    /// Subscribes now, or when there is a connection, and does not wait; see ``RESPSubscription/confirmed()``.
    public func addSubscription(
        patterns: [String] = [],
        channels: [String] = [],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> RESPSubscription {
        let id = self.shared.withLockedValue { shared in
            shared.nextID += 1
            return shared.nextID
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        let eventLoop = self.eventLoop
        let core = self.core
        eventLoop.execute {
            core.value.subscribe(id, patterns: patterns, channels: channels, handler: handler, confirmation: promise)
        }
        return RESPSubscription(patterns: patterns, channels: channels, confirmation: promise.futureResult) {
            eventLoop.submit { core.value.unsubscribe(id) }
        }
    }

    // MARK: The link

    /// Since when Redis is of no use; `nil` while it is of use.
    ///
    /// For a Redis that has become silent, this is the time of the last message that came back, and not when the client
    /// noticed the silence.
    public var outageSince: NIODeadline? { self.shared.withLockedValue { $0.outageSince } }

    /// Proves from now on that messages arrive.
    ///
    /// Again and again, the client sends a message to itself, which must come back.
    ///
    /// After a loss, the client is not ``RESPClientState/ready`` before such a message has come back. After an outage,
    /// kept messages wait for the others that subscribe to the peer channel.
    ///
    /// - Parameters:
    ///   - probeChannel: A channel that only this client uses. Of several watchers, the first one's channel is used.
    ///   - peerChannel: A channel that all clients of the kind subscribe to.
    /// - Returns: An object that tells of the first proof, and that ends the watch.
    package func watchLink(probeChannel: String, peerChannel: String) -> RESPLinkWatch {
        let id = self.shared.withLockedValue { shared in
            shared.nextID += 1
            return shared.nextID
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        let eventLoop = self.eventLoop
        let core = self.core
        eventLoop.execute {
            core.value.watchLink(id, probeChannel: probeChannel, peerChannel: peerChannel, proof: promise)
        }
        return RESPLinkWatch(proof: promise.futureResult) {
            eventLoop.execute { core.value.unwatchLink(id, peerChannel: peerChannel) }
        }
    }

    /// Notes how many clients subscribe to the peer channel of a watcher.
    ///
    /// The caller has counted them for another purpose.
    package func notePeers(_ count: Int, of channel: String) {
        let core = self.core
        self.eventLoop.execute { core.value.peers.noted(count, of: channel) }
    }

    private func withQueue<Value>(
        _ body: (inout CommandQueue) throws(RESPError) -> Value
    ) throws(RESPError) -> Value {
        try self.shared.withLockedValue { shared in
            Result { () throws(RESPError) in try body(&shared.queue) }
        }.get()
    }

    private func drainSoon() {
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

/// Completes a promise once.
///
/// The first caller decides.
private final class FlushMark: Sendable {
    private let promise: NIOLockedValueBox<EventLoopPromise<Void>?>

    init(_ promise: EventLoopPromise<Void>) { self.promise = NIOLockedValueBox(promise) }

    func complete(_ result: Result<Void, RESPError>) {
        let promise = self.promise.withLockedValue { promise in
            defer { promise = nil }
            return promise
        }
        promise?.completeWith(result.mapError { $0 as any Error })
    }
}
