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
    var gapObservers: [Int: @Sendable (RESPGap) -> Void] = [:]
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
    let makeConnection: (String, _ selectsDatabase: Bool, _ retriesFirstAttempt: Bool) -> RESPConnection
    let commands: RESPConnection
    let subscriber: RESPConnection

    var pipeline = CommandPipeline<CommandQueue.Waiter>()
    var table = SubscriptionTable<Receiver>()
    var subscriberState = SubscriberState.unused
    var isClosed = false
    var isRestoring = false
    var waitingForConnection: [EventLoopPromise<Void>] = []
    var waitingForConfirmation: [Int: EventLoopPromise<Void>] = [:]
    /// Those who wait for a name, by the roster.
    var nameWaiters: [Int: [ByteBuffer: [RESPRoster.Heard]]] = [:]
    var gaps = GapWatch()
    var readers: [Int: StreamReading] = [:]
    var whenDrained: EventLoopPromise<Void>?
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
    /// How Redis is asked how many subscribe the peer channels.
    var peerCount = "NUMSUB"
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
        self.makeConnection = { role, selectsDatabase, retriesFirstAttempt in
            RESPConnection(
                role: role,
                eventLoop: eventLoop,
                configuration: configuration,
                selectsDatabase: selectsDatabase,
                retriesFirstAttempt: retriesFirstAttempt,
                connector: connector,
                random: random
            )
        }
        self.commands = self.makeConnection("commands", true, false)
        // Publish/subscribe knows no databases, and a user may not be allowed to SELECT.
        self.subscriber = self.makeConnection("subscriptions", false, true)
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
            if self.configuration.tls?.insecurelySkipsVerification == true {
                self.logger.warning(
                    "TLS to Redis is not verified: whoever answers can read and change everything, the password included"
                )
            }
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
            case .kept(let resends, let completion):
                self.pipeline.sentKept(.kept(completion), resends: resends, bytes: length)
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

    // MARK: Readiness

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
        for completion in change.droppedKept { completion(.dropped(error)) }
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

    func tell(_ gap: RESPGap?) {
        guard let gap else { return }
        if !gap.isOver { self.metrics.gaps.increment() }
        for observer in self.shared.withLockedValue({ Array($0.gapObservers.values) }) { observer(gap) }
    }
}
