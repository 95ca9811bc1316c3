import Logging
import NIOCore
import RESP
import RedisTestSupport
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import RedisAdapters

/// Clients that come back, and nodes that lose what they had, with a real Redis.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct StreamsRealTests {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func run(
        _ kind: ClusterKind = .streams,
        _ body: (TestCluster, RESPClient) async throws -> Void
    ) async throws {
        try await TestCluster.run(kind, recovery: ConnectionStateRecovery()) { cluster in
            let redis = try #require(cluster.redis)
            let somebody = RESPClient(configuration: try RESPConfiguration(url: redis.url), logger: self.logger)
            try await somebody.connect()
            try await body(cluster, somebody)
            await somebody.close()
        }
    }

    /// Cuts a client off, and returns when its node has noticed.
    private func cut(_ visitor: Returner, _ cluster: TestCluster, _ node: Int) async throws {
        let gone = AsyncStream<Void>.makeStream()
        let sid = UTF8Text(visitor.sid)
        cluster.nodes[node].sockets.onDisconnect { socket, _ in
            if UTF8Text(socket.id.description) == sid { gone.continuation.yield() }
        }
        try await visitor.client.reset()
        for await _ in gone.stream { break }
    }

    @Test(arguments: [ClusterKind.streams, .streamsSharded])
    func clientRoams(_ kind: ClusterKind) async throws {
        try await self.run(kind) { cluster, _ in
            let first = try await Returner.connect(cluster, 0, in: "r")
            cluster.last.to("r").emit("seen")
            let (seen, offset) = try await first.event()
            #expect(seen == "42[\"seen\"]" && offset != nil)
            let witnesses = [
                try await Returner.connect(cluster, 0, in: "w"), try await Returner.connect(cluster, 1, in: "w"),
            ]
            /// Returns when both nodes have read all that either has sent.
            func settle() async throws {
                for node in cluster.nodes { node.to("w").emit("mark") }
                for witness in witnesses { for _ in 0..<2 { try await witness.read(until: "42[\"mark\"]") } }
            }
            try await self.cut(first, cluster, 0)
            cluster.first.to("r").emit("missed", 1)
            cluster.last.to("r").emit("missed", 2)
            cluster.last.to(Room(first.sid)).emit("missed", 3)
            cluster.last.to("s").emit("never")
            cluster.first.sockets.except("r").emit("never")
            try await settle()
            let (missed, second) = try await first.back(cluster, 1, offset: offset)
            #expect(missed.sorted() == (1...3).map { "42[\"missed\",\($0)]" })
            #expect(second.sid == first.sid && second.pid == first.pid)
            cluster.first.to("r").emit("live")
            var event = try await second.event()
            while event.text.hasPrefix("42[\"live\"]") == false { event = try await second.event() }
            // And home again, from an offset of the other node.
            try await self.cut(second, cluster, 1)
            cluster.last.to("r").emit("missed", 4)
            try await settle()
            let (more, third) = try await second.back(cluster, 0, offset: event.offset)
            #expect(more == ["42[\"missed\",4]"])
            #expect(third.sid == first.sid)
            try await #expect(cluster.first.to("r").fetchSockets().count == 1)
        }
    }

    /// It has received nothing yet, and its node is dead.
    @Test func clientOfAKilledNodeComesBack() async throws {
        try await self.run { cluster, _ in
            let first = try await Returner.connect(cluster, 0, in: "r")
            // The other node hears of it by what is in Redis alone.
            try await self.settle(cluster, 0)
            await cluster.clients[0].close()
            cluster.last.to("r").emit("missed")
            let (missed, second) = try await first.back(cluster, 1, offset: first.told)
            #expect(missed == ["42[\"missed\"]"])
            #expect(second.sid == first.sid)
        }
    }

    /// It is back before its old connection is known to be lost.
    @Test func clientTakesItsOldConnectionOver() async throws {
        try await self.run { cluster, _ in
            let first = try await Returner.connect(cluster, 0, in: "r")
            cluster.last.to("r").emit("seen")
            let offset = try await first.event().offset
            cluster.last.to("r").emit("missed")
            let (missed, second) = try await first.back(cluster, 1, offset: offset)
            #expect(missed == ["42[\"missed\"]"])
            #expect(second.sid == first.sid)
            try await #expect(cluster.first.to("r").fetchSockets().count == 1)
        }
    }

    /// Waits until what a node has written is in Redis.
    private func settle(_ cluster: TestCluster, _ node: Int) async throws {
        // A session is written at the end of the tick in which it has changed.
        _ = try await cluster.nodes[node].sockets.fetchSockets()
        try await cluster.clients[node].flush()
    }

    /// A node that has not read anything of what happened before.
    private func withLateNode(_ cluster: TestCluster, _ body: (SocketAddress) async throws -> Void) async throws {
        let redis = try #require(cluster.redis)
        let client = RESPClient(configuration: try RESPConfiguration(url: redis.url), logger: self.logger)
        try await client.connect()
        var configuration = SocketServerConfiguration()
        configuration.connectionStateRecovery = ConnectionStateRecovery()
        let factory = StreamsAdapterFactory(client: client, logger: self.logger)
        let node = SocketServer(configuration: configuration, adapter: factory)
        try await node.start()
        var failure: (any Error)?
        do {
            try await body(try await node.listen(host: "127.0.0.1", port: 0))
        } catch {
            failure = error
        }
        await node.close()
        await client.close()
        if let failure { throw failure }
    }

    enum Loss: CaseIterable, Sendable {
        case none
        case flush
        case deletedStream
        case trim
        case deletedEntry
        case sessions
        case restart
    }

    private func lose(_ loss: Loss, _ client: Returner, _ cluster: TestCluster, _ somebody: RESPClient) async throws {
        switch loss {
        case .none: break
        case .flush: _ = try await somebody.send("FLUSHALL")
        case .deletedStream: _ = try await somebody.send("DEL", "socket.io")
        case .trim: _ = try await somebody.send("XTRIM", "socket.io", "MAXLEN", "1")
        case .deletedEntry:
            let entries = try RESPStreamEntry.entries(try await somebody.send("XRANGE", "socket.io", "-", "+"))
            let id = try #require(entries.dropLast().last?.id)
            _ = try await somebody.send("XDEL", "socket.io", .string(id.description))
        case .sessions:
            _ = try await somebody.send("DEL", "sio:session:\(client.pid)", "swift:{sio:session:\(client.pid)}")
        case .restart:
            let redis = try #require(cluster.redis)
            redis.stop()
            try await redis.start()
            for client in cluster.clients { while !client.isReady { await Task.yield() } }
        }
    }

    /// Whatever is lost: a client gets all that it has missed, or is a new one and is told nothing.
    @Test(arguments: Loss.allCases, [0, 1, 2]) func lossIsTold(_ loss: Loss, node: Int) async throws {
        try await self.run { cluster, somebody in
            let witnesses = [
                try await Returner.connect(cluster, 0, in: "r"), try await Returner.connect(cluster, 1, in: "r"),
            ]
            let first = try await Returner.connect(cluster, 0, in: "r")
            cluster.last.to("r").emit("seen")
            let offset = try await first.event().offset
            try await self.cut(first, cluster, 0)
            try await self.settle(cluster, 0)
            cluster.last.to("r").emit("missed", 1)
            cluster.last.to("r").emit("missed", 2)
            for witness in witnesses { try await witness.read(until: "42[\"missed\",2]") }
            try await self.lose(loss, first, cluster, somebody)
            // What is added afterwards makes nothing good.
            cluster.last.to("r").emit("later")
            for witness in witnesses { try await witness.read(until: "42[\"later\"]") }

            // Nodes that were there have kept what Redis has lost of the stream; a session is in Redis alone.
            let isKept: Set<Loss> = node < 2 ? [.none, .trim, .deletedEntry, .deletedStream] : [.none]
            func check(_ address: SocketAddress) async throws {
                let (missed, second) = try await first.back(to: address, offset: offset)
                if isKept.contains(loss) {
                    #expect(missed == ["42[\"missed\",1]", "42[\"missed\",2]", "42[\"later\"]"])
                    #expect(second.sid == first.sid)
                } else {
                    #expect(missed == [])
                    #expect(second.sid != first.sid)
                }
                // And it goes on from here.
                cluster.first.emit("live")
                try await #expect(second.event().text == "42[\"live\"]")
            }
            if node < 2 {
                try await check(cluster.addresses[node])
            } else {
                try await self.withLateNode(cluster, check)
            }
        }
    }

    /// Readers lose their connections, again and again: nobody misses anything, or gets it twice.
    @Test func lostConnectionsLoseNoEvents() async throws {
        try await self.run { cluster, somebody in
            let clients = [
                try await Returner.connect(cluster, 0, in: "r"), try await Returner.connect(cluster, 1, in: "r"),
            ]
            for round in 0..<3 {
                let list = try #require(try await somebody.send("CLIENT", "LIST").stringValue)
                for line in list.split(separator: "\n") where line.contains("cmd=xread") {
                    let id = try #require(line.split(separator: " ").first?.split(separator: "=").last)
                    _ = try await somebody.send("CLIENT", "KILL", "ID", .string(String(id)))
                }
                for number in 0..<20 { cluster.nodes[number % 2].to("r").emit("e", round, number) }
                for client in clients {
                    var seen: Set<String> = []
                    while seen.count < 20 {
                        let text = try await client.event().text
                        #expect(seen.insert(text).inserted, "twice: \(text)")
                    }
                }
            }
        }
    }

    /// What official nodes have written: a session, and events.
    @Test func clientOfANodeJSNodeComesBack() async throws {
        try await self.run { cluster, somebody in
            func add(_ event: String, _ rooms: String) async throws -> String {
                let data =
                    "{\"packet\":{\"type\":2,\"data\":[\"\(event)\"]},"
                    + "\"opts\":{\"rooms\":[\(rooms)],\"except\":[],\"flags\":{}}}"
                let reply = try await somebody.send(
                    "XADD",
                    "socket.io",
                    "MAXLEN",
                    "~",
                    "10000",
                    "*",
                    "uid",
                    "b55ba709762ce6eb",
                    "nsp",
                    "/",
                    "type",
                    "3",
                    "data",
                    .string(data)
                )
                return try #require(reply.stringValue)
            }
            let seen = try await add("seen", "")
            let recorded = try #require(StreamRecord.recovery.first { $0.id == "connection-lost" }?.sentCommands.first)
            var command = RESPCommand("SET")
            command.words += recorded.arguments.map { .string($0) }
            _ = try await somebody.send(command)
            for (event, rooms) in [
                ("m1", ""), ("m2", "\"r1\""), ("m3", "\"other\""), ("m4", "\"ZLFU3bKYLmgxTwHhAAA9\""),
            ] {
                _ = try await add(event, rooms)
            }
            let client = try await TestClient.connect(to: cluster.addresses[1])
            try await client.send("40{\"pid\":\"ACMmYZu8bgFYPwsGAAA-\",\"offset\":\"\(seen)\"}")
            for event in ["m1", "m2", "m4"] {
                #expect(await client.nextText()?.hasPrefix("42[\"\(event)\",\"") == true)
            }
            let answer = try #require(await client.nextText())
            #expect(answer.contains("\"sid\":\"ZLFU3bKYLmgxTwHhAAA9\",\"pid\":\"ACMmYZu8bgFYPwsGAAA-\""), "\(answer)")
            try await #expect(somebody.send("GET", "sio:session:ACMmYZu8bgFYPwsGAAA-") == .null)
        }
    }

    /// A Redis that executes nothing delays this node's clients by a moment only.
    @Test func frozenRedis() async throws {
        try await self.run { cluster, _ in
            let redis = try #require(cluster.redis)
            let client = try await Returner.connect(cluster, 0, in: "r")
            redis.freeze()
            let started = ContinuousClock.now
            cluster.first.to("r").emit("during")
            let event = try await client.event()
            #expect(event.text == "42[\"during\"]" && event.offset == nil)
            #expect(ContinuousClock.now - started < .seconds(5))
            redis.thaw()
            cluster.first.to("r").emit("after")
            var text = ""
            repeat { text = try await client.event().text } while text != "42[\"after\"]"
        }
    }

    // MARK: Rights

    private static let commands = [
        "+xadd", "+xread", "+xinfo", "+publish", "+subscribe", "+pubsub", "+xrange", "+info", "+eval", "+get",
        "+getrange", "+set", "+del", "+pttl", "+pexpire",
    ]
    private static let names = ["~socket.io", "~sio:session:*", "~swift:{sio:session:*", "&socket.io#*"]

    /// Starts a node as a user with these rights.
    private func start(_ rights: [String]) async throws -> (any Error)? {
        var configuration = SocketServerConfiguration()
        configuration.connectionStateRecovery = ConnectionStateRecovery()
        return try await NarrowUser.startNode(rights, configuration: configuration) {
            StreamsAdapterFactory(client: $0, logger: $1)
        }
    }

    @Test func whatTheErrorAsksForIsEnough() async throws {
        let failure = try await self.start(Self.commands + Self.names)
        #expect(failure == nil, "\(failure.map { "\($0)" } ?? "")")
    }

    /// Each right alone, for a user who may ask for his rights, and for one who may not.
    @Test(arguments: Self.commands + Self.names, [true, false])
    func eachMissingRightIsNamed(_ right: String, mayAsk: Bool) async throws {
        let rights = (Self.commands + Self.names).filter { $0 != right } + (mayAsk ? ["+acl"] : [])
        let failure = try #require(try await self.start(rights))
        let message = "\(failure)".uppercased()
        #expect(message.contains("NOPERM"))
        let name = right.dropFirst().uppercased()
        #expect(message.contains(right.hasPrefix("&") ? " TO SOCKET.IO#" : name))
    }

    @Test func streamOfAnotherTypeIsNamed() async throws {
        let server = try await RedisServer.start()
        let client = RESPClient(configuration: try RESPConfiguration(url: server.url), logger: self.logger)
        try await client.connect()
        _ = try await client.send("SET", "socket.io", "text")
        let node = SocketServer(adapter: StreamsAdapterFactory(client: client, logger: self.logger))
        let failure = await #expect(throws: ClusterError.self) { try await node.start() }
        #expect(failure?.message.contains("WRONGTYPE") == true)
        await node.close()
        await client.close()
    }
}
