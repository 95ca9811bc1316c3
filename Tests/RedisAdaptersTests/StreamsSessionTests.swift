import NIOCore
import OrderedCollections
import RESP
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters
@testable import SocketIOServer

/// Sessions of clients that come back: on any node, once, as they were, whoever has kept them.
@Suite(.timeLimit(.minutes(1)))
struct StreamsSessionTests {
    static let secret = "ACMmYZu8bgFYPwsGAAA-"
    static let socket = "ZLFU3bKYLmgxTwHhAAA9"
    static let official = "sio:session:\(Self.secret)"
    static let own = "swift:{\(Self.official)}"

    static func session(
        claim: UInt64 = 7,
        isNew: Bool = true,
        isAway: Bool = true,
        data: JSONValue = ["joined": "r1"],
        rooms: [Room] = ["r1"]
    ) throws -> KeptSession {
        let place = try #require(EventOffset("1000-0"))
        let record = KeptSession.Record(
            claim: claim,
            isNew: isNew,
            isAway: isAway,
            history: "first",
            connected: place,
            handled: place,
            told: place,
            lastSent: nil,
            completeFrom: place,
            isBehind: false,
            stays: rooms.map { KeptSession.Stay(room: $0, joined: place, left: nil) }
        )
        return KeptSession(
            id: try #require(SessionID(Self.secret)),
            socketID: try #require(SocketID(Self.socket)),
            rooms: rooms,
            data: data,
            record: record
        )
    }

    private func taken(_ session: KeptSession) -> KeptSession {
        var session = session
        session.record?.isNew = false
        return session
    }

    /// What a Node.js node does to have a session.
    private func takenByNode(_ redis: InProcessStreams) throws -> KeptSession? {
        let reply = redis.execute("node", "GET", Self.official)
        redis.execute("node", "DEL", Self.official)
        return try reply.bytes.map { try KeptSession(parsing: $0) }
    }

    @Test(arguments: [0, 1]) func sessionIsTakenAsItWas(by number: Int) async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session(data: ["name": "x", "bytes": .binary(ByteBuffer(bytes: [1, 2]))])
            cluster[0].adapter.keep(session, for: .seconds(120))
            #expect(Set(cluster.redis.keys.keys) == [Self.own, Self.official])
            let taken = try await cluster[number].adapter.takeSession(session.id)
            #expect(taken == self.taken(session))
            #expect(cluster.redis.keys.isEmpty)
            try await #expect(cluster[number].adapter.takeSession(session.id) == nil)
        }
    }

    /// However many ask.
    @Test func sessionIsTakenOnce() async throws {
        try await LogCluster.run(3) { cluster in
            let session = try Self.session()
            cluster[0].adapter.keep(session, for: .seconds(120))
            let count = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<30 {
                    let adapter = cluster[index % 3].adapter
                    group.addTask { (try? await adapter.takeSession(session.id)) ?? nil != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 1)
        }
    }

    /// Only who is away is visible to Node.js nodes, in exactly the form of theirs.
    @Test func officialForm() async throws {
        try await LogCluster.run { cluster in
            cluster[0].adapter.keep(try Self.session(isAway: false), for: .seconds(200))
            #expect(Set(cluster.redis.keys.keys) == [Self.own])
            cluster[0].adapter.keep(try Self.session(isNew: false), for: .seconds(120))
            let recorded = try #require(StreamRecord.recovery.first { $0.id == "connection-lost" })
            let sets = cluster.redis.redis.commands.filter { $0.name == "SET" && $0.arguments[0] == Self.official }
            #expect(sets.map(\.arguments) == recorded.sentCommands.map(\.arguments))
            // It came back.
            cluster[0].adapter.keep(try Self.session(isNew: false, isAway: false), for: .seconds(200))
            #expect(Set(cluster.redis.keys.keys) == [Self.own])
        }
    }

    /// Every session that the official adapter was seen to keep.
    @Test(arguments: StreamRecord.recovery.flatMap(\.sentCommands).filter { $0.name == "SET" }.map(\.arguments))
    func officialSessionsAreTaken(_ arguments: [String]) async throws {
        try await LogCluster.run { cluster in
            cluster.redis.execute("node", (["SET"] + arguments).map { ByteBuffer(string: $0) })
            let id = try #require(SessionID(String(arguments[0].dropFirst("sio:session:".count))))
            let session = try #require(try await cluster[0].adapter.takeSession(id))
            #expect(session.id == id && session.record == nil)
            #expect(session.stream.text == ByteBuffer(string: arguments[1]))
            #expect(cluster.redis.keys.isEmpty)
        }
    }

    @Test func nodeTakesFromSwiftAndBack() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session()
            cluster[0].adapter.keep(session, for: .seconds(120))
            let seen = try #require(try self.takenByNode(cluster.redis))
            #expect(seen.socketID == session.socketID && seen.rooms == session.rooms && seen.data == session.data)
            // It is there now: nobody else may have it, though something is left.
            try await #expect(cluster[1].adapter.takeSession(session.id) == nil)
            cluster[0].adapter.keep(session, for: .seconds(120))
            _ = try self.takenByNode(cluster.redis)
            // And it leaves there, with another room.
            cluster.redis.advance(by: 500)
            let later = StreamSession(
                socketID: UTF8Text(Self.socket),
                sessionID: UTF8Text(Self.secret),
                rooms: [Room(Self.socket), "r1", "r2"],
                data: ["joined": "r1"]
            )
            cluster.redis.execute("node", "SET", Self.official, String(buffer: later.text), "PX", "120000")
            let taken = try #require(try await cluster[1].adapter.takeSession(session.id))
            #expect(taken.rooms == ["r1", "r2"] && taken.record == nil)
        }
    }

    /// Even if it is byte for byte what was kept here: what it was sent there is not known here.
    @Test func sameSessionKeptLaterByNode() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session()
            cluster[0].adapter.keep(session, for: .seconds(120))
            cluster.redis.advance(by: 1)
            cluster.redis.execute("node", "SET", Self.official, String(buffer: session.stream.text), "PX", "120000")
            try await #expect(cluster[1].adapter.takeSession(session.id)?.record == nil)
        }
    }

    @Test func whoHasNoClaimHasNoSay() async throws {
        try await LogCluster.run { cluster in
            let old = try Self.session(claim: 7)
            cluster[0].adapter.keep(old, for: .seconds(120))
            _ = try await cluster[1].adapter.takeSession(old.id)
            // The first node is late: nothing is kept any more, or something else.
            cluster[0].adapter.keep(try Self.session(claim: 7, isNew: false, data: "old"), for: .seconds(120))
            #expect(cluster.redis.keys.isEmpty)
            let new = try Self.session(claim: 8, data: "new")
            cluster[1].adapter.keep(new, for: .seconds(120))
            cluster[0].adapter.keep(try Self.session(claim: 7, isNew: false, data: "old"), for: .seconds(120))
            cluster[0].adapter.forget(old.id)
            try await #expect(cluster[0].adapter.takeSession(old.id) == self.taken(new))
        }
    }

    @Test func lifetimes() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session(isAway: false)
            cluster[0].adapter.keep(session, for: .seconds(1))
            cluster.redis.advance(by: 900)
            cluster[0].adapter.prolong([session.id], for: .seconds(1))
            cluster.redis.advance(by: 900)
            #expect(cluster.redis.keys.count == 1)
            cluster.redis.advance(by: 100)
            try await #expect(cluster[0].adapter.takeSession(session.id) == nil)
            cluster[0].adapter.keep(session, for: .seconds(1))
            cluster[0].adapter.forget(session.id)
            #expect(cluster.redis.keys.isEmpty)
        }
    }

    @Test func sessionsOfOtherNamespacesStay() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session()
            cluster[0].adapter.keep(session, for: .seconds(120))
            let other = LogHost(name: "/other", eventLoop: cluster.loop)
            let bus = cluster.redis.bus("C", on: cluster.loop)
            let factory = StreamsAdapterFactory.ofTest(StreamsAdapterConfiguration(), bus)
            let adapter = try #require(factory.makeAdapter(for: other) as? StreamsAdapter)
            try await #expect(adapter.takeSession(session.id) == nil)
            try await #expect(cluster[1].adapter.takeSession(session.id) == self.taken(session))
        }
    }

    // MARK: From a node that still has the connection

    @Test func connectedClientIsHandedOver() async throws {
        try await LogCluster.run { cluster in
            cluster[0].adapter.keep(try Self.session(isAway: false, data: "kept"), for: .seconds(120))
            let last = try Self.session(isNew: false, data: "last")
            cluster[0].host.give(last)
            try await #expect(cluster[1].adapter.takeSession(last.id) == self.taken(last))
            #expect(cluster[0].host.lines == ["hands over"])
            // What that node says counts, also that the client must not go on.
            cluster[0].adapter.keep(try Self.session(isAway: false, data: "kept"), for: .seconds(120))
            try await #expect(cluster[1].adapter.takeSession(last.id) == nil)
        }
    }

    @Test func deadNodeIsNotWaitedFor() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session(isAway: false)
            cluster[0].adapter.keep(session, for: .seconds(120))
            await cluster[0].adapter.close()
            try await #expect(cluster[1].adapter.takeSession(session.id) == self.taken(session))
        }
    }

    @Test func frozenNodeIsWaitedForASecond() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session(isAway: false)
            cluster[0].adapter.keep(session, for: .seconds(120))
            cluster[0].host.fallSilent()
            let adapter = cluster[1].adapter
            let taken = Task { try await adapter.takeSession(session.id) }
            while cluster[0].host.lines.isEmpty { await Task.yield() }
            await cluster.advance(by: 1_000)
            try await #expect(taken.value == self.taken(session))
        }
    }

    /// A node's own connection is the business of the namespace.
    @Test func ownClientIsNotAskedFor() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session(isAway: false)
            cluster[0].adapter.keep(session, for: .seconds(120))
            try await #expect(cluster[0].adapter.takeSession(session.id) == self.taken(session))
            #expect(cluster[0].host.lines == [])
        }
    }

    // MARK: Lies

    static let lies: [String] = {
        func text(_ value: JSONValue) -> String {
            var bytes = ByteBuffer()
            bytes.writeMessagePack(value, as: .msgpack)
            var text = ByteBuffer()
            text.writeBase64Encoded(bytes)
            return String(buffer: text)
        }
        let (sid, pid) = (JSONValue.string(Self.socket), JSONValue.string(Self.secret))
        return [
            "", "not base64 \u{0}", "AAAA", text(.null), text([]), text([:]), text(["sid": sid, "pid": pid]),
            text(["sid": sid, "pid": pid, "rooms": "r", "data": [:]]), text(["sid": 1, "pid": pid, "rooms": []]),
            text(["sid": "../../x", "pid": pid, "rooms": []]), text(["sid": sid, "pid": "x", "rooms": []]),
            text(["sid": sid, "pid": "BCMmYZu8bgFYPwsGAAA-", "rooms": []]), String(repeating: "kZGR", count: 100_000),
            String(repeating: "A", count: 5_000_000),
        ]
    }()

    @Test(arguments: Self.lies.indices) func officialSessionsThatLie(_ index: Int) async throws {
        try await LogCluster.run { cluster in
            cluster.redis.execute("node", "SET", Self.official, Self.lies[index], "PX", "1000")
            let id = try #require(SessionID(Self.secret))
            try await #expect(cluster[0].adapter.takeSession(id) == nil)
        }
    }

    static let header = "0000000000000007auid\n/\n"

    @Test(arguments: [
        "", "\n", "\n\n", "x\n/\n", Self.header, Self.header + "\u{0}", Self.header + "garbage",
        Self.header + String(repeating: "\u{1}", count: 5_000_000), String(repeating: "\n/\n", count: 10),
    ])
    func ownSessionsThatLie(_ value: String) async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session()
            cluster.redis.execute("node", "SET", Self.own, value, "PX", "1000")
            cluster.redis.execute("node", "SET", Self.official, String(buffer: session.stream.text), "PX", "1000")
            try await #expect(cluster[0].adapter.takeSession(session.id) == nil)
        }
    }

    /// A session of somebody else under this one's key.
    @Test func ownSessionOfAnotherClient() async throws {
        try await LogCluster.run { cluster in
            let session = try Self.session()
            let value = try #require(StoredSession.value(session, node: "x", namespace: "/"))
            let other = "BCMmYZu8bgFYPwsGAAA-"
            for key in ["swift:{sio:session:\(other)}", "sio:session:\(other)"] {
                var words = ["SET", key, "", "PX", "9"].map { ByteBuffer(string: $0) }
                words[2] = value
                cluster.redis.execute("node", words)
            }
            try await #expect(cluster[0].adapter.takeSession(try #require(SessionID(other))) == nil)
        }
    }

    @Test func sessionThatIsTooLargeIsForgotten() async throws {
        try await LogCluster.run { cluster in
            cluster[0].adapter.keep(try Self.session(), for: .seconds(120))
            let large = JSONValue.string(String(repeating: "x", count: StoredSession.greatestLength))
            cluster[0].adapter.keep(try Self.session(isNew: false, data: large), for: .seconds(120))
            #expect(cluster.redis.keys.isEmpty)
        }
    }

    /// What was kept before would be a lie.
    @Test func sessionThatRedisRefusesIsForgotten() async throws {
        try await LogCluster.run { cluster in
            cluster[0].adapter.keep(try Self.session(), for: .seconds(120))
            cluster.redis.mute("A")
            cluster[0].adapter.keep(try Self.session(isNew: false, data: "later"), for: .seconds(120))
            cluster.redis.loseReplies(of: "A")
            await cluster.settle()
            #expect(cluster.redis.keys.isEmpty)
        }
    }

    @Test func messagesAboutSessions() throws {
        let (request, node, session) = (UTF8Text("r"), UTF8Text("n"), UTF8Text(Self.secret))
        let kept = ByteBuffer(bytes: [1, 2, 3])
        for message in [
            SessionMessage.take(requestID: request, node: node, session: session),
            .give(requestID: request, kept), .give(requestID: request, nil),
        ] {
            let bytes = message.encoded
            #expect(SessionMessage.isOne(bytes))
            #expect(try SessionMessage(parsing: bytes).encoded == bytes)
            for length in 0..<bytes.readableBytes {
                let part = try #require(bytes.getSlice(at: 0, length: length))
                #expect(throws: ClusterProtocolError.self) { try SessionMessage(parsing: part) }
            }
        }
        #expect(!SessionMessage.isOne(ByteBuffer()) && !SessionMessage.isOne(ByteBuffer(string: "{}")))
    }
}
