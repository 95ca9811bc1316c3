import NIOCore
import RESP
import RedisAdapters

/// A node's client of the simulated Redis: two connections that may be lost, and come back.
///
/// Like the real one it notices a loss later, restores every subscription before it counts as available, and sends what
/// has waited after that.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class SimulatedClient: @unchecked Sendable {
    struct Subscription {
        var channels: Set<BusChannel> = []
        var patterns: Set<String> = []
        let handler: (RESPMessage) -> Void
        /// Those who wait until it is confirmed.
        var waiting: [(Result<Void, RESPError>) -> Void] = []
        var isConfirmed = false
        /// Those who wait for a channel, and which channels are confirmed: of rosters.
        var listeners: [BusChannel: [() -> Void]] = [:]
        var confirmed: Set<BusChannel> = []
        /// How often Redis was told to subscribe to a channel that has not confirmed it yet.
        var pending: [BusChannel: Int] = [:]
    }

    static let longestQueue = 12

    let node: Int
    let redis: SimulatedRedis
    let loop: SimulatedLoop
    /// `nil`: not connected, as far as this node knows.
    var publishing: SimulatedConnection?
    var subscribing: SimulatedConnection?
    private(set) var isAvailable = false
    private(set) var isClosed = false
    var subscriptions: [Int: Subscription] = [:]
    var lastID = 0
    var observers: [Int: @Sendable (Bool) -> Void] = [:]
    /// What waits for Redis.
    var queue: [(message: ByteBuffer, channel: BusChannel)] = []
    /// What fails when the connection is lost.
    var underWay: [Int: () -> Void] = [:]
    /// Changes with every loss, so that what belongs to the time before comes to nothing.
    private var generation = 0
    /// Until when Redis may execute what came over a connection that is lost: a new one is not faster than that.
    private var executesUntil: Int64 = 0
    var history: History { self.redis.history }
    var world: SimulatedWorld { self.redis.world }

    init(node: Int, redis: SimulatedRedis) {
        self.node = node
        self.redis = redis
        self.loop = SimulatedLoop(redis.world, node: node)
        redis.clients[node] = self
        self.connect()
        self.isAvailable = true
    }

    func nextID() -> Int {
        self.lastID += 1
        return self.lastID
    }

    private func connect() {
        if self.publishing == nil {
            self.publishing = self.redis.connect(node: self.node, isForSubscriptions: false)
        }
        if self.subscribing == nil {
            self.subscribing = self.redis.connect(node: self.node, isForSubscriptions: true)
        }
    }

    // MARK: Losses

    /// The network, or Redis, ends connections.
    ///
    /// - Parameters:
    ///   - losesPublishing: Whether that for commands is lost.
    ///   - losesSubscribing: Whether that for subscriptions is lost.
    ///   - executes: For how long what is under way to Redis is still executed.
    ///   - redisNotices: When Redis notices.
    ///   - nodeNotices: When the node notices.
    ///   - away: How long the node is away after that.
    func cut(
        losesPublishing: Bool,
        losesSubscribing: Bool,
        executes: Int64,
        redisNotices: Int64,
        nodeNotices: Int64,
        away: Int64
    ) {
        var cut: [SimulatedConnection] = []
        if losesPublishing, let connection = self.publishing { cut.append(connection) }
        if losesSubscribing, let connection = self.subscribing { cut.append(connection) }
        cut.removeAll { $0.isCut }
        guard !cut.isEmpty, !self.isClosed else { return }
        let now = self.world.now
        self.history.outageBegan(node: self.node, at: now)
        self.executesUntil = max(self.executesUntil, now + executes)
        for connection in cut {
            connection.cutAtNode = now
            connection.cutAtRedis = now + executes
            self.world.schedule(.outside, at: now + redisNotices) { [redis] in redis.ended(connection) }
        }
        self.world.schedule(.node(self.node), at: now + nodeNotices) { [self] in self.noticed(cut, away: away) }
    }

    private func noticed(_ lost: [SimulatedConnection], away: Int64) {
        guard !self.isClosed else { return }
        if lost.contains(where: { $0 === self.publishing }) { self.publishing = nil }
        if lost.contains(where: { $0 === self.subscribing }) { self.subscribing = nil }
        self.generation += 1
        let wasAvailable = self.isAvailable
        self.isAvailable = false
        if self.publishing == nil { self.failWhatIsUnderWay() }
        if self.subscribing == nil { self.forgetConfirmations() }
        if wasAvailable { for id in self.observers.keys.sorted() { self.observers[id]?(false) } }
        self.comeBack(in: max(away, self.executesUntil - self.world.now), self.generation)
    }

    private func failWhatIsUnderWay() {
        let ids = self.underWay.keys.sorted()
        for id in ids { self.underWay.removeValue(forKey: id)?() }
    }

    private func forgetConfirmations() {
        for id in self.subscriptions.keys.sorted() {
            self.subscriptions[id]?.confirmed = []
            self.subscriptions[id]?.pending = [:]
            let listeners = self.subscriptions[id]?.listeners ?? [:]
            self.subscriptions[id]?.listeners = [:]
            for channel in listeners.keys.sorted(by: { $0.name < $1.name }) {
                for heard in listeners[channel] ?? [] { heard() }
            }
        }
    }

    private func comeBack(in delay: Int64, _ generation: Int) {
        self.world.schedule(.node(self.node), at: self.world.now + delay) { [self] in
            guard self.generation == generation, !self.isClosed else { return }
            guard self.redis.isUp else { return self.comeBack(in: 200 * SimulatedWorld.millisecond, generation) }
            let isNew = self.subscribing == nil
            self.connect()
            if isNew { self.restore() }
            if self.redis.mutation == .isBackBeforeProof { return self.isBack(generation) }
            self.prove(generation)
        }
    }

    /// Subscribes to everything again.
    private func restore() {
        let ids = self.subscriptions.keys.sorted()
        // Not that of the leases, which comes last: without them nodes are only named missing.
        let first = ids.first { (self.subscriptions[$0]?.channels.count ?? 0) > 1 }
        for id in ids {
            guard let subscription = self.subscriptions[id] else { continue }
            var channels = subscription.channels
            if id == first, self.redis.mutation == .forgetsToResubscribe,
                let channel = channels.max(by: { $0.name < $1.name })
            {
                channels.remove(channel)
            }
            self.subscribe(id, channels, subscription.patterns)
        }
    }

    /// Waits until Redis has done what it was told, on both connections.
    private func prove(_ generation: Int) {
        guard let publishing = self.publishing, let subscribing = self.subscribing else { return }
        self.redis.execute(from: subscribing) { [self] in
            self.redis.answer(subscribing) {
                guard self.generation == generation else { return }
                self.redis.execute(from: publishing) {
                    self.redis.answer(publishing) { self.isBack(generation) }
                }
            }
        }
    }

    private func isBack(_ generation: Int) {
        guard self.generation == generation, !self.isClosed else { return }
        // A connection that was cut meanwhile is no proof, though nobody has noticed yet.
        self.isAvailable = true
        let isCut = (self.publishing?.isCut ?? true) || (self.subscribing?.isCut ?? true)
        if !isCut { self.history.outageEnded(node: self.node, at: self.world.now) }
        if self.redis.mutation != .hidesGaps { for id in self.observers.keys.sorted() { self.observers[id]?(true) } }
        let queue = self.queue
        self.queue = []
        for (message, channel) in queue where self.redis.mutation != .losesQueue { self.transmit(message, to: channel) }
    }

    /// The process has ended, or the server was closed.
    func close() {
        self.isClosed = true
        self.generation += 1
        self.failWhatIsUnderWay()
        self.forgetConfirmations()
        for id in self.subscriptions.keys.sorted() { self.confirm(id, .failure(Self.closed)) }
        for connection in [self.publishing, self.subscribing] { connection.map { self.redis.ended($0) } }
        self.publishing = nil
        self.subscribing = nil
        self.isAvailable = false
        self.queue = []
    }

    static let closed = RESPError(code: .closed, message: "the client is closed")
    static let disconnected = RESPError(code: .disconnected, message: "there is no connection")
    static let lost = RESPError(code: .disconnected, message: "the connection was lost")

    /// Sends a message; what becomes of it is told once.
    func transmit(
        _ message: ByteBuffer,
        to channel: BusChannel,
        _ done: @escaping (RESPPublishOutcome) -> Void = { _ in }
    ) {
        guard let connection = self.publishing else { return done(.refused(Self.disconnected)) }
        let id = self.nextID()
        let event = History.event(in: message)
        self.underWay[id] = { [redis] in
            done(redis.mutation == .claimsPublished ? .published : .unconfirmed(Self.lost))
        }
        let lost = { [history] in if let event { history.lostOnWayToRedis(event) } }
        self.redis.execute(from: connection, lost: lost) { [redis] in
            redis.publish(message, to: channel, by: connection.node)
            redis.answer(connection) { [self] in
                if self.underWay.removeValue(forKey: id) != nil { done(.published) }
            }
        }
    }
}
