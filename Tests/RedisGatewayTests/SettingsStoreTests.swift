import Gateway
import Logging
import NIOCore
import RESP
import RedisGateway
import RedisTestSupport
import SocketIOServer
import Testing

/// The settings document in Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct SettingsStoreTests {
    private func run(_ body: (RESPClient, any SettingsStore) async throws -> Void) async throws {
        let server = try await RedisServer.start()
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        do {
            try await client.connect()
            try await body(client, RedisSharing(client: client, prefix: "s").sharing.settings)
        } catch {
            await client.close()
            server.stop()
            throw error
        }
        await client.close()
        server.stop()
    }

    private static let document = "s-gateway:{settings}:document"
    private static let history = "s-gateway:{settings}:history"

    private func write(
        _ text: String,
        _ store: any SettingsStore,
        replacing revision: String,
        note: String? = nil
    ) async throws -> StoredSettings? {
        try await store.write(
            ByteBuffer(string: text),
            by: "Ada\n",
            at: 1_700_000_000_000,
            note: note,
            replacing: revision
        )
    }

    @Test func whatIsWrittenIsRead() async throws {
        try await self.run { _, store in
            #expect(try await store.read(unless: nil) == .nothing)
            #expect(try await store.read(unless: "0") == nil)
            let text = "{\"a\":\"\\u0000 line\\n\"}\n"
            let first = try #require(try await self.write(text, store, replacing: "0", note: "why"))
            #expect(first.document?.version == 1)
            #expect(try await store.read(unless: nil) == first)
            #expect(try await store.read(unless: first.revision) == nil)
            #expect(first.document?.settings == ByteBuffer(string: text))
            #expect(first.document?.author == "Ada ")
            #expect(first.document?.time == 1_700_000_000_000)
            #expect(try await store.history() == [first.document])
            // Another revision is not replaced.
            #expect(try await self.write("{}", store, replacing: "0") == nil)
            #expect(try await store.read(unless: nil) == first)
            let second = try #require(try await self.write("{}", store, replacing: first.revision))
            #expect(try await store.history() == [second.document, first.document])
        }
    }

    @Test func theHistoryIsBounded() async throws {
        try await self.run { _, store in
            var revision = "0"
            for _ in 0..<25 { revision = try #require(try await self.write("{}", store, replacing: revision)).revision }
            #expect(try await store.history().map(\.version) == Array((6...25).reversed()))
        }
    }

    /// Somebody has written something by hand: it is told as it is, it has a revision of its own, and it can be replaced.
    @Test(
        arguments: [
            ["HSET", Self.document, "settings", "{\"x\":1}"], ["HSET", Self.document, "version", "no number"],
            ["HDEL", Self.document, "settings"], ["DEL", Self.document], ["SET", Self.document, "{}"],
            ["LPUSH", Self.document, "x"], ["SET", Self.history, "x"], ["LPUSH", Self.history, "nonsense"],
            ["DEL", Self.document, Self.history],
        ]
    )
    func whateverIsWrittenByHandCanBeReplaced(_ words: [String]) async throws {
        try await self.run { client, store in
            let first = try #require(try await self.write("{\"a\":1}", store, replacing: "0"))
            if words[0] == "SET" || words[0] == "LPUSH" { _ = try? await client.send("DEL", .string(words[1])) }
            _ = try await client.send(RESPCommand(words: words))
            let found = try await store.read(unless: nil) ?? .nothing
            if words.contains(Self.document) { #expect(found.revision != first.revision) }
            if ["SET", "LPUSH"].contains(words[0]), words[1] == Self.document { #expect(found.problem != nil) }
            let second = try #require(try await self.write("{\"b\":2}", store, replacing: found.revision))
            #expect(try await store.read(unless: nil) == second)
            #expect(try await store.history().first == second.document)
        }
    }

    /// Everybody hears of a change, in the step that makes it.
    @Test func aChangeIsSignalled() async throws {
        try await self.run { client, store in
            let (stream, continuation) = AsyncStream<Signal>.makeStream()
            let signals = RedisSharing(client: client, prefix: "s").sharing.signals
            let subscription = signals.receive(.settings) { continuation.yield($0) }
            var heard = stream.makeAsyncIterator()
            #expect(await heard.next() == .gap)
            let written = try #require(try await self.write("{}", store, replacing: "0"))
            #expect(await heard.next() == .message(ByteBuffer(string: "{\"changed\":\"\(written.revision)\"}")))
            await subscription.cancel()
        }
    }

    @Test func aStoreThatIsAwaySaysSo() async throws {
        let client = RESPClient(
            configuration: try RESPConfiguration(url: "redis://127.0.0.1:1"),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let store = RedisSharing(client: client).sharing.settings
        await #expect(throws: ClusterError.self) { _ = try await store.read(unless: nil) }
        await #expect(throws: ClusterError.self) { _ = try await store.history() }
        await client.close()
    }
}
