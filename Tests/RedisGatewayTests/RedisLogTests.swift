import Gateway
import Logging
import NIOCore
import RESP
import RedisGateway
import RedisTestSupport
import SocketIOServer
import Testing

/// Logs that the nodes of a cluster write to a Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct RedisLogTests {
    private static func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    private func client(_ server: RedisServer) async throws -> RESPClient {
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await client.connect()
        return client
    }

    private func withNodes(_ body: ([any SharedLog], RESPClient, RedisServer) async throws -> Void) async throws {
        let server = try await RedisServer.start()
        let clients = [try await self.client(server), try await self.client(server)]
        let logs = clients.map { RedisSharing(client: $0, prefix: "app").sharing.eventLog }
        try await body(logs, clients[0], server)
        for client in clients { await client.close() }
        server.stop()
    }

    @Test func whatOneNodeWritesAllRead() async throws {
        try await self.withNodes { logs, client, _ in
            try await logs[0].append(["a", "b"].map(Self.bytes), keeping: 3)
            try await logs[1].append(["c", "d"].map(Self.bytes), keeping: 3)
            let all = try await logs[0].last(10, before: nil)
            #expect(all.map(\.bytes) == ["b", "c", "d"].map(Self.bytes))
            #expect(all.map(\.id) == all.map(\.id).sorted())
            #expect(try await logs[1].last(1, before: all[2].id).map(\.bytes) == [Self.bytes("c")])
            #expect(try await logs[1].last(10, before: all[0].id) == [])
            let page = try await logs[1].entries(after: all[0].id, count: 10)
            #expect(page == SharedLogPage(entries: Array(all[1...]), isWhole: true, newest: all[2].id))
            #expect(try await logs[1].entries(after: all[0].id, count: 1).entries == [all[1]])
            #expect(try await logs[1].entries(after: all[2].id, count: 1).isWhole)
            // What was between the place and the first entry is gone.
            let zero = LogEntryID(milliseconds: 0, sequence: 0)
            #expect(try await !logs[1].entries(after: zero, count: 1).isWhole)
            // Another log has its own entries.
            #expect(try await RedisSharing(client: client, prefix: "app").sharing.auditLog.last(10, before: nil) == [])
            #expect(try await RedisSharing(client: client, prefix: "b").sharing.eventLog.last(10, before: nil) == [])
        }
    }

    /// A log that was removed is another one: its readers are told that something is missing.
    @Test func aLogThatIsGoneIsNotWhole() async throws {
        try await self.withNodes { logs, client, _ in
            try await logs[0].append([Self.bytes("a")], keeping: 3)
            let id = try #require(try await logs[0].last(1, before: nil).first?.id)
            _ = try await client.send("DEL", "app-gateway:event-log")
            let page = try await logs[0].entries(after: id, count: 10)
            #expect(page == SharedLogPage(entries: [], isWhole: false, newest: nil))
        }
    }

    @Test func whatOthersWriteIntoTheStreamIsLeftOut() async throws {
        try await self.withNodes { logs, client, _ in
            _ = try await client.send("XADD", "app-gateway:event-log", "*", "other", "x")
            try await logs[0].append([Self.bytes("a")], keeping: 10)
            #expect(try await logs[0].last(10, before: nil).map(\.bytes) == [Self.bytes("a")])
        }
    }

    @Test func changesAreTold() async throws {
        try await self.withNodes { logs, _, _ in
            let (changes, changed) = AsyncStream.makeStream(of: Void.self)
            let subscription = logs[1].onChange { changed.yield() }
            var iterator = changes.makeAsyncIterator()
            // The first says that changes are heard from now on.
            _ = await iterator.next()
            try await logs[0].append([Self.bytes("a")], keeping: 10)
            _ = await iterator.next()
            #expect(try await logs[1].last(10, before: nil).count == 1)
            await subscription.cancel()
        }
    }

    @Test func whatRedisHasNotTakenIsTold() async throws {
        let server = try await RedisServer.start()
        let client = try await self.client(server)
        let log = RedisSharing(client: client).sharing.eventLog
        server.stop()
        await #expect(throws: ClusterError.self) { try await log.append([Self.bytes("a")], keeping: 1) }
        await #expect(throws: ClusterError.self) { _ = try await log.last(1, before: nil) }
        let zero = LogEntryID(milliseconds: 0, sequence: 0)
        await #expect(throws: ClusterError.self) { _ = try await log.entries(after: zero, count: 1) }
        await client.close()
    }
}
