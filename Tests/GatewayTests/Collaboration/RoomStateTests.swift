import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// A shared state that may be out of reach.
final class FailingState: SharedState {
    let inner = InMemoryState()
    private let isAway = NIOLockedValueBox(false)

    func setAway(_ away: Bool) { self.isAway.withLockedValue { $0 = away } }

    private func check() throws {
        if self.isAway.withLockedValue({ $0 }) { throw ClusterError(code: .unreachable, message: "away") }
    }

    func receive(_ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription { self.inner.receive(handler) }

    func apply(_ operations: [StateOperation], of node: UTF8Text) async throws -> [StateOutcome] {
        try self.check()
        return try await self.inner.apply(operations, of: node)
    }

    func snapshot(of room: Room) async throws -> StateSnapshot {
        try self.check()
        return try await self.inner.snapshot(of: room)
    }

    func entries(_ keys: [StateKey]) async throws -> [StateEntry?] {
        try self.check()
        return try await self.inner.entries(keys)
    }

    func count(of rooms: [Room]) async throws -> Int {
        try self.check()
        return try await self.inner.count(of: rooms)
    }

    func renew(_ node: UTF8Text, lease: TimeAmount, isKnown: Bool) async throws -> StateRenewal {
        try self.check()
        return try await self.inner.renew(node, lease: lease, isKnown: isKnown)
    }
}

/// What members of a room remember together, on several nodes.
@Suite(.timeLimit(.minutes(1))) struct RoomStateTests {
    static var configuration: GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.roomState.enabled = true
        configuration.roomState.changesPerSecond = 1_000
        for index in configuration.roles.indices { configuration.roles[index].joinPolicy = ["*"] }
        configuration.roles[0].statePolicy = ["cursor-*"]
        return configuration
    }

    private static func failure(_ message: String) -> JSONValue { ["success": false, "error": .string(message)] }

    /// The `state:changed` events up to the value of a key.
    private static func changes(_ client: TestClient, until value: JSONValue) async throws -> [JSONValue] {
        var changes: [JSONValue] = []
        while case .event(let name, let arguments) = await client.packet() {
            guard name == "state:changed", let change = arguments.first else { continue }
            changes.append(change)
            if change["value"] == value { break }
        }
        return changes
    }

    @Test func everyMemberSeesEachChangeOnceAndInOrder() async throws {
        try await TestCluster.run(nodes: 3, configuration: Self.configuration) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let bob = try await cluster[1].join(user(2, role: "editor"))
            let joined = try await ada.call("join-room", "lobby")
            #expect(joined["state"] == [] && joined["version"] == 0)
            _ = try await bob.call("join-room", "lobby")
            for number in 1...20 {
                let client = number % 2 == 0 ? ada : bob
                let key: JSONValue = number % 2 == 0 ? "user:1" : "user:2"
                let answer = try await client.call("state:set", ["room": "lobby", "key": key, "value": .int(number)])
                #expect(answer["success"] == true, "\(answer)")
            }
            var seen: [[JSONValue]] = []
            for client in [ada, bob] {
                let changes = try await Self.changes(client, until: 20)
                #expect(changes.map { $0["value"] } == (1...20).map { .int($0) })
                let versions = changes.compactMap { $0["version"]?.intValue }
                #expect(versions == (0..<20).map { versions[0] + $0 })
                #expect(changes.last?["by"] == ["userId": 1])
                seen.append(changes)
            }
            #expect(seen[0] == seen[1])
            // Whoever comes later has the whole.
            let eve = try await cluster[2].join()
            let late = try await eve.call("join-room", "lobby")
            #expect(late["version"] == seen[0].last?["version"])
            #expect(
                late["state"]?.arrayValue?.map { [$0["key"], $0["value"]] } == [["user:1", 20], ["user:2", 19]]
            )
            let removed = try await ada.call("state:remove", ["room": "lobby", "key": "user:1"])
            #expect(removed["version"]?.intValue == late["version"]?.intValue.map { $0 + 1 })
            #expect(try await Self.changes(eve, until: .null).count == 1)
            let state = try await cluster[2].io.roomState(of: "lobby")
            #expect(state["user:1"] == nil && state["user:2"] == 19)
        }
    }

    @Test func othersKeysAndRoomsAreNotForEverybody() async throws {
        try await TestCluster.run(configuration: Self.configuration) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let visitor = try await cluster[0].join()
            for client in [ada, visitor] { _ = try await client.call("join-room", "lobby") }
            func set(
                _ client: TestClient,
                _ key: JSONValue,
                _ value: JSONValue,
                room: JSONValue = "lobby"
            )
                async throws -> JSONValue
            {
                try await client.call("state:set", ["room": room, "key": key, "value": value])
            }
            #expect(try await set(ada, "user:2", 1) == Self.failure("Permission denied"))
            #expect(try await set(ada, .string(ada.id), 1)["success"] == true)
            #expect(try await set(visitor, "cursor-1", 1)["success"] == true)
            #expect(try await set(visitor, .string(visitor.id), 1) == Self.failure("Permission denied"))
            #expect(try await set(ada, "user:1", 1, room: "attic") == Self.failure("Not a member of this room"))
            for room in ["io-role-editor", "presence:api::article.article:1", .string(ada.id)] as [JSONValue] {
                #expect(try await set(ada, "user:1", 1, room: room) == Self.failure("Room name is reserved"))
            }
            #expect(try await set(ada, "user:1", .null)["success"] == false)
            #expect(try await set(ada, "", 1) == Self.failure("Invalid key"))
            #expect(try await set(ada, 5, 1) == Self.failure("Invalid key"))
            let long = JSONValue.string(String(repeating: "x", count: 5_000))
            #expect(try await set(ada, "user:1", long) == Self.failure("Value too large (4096 bytes)"))
            #expect(try await ada.call("state:set", 7) == Self.failure("Invalid payload"))
            #expect(
                try await ada.call("state:set", ["room": "lobby", "key": "user:1", "value": 1, "ttl": -1])["success"]
                    == false
            )
        }
        try await TestCluster.run { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            #expect(try await ada.call("state:get", ["room": "members"]) == Self.failure("Room state is disabled"))
        }
    }

    @Test func whatASocketHoldsGoesWithItsRoomAndWithTheLastTab() async throws {
        try await TestCluster.run(nodes: 2, configuration: Self.configuration) { cluster in
            let first = try await cluster[0].join(user(1, role: "editor"))
            let second = try await cluster[1].join(user(1, role: "editor"))
            let bob = try await cluster[1].join(user(2, role: "editor"))
            for client in [first, second, bob] { _ = try await client.call("join-room", "lobby") }
            let wish: JSONValue = ["room": "lobby", "key": "user:1", "value": "here", "held": true]
            for client in [first, second] { #expect(try await client.call("state:set", wish)["success"] == true) }
            _ = try await first.call("leave-room", "lobby")
            _ = try await bob.call("state:set", ["room": "lobby", "key": "user:2", "value": "mark"])
            let before = try await Self.changes(bob, until: "mark")
            #expect(before.map { $0["value"] } == ["here", "mark"])
            #expect(try await cluster[0].io.disconnectSocket(second.id))
            #expect(try await Self.changes(bob, until: .null).map { $0["key"] } == ["user:1"])
        }
    }

    @Test func aFloodOfOneKeyBecomesItsLastValue() async throws {
        var configuration = Self.configuration
        configuration.roomState.changesPerSecond = 5
        try await TestCluster.run(configuration: configuration) { cluster in
            let io = cluster[0].io
            let bob = try await cluster[0].join(user(2, role: "editor"))
            _ = try await bob.call("join-room", "lobby")
            let states = io.collaboration.states
            let limits = io.configuration.roomState.sizes
            let answers = await withTaskGroup(of: StateAnswer.self) { group in
                for number in 1...200 {
                    group.addTask {
                        await states.change(
                            StateRequest(
                                room: "lobby",
                                key: "k",
                                wish: .set(.int(number), lifetime: nil),
                                by: .null,
                                limits: limits,
                                rate: RateLimit(perSecond: 5)
                            )
                        )
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let done = answers.filter { if case .changed = $0 { true } else { false } }
            #expect(done.count < 20 && answers.count { $0 == .replaced } == 200 - done.count)
            let last = try await io.roomState(of: "lobby")["k"] ?? .null
            #expect(try await Self.changes(bob, until: last).count == done.count)
        }
    }

    @Test func membersSeeChangesWhileTheClusterIsOutOfReach() async throws {
        let store = FailingState()
        var sharing = Sharing()
        sharing.state = store
        try await TestCluster.run(nodes: 2, configuration: Self.configuration, sharing: sharing) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let here = try await cluster[0].join(user(2, role: "editor"))
            let there = try await cluster[1].join(user(3, role: "editor"))
            for client in [ada, here, there] { _ = try await client.call("join-room", "lobby") }
            store.setAway(true)
            let answer = try await ada.call("state:set", ["room": "lobby", "key": "user:1", "value": "alone"])
            #expect(answer == ["success": true, "delivery": "queued"])
            let change = try await Self.changes(here, until: "alone")
            #expect(change.last?["version"] == .null)
            let held: JSONValue = ["room": "lobby", "key": .string(ada.id), "value": 1, "held": true]
            #expect(try await ada.call("state:set", held)["delivery"] == "queued")
            store.setAway(false)
            // When it is back, the others hear of it, and whoever may have seen something else gets the whole.
            let later = try await Self.changes(there, until: "alone")
            #expect(later.last?["version"]?.intValue != nil)
            while case .event(let name, let arguments) = await here.packet() {
                guard name == "state:snapshot" else { continue }
                #expect(arguments.first?["state"]?.arrayValue?.count == 2)
                break
            }
        }
    }

    @Test func backEndsChangeWhatTheyLike() async throws {
        try await TestCluster.run(nodes: 2, configuration: Self.configuration) { cluster in
            let bob = try await cluster[1].join(user(2, role: "editor"))
            _ = try await bob.call("join-room", "lobby")
            let publisher = cluster[0].io.publisher()
            let (report, version) = try await publisher.setState("topic", in: "lobby", to: ["a": 1], by: "backend")
            #expect(report.delivery == .published && version != nil)
            let change = try await Self.changes(bob, until: ["a": 1])
            #expect(change.first?["by"] == "backend" && change.first?["version"]?.intValue == version)
            _ = try await publisher.removeState("topic", in: "lobby")
            #expect(try await Self.changes(bob, until: .null).count == 1)
            await #expect(throws: GatewayError.self) { try await publisher.setState("k", in: "lobby", to: .null) }
            await #expect(throws: GatewayError.self) { try await publisher.setState("k", in: "presence:x", to: 1) }
            await #expect(throws: GatewayError.self) { try await publisher.setState("", in: "lobby", to: 1) }
        }
    }
}
