import NIOCore
import SocketIOServer
import SocketIOWire

/// A run of a simulated cluster: nodes, clients and Redis in one thread on virtual time.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class Simulation: @unchecked Sendable {
    struct Outcome {
        let violations: [String]
        let trace: [String]
        let steps: Int
    }

    static let timeout = TimeAmount.seconds(2)
    private static let end = 26_000

    private let script: Script
    let world = SimulatedWorld()
    let history = History()
    private let redis: SimulatedRedis
    private let nodes: [SimulatedNode]
    private var newRooms = 0

    static func run(_ script: Script, _ mutation: Mutation? = nil) -> Outcome {
        Simulation(script, mutation).run()
    }

    private init(_ script: Script, _ mutation: Mutation?) {
        self.script = script
        let redis = SimulatedRedis(
            self.world,
            history: self.history,
            seed: script.seed,
            nameless: script.nameless,
            mutation: mutation
        )
        self.redis = redis
        let history = self.history
        self.nodes = (0..<script.nodes).map { SimulatedNode($0, script, redis: redis, history: history) }
    }

    private func run() -> Outcome {
        for node in self.nodes { node.start() }
        self.run(until: 400)
        for node in self.nodes where !node.hasStarted {
            self.history.violations.append("node \(node.number) has not started")
        }
        for step in self.script.steps {
            let place = step.action.isFault ? SimulatedWorld.Place.outside : .node(step.node)
            let time = Int64(step.time) * SimulatedWorld.millisecond
            self.world.schedule(place, at: time) { [unowned self] in self.perform(step) }
        }
        self.run(until: Self.end)
        self.checkLeftovers("when all is quiet")
        let violations = self.history.violations + Checker(script: self.script, history: self.history).violations
        let trace = self.history.trace
        self.close()
        // What was seen before the end, and what is left after it.
        let late = self.history.violations.filter { !violations.contains($0) }
        let (all, steps) = (violations + late, self.world.steps)
        self.redis.clients = [:]
        return Outcome(violations: all, trace: trace, steps: steps)
    }

    private func run(until milliseconds: Int) {
        self.world.run(until: Int64(milliseconds) * SimulatedWorld.millisecond)
    }

    private func isAlive(_ node: SimulatedNode) -> Bool { self.history.crashes[node.number] == nil }

    private func checkLeftovers(_ when: String) {
        for node in self.nodes where self.isAlive(node) {
            for leftover in node.leftovers {
                self.history.violations.append("node \(node.number) has \(leftover) \(when)")
            }
        }
    }

    private func close() {
        for node in self.nodes where self.isAlive(node) { node.close() }
        self.run(until: Self.end + 8_000)
        for node in self.nodes where self.isAlive(node) && !node.hasClosed {
            self.history.violations.append("node \(node.number) does not close")
        }
        self.checkLeftovers("after it was closed")
        for subscription in self.redis.subscriptions {
            self.history.violations.append("still subscribed: \(subscription)")
        }
        // The dead are woken where nobody sees it, so that nothing of theirs waits for ever in this process.
        for node in self.nodes {
            node.client.close()
            guard !self.isAlive(node) else { continue }
            node.host.isDead = true
            self.world.thaw(.node(node.number))
            node.close()
        }
        self.run(until: Self.end + 20_000)
        if !self.world.isIdle { self.history.violations.append("something is to happen after the end") }
    }

    // MARK: Steps

    private func perform(_ step: Script.Step) {
        let node = self.nodes[step.node]
        guard self.isAlive(node) else { return }
        switch step.action {
        case .broadcast(let options): self.broadcast(node, options)
        case .awaited(let options, let keeps): self.publishAwaited(node, options, keeps: keeps)
        case .acknowledged(let options): self.broadcastWithAcknowledgements(node, options)
        case .join(let member, let room): node.host.join(member, room)
        case .leave(let member, let room): node.host.leave(member, room)
        case .joinAll(let room):
            self.newRooms += 1
            let (options, new) = (BroadcastOptions(rooms: [room]), Room("new-\(self.newRooms)"))
            node.host.addLocalSockets(options, rooms: [new])
            node.adapter.addSockets(options, rooms: [new])
            self.broadcast(node, BroadcastOptions(rooms: [new]), isForNewRoom: true)
        case .leaveAll(let room, let members):
            node.host.delLocalSockets(BroadcastOptions(rooms: [members]), rooms: [room])
            node.adapter.delSockets(BroadcastOptions(rooms: [members]), rooms: [room])
        case .fetchSockets(let options):
            self.ask(node, .sockets, options) { try await $0.fetchSockets(options, timeout: nil).map(\.id) }
        case .findSocket(let id):
            self.ask(node, .search, BroadcastOptions(), wanted: id) { adapter in
                try await adapter.findSocket(id, timeout: nil).map { [$0.id] } ?? []
            }
        case .allRooms:
            self.ask(node, .rooms, BroadcastOptions()) { try await $0.allRooms(timeout: nil).map(\.name) }
        case .askServers:
            self.ask(node, .servers, BroadcastOptions()) { adapter in
                try await adapter.serverSideEmitWithAck(["who"], timeout: nil).map { $0?.stringValue ?? "nobody" }
            }
        case .cut(let publishing, let subscribing, let executes, let redisNotices, let nodeNotices, let away):
            node.client.cut(
                losesPublishing: publishing,
                losesSubscribing: subscribing,
                executes: Int64(executes) * SimulatedWorld.millisecond,
                redisNotices: Int64(redisNotices) * SimulatedWorld.millisecond,
                nodeNotices: Int64(nodeNotices) * SimulatedWorld.millisecond,
                away: Int64(away) * SimulatedWorld.millisecond
            )
        case .slow(let duration):
            let until = self.world.now + Int64(duration) * SimulatedWorld.millisecond
            node.client.publishing?.slowUntil = until
            node.client.subscribing?.slowUntil = until
        case .freeze(let duration): self.freeze(node, duration)
        case .crash(let redisNotices): self.crash(node, redisNotices)
        case .restartRedis(let duration): self.restartRedis(duration)
        }
    }

    private func freeze(_ node: SimulatedNode, _ duration: Int) {
        let isFrozen = self.history.freezes.contains { $0.node == node.number && $0.to == nil }
        guard !isFrozen else { return }
        self.history.freezes.append(History.Period(node: node.number, from: self.world.now))
        let index = self.history.freezes.count - 1
        self.world.freeze(.node(node.number))
        let end = self.world.now + Int64(duration) * SimulatedWorld.millisecond
        self.world.schedule(.outside, at: end) { [unowned self] in
            self.history.freezes[index].to = self.world.now
            if self.isAlive(node) { self.world.thaw(.node(node.number)) }
        }
    }

    private func crash(_ node: SimulatedNode, _ redisNotices: Int) {
        self.history.crashes[node.number] = self.world.now
        self.history.trace.append("\(self.world.now) node \(node.number) crashes")
        self.world.freeze(.node(node.number))
        let noticed = Int64(redisNotices) * SimulatedWorld.millisecond
        let client = node.client
        client.cut(
            losesPublishing: true,
            losesSubscribing: true,
            executes: 2 * SimulatedWorld.millisecond,
            redisNotices: noticed,
            nodeNotices: 0,
            away: 0
        )
    }

    private func restartRedis(_ duration: Int) {
        guard self.redis.isUp else { return }
        self.redis.stop()
        for node in self.nodes {
            let notices = Int64(20 * (node.number + 1)) * SimulatedWorld.millisecond
            node.client.cut(
                losesPublishing: true,
                losesSubscribing: true,
                executes: 0,
                redisNotices: 0,
                nodeNotices: notices,
                away: Int64(100 * (node.number + 1)) * SimulatedWorld.millisecond
            )
        }
        let end = self.world.now + Int64(duration) * SimulatedWorld.millisecond
        self.world.schedule(.outside, at: end) { [redis] in redis.start() }
    }
}
