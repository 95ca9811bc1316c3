import Logging
import NIOCore
import RESP
import RedisTestSupport
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway
@testable import RedisGateway

/// Room state in Redis is what it is in one process.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct StateTests {
    private static func client(_ server: RedisServer) async throws -> RESPClient {
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await client.connect()
        return client
    }

    /// What a node has heard, and whether it has heard everything up to a mark.
    private final class Ears: Sendable {
        private let stream: AsyncStream<RoomChanges>
        private let continuation: AsyncStream<RoomChanges>.Continuation

        init() { (self.stream, self.continuation) = AsyncStream.makeStream() }

        @Sendable func hear(_ signal: Signal) {
            switch signal {
            case .gap: self.continuation.yield(RoomChanges(room: "gap", changes: []))
            case .message(let bytes): if let changes = RoomChanges(signal: bytes) { self.continuation.yield(changes) }
            }
        }

        /// Returns when everything is heard from now on.
        func listening() async {
            for await changes in self.stream where changes.room == "gap" { break }
        }

        /// Everything up to a change of the room `end`.
        func untilEnd() async -> [RoomChanges] {
            var list: [RoomChanges] = []
            for await changes in self.stream {
                if changes.room == "end" { break }
                list.append(changes)
            }
            return list
        }
    }

    private static let limits = StateLimits(keys: 4, bytes: 60)
    /// Keys and rooms that a careless program would take for something else.
    private static let keys: [UTF8Text] = ["__proto__", "a", "é\n\"x\\", "v", "n:x", "1:b"]
    private static let rooms: [Room] = ["lobby", "5:room", "é \n\u{0}"]

    private static func operation(_ random: inout SeededGenerator) -> StateOperation {
        let values: [JSONValue] = [
            "x", [1, 2.5, nil], ["__proto__": ["a/b": "\n"]], [:], [], "longer than the others, much",
        ]
        let action: StateOperation.Action =
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                .set(values.randomElement(using: &random)!, lifetime: Bool.random(using: &random) ? 3_600_000 : nil)
            case 4, 5: .acquire(values.randomElement(using: &random)!)
            case 6, 7: .release
            case 8: .remove
            default: .detach
            }
        return StateOperation(
            room: Self.rooms.randomElement(using: &random)!,
            key: Self.keys.randomElement(using: &random)!,
            action: action,
            by: ["user:1", 7, "\n"].randomElement(using: &random)!,
            holders: Int.random(in: 0..<3, using: &random),
            limits: Self.limits
        )
    }

    /// Without what depends on the moment: numbers of rooms begin at the time, and ends lie an hour ahead.
    private static func shape(_ outcome: StateOutcome) -> String {
        switch outcome {
        case .changed: "changed"
        case .unchanged: "unchanged"
        case .refused(let refusal): "\(refusal)"
        case .leaseLost: "lost"
        }
    }

    private static func shape(_ snapshot: StateSnapshot) -> [UTF8Text: StateEntry] {
        snapshot.entries.mapValues {
            var entry = $0
            entry.expiresAt = entry.expiresAt.map { _ in 1 }
            return entry
        }
    }

    private static func shape(_ changes: [RoomChanges]) -> [RoomChanges] {
        changes.map { room in
            var room = room
            for index in room.changes.indices {
                room.changes[index].version = room.changes[index].version.map { _ in 1 }
                if room.changes[index].entry?.expiresAt != nil { room.changes[index].entry?.expiresAt = 1 }
                // A signal has one writer: that of the change.
                room.changes[index].entry?.by = .null
            }
            return room
        }
    }

    @Test(arguments: 0..<12) func scriptsDoWhatTheTableDoes(seed: Int) async throws {
        let server = try await RedisServer.start()
        let client = try await Self.client(server)
        let ears = Ears()
        let redis = RedisSharing(client: client, prefix: "app").sharing.state
        let subscription = redis.receive(ears.hear)
        await ears.listening()
        let memoryEars = Ears()
        let memory = InMemoryState()
        _ = memory.receive(memoryEars.hear)
        await memoryEars.listening()
        var random = SeededGenerator(seed: UInt64(seed))
        var known: Set<UTF8Text> = []
        for _ in 0..<120 {
            let node: UTF8Text = ["node1", "node2", "node3"].randomElement(using: &random)!
            if Int.random(in: 0..<8, using: &random) == 0 {
                // A lease that begins, goes on, or ends.
                let lease: TimeAmount = Int.random(in: 0..<3, using: &random) == 0 ? .zero : .hours(1)
                let isKnown = known.contains(node)
                let here = try await memory.renew(node, lease: lease, isKnown: isKnown)
                let there = try await redis.renew(node, lease: lease, isKnown: isKnown)
                #expect(here.isLost == there.isLost && here.hasMore == there.hasMore)
                #expect((here.nextEnd == nil) == (there.nextEnd == nil))
                if lease == .zero { known.remove(node) } else if !here.isLost { known.insert(node) }
            } else {
                let operations = (0..<Int.random(in: 1..<6, using: &random)).map { _ in Self.operation(&random) }
                let here = try await memory.apply(operations, of: node)
                let there = try await redis.apply(operations, of: node)
                #expect(here.map(Self.shape) == there.map(Self.shape), "\(operations)")
            }
            for room in Self.rooms {
                let here = try await memory.snapshot(of: room)
                let there = try await redis.snapshot(of: room)
                #expect(Self.shape(here) == Self.shape(there))
                #expect(RoomRecord(here).bytes == RoomRecord(there).bytes)
            }
            let counts = (try await memory.count(of: Self.rooms), try await redis.count(of: Self.rooms))
            #expect(counts.0 == counts.1)
        }
        let end = StateOperation(
            room: "end",
            key: "k",
            action: .set(1, lifetime: nil),
            by: .null,
            holders: 0,
            limits: Self.limits
        )
        _ = try await memory.apply([end], of: "node1")
        _ = try await redis.apply([end], of: "node1")
        let here = await memoryEars.untilEnd()
        let there = await ears.untilEnd()
        // The rooms of one step are told in the order of their names in one, and of their turn in the other.
        for room in Self.rooms {
            #expect(
                Self.shape(here.filter { $0.room == room }).flatMap(\.changes)
                    == Self.shape(there.filter { $0.room == room }).flatMap(\.changes)
            )
            for changes in [here, there] {
                let versions = changes.filter { $0.room == room }.flatMap(\.changes).compactMap(\.version)
                #expect(versions == versions.sorted() && Set(versions).count == versions.count)
            }
        }
        await subscription.cancel()
        await client.close()
    }

    /// What Redis has been asked since the last reset, commands of scripts included.
    private static func commands(_ client: RESPClient) async throws -> Int {
        let text = try await client.send("INFO", "commandstats").stringValue ?? ""
        return text.split(separator: "\r\n").reduce(0) { sum, line in
            // `cmdstat_hset:calls=5,usec=…`
            guard line.hasPrefix("cmdstat_"), let equals = line.firstIndex(of: "="),
                !line.hasPrefix("cmdstat_info"), !line.hasPrefix("cmdstat_config")
            else { return sum }
            return sum + (Int(line[line.index(after: equals)...].prefix { $0.isNumber }) ?? 0)
        }
    }

    /// A node with 5,000 users in 500 rooms dies: others clear it away together, each user is told once.
    @Test func aDeadNodeIsClearedAwayOnceAndWithFewCommands() async throws {
        let server = try await RedisServer.start()
        let clients = [try await Self.client(server), try await Self.client(server), try await Self.client(server)]
        let stores = clients.map { RedisSharing(client: $0, prefix: "app").sharing.state }
        let ears = Ears()
        let subscription = stores[1].receive(ears.hear)
        await ears.listening()
        _ = try await stores[0].renew("dead", lease: .hours(1), isKnown: false)
        for node in ["one", "two"] as [UTF8Text] {
            _ = try await stores[1].renew(node, lease: .hours(1), isKnown: false)
        }
        func operations(_ range: Range<Int>) -> [StateOperation] {
            range.map { user in
                StateOperation(
                    room: Room("room-\(user % 500)"),
                    key: UTF8Text("user:\(user)"),
                    action: .acquire(["user": ["id": .int(user)]]),
                    by: ["userId": .int(user)],
                    holders: 1,
                    limits: StateLimits(keys: 1_000, bytes: 1_000_000)
                )
            }
        }
        for start in stride(from: 0, to: 5_000, by: 250) {
            let outcomes = try await stores[0].apply(operations(start..<start + 250), of: "dead")
            #expect(!outcomes.contains(.leaseLost))
        }
        // One of them has a second tab on a node that lives.
        _ = try await stores[1].apply(operations(7..<8), of: "one")
        _ = try await stores[0].renew("dead", lease: .milliseconds(1), isKnown: true)
        _ = try await clients[0].send("CONFIG", "RESETSTAT")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (store, node) in zip(stores[1...], ["one", "two"] as [UTF8Text]) {
                group.addTask {
                    while true {
                        let renewal = try await store.renew(node, lease: .hours(1), isKnown: true)
                        // The other leases end in an hour, and that of the dead one is over when it is cleared away.
                        if !renewal.hasMore, (renewal.nextEnd ?? 0) > 1_000 { break }
                    }
                }
            }
            try await group.waitForAll()
        }
        let commands = try await Self.commands(clients[0])
        let end = StateOperation(
            room: "end",
            key: "k",
            action: .set(1, lifetime: nil),
            by: .null,
            holders: 0,
            limits: Self.limits
        )
        _ = try await stores[1].apply([end], of: "one")
        let gone = await ears.untilEnd().flatMap(\.changes).filter { $0.entry == nil }.map(\.key)
        #expect(gone.count == 4_999 && Set(gone).count == 4_999)
        #expect(commands <= 4 * 4_999, "\(commands) commands for 4,999 changes")
        #expect(try await stores[2].snapshot(of: "room-7").entries.keys.sorted() == ["user:7"])
        let left = try await clients[0].send("KEYS", "app-gateway:state:*").arrayValue?.compactMap(\.stringValue)
        #expect(left?.contains { $0.hasSuffix("node:dead") || $0.hasSuffix(":dead") } == false)
        await subscription.cancel()
        for client in clients { await client.close() }
    }

    @Test func valuesEndInRedisToo() async throws {
        let server = try await RedisServer.start()
        let client = try await Self.client(server)
        let store = RedisSharing(client: client, prefix: "app").sharing.state
        let operation = StateOperation(
            room: "lobby",
            key: "__proto__",
            action: .set(1, lifetime: 1),
            by: .null,
            holders: 0,
            limits: Self.limits
        )
        guard case .changed(let version)? = try await store.apply([operation], of: "n").first else {
            Issue.record("not changed")
            return
        }
        var renewal = try await store.renew("n", lease: .hours(1), isKnown: false)
        while (renewal.nextEnd ?? 0) < 1_000 { renewal = try await store.renew("n", lease: .hours(1), isKnown: true) }
        #expect(try await store.snapshot(of: "lobby") == .empty)
        // Its numbers go on.
        guard case .changed(let next)? = try await store.apply([operation], of: "n").first else { return }
        #expect(next > version + 1)
        await client.close()
    }

    @Test func whatIsNoEntryIsAnErrorAndNoTrap() async throws {
        for text in ["", "x", "1 \n", "1 a=b\n1\n1", "x \n1\n1", "1  \n1\n1", "0 \n1\nx", "0 \nx\n1", "0 a=1=2\n1\n1"] {
            #expect(throws: (any Error).self) { try RedisState.entry(ByteBuffer(string: text)) }
        }
        let entry = try RedisState.entry(ByteBuffer(string: "7 a=1,b=2\n\"u\"\n[1,\n2]"))
        #expect(entry == StateEntry(value: [1, 2], by: "u", holders: ["a": 1, "b": 2], expiresAt: 7))
    }
}
