import Incidents
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// What the client's public methods and its event loop share.
struct ClientShared {
    var queue: CommandQueue
    var state = RESPClientState.idle
    var observers: [Int: @Sendable (RESPClientState) -> Void] = [:]
    var nextID = 0
    var droppedPublishes = 0
    var dropHandler: (@Sendable (Int, RESPError) -> Void)?
    /// Since when Redis is of no use.
    var outageSince: NIODeadline?
}

/// The part of the client on the event loop: the two connections, what travels on them, and whether the client is
/// ready.
///
/// Commands and subscriptions have a connection each. So a burst of messages cannot delay a reply, and no command fails
/// if Redis disconnects a subscriber that reads too slowly. With RESP2 there is no other way. The client makes the
/// second connection with the first subscription. A client that only publishes has one connection.
///
/// It is used only on its event loop.
final class ClientCore {
    typealias Handler = @Sendable (RESPMessage) -> Void

    /// The handlers of subscriptions.
    enum Receiver {
        case application(Handler)
        case probe
    }

    enum SubscriberState { case unused, starting, ready, lost }

    let eventLoop: any EventLoop
    let configuration: RESPConfiguration
    let shared: NIOLockedValueBox<ClientShared>
    let logger: Logger
    let metrics: RESPMetrics
    let commands: RESPConnection
    let subscriber: RESPConnection

    var pipeline = CommandPipeline<CommandQueue.Waiter>()
    var table = SubscriptionTable<Receiver>()
    var subscriberState = SubscriberState.unused
    var isClosed = false
    var isRestoring = false
    private var waitingForConnection: [EventLoopPromise<Void>] = []
    var waitingForConfirmation: [Int: EventLoopPromise<Void>] = [:]
    private var whenDrained: EventLoopPromise<Void>?
    /// How many publishes were answered in this read.
    ///
    /// They are counted once a read, and not once a reply.
    var settledCount = 0
    var settledBytes = 0
    var refusedPublishes = 0
    var lastRefusal: RESPError?
    /// The publishes that Redis, as its replies in this read say, has not executed.
    var returned = CommandQueue.Batch()

    // The health of the link.
    var question = RoleQuestion()
    var probe: LinkProbe
    var peers: PeerWatch
    var watch = LinkWatchers()
    var outage: Outage?
    let incidents: IncidentLog
    var missingPeers = 0
    /// The timer that looks for publishes that have been kept for too long.
    var expiryCheckAt = NIODeadline.distantFuture

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
        self.incidents = IncidentLog(logger: logger, source: "RESP", eventLoop: eventLoop)
        self.probe = LinkProbe(configuration: configuration.probe)
        self.peers = PeerWatch(patience: configuration.peerPatience)
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
            // Publish/subscribe does not know databases, and a user may not have the right to SELECT.
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
        self.pipeline.wrote(batch.bytes)
        for (entry, length) in batch.entries {
            switch entry {
            case .publish: self.pipeline.sentPublish(bytes: length)
            case .awaitedPublish(let timeout, let ticket):
                self.pipeline.sentPublish(.publish(ticket), deadline: now + timeout, bytes: length)
            case .command(let timeout, let completion):
                self.settledCount += 1
                self.settledBytes += length
                self.pipeline.sent(.command(completion), deadline: now + timeout, bytes: length)
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
            handler: .application(handler),
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
            // The caller that waits here is told, whatever happens to the connection.
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

    /// Sends what is waiting, waits a moment for replies, then closes.
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

    func drained() {
        self.whenDrained?.succeed()
        self.whenDrained = nil
    }

    /// Closes at once.
    ///
    /// Nobody will ask again.
    func finishClosing() {
        self.isClosed = true
        self.commands.close()
        self.subscriber.close()
        self.lostPipeline(CommandQueue.closedError, .closed)
        self.dropped(self.returned.publishes, CommandQueue.closedError, .closed)
        self.returned = CommandQueue.Batch()
        self.setGate(.closed)
        self.endOutage(at: self.eventLoop.now, isBack: false)
        for promise in self.waitingForConnection { promise.fail(CommandQueue.closedError) }
        self.waitingForConnection = []
        for promise in self.waitingForConfirmation.values { promise.fail(CommandQueue.closedError) }
        self.waitingForConfirmation = [:]
        self.failWatchers(CommandQueue.closedError)
        self.update(.closed)
    }

    // MARK: Readiness

    func startSubscriber() {
        guard self.subscriberState == .unused, !self.isClosed else { return }
        self.subscriberState = .starting
        self.subscriber.start()
    }

    /// Works out the client's state from the states of the two connections and from the proofs.
    func connectionsChanged() {
        guard !self.isClosed else { return }
        guard self.commands.isReady else { return self.setGate(.down) }
        let now = self.eventLoop.now
        switch self.subscriberState {
        case .starting: break
        case .unused, .ready: if self.watch.probe == nil || self.watch.isSubscribed { self.probe.start(at: now) }
        case .lost:
            // After both connections were lost, nothing that was kept is sent before our own subscriptions stand. But
            // if only the subscriptions are away, new messages need not wait.
            if self.shared.withLockedValue({ $0.queue.gate }) != .open { self.setGate(.restoring) }
            return
        }
        defer { self.commands.rearm() }
        guard !self.probe.isBlocking else { return self.linkIsOfNoUse() }
        // The others have lost Redis, too. Messages that they cannot hear yet are kept.
        let waits = self.peers.resumed(at: now)
        // The gate opens first, because anybody who hears that Redis is back may send.
        self.setGate(waits ? .restoring : .open)
        self.update(.ready)
        for promise in self.waitingForConnection { promise.succeed() }
        self.waitingForConnection = []
        if self.probe.verdict == .proven { self.satisfyWatchers() }
        if !waits { self.endOutage(at: now) }
    }

    func setGate(_ gate: CommandQueue.Gate) {
        let now = self.eventLoop.now
        let (change, held, wasOpen) = self.shared.withLockedValue { shared in
            let wasOpen = shared.queue.gate == .open
            return (shared.queue.setGate(gate, at: now), shared.queue.heldCount, wasOpen)
        }
        self.metrics.queued.set(held)
        if gate == .open || gate == .closed {
            self.expiryCheckAt = .distantFuture
        } else if wasOpen || self.expiryCheckAt == .distantFuture {
            self.expiryCheckAt = now + self.configuration.queue.maximumAge
            self.commands.rearm()
        }
        self.outage?.released(change.releasedPublishes)
        if change.shouldDrain { self.drain() }
        let error =
            gate == .closed
            ? CommandQueue.closedError
            : RESPError(code: .disconnected, message: "the connection to Redis was lost before the command was sent")
        for ticket in change.kept { ticket.settle(ticket.keeps && gate != .closed ? .queued : .refused(error)) }
        for completion in change.refused { completion(.failure(error)) }
        self.dropped(change.droppedPublishes, error, .closed)
    }

    /// Tells a new state.
    ///
    /// - Parameters:
    ///   - state: The new state.
    ///   - since: When the change happened, if not just now.
    func update(_ state: RESPClientState, since: NIODeadline? = nil) {
        let now = self.eventLoop.now
        let observers = self.shared.withLockedValue { shared -> [@Sendable (RESPClientState) -> Void]? in
            guard shared.state != state else { return nil }
            shared.state = state
            if case .disconnected(let error) = state {
                shared.queue.reason = error
                shared.outageSince = shared.outageSince ?? since ?? now
            } else {
                shared.outageSince = nil
            }
            return Array(shared.observers.values)
        }
        guard let observers else { return }
        self.metrics.up.set(state == .ready ? 1 : 0)
        if case .disconnected(let error) = state { self.outageGoesOn(error, since: since ?? now) }
        for observer in observers { observer(state) }
    }
}

extension ClientCore: RESPConnectionOwner {
    func connection(_ connection: RESPConnection, restoreWithProtocolVersion version: Int) {
        self.logger.debug(
            "Connected to Redis",
            metadata: ["redis.connection": "\(connection.role)", "redis.protocol": "\(version)"]
        )
        guard connection === self.subscriber else {
            self.question.connected(protocolVersion: version)
            return connection.restored()
        }
        self.table.protocolVersion = version
        self.isRestoring = true
        connection.write(self.table.restore())
        self.restoredIfConfirmed()
    }

    func restoredIfConfirmed() {
        guard self.isRestoring, self.table.isRestored else { return }
        self.isRestoring = false
        self.subscriber.restored()
    }

    func connectionBecameReady(_ connection: RESPConnection) {
        if connection === self.subscriber { self.subscriberState = .ready }
        self.connectionsChanged()
    }

    func connection(_ connection: RESPConnection, received value: RESPValue) {
        if connection === self.subscriber {
            self.receivedOnSubscriber(value)
        } else {
            self.receivedReply(value)
        }
    }

    func connectionReadAll(_ connection: RESPConnection) {
        self.probe.progressed(at: self.eventLoop.now, isReply: connection === self.commands)
        guard connection === self.commands else { return }
        self.settle()
        self.keepReturned()
        if self.pipeline.count == 0 { self.drained() }
    }

    func keepAliveQuestion(of connection: RESPConnection) -> [String] {
        guard connection === self.commands else {
            self.table.sentPing()
            return ["PING"]
        }
        self.countPeers()
        self.pipeline.sentQuestion()
        return self.question.words
    }

    func isExcused(_ connection: RESPConnection, at now: NIODeadline) -> Bool {
        // A paused Redis still answers commands that write nothing. If both connections are silent, it is frozen or cut
        // off.
        guard connection === self.commands, let heard = self.subscriber.lastHeard else { return false }
        return now - heard < .nanoseconds(self.configuration.keepAliveInterval.nanoseconds / 2 * 3)
    }

    func wakeAt(of connection: RESPConnection) -> NIODeadline {
        guard connection === self.commands, !self.isClosed else { return .distantFuture }
        return min(self.pipeline.wakeAt, self.probe.wakeAt, min(self.peers.wakeAt, self.expiryCheckAt))
    }

    func connectionTimerFired(_ connection: RESPConnection, at now: NIODeadline) {
        guard connection === self.commands, !self.isClosed else { return }
        self.expirePipeline(at: now)
        self.expireKept(at: now)
        if self.peers.timerFired(at: now) { self.countPeers() }
        self.handle(self.probe.timerFired(at: now))
    }

    func connection(_ connection: RESPConnection, lost error: RESPError, wasReady: Bool, retryIn pause: TimeAmount?) {
        guard !self.isClosed else { return self.finishClosing() }
        // This is told last, so that those who hear of it find the new state.
        var unconfirmed: [EventLoopPromise<Void>] = []
        defer { for promise in unconfirmed { promise.fail(error) } }
        self.keepReturned()
        self.probe.stop()
        self.peers.interrupted()
        if connection === self.subscriber {
            self.isRestoring = false
            self.watch.isSubscribed = false
            unconfirmed = self.table.disconnected().compactMap { self.waitingForConfirmation.removeValue(forKey: $0) }
            self.subscriberState = .lost
            self.metrics.subscriberReconnects.increment()
        } else {
            // What is lost now counts for the outage that begins.
            if pause != nil, self.shared.withLockedValue({ $0.state }) != .connecting {
                self.outageGoesOn(error, since: self.eventLoop.now)
            }
            // Callers get their replies first. Nobody may see the gate closed while a command is still pending.
            self.setGate(.down)
            self.lostPipeline(error, .unconfirmed)
            if pause != nil { self.metrics.commandReconnects.increment() }
        }
        guard let pause else {
            // The very first attempt has failed. Whoever started the client decides what happens next.
            self.update(.idle)
            let startError = RESPError.start(error, url: self.configuration.redactedURL)
            for promise in self.waitingForConnection { promise.fail(startError) }
            self.waitingForConnection = []
            return
        }
        self.logger.debug(
            wasReady ? "Lost a connection to Redis" : "Could not connect to Redis",
            metadata: [
                "redis.connection": "\(connection.role)", "error": "\(error.brief)",
                "retry.milliseconds": "\(pause.nanoseconds / 1_000_000)",
            ]
        )
        if case .connecting = self.shared.withLockedValue({ $0.state }) { return }
        self.update(.disconnected(error))
        self.failWatchers(error)
        self.connectionsChanged()
    }
}
