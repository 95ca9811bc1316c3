import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// What the client's public face and its loop share.
struct ClientShared {
    var queue: CommandQueue
    var state = RESPClientState.idle
    var observers: [Int: @Sendable (RESPClientState) -> Void] = [:]
    var nextID = 0
    var droppedPublishes = 0
    var dropHandler: (@Sendable (Int, RESPError) -> Void)?
}

/// The client's half on the event loop: two connections, what travels on them, and when the whole counts as ready.
///
/// Commands and subscriptions have a connection each. A burst of messages can't delay a reply then, Redis cutting a
/// subscriber that reads too slowly fails no command, and with RESP2 there is no choice anyway. The second one is made
/// with the first subscription: who only publishes has one.
///
/// Confined to its loop.
final class ClientCore {
    typealias Handler = @Sendable (RESPMessage) -> Void

    private enum SubscriberState { case unused, starting, ready, lost }

    private let eventLoop: any EventLoop
    private let configuration: RESPConfiguration
    private let shared: NIOLockedValueBox<ClientShared>
    private let logger: Logger
    private let metrics: RESPMetrics
    private let commands: RESPConnection
    private let subscriber: RESPConnection

    private var pipeline = CommandPipeline<CommandQueue.Completion>()
    private var table = SubscriptionTable<Handler>()
    private var subscriberState = SubscriberState.unused
    private var isClosed = false
    private var isRestoring = false
    private var waitingForConnection: [EventLoopPromise<Void>] = []
    private var waitingForConfirmation: [Int: EventLoopPromise<Void>] = [:]
    private var whenDrained: EventLoopPromise<Void>?
    /// Replies to publishes since the last look, to settle the books once a read instead of once a reply.
    private var settledCount = 0
    private var settledBytes = 0
    private var refusedPublishes = 0
    private var lastRefusal: RESPError?

    init(
        eventLoop: any EventLoop,
        configuration: RESPConfiguration,
        shared: NIOLockedValueBox<ClientShared>,
        logger: Logger,
        metricsFactory: any MetricsFactory,
        connector: @escaping RESPConnector,
        random: @escaping @Sendable () -> Double
    ) {
        var logger = logger
        logger[metadataKey: "redis.url"] = "\(configuration.redactedURL)"
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.shared = shared
        self.logger = logger
        self.metrics = RESPMetrics(factory: metricsFactory)
        self.metrics.up.set(0)
        self.commands = RESPConnection(
            role: "commands",
            eventLoop: eventLoop,
            configuration: configuration,
            selectsDatabase: true,
            retriesFirstAttempt: false,
            connector: connector,
            random: random
        )
        self.subscriber = RESPConnection(
            role: "subscriptions",
            eventLoop: eventLoop,
            configuration: configuration,
            // Publish/subscribe knows no databases, and a user may not be allowed to SELECT.
            selectsDatabase: false,
            retriesFirstAttempt: true,
            connector: connector,
            random: random
        )
        self.commands.owner = self
        self.subscriber.owner = self
    }

    // MARK: Commands of the public face

    func connect(_ promise: EventLoopPromise<Void>) {
        switch self.shared.withLockedValue({ $0.state }) {
        case .ready: promise.succeed()
        case .closed: promise.fail(CommandQueue.closedError)
        case .disconnected(let error): promise.fail(error)
        case .connecting: self.waitingForConnection.append(promise)
        case .idle:
            self.waitingForConnection.append(promise)
            self.update(.connecting)
            self.commands.start()
            if !self.table.isEmpty { self.startSubscriber() }
        }
    }

    func drain() {
        let batch = self.shared.withLockedValue { $0.queue.take() }
        guard !batch.isEmpty else { return }
        let now = self.eventLoop.now
        for (entry, length) in batch.entries {
            switch entry {
            case .publish: self.pipeline.sentPublish(bytes: length)
            case .command(let timeout, let completion):
                self.settledCount += 1
                self.settledBytes += length
                self.pipeline.sent(completion, deadline: now + timeout)
            }
        }
        self.commands.write(batch.bytes)
        self.commands.rearm()
        self.settle()
    }

    func subscribe(
        _ id: Int,
        patterns: [String],
        channels: [String],
        handler: @escaping Handler,
        confirmation: EventLoopPromise<Void>
    ) {
        guard !self.isClosed else { return confirmation.fail(CommandQueue.closedError) }
        let isWritable = self.subscriber.isConnected
        let commands = self.table.add(
            id,
            patterns: patterns,
            channels: channels,
            handler: handler,
            isConnected: isWritable
        )
        guard !patterns.isEmpty || !channels.isEmpty else { return confirmation.succeed() }
        switch self.shared.withLockedValue({ $0.state }) {
        case .disconnected(let error):
            confirmation.fail(error)
            self.startSubscriber()
        case .idle:
            confirmation.fail(RESPError(code: .disconnected, message: "the Redis client was not connected yet"))
        case .connecting, .ready, .closed:
            self.waitingForConfirmation[id] = confirmation
            // Who waits here is told, whatever becomes of the connection.
            let timeout = self.configuration.connectTimeout
            _ = self.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
                self?.waitingForConfirmation.removeValue(forKey: id)?.fail(
                    RESPError(code: .timeout, message: "Redis has not confirmed a subscription in time")
                )
            }
            self.startSubscriber()
        }
        self.subscriber.write(commands)
    }

    func unsubscribe(_ id: Int) {
        self.waitingForConfirmation.removeValue(forKey: id)?.fail(
            RESPError(code: .closed, message: "the subscription was cancelled")
        )
        self.subscriber.write(self.table.remove(id, isConnected: self.subscriber.isConnected))
        self.restoredIfConfirmed()
    }

    /// Sends what is waiting, gives replies a moment, then closes.
    func close(_ promise: EventLoopPromise<Void>) {
        guard !self.isClosed else { return promise.succeed() }
        self.isClosed = true
        if self.commands.isReady { self.drain() }
        guard self.commands.isReady, self.pipeline.count > 0 else {
            self.finishClosing()
            return promise.succeed()
        }
        let drained = self.eventLoop.makePromise(of: Void.self)
        self.whenDrained = drained
        drained.futureResult.assumeIsolated().whenComplete { _ in
            self.finishClosing()
            promise.succeed()
        }
        _ = self.eventLoop.assumeIsolated().scheduleTask(in: min(.seconds(1), self.configuration.commandTimeout)) {
            self.drained()
        }
    }

    private func drained() {
        self.whenDrained?.succeed()
        self.whenDrained = nil
    }

    /// Closes at once: nobody will ask again.
    func finishClosing() {
        self.isClosed = true
        self.commands.close()
        self.subscriber.close()
        self.lostPipeline(CommandQueue.closedError, .closed)
        self.setGate(.closed)
        for promise in self.waitingForConnection { promise.fail(CommandQueue.closedError) }
        self.waitingForConnection = []
        for promise in self.waitingForConfirmation.values { promise.fail(CommandQueue.closedError) }
        self.waitingForConfirmation = [:]
        self.update(.closed)
    }

    // MARK: Readiness

    private func startSubscriber() {
        guard self.subscriberState == .unused, !self.isClosed else { return }
        self.subscriberState = .starting
        self.subscriber.start()
    }

    /// Draws the conclusions from the states of the two connections.
    private func connectionsChanged() {
        guard !self.isClosed else { return }
        guard self.commands.isReady else { return self.setGate(.down) }
        switch self.subscriberState {
        case .unused, .starting, .ready:
            self.setGate(.open)
            self.update(.ready)
            for promise in self.waitingForConnection { promise.succeed() }
            self.waitingForConnection = []
        case .lost:
            // After both were lost nothing that was kept is sent before our own subscriptions stand; but what is
            // published while only the subscriptions are away has no reason to wait.
            if self.shared.withLockedValue({ $0.queue.gate }) != .open { self.setGate(.restoring) }
        }
    }

    private func setGate(_ gate: CommandQueue.Gate) {
        let (change, held) = self.shared.withLockedValue { ($0.queue.setGate(gate), $0.queue.heldCount) }
        self.metrics.queued.set(held)
        if change.shouldDrain { self.drain() }
        let error =
            gate == .closed
            ? CommandQueue.closedError
            : RESPError(code: .disconnected, message: "the connection to Redis was lost before the command was sent")
        for completion in change.refused { completion(.failure(error)) }
        self.dropped(change.droppedPublishes, error, .closed)
    }

    private func update(_ state: RESPClientState) {
        let observers = self.shared.withLockedValue { shared -> [@Sendable (RESPClientState) -> Void] in
            guard shared.state != state else { return [] }
            shared.state = state
            if case .disconnected(let error) = state { shared.queue.reason = error }
            return Array(shared.observers.values)
        }
        self.metrics.up.set(state == .ready ? 1 : 0)
        for observer in observers { observer(state) }
    }

    // MARK: Publishes and replies

    private func dropped(_ count: Int, _ error: RESPError, _ reason: RESPMetrics.DropReason) {
        guard count > 0 else { return }
        self.metrics.droppedPublishes(count, reason)
        self.logger.info(
            "Dropped publishes",
            metadata: ["count": "\(count)", "reason": "\(reason.rawValue)", "error": "\(error)"]
        )
        let handler = self.shared.withLockedValue { shared in
            shared.droppedPublishes += count
            return shared.dropHandler
        }
        handler?(count, error)
    }

    /// A publish found the queue full; its caller knows.
    func refusedPublish() {
        self.metrics.droppedPublishes(1, .queueFull)
    }

    /// Everything in flight is lost.
    private func lostPipeline(_ error: RESPError, _ reason: RESPMetrics.DropReason) {
        let lost = self.pipeline.disconnected()
        self.settledCount += lost.publishes
        self.settledBytes += lost.publishedBytes
        self.settle()
        let lossError = RESPError(
            code: error.code == .closed ? .closed : .disconnected,
            message: "\(error.message); the command may or may not have been executed"
        )
        for completion in lost.tokens { completion(.failure(lossError)) }
        self.dropped(lost.publishes, lossError, reason)
        self.drained()
    }

    /// Settles the books of what was answered.
    private func settle() {
        if self.settledCount > 0 {
            let (count, bytes) = (self.settledCount, self.settledBytes)
            self.settledCount = 0
            self.settledBytes = 0
            self.shared.withLockedValue { $0.queue.finished(count: count, bytes: bytes) }
        }
        if self.refusedPublishes > 0, let error = self.lastRefusal {
            let count = self.refusedPublishes
            self.refusedPublishes = 0
            self.dropped(count, error, .refused)
        }
    }
}

extension ClientCore: RESPConnectionOwner {
    func connection(_ connection: RESPConnection, restoreWithProtocolVersion version: Int) {
        self.logger.debug(
            "Connected to Redis",
            metadata: ["redis.connection": "\(connection.role)", "redis.protocol": "\(version)"]
        )
        guard connection === self.subscriber else { return connection.restored() }
        self.table.protocolVersion = version
        self.isRestoring = true
        connection.write(self.table.restore())
        self.restoredIfConfirmed()
    }

    private func restoredIfConfirmed() {
        guard self.isRestoring, self.table.isRestored else { return }
        self.isRestoring = false
        self.subscriber.restored()
    }

    func connectionBecameReady(_ connection: RESPConnection) {
        if connection === self.subscriber { self.subscriberState = .ready }
        let wasDisconnected =
            if case .disconnected = self.shared.withLockedValue({ $0.state }) { true } else { false }
        self.connectionsChanged()
        if wasDisconnected, self.shared.withLockedValue({ $0.state }) == .ready {
            self.logger.info("Redis is back; subscriptions are restored")
        }
    }

    func connection(_ connection: RESPConnection, received value: RESPValue) {
        if connection === self.subscriber {
            self.receivedOnSubscriber(value)
        } else {
            self.receivedReply(value)
        }
    }

    private func receivedReply(_ value: RESPValue) {
        switch self.pipeline.received(value) {
        case .reply(let completion, let value):
            // Whoever waits for what was published before must find its loss on the books.
            if self.refusedPublishes > 0 { self.settle() }
            if case .error(let error) = value { completion(.failure(error)) } else { completion(.success(value)) }
        case .published(let bytes, let error):
            self.settledCount += 1
            self.settledBytes += bytes
            if let error {
                self.refusedPublishes += 1
                self.lastRefusal = error
            }
        case .none: break
        case .violation(let error): self.commands.fail(error)
        }
    }

    private func receivedOnSubscriber(_ value: RESPValue) {
        switch self.table.received(value) {
        case .none: break
        case .message(let handlers, let message):
            for handler in handlers { handler(message) }
        case .unusable(let error):
            self.metrics.unusableMessages.increment()
            self.logger.info("Ignored a message of Redis", metadata: ["error": "\(error)"])
        case .confirmed(let id):
            self.waitingForConfirmation.removeValue(forKey: id)?.succeed()
            self.restoredIfConfirmed()
        case .refused(let id, let error):
            let error = RESPError(
                code: .server,
                message: "Redis refused a subscription: \(error.message)",
                serverCode: error.serverCode
            )
            if let waiting = self.waitingForConfirmation.removeValue(forKey: id) {
                self.subscriber.write(self.table.remove(id, isConnected: true))
                waiting.fail(error)
                self.restoredIfConfirmed()
            } else {
                // It was granted once. Without it this node is deaf: not ready, and tried again.
                self.subscriber.fail(error)
            }
        case .violation(let error): self.subscriber.fail(error)
        }
    }

    func connectionReadAll(_ connection: RESPConnection) {
        guard connection === self.commands else { return }
        self.settle()
        if self.pipeline.count == 0 { self.drained() }
    }

    func connectionSendsPing(_ connection: RESPConnection) {
        if connection === self.commands { self.pipeline.sentPing() } else { self.table.sentPing() }
    }

    func wakeAt(of connection: RESPConnection) -> NIODeadline {
        connection === self.commands ? self.pipeline.wakeAt : .distantFuture
    }

    func connectionTimerFired(_ connection: RESPConnection, at now: NIODeadline) {
        guard connection === self.commands else { return }
        for completion in self.pipeline.expire(at: now) {
            self.metrics.timeouts.increment()
            completion(.failure(RESPError(code: .timeout, message: "Redis did not reply in time")))
        }
    }

    func connection(_ connection: RESPConnection, lost error: RESPError, wasReady: Bool, retryIn pause: TimeAmount?) {
        guard !self.isClosed else { return self.finishClosing() }
        if connection === self.subscriber {
            self.isRestoring = false
            let unconfirmed = self.table.disconnected()
            for id in unconfirmed { self.waitingForConfirmation.removeValue(forKey: id)?.fail(error) }
            self.subscriberState = .lost
            self.metrics.subscriberReconnects.increment()
        } else {
            // Replies first: nobody may see the gate closed and his command still pending.
            self.setGate(.down)
            self.lostPipeline(error, .unconfirmed)
            if pause != nil { self.metrics.commandReconnects.increment() }
        }
        guard let pause else {
            // The very first attempt failed: whoever started says what happens next.
            self.update(.idle)
            let startError = RESPError.start(error, url: self.configuration.redactedURL)
            for promise in self.waitingForConnection { promise.fail(startError) }
            self.waitingForConnection = []
            return
        }
        self.logger.log(
            level: wasReady ? .info : .debug,
            wasReady ? "Lost a connection to Redis" : "Could not connect to Redis",
            metadata: [
                "redis.connection": "\(connection.role)", "error": "\(error)",
                "retry.milliseconds": "\(pause.nanoseconds / 1_000_000)",
            ]
        )
        if case .connecting = self.shared.withLockedValue({ $0.state }) { return }
        self.update(.disconnected(error))
        self.connectionsChanged()
    }
}
