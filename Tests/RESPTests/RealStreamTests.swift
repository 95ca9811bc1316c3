import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisTestSupport
import Testing

@testable import RESP

private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Streams, sharded channels and rosters of a real `redis-server`.
@Suite(.timeLimit(.minutes(1)))
struct RealStreamTests {
    private func connected(_ server: RedisServer, resp3: Bool = true, name: String? = nil) async throws -> RESPClient {
        var configuration = try RESPConfiguration(url: server.url)
        configuration.prefersRESP3 = resp3
        configuration.clientName = name
        let client = RESPClient(configuration: configuration, logger: logger)
        try await client.connect()
        return client
    }

    private func add(_ client: RESPClient, _ text: String) throws {
        try client.keep(RESPCommand("XADD", "s", "*", "f", .string(text)), resends: true) { _ in }
    }

    @Test(arguments: [true, false])
    func readsEverythingOnceOverALoss(resp3: Bool) async throws {
        let server = try await RedisServer.start()
        let client = try await self.connected(server, resp3: resp3, name: "reader")
        _ = try await client.send("XADD", "s", "*", "f", "before")
        let (texts, continuation) = AsyncStream<String>.makeStream()
        let reader = client.readStreams(["s"], count: 3) { event in
            switch event {
            case .started: continuation.yield("started")
            case .interrupted: continuation.yield("interrupted")
            case .unusable: continuation.yield("unusable")
            case .entries(_, let entries):
                for entry in entries { continuation.yield(entry["f"].map { String(buffer: $0) } ?? "") }
            }
        }
        var iterator = texts.makeAsyncIterator()
        #expect(await iterator.next() == "started")
        for number in 0..<10 { try self.add(client, "\(number)") }
        for number in 0..<10 { #expect(await iterator.next() == "\(number)") }
        // All connections: what is added meanwhile waits, and nothing is read twice.
        _ = try await client.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        for number in 10..<20 { try self.add(client, "\(number)") }
        #expect(await iterator.next() == "interrupted")
        #expect(await iterator.next() == "started")
        for number in 10..<20 { #expect(await iterator.next() == "\(number)") }
        await reader.cancel()
        try self.add(client, "nobody reads this")
        try await client.flush()
        continuation.finish()
        #expect(await iterator.next() == nil)
        // Nothing waits in Redis for who has left.
        var blocked = "?"
        for _ in 0..<200 {
            let lines = try await client.send("INFO", "clients").stringValue?.split(whereSeparator: \.isNewline) ?? []
            blocked = lines.first { $0.hasPrefix("blocked_clients:") }.map(String.init) ?? ""
            if blocked == "blocked_clients:0" { break }
        }
        #expect(blocked == "blocked_clients:0")
        await client.close()
    }

    @Test(arguments: [true, false])
    func commandsOfStreamsAndSessions(resp3: Bool) async throws {
        let server = try await RedisServer.start()
        let client = try await self.connected(server, resp3: resp3)
        for number in 1...5 {
            _ = try await client.send("XADD", "s", "MAXLEN", "4", .string("\(number)-0"), "n", .int(number))
        }
        let info = try RESPStreamInfo(try await client.send("XINFO", "STREAM", "s"))
        #expect(info.length == 4 && info.lastGeneratedID.milliseconds == 5 && info.firstID?.milliseconds == 2)
        let entries = try RESPStreamEntry.entries(try await client.send("XRANGE", "s", "(2-0", "+"))
        #expect(entries.map(\.id.milliseconds) == [3, 4, 5])
        #expect(entries.last?["n"] == ByteBuffer(string: "5"))
        #expect(try await client.send("SET", "session", "x", "PX", 60_000) == .simpleString("OK"))
        let taken = try await client.transaction([RESPCommand("GET", "session"), RESPCommand("DEL", "session")])
        #expect(taken.first?.stringValue == "x" && taken.last?.integerValue == 1)
        let replication = try await client.send("INFO", "replication").stringValue
        #expect(replication?.contains("master_replid:") == true)
        let together = try await client.send([RESPCommand("GET", "session"), RESPCommand("XLEN", "session")])
        #expect(together == [.null, .integer(0)])
        await client.close()
    }

    @Test(arguments: [true, false])
    func shardedChannels(resp3: Bool) async throws {
        let server = try await RedisServer.start()
        let client = try await self.connected(server, resp3: resp3)
        let (messages, continuation) = AsyncStream<RESPMessage>.makeStream()
        let subscription = try await client.subscribe(channels: ["c"], shardedChannels: ["c", "d"]) {
            continuation.yield($0)
        }
        try client.publish(shardedChannel: "c", message: ByteBuffer(string: "1"))
        try client.publish(channel: "c", message: ByteBuffer(string: "2"))
        try client.publish(shardedChannel: "d", message: ByteBuffer(string: "3"))
        var iterator = messages.makeAsyncIterator()
        for (text, isSharded) in [("1", true), ("2", false), ("3", true)] {
            let message = await iterator.next()
            #expect(message.map { String(buffer: $0.payload) } == text)
            #expect(message?.isSharded == isSharded)
        }
        #expect(try await client.send("PUBSUB", "SHARDNUMSUB", "c").arrayValue?.last?.integerValue == 1)
        await subscription.cancel()
        #expect(try await self.channels(client, "SHARDCHANNELS") == 0)
        await client.close()
    }

    /// Many names come, are heard each, outlive a loss, and go.
    @Test(arguments: [RESPSubscriptionKind.channel, .shardedChannel])
    func manyNames(kind: RESPSubscriptionKind) async throws {
        let server = try await RedisServer.start()
        // Not a loop that other tests share: without optimisation this keeps it busy for seconds.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = RESPClient(
            configuration: try RESPConfiguration(url: server.url),
            eventLoopGroup: group,
            logger: logger
        )
        try await client.connect()
        let roster = client.addRoster(of: kind) { _ in }
        let count = 10_000
        let heard = NIOLockedValueBox(0)
        let (all, continuation) = AsyncStream<Void>.makeStream()
        for number in 0..<count {
            roster.insert("room:\(number)") { result in
                guard case .success = result else { return }
                let isLast = heard.withLockedValue { heard in
                    heard += 1
                    return heard == count
                }
                if isLast { continuation.yield() }
            }
        }
        var iterator = all.makeAsyncIterator()
        await iterator.next()
        let question: RESPCommand.Argument = kind == .channel ? "CHANNELS" : "SHARDCHANNELS"
        #expect(try await self.channels(client, question) == count)
        let (states, stateContinuation) = AsyncStream<Bool>.makeStream()
        client.onGap { stateContinuation.yield($0.isOver) }
        _ = try await client.send("CLIENT", "KILL", "TYPE", "pubsub")
        for await isOver in states where isOver { break }
        #expect(try await self.channels(client, question) == count)
        for number in 0..<count - 1 { roster.remove("room:\(number)") }
        try await roster.subscribe(to: "last")
        #expect(try await self.channels(client, question) == 2)
        await roster.cancel()
        #expect(try await self.channels(client, question) == 0)
        await client.close()
        try await group.shutdownGracefully()
    }

    /// How many there are once everything that was written before is executed on the other connection, too.
    private func channels(_ client: RESPClient, _ question: RESPCommand.Argument) async throws -> Int {
        let marker = try await client.subscribe(patterns: ["marker"]) { _ in }
        await marker.cancel()
        return try await client.send("PUBSUB", question).arrayValue?.count ?? -1
    }
}
