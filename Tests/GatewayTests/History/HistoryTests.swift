import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Histories as clients and programs see them.
@Suite(.timeLimit(.minutes(1))) struct HistoryTests {
    private static var configuration: GatewayConfiguration {
        var configuration = Samples.configuration
        for index in configuration.roles.indices { configuration.roles[index].joinPolicy = ["*"] }
        configuration.history.rooms = [.init("team-*", HistoryRetention(size: 5))]
        configuration.contentTypes[0].history = HistoryRetention(size: 5)
        configuration.limits.questions = RateLimit(perSecond: 1_000)
        return configuration
    }

    private static func run(
        _ configuration: GatewayConfiguration = Self.configuration,
        nodes: Int = 2,
        store: TestHistory = TestHistory(),
        _ body: (TestCluster, TestHistory) async throws -> Void
    ) async throws {
        var sharing = Sharing()
        sharing.history = store
        try await TestCluster.run(nodes: nodes, configuration: configuration, sharing: sharing) { cluster in
            try await body(cluster, store)
        }
    }

    /// `[[offset, data]]` of what a client has missed.
    private static func missed(_ answer: JSONValue) -> [[JSONValue]] {
        (answer["missed"]?.arrayValue ?? []).map { [$0["offset"] ?? .null, $0["data"] ?? .null] }
    }

    private static func position(_ answer: JSONValue) throws -> JSONValue {
        let position = try #require(answer["position"])
        return position
    }

    // MARK: Rooms

    @Test func aClientThatComesBackGetsWhatItMissed() async throws {
        try await Self.run { cluster, _ in
            let first = try await cluster[0].join()
            let joined = try await first.call("join-room", ["room": "team-a", "position": true])
            #expect(joined["success"] == true)
            #expect(joined["room"] == "team-a")
            #expect(joined["recovered"] == nil)
            #expect(joined["position"]?["offset"] == 0)
            for number in 1...2 { try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            let one = try await first.event("news")
            #expect(one[0] == 1)
            #expect(one[1]["offset"] == 1)
            #expect(one[1]["epoch"] == joined["position"]?["epoch"])
            #expect(one[1]["room"] == "team-a")
            await first.close()
            for number in 3...4 { try cluster[0].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            // It comes to another node, and its position is the whole last argument.
            let again = try await cluster[1].join()
            let answer = try await again.call("join-room", ["room": "team-a", "since": one[1]])
            #expect(answer["recovered"] == true)
            #expect(Self.missed(answer) == [[2, 2], [3, 3], [4, 4]])
            #expect(answer["missed"]?[0]?["event"] == "news")
            #expect(answer["position"]?["offset"] == 4)
            // It has not asked for positions.
            try cluster[0].io.raw(event: "news", rooms: ["team-a"], data: 5)
            #expect(try await again.event("news") == [5])
        }
    }

    @Test func whoAsksForNothingGetsWhatHeGotBefore() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            #expect(try await client.call("join-room", "team-a") == ["success": true, "room": "team-a"])
            #expect(try await client.call("join-room", ["room": "team-b"]) == ["success": true, "room": "team-b"])
            let other = try await cluster[1].join()
            _ = try await other.call("join-room", ["room": "team-a", "position": true])
            try cluster[1].io.raw(event: "news", rooms: ["team-a", "team-b"], data: 1)
            let received = try await cluster.received(by: [client, other])
            #expect(received[0] == [.event("news", [1])])
            #expect(received[1].count == 1)
        }
    }

    @Test func wishesThatCannotBeGrantedAreRefused() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            let since = try await client.call("join-room", ["room": "team-a", "since": 5])
            #expect(since["error"] == "Invalid since: it must be a position {offset, epoch}")
            let position = try await client.call("join-room", ["room": "team-a", "position": "yes"])
            #expect(position["error"] == "Invalid position: it must be true or false")
            #expect(try await client.call("join-room", ["position": true])["error"] == "Invalid room name")
            #expect(try await client.call("join-room", ["room": ["a"], "position": true])["success"] == false)
            #expect(try await client.call("get-rooms")["rooms"] == ["io-role-public"])
            // A room without a history is joined nevertheless.
            let disabled = try await client.call(
                "join-room",
                ["room": "other", "since": ["offset": 0, "epoch": ""], "position": true]
            )
            #expect(
                disabled == [
                    "success": true, "room": "other", "position": .null, "recovered": false, "reason": "disabled",
                ]
            )
        }
    }

    @Test(arguments: ["trimmed", "epoch", "too many"])
    func neverAPart(_ reason: String) async throws {
        var configuration = Self.configuration
        configuration.history.maximumMissed = 3
        try await Self.run(configuration) { cluster, store in
            let client = try await cluster[0].join()
            let joined = try await client.call("join-room", ["room": "team-a", "position": true])
            var since = try Self.position(joined)
            let count = reason == "trimmed" ? 6 : reason == "too many" ? 4 : 1
            for number in 1...count { try cluster[0].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            if reason == "epoch" { since = ["offset": 0, "epoch": "of another Redis"] }
            let answer = try await client.call("join-room", ["room": "team-a", "since": since, "position": true])
            #expect(answer["recovered"] == false)
            #expect(answer["reason"] == .string(reason))
            #expect(answer["missed"] == nil)
            #expect(answer["position"]?["offset"] == .int(count))
        }
    }

    @Test func aHistoryThatCannotBeReadIsTold() async throws {
        try await Self.run { cluster, store in
            let client = try await cluster[0].join()
            store.fails = true
            let answer = try await client.call(
                "join-room",
                ["room": "team-a", "since": ["offset": 0, "epoch": "x"], "position": true]
            )
            #expect(answer["success"] == true)
            #expect(answer["reason"] == "unavailable")
            #expect(answer["position"] == .null)
        }
    }

    /// What is added while the history is being read comes once, and behind the answer.
    @Test(arguments: [false, true])
    func nothingIsMissedOrDoubledWhileAClientJoins(_ isMemberBefore: Bool) async throws {
        try await Self.run { cluster, store in
            let client = try await cluster[0].join()
            let other = try await cluster[1].join()
            let begin = try Self.position(try await other.call("join-room", ["room": "team-a", "position": true]))
            if isMemberBefore { _ = try await client.call("join-room", "team-a") }
            let io = cluster[1].io
            @Sendable func publish(_ numbers: ClosedRange<Int>) {
                for number in numbers { try? io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            }
            store.beforeNextRead { publish(1...2) }
            store.afterNextRead { publish(3...4) }
            let answer = try await client.call(
                "join-room",
                ["room": "team-a", "since": begin, "position": true]
            )
            #expect(Self.missed(answer) == [[1, 1], [2, 2]])
            publish(5...5)
            var events: [[JSONValue]] = []
            for _ in 3...5 {
                let event = try await client.event("news")
                events.append([event[0], event[1]["offset"] ?? .null])
            }
            #expect(events == [[3, 3], [4, 4], [5, 5]])
            let received = try await cluster.received(by: [client, other])
            #expect(received[0].isEmpty)
            #expect(received[1].count == 5)
            let acknowledgement = client.transcript.lastIndex { $0.hasPrefix("43") && $0.contains("recovered") }
            let first = client.transcript.firstIndex { $0.hasPrefix("42") && $0.contains("news") }
            #expect(try #require(acknowledgement) < #require(first))
        }
    }

    /// An answer may overtake what a node hears: Redis tells both on connections of their own.
    @Test(arguments: [false, true])
    func whatIsInTheAnswerDoesNotComeAgain(_ hasSince: Bool) async throws {
        try await Self.run { cluster, store in
            let other = try await cluster[1].join()
            let begin = try Self.position(try await other.call("join-room", ["room": "team-a", "position": true]))
            let client = try await cluster[0].join()
            store.holdSignals()
            for number in 1...2 { try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            var wish: JSONObject = ["room": "team-a", "position": true]
            if hasSince { wish["since"] = begin }
            let answer = try await client.call("join-room", .object(wish))
            #expect(answer["position"]?["offset"] == 2)
            #expect(Self.missed(answer) == (hasSince ? [[1, 1], [2, 2]] : []))
            store.releaseSignals()
            for number in 3...4 { try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            let received = try await cluster.received(by: [client, other])
            let numbers = received.map { packets in
                packets.map { packet in
                    if case .event("news", let values) = packet { values[0] } else { JSONValue.null }
                }
            }
            #expect(numbers == [[3, 4], [1, 2, 3, 4]])
        }
    }

    @Test func whoLeavesGetsNothingMore() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            let wish: JSONValue = ["room": "team-a", "position": true]
            _ = try await client.call("join-room", wish)
            _ = try await client.call("leave-room", "team-a")
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 1)
            // Others may take it out, too.
            _ = try await client.call("join-room", wish)
            #expect(try await cluster[1].io.leaveRoom(client.id, "team-a"))
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 2)
            // It comes back without a wish.
            #expect(try await client.call("join-room", "team-a")["success"] == true)
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 3)
            #expect(try await cluster.received(by: [client])[0] == [.event("news", [3])])
        }
    }

    @Test func anEventForTwoRoomsComesOnceWithAPlaceInEach() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            for room in ["team-a", "team-b"] {
                _ = try await client.call("join-room", ["room": .string(room), "position": true])
            }
            try cluster[1].io.raw(event: "news", rooms: ["team-a", "team-b", "other"], data: 1)
            let received = try await cluster.received(by: [client])[0]
            #expect(received.count == 2)
            guard case .event("news", let news)? = received.first,
                case .event("io:position", let place)? = received.last
            else { return #expect(Bool(false), "\(received)") }
            #expect(news[1]["room"] == "team-a")
            #expect(place[0]["room"] == "team-b")
            #expect(place[0]["position"]?["offset"] == 1)
        }
    }

    @Test func envelopesCarryTheirPosition() async throws {
        var configuration = Self.configuration
        configuration.events.payloadFormat = .envelope
        try await Self.run(configuration) { cluster, _ in
            let client = try await cluster[0].join(user(1, role: "authenticated"))
            _ = try await client.call("join-room", ["room": "team-a", "position": true])
            let entity: JSONValue = ["uid": .string(Samples.article), "id": "abc", "position": true]
            _ = try await client.call("subscribe-entity", entity)
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 1)
            let news = try await client.event("news")
            #expect(news.count == 1)
            #expect(news[0]["data"] == 1)
            #expect(news[0]["meta"]?["position"]?["offset"] == 1)
            try cluster[1].io.emit(event: "update", schema: SchemaReference(uid: Samples.article), data: Samples.entry)
            let update = try await client.event("article:update")
            #expect(update.count == 1)
            #expect(update[0]["meta"]?["position"]?["id"] == "abc")
            #expect(update[0]["data"]?["title"] == "Hello")
        }
    }

    @Test func receiptsCountFollowers() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[1].join()
            _ = try await client.call("join-room", ["room": "team-a", "position": true])
            let publisher = cluster[0].io.publisher(wantsReceipt: true)
            let report = try await publisher.raw(event: "news", rooms: ["team-a"], data: 1)
            #expect(report.receipt?.receivers == 1)
        }
    }

    // MARK: Entities

    private static func entry(_ title: String) -> JSONValue {
        guard case .object(var entry) = Samples.entry else { return .null }
        entry["title"] = .string(title)
        return .object(entry)
    }

    @Test func theHistoryOfAnEntityIsSanitisedForWhoeverReadsIt() async throws {
        try await Self.run { cluster, store in
            let schema = SchemaReference(uid: Samples.article)
            let wish: JSONValue = ["uid": .string(Samples.article), "id": "abc", "position": true]
            let visitor = try await cluster[0].join()
            let member = try await cluster[1].join(user(1, role: "authenticated"))
            let begin = try Self.position(try await visitor.call("subscribe-entity", wish))
            _ = try await member.call("subscribe-entity", wish)
            try cluster[1].io.emit(event: "update", schema: schema, data: Self.entry("one"))
            for (client, seesAuthor) in [(visitor, false), (member, true)] {
                let event = try await client.event("article:update")
                #expect(event[0]["title"] == "one")
                #expect((event[0]["author"] != nil) == seesAuthor)
                #expect(event[1]["offset"] == 1)
            }
            // The same past, read by others: nobody has a private part of it, although it is kept.
            for (auth, seesAuthor) in [(JSONValue?.none, false), (user(2, role: "editor"), true)] {
                let client = try await cluster[0].join(auth)
                let answer = try await client.call(
                    "subscribe-entity",
                    ["uid": .string(Samples.article), "id": "abc", "since": begin]
                )
                #expect(answer["recovered"] == true)
                let data = answer["missed"]?[0]?["data"]
                #expect(data?["title"] == "one")
                #expect((data?["author"] != nil) == seesAuthor)
                #expect(data?["author"]?["name"] == nil)
                #expect(!"\(answer)".contains("PRIVATE"))
            }
            let page = try await cluster[0].io.history(
                of: EntityRef(uid: Samples.article, id: "5"),
                as: .token(Samples.token("Full", .fullAccess))
            )
            #expect(page?.events.map(\.event) == ["article:update"])
        }
    }

    @Test func aPermissionThatIsLostIsLostForThePast() async throws {
        try await Self.run { cluster, _ in
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            let wish: JSONValue = ["uid": .string(Samples.article), "id": "abc", "position": true]
            let begin = try Self.position(try await member.call("subscribe-entity", wish))
            try cluster[0].io.emit(event: "update", schema: "api::article.article", data: Self.entry("one"))
            _ = try await member.event("article:update")
            var configuration = Self.configuration
            // It may still delete, and so follow, but hears of no updates any more.
            configuration.roles[1].scopes = Samples.scopes("\(Samples.article).delete")
            for node in cluster.nodes { try await node.io.reload(configuration) }
            let answer = try await member.call(
                "subscribe-entity",
                ["uid": .string(Samples.article), "id": "abc", "since": begin, "position": true]
            )
            #expect(answer["recovered"] == true)
            #expect(answer["missed"] == [])
            #expect(answer["position"]?["offset"] == 1)
            try cluster[1].io.emit(event: "update", schema: "api::article.article", data: Self.entry("two"))
            try cluster[1].io.emit(event: "delete", schema: "api::article.article", data: Self.entry("two"))
            let event = try await member.event("article:delete")
            #expect(event[1]["offset"] == 3)
            #expect(
                try await cluster.received(by: [member])[0].allSatisfy { packet in
                    if case .event("article:update", _) = packet { false } else { true }
                }
            )
        }
    }

    /// An event that names one id of an entity is missing in the histories by the other, so these begin anew.
    @Test func anEventWithoutAnIDMakesPositionsByThatIDWorthless() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            let wish: JSONValue = ["uid": .string(Samples.article), "id": "abc", "position": true]
            let begin = try Self.position(try await client.call("subscribe-entity", wish))
            try cluster[1].io.emit(event: "update", schema: "api::article.article", data: ["id": 77, "title": "x"])
            // It may be this entity, so the client gets it, without a position.
            #expect(try await client.event("article:update").count == 1)
            let answer = try await client.call(
                "subscribe-entity",
                ["uid": .string(Samples.article), "id": "abc", "since": begin]
            )
            #expect(answer["reason"] == "epoch")
        }
    }

    @Test func followersOfOneEntityStillHearOfOthers() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            for (id, position) in [("abc", true), ("def", false)] {
                _ = try await client.call(
                    "subscribe-entity",
                    ["uid": .string(Samples.article), "id": .string(id), "position": .bool(position)]
                )
            }
            for (id, document) in [(5, "abc"), (6, "def"), (7, "ghi")] {
                try cluster[1].io.emit(
                    event: "update",
                    schema: "api::article.article",
                    data: ["id": .int(id), "documentId": .string(document)]
                )
            }
            let received = try await cluster.received(by: [client])[0]
            #expect(received.count == 2)
            guard case .event(_, let first)? = received.first, case .event(_, let second)? = received.last else {
                return
            }
            #expect(first.count == 2)
            #expect(second.count == 1)
        }
    }

    @Test func onlyOwnersSeeThePastOfWhatOnlyOwnersSee() async throws {
        var configuration = Self.configuration
        configuration.contentTypes[0].ownerField = "owner"
        configuration.contentTypes[0].fields["owner"] = Field(.scalar(.integer))
        try await Self.run(configuration) { cluster, _ in
            let entry: JSONValue = ["id": 5, "documentId": "abc", "owner": 1, "title": "mine"]
            let wish: JSONValue = ["uid": .string(Samples.article), "id": "abc", "position": true]
            let owner = try await cluster[0].join(user(1, role: "public"))
            let stranger = try await cluster[0].join(user(2, role: "public"))
            let begin = try Self.position(try await owner.call("subscribe-entity", wish))
            // Nobody knows yet whose it is.
            #expect(try await stranger.call("subscribe-entity", wish)["success"] == true)
            try cluster[1].io.emit(event: "update", schema: "api::article.article", data: entry)
            try cluster[1].io.emitToEntity(Samples.article, "abc", event: "note", data: "for followers")
            let received = try await cluster.received(by: [owner, stranger])
            #expect(received[0].count == 2)
            #expect(received[1].isEmpty)
            let wishAgain: JSONValue = ["uid": .string(Samples.article), "id": "abc", "since": begin]
            #expect(Self.missed(try await owner.call("subscribe-entity", wishAgain)).count == 2)
            #expect(try await stranger.call("subscribe-entity", wishAgain)["success"] == false)
        }
    }

    // MARK: Trouble

    /// Redis is away: whoever follows gets events without a position, and these get one when Redis is back.
    @Test func whileHistoriesCannotBeReachedEventsGoOutWithoutAPosition() async throws {
        try await Self.run(nodes: 1) { cluster, store in
            let client = try await cluster[0].join()
            let wish: JSONValue = ["room": "team-a", "position": true]
            let begin = try Self.position(try await client.call("join-room", wish))
            store.fails = true
            for number in 1...2 { try cluster[0].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            for number in 1...2 { #expect(try await client.event("news") == [.int(number)]) }
            let report = try await cluster[0].io.publisher().raw(event: "news", rooms: ["team-a"], data: 3)
            #expect(report.delivery == .queued)
            store.fails = false
            store.tellGap()
            for offset in 1...3 {
                #expect(try await client.event("io:position")[0]["position"]?["offset"] == .int(offset))
            }
            let answer = try await client.call("join-room", ["room": "team-a", "since": begin])
            #expect(Self.missed(answer) == [[1, 1], [2, 2], [3, 3]])
        }
    }

    @Test func whatIsRefusedIsInNoHistory() async throws {
        try await Self.run { cluster, store in
            let client = try await cluster[0].join()
            _ = try await client.call("join-room", ["room": "team-a", "position": true])
            cluster.bus.setOutcome(.refused(reason: "away"))
            await #expect(throws: ClusterError.self) {
                try await cluster[0].io.publisher(whileUnreachable: .refuse).raw(
                    event: "news",
                    rooms: ["team-a"],
                    data: 1
                )
            }
            #expect(store.appends == 0)
        }
    }

    @Test func aGapIsToldToThoseWhomItConcerns() async throws {
        try await Self.run { cluster, store in
            let clients = [try await cluster[0].join(), try await cluster[0].join(), try await cluster[0].join()]
            for (client, room) in zip(clients, ["team-a", "team-b"]) {
                _ = try await client.call("join-room", ["room": .string(room), "position": true])
            }
            _ = try await clients[2].call("join-room", "team-a")
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 1)
            let last = try await clients[0].event("news")[1]
            store.isDeaf = true
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 2)
            store.isDeaf = false
            store.tellGap()
            let gap = try await clients[0].event("io:gap")[0]
            #expect(gap["room"] == "team-a")
            #expect(gap["position"]?["offset"] == 1)
            let answer = try await clients[0].call("join-room", ["room": "team-a", "since": last, "position": true])
            #expect(Self.missed(answer) == [[2, 2]])
            // A place that is missing tells it, too.
            store.isDeaf = true
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 3)
            store.isDeaf = false
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: 4)
            #expect(try await clients[0].event("io:gap")[0]["position"]?["offset"] == 2)
            #expect(try await clients[0].event("news")[0] == 4)
            let received = try await cluster.received(by: [clients[1], clients[2]])
            #expect(received[0].isEmpty)
            #expect(received[1].allSatisfy { if case .event("news", _) = $0 { true } else { false } })
        }
    }

    /// What is too long to be kept ends the history, because it is missing in it.
    @Test func whatIsTooLongIsSentAndNotKept() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            let wish: JSONValue = ["room": "team-a", "position": true]
            let begin = try Self.position(try await client.call("join-room", wish))
            let text = JSONValue.string(String(repeating: "x", count: HistoryContent.maximumBytes))
            try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: text)
            #expect(try await client.event("news") == [text])
            let answer = try await client.call("join-room", ["room": "team-a", "since": begin])
            #expect(answer["reason"] == "epoch")
        }
    }

    /// Every node hears of such an event, and it is kept once, or not at all.
    @Test func whatEveryNodeSendsIsKeptOnce() async throws {
        try await Self.run { cluster, _ in
            let client = try await cluster[0].join()
            let wish: JSONValue = ["uid": .string(Samples.article), "id": "abc", "position": true]
            let begin = try Self.position(try await client.call("subscribe-entity", wish))
            let event: JSONObject = ["event": "update", "schema": .string(Samples.article), "data": Self.entry("one")]
            var named = event
            named["eventId"] = "e-1"
            cluster.bus.publishServerSide(["io:emit", .object(named)])
            #expect(try await client.event("article:update")[1]["offset"] == 1)
            cluster.bus.publishServerSide(["io:emit", .object(event)])
            #expect(try await client.event("article:update").count == 1)
            let answer = try await client.call(
                "subscribe-entity",
                ["uid": .string(Samples.article), "id": "abc", "since": begin]
            )
            #expect(answer["reason"] == "epoch")
            #expect(try await cluster.received(by: [client])[0].isEmpty)
        }
    }

    // MARK: Programs

    @Test func programsReadAndWait() async throws {
        try await Self.run { cluster, store in
            let reader = Principal.token(Samples.token("Reader", .readOnly))
            let io = cluster[0].io
            #expect(try await io.history(of: "other", as: reader) == nil)
            let empty = try #require(try await io.history(of: "team-a", as: reader))
            #expect(empty.events.isEmpty)
            for number in 1...3 { try cluster[1].io.raw(event: "news", rooms: ["team-a"], data: .int(number)) }
            let first = try #require(try await io.history(of: "team-a", since: empty.position, limit: 2, as: reader))
            #expect(first.events.map(\.data) == [1, 2])
            #expect(first.hasMore)
            let rest = try #require(try await io.history(of: "team-a", since: first.position, limit: 2, as: reader))
            #expect(rest.events.map(\.data) == [3])
            #expect(!rest.hasMore)
            // An event comes between the look and the wait.
            let other = cluster[1].io
            store.afterNextRead { try? other.raw(event: "news", rooms: ["team-a"], data: 4) }
            let next = try #require(
                try await io.history(of: "team-a", since: rest.position, wait: .seconds(50), as: reader)
            )
            #expect(next.events.map(\.data) == [4])
            let nothing = try #require(
                try await io.history(of: "team-a", since: next.position, wait: .nanoseconds(1), as: reader)
            )
            #expect(nothing.events.isEmpty)
            #expect(nothing.position == next.position)
            let lost = try await io.history(of: "team-a", since: HistoryPosition(offset: 1, epoch: "x"), as: reader)
            #expect(lost?.loss == .epoch)
            // Only those see it who may.
            try other.emit(event: "update", schema: "api::article.article", data: Self.entry("one"))
            let entity = EntityRef(uid: Samples.article, id: "abc")
            #expect(try await io.history(of: entity, as: reader)?.events.count == 1)
            let writer = Principal.token(Samples.token("Writer", .custom, scopes: Samples.scopes("io.*")))
            #expect(try await io.history(of: entity, as: writer)?.events.isEmpty == true)
            #expect(try await io.history(of: EntityRef(uid: Samples.author, id: "1"), as: reader) == nil)
            #expect(try await io.history(of: EntityRef(uid: "x", id: "1"), as: reader) == nil)
        }
    }

    @Test func settingsAreChecked() {
        var configuration = GatewayConfiguration()
        configuration.history.rooms = [
            .init("", HistoryRetention(size: 1)), .init("a", HistoryRetention(size: -1, ttl: .milliseconds(1))),
        ]
        configuration.history.maximumMissed = 0
        configuration.contentTypes = [ContentType(uid: "api::a.a")]
        configuration.contentTypes[0].history = HistoryRetention(size: 10_001, ttl: .seconds(700_000))
        #expect(
            configuration.validate().map(\.path) == [
                "history.rooms[0]", "history.rooms[1].size", "history.rooms[1].ttl", "contentTypes[0].history.size",
                "contentTypes[0].history.ttl", "history.maximumMissed",
            ]
        )
    }

    /// Rooms of the gateway and of single sockets have none, whatever the patterns say.
    @Test(arguments: ["io-role-public", "user:1", "api::article.article:5", "narrow:x", "aaaaaaaaaaaaaaaaaaaa"])
    func someRoomsHaveNone(_ name: String) {
        var configuration = Self.configuration
        configuration.history.rooms = [.init("*", HistoryRetention(size: 5))]
        let rules = HistoryRules(configuration)
        #expect(!rules.retention(of: Room(name)).isOn)
        #expect(rules.retention(of: "lobby").isOn)
        #expect(!rules.retention(of: Room(String(repeating: "x", count: 513))).isOn)
    }
}
