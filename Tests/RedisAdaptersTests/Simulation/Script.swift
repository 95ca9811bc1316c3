import SocketIOWire

/// What happens in a simulated run: everything that a seed decides, so that it can be made shorter.
struct Script: Sendable, CustomStringConvertible {
    enum Kind: String, CaseIterable, Sendable {
        case pattern, rooms, shardedStatic, shardedDynamic, shardedDynamicPrivate
    }

    enum Action: Sendable {
        case broadcast(BroadcastOptions)
        case awaited(BroadcastOptions, keeps: Bool)
        case acknowledged(BroadcastOptions)
        case join(member: Int, Room)
        case leave(member: Int, Room)
        /// Members of a room, wherever they are, join a new one, to which something is sent in the same breath.
        case joinAll(Room)
        case leaveAll(Room, of: Room)
        case fetchSockets(BroadcastOptions)
        case findSocket(String)
        case allRooms
        case askServers
        /// The node loses connections.
        case cut(publishing: Bool, subscribing: Bool, executes: Int, redisNotices: Int, nodeNotices: Int, away: Int)
        case slow(Int)
        case freeze(Int)
        case crash(redisNotices: Int)
        case restartRedis(Int)

        var isFault: Bool {
            switch self {
            case .cut, .slow, .freeze, .crash, .restartRedis: true
            default: false
            }
        }
    }

    struct Step: Sendable {
        /// In milliseconds.
        let time: Int
        let node: Int
        let action: Action
    }

    let seed: UInt64
    let kind: Kind
    let nodes: Int
    let membersPerNode: Int
    /// Nodes that nobody knows by name.
    let nameless: Set<Int>
    var steps: [Step]

    static let duration = 9_000
    static let rooms: [Room] = ["r0", "r1", "r2"]

    static func member(_ number: Int, of node: Int) -> String { "member-\(node)-\(number)" }

    init(seed: UInt64) {
        var random = SimulatedRandom(seed: seed)
        self.seed = seed
        self.kind = Kind.allCases[random.number(0...4)]
        self.nodes = random.number(2...4)
        self.membersPerNode = random.number(1...2)
        var steps: [Step] = []
        for _ in 0..<random.number(8...30) {
            let action = Self.operation(self.nodes, self.membersPerNode, &random)
            steps.append(
                Step(
                    time: random.number(500...Self.duration),
                    node: random.number(0...(self.nodes - 1)),
                    action: action
                )
            )
        }
        // Many things at once show what overtakes what.
        if random.chance(50) {
            let (time, node) = (random.number(500...Self.duration), random.number(0...(self.nodes - 1)))
            for _ in 0..<random.number(5...20) {
                steps.append(Step(time: time, node: node, action: .broadcast(Self.options(&random))))
            }
        }
        for _ in 0..<random.number(0...4) {
            let time = random.number(500...(Self.duration - 1_000))
            steps.append(Step(time: time, node: random.number(0...(self.nodes - 1)), action: Self.fault(&random)))
        }
        let unknown = random.chance(40) ? random.number(1...15) : 0
        self.nameless = Set((0..<self.nodes).filter { unknown >> $0 & 1 == 1 })
        if self.nodes > 2, random.chance(25) { steps += Self.deathBesideASlowNode(self.nodes, &random) }
        self.steps = steps.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
            .map(\.element)
    }

    /// A node dies while another one is slow to answer.
    private static func deathBesideASlowNode(_ nodes: Int, _ random: inout SimulatedRandom) -> [Step] {
        let (time, first) = (random.number(1_000...6_000), random.number(0...(nodes - 1)))
        let (asker, slow, dying) = (first, (first + 1) % nodes, (first + 2) % nodes)
        var steps = [
            Step(time: time - random.number(1...100), node: slow, action: .slow(random.number(500...3_000))),
            Step(time: time + random.number(0...60), node: dying, action: .crash(redisNotices: random.number(0...200))),
        ]
        for _ in 0..<random.number(1...3) {
            let questions: [Action] = [.fetchSockets(BroadcastOptions()), .allRooms, .askServers]
            let action = questions[random.number(0...2)]
            steps.append(Step(time: time + random.number(0...20), node: asker, action: action))
        }
        return steps
    }

    private static func options(_ random: inout SimulatedRandom) -> BroadcastOptions {
        var options = BroadcastOptions()
        switch random.number(0...3) {
        case 0: break
        case 1: options.rooms = [Self.rooms[0], Self.rooms[random.number(1...2)]]
        default: options.rooms = [Self.rooms[random.number(0...2)]]
        }
        if random.chance(20) { options.except = [Self.rooms[random.number(0...2)]] }
        return options
    }

    private static func operation(_ nodes: Int, _ members: Int, _ random: inout SimulatedRandom) -> Action {
        let room = Self.rooms[random.number(0...2)]
        let member = random.number(0...(members - 1))
        switch random.number(0...99) {
        case 0..<30: return .broadcast(Self.options(&random))
        case 30..<40: return .awaited(Self.options(&random), keeps: random.chance(50))
        case 40..<46: return .acknowledged(Self.options(&random))
        case 46..<60: return .join(member: member, room)
        case 60..<66: return .leave(member: member, room)
        case 66..<72: return .joinAll(room)
        case 72..<75: return .leaveAll(Self.rooms[random.number(0...2)], of: room)
        case 75..<84: return .fetchSockets(Self.options(&random))
        case 84..<90: return .findSocket(Self.member(member, of: random.number(0...(nodes - 1))))
        case 90..<95: return .allRooms
        default: return .askServers
        }
    }

    private static func fault(_ random: inout SimulatedRandom) -> Action {
        switch random.number(0...9) {
        case 0...4:
            let which = random.number(0...2)
            return .cut(
                publishing: which != 0,
                subscribing: which != 1,
                executes: random.number(0...8),
                redisNotices: random.chance(50) ? random.number(0...10) : random.number(0...2_000),
                nodeNotices: random.chance(50) ? random.number(0...10) : random.number(0...1_500),
                away: random.number(1...3_000)
            )
        case 5: return .slow(random.number(200...3_000))
        case 6, 7: return .freeze(random.number(50...7_000))
        case 8: return .crash(redisNotices: random.number(0...2_000))
        default: return .restartRedis(random.number(10...2_000))
        }
    }

    var description: String {
        let lines = self.steps.map { "  \($0.time) ms, node \($0.node): \($0.action)" }
        let unknown = self.nameless.isEmpty ? "" : ", without a name \(self.nameless.sorted())"
        let head = "seed \(self.seed): \(self.kind), \(self.nodes) nodes, \(self.membersPerNode) members each\(unknown)"
        return ([head] + lines)
            .joined(separator: "\n")
    }

    /// A script that is as short as it can be and still fails, found by leaving out steps one by one.
    func shrunk(_ fails: (Script) -> Bool) -> Script {
        var script = self
        var size = max(1, script.steps.count / 2)
        while true {
            var index = 0
            var hasShrunk = false
            while index < script.steps.count {
                var shorter = script
                shorter.steps.removeSubrange(index..<min(index + size, script.steps.count))
                if fails(shorter) {
                    script = shorter
                    hasShrunk = true
                } else {
                    index += size
                }
            }
            if size == 1, !hasShrunk { return script }
            size = max(1, size / 2)
        }
    }
}
