import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import RedisTestSupport
import SocketIOServer
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

/// A request that is repeated to another node publishes once.
@Suite(.timeLimit(.minutes(1))) struct EventIDTests {
    /// A memory that says what it is told to say.
    private final class ToldEventIDs: SharedEventIDs {
        private let state = NIOLockedValueBox((claim: EventIDClaim.new, confirms: true, calls: [String]()))

        func say(_ claim: EventIDClaim, confirms: Bool = true) {
            self.state.withLockedValue { $0 = (claim, confirms, []) }
        }

        /// What it was asked for, without the ids.
        var calls: [String] { self.state.withLockedValue { $0.calls } }

        func claim(_ id: String) async -> EventIDClaim { self.note("claim", \.claim) }
        func confirm(_ id: String) async -> Bool { self.note("confirm", \.confirms) }
        func release(_ id: String) async { _ = self.note("release", \.confirms) }

        private func note<Value>(
            _ call: String,
            _ path: KeyPath<(claim: EventIDClaim, confirms: Bool, calls: [String]), Value>
        ) -> Value {
            self.state.withLockedValue { state in
                state.calls.append(call)
                return state[keyPath: path]
            }
        }
    }

    private static func body(_ id: String, rooms: String = "") -> String {
        "{\"event\": \"x\", \"data\": 1, \"eventId\": \"\(id)\"\(rooms)}"
    }

    @Test func theClusterDecides() async throws {
        let ids = ToldEventIDs()
        let test = try await TestAPI.make(eventIDs: ids)
        func ask(_ id: String, rooms: String = "") async -> (status: Int, body: JSONValue) {
            await test.ask("POST", "/io/raw", Self.body(id, rooms: rooms))
        }
        let done = await ask("1")
        #expect(done.body == ["success": true, "delivery": "published", "eventIdScope": "cluster"])
        #expect(ids.calls == ["claim", "confirm"])
        #expect(await ask("1").body == ["success": true, "duplicate": true, "eventIdScope": "cluster"])
        #expect(ids.calls == ["claim", "confirm"], "The node's own memory knows it already")

        // Nobody is addressed, so the id is still free.
        ids.say(.new)
        #expect(await ask("2", rooms: ", \"rooms\": []").body["delivery"] == "none")
        #expect(ids.calls == ["claim", "release"])

        // It has failed, so the id is still free.
        ids.say(.new)
        let refused = await test.ask("POST", "/io/raw", "{\"event\": \"connect\", \"eventId\": \"3\"}")
        #expect(refused.status == 400)
        #expect(ids.calls == ["claim", "release"])

        ids.say(.known)
        #expect(await ask("4").body == ["success": true, "duplicate": true, "eventIdScope": "cluster"])
        ids.say(.underWay)
        let underWay = await ask("5")
        #expect(underWay.status == 409)
        #expect(underWay.body["error"]?["code"] == "under_way")
        // That was no answer to remember.
        ids.say(.new)
        #expect(await ask("5").body["delivery"] == "published")

        ids.say(.unavailable)
        #expect(await ask("6").body["eventIdScope"] == "node")
        #expect(await ask("6").body["duplicate"] == true)
        ids.say(.new, confirms: false)
        #expect(await ask("7").body["eventIdScope"] == "node")
    }

    /// Each operation of a batch has an id of its own.
    @Test func batchesAreRememberedItemByItem() async throws {
        let ids = ToldEventIDs()
        let test = try await TestAPI.make(eventIDs: ids)
        let operation = "{\"path\": \"/io/raw\", \"body\": {\"event\": \"x\", \"data\": 1}}"
        let batch = "{\"eventId\": \"b\", \"operations\": [\(operation), \(operation)]}"
        let answer = await test.ask("POST", "/io/batch", batch)
        #expect(answer.status == 200)
        #expect(ids.calls == ["claim", "confirm", "claim", "confirm"])
    }

    @Test func redisRemembersForAllNodes() async throws {
        let server = try await RedisServer.start()
        defer { server.stop() }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        func connect() async throws -> (RESPClient, RedisEventIDs) {
            let client = RESPClient(
                configuration: try .init(url: server.url),
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            try await client.connect()
            let ids = RedisEventIDs(
                client: client,
                prefix: "test",
                lifetime: .minutes(10),
                eventLoop: loop,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            return (client, ids)
        }
        let (client, one) = try await connect()
        let (otherClient, two) = try await connect()
        #expect(await one.claim("a") == .new)
        #expect(await two.claim("a") == .underWay)
        await one.release("a")
        #expect(await two.claim("a") == .new)
        #expect(await two.confirm("a"))
        #expect(await one.claim("a") == .known)
        #expect(await one.claim("b") == .new)
        guard case .integer(let pending) = try await client.send("PTTL", "test:event-id:b"),
            case .integer(let remembered) = try await client.send("PTTL", "test:event-id:a")
        else {
            Issue.record("The keys do not expire")
            return
        }
        #expect((1...60_000).contains(pending))
        #expect((60_001...600_000).contains(remembered))
        // Redis is gone: nobody waits for it.
        server.stop()
        while await one.claim("c") != .unavailable {}
        #expect(await one.confirm("c") == false)
        await client.close()
        await otherClient.close()
    }
}
