import Logging
import NIOCore
import RESP
import RedisGateway
import RedisTestSupport
import SocketIOServer
import SocketIOTestSupport
import Testing

@testable import Gateway

/// The cluster's token buckets in a Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct LimitTests {
    private func client(_ server: RedisServer) async throws -> RESPClient {
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await client.connect()
        return client
    }

    /// The script and the buckets in memory come to the same; both fill so slowly that the short time does not matter.
    @Test func theScriptCalculatesWhatThePoolDoes() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let limits = RedisSharing(client: client, prefix: "app").sharing.limits
        var pool = LimitPool()
        var random = SystemRandomNumberGenerator()
        for turn in 0..<40 {
            let buckets = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                LimitReport.Bucket(
                    name: "user:joins:\(Int.random(in: 0..<8, using: &random)) ü\"\n",
                    rate: LimitRate(perSecond: 1e-9, capacity: 1000),
                    spent: Double(Int.random(in: 0...40, using: &random)),
                    demand: Double.random(in: 0...100, using: &random)
                )
            }
            let report = LimitReport(node: "node-\(turn % 3)", buckets: buckets)
            let answer = try await limits.exchange(report)
            let expected = pool.exchange(report, at: 1)
            #expect(answer.nodes == expected.nodes)
            #expect(answer.buckets.count == expected.buckets.count)
            for (one, other) in zip(answer.buckets, expected.buckets) {
                #expect(abs(one.level - other.level) < 1e-3)
                #expect(abs(one.weight - other.weight) < 1e-9)
            }
        }
        // All of it goes away by itself.
        let keys = try await client.send("KEYS", "app-gateway:limits*").arrayValue ?? []
        #expect(keys.count > 1)
        for key in keys {
            let life = try await client.send("PTTL", .string(key.stringValue ?? "")).integerValue ?? -1
            #expect(life > 0)
        }
        await client.close()
        server.stop()
    }

    /// A bucket fills by the clock of Redis.
    @Test func bucketsFill() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let limits = RedisSharing(client: client).sharing.limits
        let rate = LimitRate(perSecond: 1e6, capacity: 50)
        func level(_ spent: Double) async throws -> Double? {
            let bucket = LimitReport.Bucket(name: "a", rate: rate, spent: spent, demand: 1)
            return try await limits.exchange(LimitReport(node: "n", buckets: [bucket])).buckets.first?.level
        }
        #expect(try await level(50) == 0)
        #expect(try await level(0) == 50)
        // Debts are hardly larger than the bucket.
        #expect(try await level(5000) == -51)
        await client.close()
        server.stop()
    }

    @Test func aRedisThatIsAwayIsTold() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let limits = RedisSharing(client: client).sharing.limits
        server.stop()
        await #expect(throws: ClusterError.self) { try await limits.exchange(LimitReport(node: "n")) }
        await client.close()
    }

    /// Whoever writes something else into the keys ends no node.
    @Test func keysOfAnotherKindAreTold() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let limits = RedisSharing(client: client, prefix: "app").sharing.limits
        _ = try await client.send("SET", "app-gateway:limits:a", "x")
        let rate = LimitRate(perSecond: 1, capacity: 50)
        let bucket = LimitReport.Bucket(name: "a", rate: rate, spent: 1, demand: 1)
        await #expect(throws: ClusterError.self) {
            try await limits.exchange(LimitReport(node: "n", buckets: [bucket]))
        }
        await client.close()
        server.stop()
    }
}
