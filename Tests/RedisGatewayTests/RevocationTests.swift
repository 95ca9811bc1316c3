import Gateway
import Logging
import NIOCore
import RESP
import RedisGateway
import RedisTestSupport
import SocketIOServer
import SocketIOWire
import Testing

/// Revocations in a Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct RedisRevocationTests {
    private func client(_ server: RedisServer) async throws -> RESPClient {
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await client.connect()
        return client
    }

    /// Runs with a store of revocations, and a client for everything else.
    private func run(_ body: (Sharing, any RevocationStore, RESPClient) async throws -> Void) async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let sharing = RedisSharing(client: client, prefix: "app").sharing
        try await body(sharing, sharing.revocations, client)
        await client.close()
        server.stop()
    }

    private func sorted(_ revocations: [Revocation]) -> [Revocation] { revocations.sorted { $0.name < $1.name } }

    private static let future = 4_000_000_000.0

    @Test func allKindsAreKeptUntilTheyEnd() async throws {
        try await self.run { _, store, client in
            let revocations = [
                Revocation(.everybody, issuedBefore: 1_700_000_000.5, endsAt: Self.future),
                Revocation(.apiToken(id: "t"), endsAt: nil),
                Revocation(.token(id: "a b\né"), endsAt: Self.future + 0.25),
                Revocation(.user(id: "7"), issuedBefore: 5, endsAt: Self.future + 1),
            ]
            #expect(try await store.version() == 0)
            #expect(try await store.all() == [])
            for revocation in revocations { try await store.add(revocation) }
            #expect(try await self.sorted(store.all()) == self.sorted(revocations))
            #expect(try await store.version() == 4)
            // One without end keeps the keys; the rest goes with the last of them.
            for key in ["ends", "marks"] {
                #expect(try await client.send("PTTL", .string("app-gateway:{revocations}:\(key)")) == .integer(-1))
            }
            try await store.add(Revocation(.token(id: "old"), endsAt: 5))
            #expect(try await store.all().count == 4)
            try await store.add(Revocation(.token(id: "other"), endsAt: Self.future))
            let names = try await client.send("HKEYS", "app-gateway:{revocations}:marks")
            #expect(!"\(names)".contains("old"))
        }
    }

    @Test func theKeysGoWithTheLastRevocation() async throws {
        try await self.run { _, store, client in
            try await store.add(Revocation(.token(id: "a"), endsAt: Self.future))
            for key in ["ends", "marks"] {
                guard
                    case .integer(let time) = try await client.send(
                        "PTTL",
                        .string("app-gateway:{revocations}:\(key)")
                    )
                else { throw ClusterError(code: .unreachable, message: "no number") }
                #expect(time > 1_000_000)
            }
        }
    }

    @Test func twoOfTheSameNameAreOneAndTheStrongerCounts() async throws {
        try await self.run { _, store, _ in
            let ends = Self.future
            try await store.add(Revocation(.user(id: "7"), issuedBefore: 1_700_000_000, endsAt: ends))
            try await store.add(Revocation(.user(id: "7"), issuedBefore: 999_999_999.5, endsAt: ends + 10))
            #expect(
                try await store.all() == [Revocation(.user(id: "7"), issuedBefore: 1_700_000_000, endsAt: ends + 10)]
            )
            try await store.add(Revocation(.user(id: "7"), issuedBefore: 1_700_000_001, endsAt: nil))
            try await store.add(Revocation(.user(id: "7"), issuedBefore: 1, endsAt: ends))
            #expect(try await store.all() == [Revocation(.user(id: "7"), issuedBefore: 1_700_000_001, endsAt: nil)])
        }
    }

    @Test func moreThanAPageIsRead() async throws {
        try await self.run { _, store, _ in
            for number in 0..<2500 {
                try await store.add(Revocation(.token(id: UTF8Text("\(number)")), endsAt: Self.future + Double(number)))
            }
            #expect(try await Set(store.all().map(\.name)).count == 2500)
        }
    }

    @Test func everyNodeHearsOfAnAddition() async throws {
        try await self.run { sharing, store, _ in
            let (stream, continuation) = AsyncStream<Signal>.makeStream()
            let subscription = sharing.signals.receive(.revocations) { continuation.yield($0) }
            var signals = stream.makeAsyncIterator()
            #expect(await signals.next() == .gap)
            let revocation = Revocation(.user(id: "é 7"), issuedBefore: 1_700_000_000.5, endsAt: Self.future)
            try await store.add(revocation)
            guard case .message(let bytes)? = await signals.next() else {
                throw ClusterError(code: .unreachable, message: "no signal")
            }
            #expect(RevocationSignal(bytes) == RevocationSignal(version: 1, revocation))
            await subscription.cancel()
        }
    }

    @Test func aRedisThatIsAwayIsTold() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let store = RedisSharing(client: client).sharing.revocations
        server.stop()
        await #expect(throws: ClusterError.self) { try await store.add(Revocation(.token(id: "a"), endsAt: nil)) }
        await #expect(throws: ClusterError.self) { try await store.all() }
        await client.close()
        do {
            _ = try await store.version()
        } catch let error as ClusterError {
            #expect(error.code == .closed)
        }
    }
}
