import NIOCore
import RESP
import RedisAdapters

/// A node's connection to Redis: what travels keeps its order in each direction.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class SimulatedConnection: @unchecked Sendable {
    let node: Int
    let isForSubscriptions: Bool
    var channels: Set<BusChannel> = []
    var patterns: Set<String> = []
    var random: SimulatedRandom
    /// Until when it is slow.
    var slowUntil: Int64 = 0
    /// What arrives later than that is lost, on either way.
    var cutAtRedis = Int64.max
    var cutAtNode = Int64.max
    private var lastAtRedis: Int64 = 0
    private var lastAtNode: Int64 = 0

    init(node: Int, isForSubscriptions: Bool, seed: UInt64) {
        self.node = node
        self.isForSubscriptions = isForSubscriptions
        self.random = SimulatedRandom(seed: seed)
    }

    var isCut: Bool { self.cutAtNode != .max }

    private func delay(at now: Int64) -> Int64 {
        let usual = Int64(self.random.number(100...8_000)) * 1_000
        return now < self.slowUntil
            ? usual + Int64(self.random.number(200...1_500)) * SimulatedWorld.millisecond : usual
    }

    func arrivalAtRedis(_ now: Int64) -> Int64 {
        self.lastAtRedis = max(self.lastAtRedis + 1, now + self.delay(at: now))
        return self.lastAtRedis
    }

    func arrivalAtNode(_ now: Int64, overtakes: Bool = false) -> Int64 {
        let arrival = max(self.lastAtNode + 1, now + self.delay(at: now))
        guard !overtakes else { return arrival + 20 * SimulatedWorld.millisecond }
        self.lastAtNode = arrival
        return arrival
    }
}

/// A Redis that knows publish/subscribe only.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class SimulatedRedis: @unchecked Sendable {
    let world: SimulatedWorld
    let history: History
    let mutation: Mutation?
    /// Nodes that tell nobody who they are, and don't hear who others are, as Node.js nodes.
    private let nameless: Set<Int>
    /// In the order in which they connected.
    private var subscribers: [SimulatedConnection] = []
    /// The nodes, by number.
    var clients: [Int: SimulatedClient] = [:]
    private(set) var isUp = true
    private var random: SimulatedRandom
    private var connections = 0
    private let seed: UInt64

    init(
        _ world: SimulatedWorld,
        history: History,
        seed: UInt64,
        nameless: Set<Int> = [],
        mutation: Mutation? = nil
    ) {
        self.world = world
        self.history = history
        self.mutation = mutation
        self.nameless = nameless
        self.seed = seed
        self.random = SimulatedRandom(seed: seed ^ 0xABCD)
    }

    /// All channels and patterns that somebody subscribes to.
    var subscriptions: [String] {
        self.subscribers.flatMap { connection in
            (connection.channels.map(\.name) + connection.patterns).sorted().map { "\($0) of node \(connection.node)" }
        }
    }

    func connect(node: Int, isForSubscriptions: Bool) -> SimulatedConnection {
        self.connections += 1
        let seed = self.seed &* 31 &+ UInt64(self.connections) &* 0x1234_5678_9ABC
        let connection = SimulatedConnection(node: node, isForSubscriptions: isForSubscriptions, seed: seed)
        if isForSubscriptions { self.subscribers.append(connection) }
        return connection
    }

    /// Notices that a connection has ended.
    func ended(_ connection: SimulatedConnection) { self.subscribers.removeAll { $0 === connection } }

    func stop() {
        self.isUp = false
        self.subscribers = []
    }

    func start() { self.isUp = true }

    // MARK: What travels

    /// Has something happen in Redis, unless it is lost on the way there.
    func execute(
        from connection: SimulatedConnection,
        lost: @escaping () -> Void = {},
        _ body: @escaping () -> Void
    ) {
        let arrival = connection.arrivalAtRedis(self.world.now)
        self.world.schedule(.outside, at: arrival) { [self] in
            if arrival > connection.cutAtRedis || !self.isUp { lost() } else { body() }
        }
    }

    /// Has something happen on the node, unless it is lost on the way there.
    func answer(
        _ connection: SimulatedConnection,
        overtakes: Bool = false,
        lost: @escaping () -> Void = {},
        _ body: @escaping () -> Void
    ) {
        let arrival = connection.arrivalAtNode(self.world.now, overtakes: overtakes)
        // Lost when it would arrive, whether or not the node looks just then.
        self.world.schedule(.outside, at: arrival) { [world] in
            if arrival > connection.cutAtNode { return lost() }
            world.schedule(.node(connection.node), at: arrival, body)
        }
    }

    // MARK: Commands

    /// Counts who subscribes channels; the first is that of all nodes, the second that of who asks, then those of others.
    func count(_ channels: [BusChannel]) -> [Int] {
        let now = self.world.now
        let counted = self.subscribers.filter { self.mutation != .takesSlowForGone || $0.slowUntil <= now }
        var counts = channels.map { channel in counted.count { $0.channels.contains(channel) } }
        switch self.mutation {
        case .countsTooFew: counts[0] = max(1, counts[0] - 1)
        case .believesThatItIsCounted where counts.count > 1: counts[1] = max(1, counts[1])
        default: break
        }
        return counts
    }

    /// Hands a message to all who subscribe its channel.
    func publish(_ payload: ByteBuffer, to channel: BusChannel, by node: Int) {
        let isLease = Self.isForLeases(channel)
        // Nodes that are known by name are told apart, however many are counted.
        guard !isLease || self.mutation != .countsTooFew && !self.nameless.contains(node) else { return }
        let event = History.event(in: payload)
        if let event { self.history.executed(event, at: self.world.now) }
        for connection in self.subscribers where !isLease || !self.nameless.contains(connection.node) {
            let pattern = connection.patterns.first { Self.matches(channel, $0) }
            guard pattern != nil || connection.channels.contains(channel) else { continue }
            let message = RESPMessage(
                channel: ByteBuffer(string: channel.name),
                pattern: pattern.map { ByteBuffer(string: $0) },
                payload: payload,
                isSharded: channel.isSharded
            )
            let isEvent = event != nil
            let overtakes = isEvent && self.mutation == .reorders && self.random.chance(20)
            let times = isEvent && self.mutation == .deliversTwice && self.random.chance(20) ? 2 : 1
            for _ in 0..<times {
                let lost = { [self] in
                    if let event { self.history.lost(event, onWayTo: connection.node) }
                }
                self.answer(connection, overtakes: overtakes, lost: lost) { [self] in
                    self.clients[connection.node]?.received(message, on: connection, lost: lost)
                }
            }
        }
    }

    private static func isForLeases(_ channel: BusChannel) -> Bool {
        ["#nodes#", "#swift-node-lease#"].contains { channel.name.hasSuffix($0) }
    }

    private static func matches(_ channel: BusChannel, _ pattern: String) -> Bool {
        guard !channel.isSharded, pattern.utf8.last == UInt8(ascii: "*") else { return false }
        return channel.name.utf8.starts(with: pattern.utf8.dropLast())
    }
}
