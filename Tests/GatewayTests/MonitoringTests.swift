import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// What operators see of a cluster.
@Suite(.timeLimit(.minutes(1))) struct MonitoringTests {
    private static var logging: GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.monitoring.enableEventLogging = true
        return configuration
    }

    /// All pages together have each socket once, in order, whatever their size.
    @Test(arguments: [1, 2, 3, 7, 1000])
    func socketsComeInPages(limit: Int) async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            var ids: [String] = []
            for index in 0..<7 {
                ids.append(try await cluster[index % 3].join(user(index, role: "authenticated")).id)
            }
            var found: [String] = []
            var query = SocketQuery()
            query.limit = limit
            var pages = 0
            repeat {
                let page = await cluster[0].io.monitoring.sockets(query)
                #expect(page.isComplete)
                #expect(page.value.sockets.count <= limit)
                found += page.value.sockets.compactMap { $0["id"]?.stringValue }
                query.after = page.value.next
                pages += 1
            } while query.after != nil && pages < 20
            #expect(found == ids.map { UTF8Text($0) }.sorted().map(\.string))
        }
    }

    /// Pages are shorter if clients have chosen long names, and still nothing is missing.
    @Test func longPagesAreCut() async throws {
        func socket(_ id: String, bytes: Int) -> JSONValue {
            ["id": .string(id), "rooms": [.string(String(repeating: "x", count: bytes))]]
        }
        let long = SocketPage.maximumBytes / 3
        typealias Part = SocketPage.Part
        func ids(_ parts: [Part], limit: Int = 10) -> ([String], String?) {
            let page = SocketPage(merging: parts, limit: limit)
            return (page.sockets.compactMap { $0["id"]?.stringValue }, page.next)
        }
        // A node that has more says nothing about what is behind its last one.
        let cut = Part(sockets: [socket("b", bytes: 1), socket("d", bytes: 1)], hasMore: true)
        let whole = Part(
            sockets: [socket("a", bytes: 1), socket("c", bytes: 1), socket("e", bytes: 1)],
            hasMore: false
        )
        #expect(ids([cut, whole]) == (["a", "b", "c", "d"], "d"))
        #expect(ids([cut, whole], limit: 2) == (["a", "b"], "b"))
        #expect(ids([whole]) == (["a", "c", "e"], nil))
        #expect(ids([whole], limit: 3) == (["a", "c", "e"], nil))
        #expect(ids([whole, Part(sockets: [], hasMore: false)]) == (["a", "c", "e"], nil))
        #expect(ids([]) == ([], nil))
        // Together they are too long.
        let heavy = Part(sockets: ["a", "b", "c", "d"].map { socket($0, bytes: long) }, hasMore: false)
        #expect(ids([heavy]) == (["a", "b"], "b"))
        // One is sent in any case, or nobody would ever get past it.
        let heaviest = Part(sockets: ["a", "b"].map { socket($0, bytes: 4 * long) }, hasMore: false)
        #expect(ids([heaviest]) == (["a"], "a"))
        for part in [cut, whole] { #expect(Part(part.value, limit: 10)?.value == part.value) }
        #expect(Part(whole.value, limit: 2) == nil)
        #expect(Part(["sockets": []], limit: 2) == nil)
    }

    @Test func socketsAreFiltered() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            let editor = try await cluster[1].join(user(2, role: "editor"))
            _ = try await cluster[1].join()
            func ids(_ change: (inout SocketQuery) -> Void) async -> [String] {
                var query = SocketQuery()
                change(&query)
                return await cluster[0].io.monitoring.sockets(query).value.sockets.compactMap { $0["id"]?.stringValue }
            }
            #expect(await ids { $0.user = "1" } == [member.id])
            #expect(await ids { $0.role = "editor" } == [editor.id])
            #expect(await ids { $0.room = "members" } == [member.id])
            #expect(await ids { $0.room = member.id } == [member.id])
            #expect(await ids { $0.node = "node-1" }.count == 2)
            #expect(await ids { $0.address = "127.0.0.1" }.count == 3)
            #expect(await ids { $0.address = "127.0.0.2" } == [])
            #expect(await ids { $0.namespace = "nothing" } == [])
        }
    }

    /// A node says of its sockets what an operator needs, and nothing that opens a door.
    @Test func handshakesShowNoTokens() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let client = try await TestClient.connect(
                to: cluster[1].address,
                query: "&t=abc&token=SECRET&access_token=SECRET&SECRET&j=1"
            )
            _ = try await client.join(auth: user(1, role: "authenticated"))
            let socket = try #require(await cluster[0].io.monitoring.sockets().value.sockets.first)
            #expect(socket["handshake"]?["query"] == ["EIO": "4", "transport": "websocket", "t": "abc", "j": "1"])
            #expect(socket["handshake"]?["hiddenParameters"] == 3)
            #expect(socket["node"] == "node-1")
            #expect(socket["transport"] == "websocket")
            #expect(socket["queuedBytes"]?.intValue != nil)
            #expect(socket["userId"] == 1)
            var bytes = ByteBuffer()
            bytes.writeJSON(socket)
            #expect(!String(buffer: bytes).contains("SECRET"))
            #expect(!String(buffer: bytes).contains("eyJ"))
        }
    }

    @Test func roomsAreCountedOnAllNodes() async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            for index in 0..<6 {
                let client = try await cluster[index % 3].join(user(index, role: "authenticated"))
                for number in 0...index { _ = try await client.call("join-room", .string("team-\(number)")) }
                _ = try await client.call(
                    "subscribe-entity",
                    ["uid": .string(Samples.article), "id": .int(index / 2 + 1)]
                )
            }
            let io = cluster[2].io
            var query = RoomQuery()
            query.prefix = "team-"
            query.order = .size
            query.limit = 3
            let largest = await io.monitoring.rooms(query)
            #expect(largest.value.rooms.map(\.name) == ["team-0", "team-1", "team-2"])
            #expect(largest.value.rooms.map(\.members) == [6, 5, 4])
            #expect(largest.value.next == nil)
            // By name, in pages.
            query.order = .name
            query.limit = 2
            var found: [String: Int] = [:]
            var names: [String] = []
            repeat {
                let page = await io.monitoring.rooms(query).value
                for room in page.rooms { found[room.name] = room.members }
                names += page.rooms.map(\.name)
                query.after = page.next
            } while query.after != nil && names.count < 20
            #expect(names == (0..<6).map { "team-\($0)" })
            #expect(found["team-3"] == 3)
            let all = await io.monitoring.rooms().value.rooms
            #expect(all.first { $0.isEntityRoom }?.members == 2)
            #expect(!all.contains { $0.name.contains("@") || $0.name.hasPrefix("narrow") })

            let nodes = await io.monitoring.nodes()
            #expect(nodes.value.map(\.node) == ["node-0", "node-1", "node-2"])
            #expect(nodes.value.map(\.connected) == [2, 2, 2])
            // Each room counts once, however many nodes have it.
            let (count, isExact) = NodeFigures.roomCount(of: nodes.value)
            #expect(isExact)
            #expect(count == all.count)
            let subscriptions = nodes.value.flatMap(\.subscriptions).reduce(0) { $0 + $1.count }
            #expect(subscriptions == 6)
        }
    }

    @Test func aSilentNodeIsNamed() async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            let client = try await cluster[1].join()
            cluster.bus.silence(2)
            let io = cluster[0].io
            let sockets = await io.monitoring.sockets()
            #expect(sockets.missing == ["10.0.0.2:3000"])
            #expect(sockets.value.sockets.compactMap { $0["id"]?.stringValue } == [client.id])
            #expect(await io.monitoring.nodes().missing == ["10.0.0.2:3000"])
            #expect(await io.monitoring.rooms().missing == ["10.0.0.2:3000"])
            #expect(await io.monitoring.resetStatistics().missing == ["10.0.0.2:3000"])
        }
    }

    /// What another program of the cluster asks is answered, and never with more than there may be.
    @Test(
        arguments: [
            .null, [:], ["ask": "nothing"], ["ask": "sockets"],
            ["ask": "sockets", "query": ["namespace": "main", "limit": 0]],
            ["ask": "sockets", "query": ["namespace": "main", "limit": 1_000_000]],
            ["ask": "rooms", "query": ["order": "other", "limit": 1, "prefix": ""]], ["ask": "members", "rooms": [1]],
            ["ask": "members", "rooms": .array(Array(repeating: "x", count: 10_001))], ["ask": 1],
        ] as [JSONValue]
    )
    func strangeQuestions(question: JSONValue) { #expect(MonitoringQuestion(question) == nil) }

    @Test func questionsAreReadAsTheyAreWritten() {
        var sockets = SocketQuery()
        sockets.after = "x"
        sockets.user = "7"
        var rooms = RoomQuery()
        rooms.order = .size
        for question in [
            .figures, .reset, .members(of: ["a", ""]), .sockets(sockets), .rooms(rooms), .rooms(RoomQuery()),
        ] as [MonitoringQuestion] {
            #expect(MonitoringQuestion(question.value)?.value == question.value)
        }
    }

    @Test(
        arguments: [
            .null, [:], ["node": "x"],
            [
                "node": "x", "startedAt": 1, "connections": -1, "sockets": [:], "rooms": 1, "subscriptions": [:],
                "totalEvents": 1, "eventsByType": [:], "lastReset": 1, "eventsPerSecond": 0,
            ],
            [
                "node": "x", "startedAt": 1, "connections": 1, "sockets": ["main": 1e18], "rooms": 1,
                "subscriptions": [:],
                "totalEvents": 1, "eventsByType": [:], "lastReset": 1, "eventsPerSecond": 0,
            ],
        ] as [JSONValue]
    )
    func strangeAnswers(answer: JSONValue) { #expect(NodeFigures(answer) == nil) }

    // MARK: Events

    /// Returns when the log has an entry that the test writes last; what is written before it is there, too.
    private func entries(_ cluster: TestCluster, _ sharing: Sharing) async throws -> [EventLog.Entry] {
        let log = cluster[0].io.monitoring.eventLog
        let reader = log.reader(after: LogEntryID(milliseconds: 0, sequence: 0), pause: .zero)
        for node in cluster.nodes { node.io.monitoring.logEvent("the-end") }
        var found: [EventLog.Entry] = []
        while found.count(where: { $0.type == "the-end" }) < cluster.nodes.count {
            guard let news = await reader.next(within: .minutes(1)) else { break }
            if case .entries(let entries) = news { found += entries }
        }
        return found
    }

    @Test func whatHappensIsLoggedAndCounted() async throws {
        let sharing = Sharing()
        try await TestCluster.run(nodes: 2, configuration: Self.logging, sharing: sharing) { cluster in
            let client = try await cluster[1].join(user(1, role: "authenticated"))
            _ = try await client.call("subscribe-entity", ["uid": .string(Samples.article), "id": 5])
            _ = try await client.call("unsubscribe-entity", ["uid": .string(Samples.article), "id": 5])
            try cluster[0].io.emit(event: "create", schema: "api::article.article", data: ["id": 1])
            try cluster[0].io.raw(event: "notice", data: "x")
            cluster[0].io.monitoring.logEvent("order", ["id": 7])
            let entries = try await self.entries(cluster, sharing)
            let byType = Dictionary(grouping: entries, by: { $0.type ?? "none" })
            #expect(byType["connection"]?.first?.value["data"]?["socketId"] == .string(client.id))
            #expect(byType["connection"]?.first?.value["data"]?["ip"] == "127.0.0.1")
            #expect(byType["connection"]?.first?.value["node"] == "node-1")
            #expect(byType["entity-subscribe"]?.first?.value["data"]?["id"] == 5)
            #expect(byType["entity-unsubscribe"]?.count == 1)
            #expect(byType["emit"]?.first?.value["data"]?["event"] == "article:create")
            #expect(byType["publish"]?.first?.value["data"] == ["verb": "raw", "event": "notice"])
            #expect(byType["order"]?.first?.value["data"] == ["id": 7])
            let nodes = await cluster[0].io.monitoring.nodes().value
            let types = Dictionary(nodes.flatMap { $0.eventsByType.map { ($0.type, $0.count) } }, uniquingKeysWith: +)
            #expect(types["emit"] == 1)
            #expect(types["connection"] == 1)
            #expect(nodes.reduce(0) { $0 + $1.totalEvents } == types.values.reduce(0, +))
            await cluster[1].io.monitoring.resetStatistics()
            #expect(await cluster[0].io.monitoring.nodes().value.allSatisfy { $0.totalEvents == 0 })
        }
    }

    /// Without logging, events are counted, and nothing is written.
    @Test func nothingIsLoggedUnlessItIsWanted() async throws {
        let sharing = Sharing()
        try await TestCluster.run(configuration: Samples.configuration, sharing: sharing) { cluster in
            cluster[0].io.monitoring.logEvent("order", ["id": 7])
            _ = try await cluster[0].join()
            #expect(try await sharing.eventLog.last(10, before: nil) == [])
            #expect(await cluster[0].io.monitoring.nodes().value[0].totalEvents == 2)
        }
    }

    @Test func connectionsAreLeftOutIfTheyAreNotWanted() async throws {
        let sharing = Sharing()
        var configuration = Self.logging
        configuration.monitoring.enableConnectionLogging = false
        configuration.entitySubscriptions.enableMetrics = false
        try await TestCluster.run(configuration: configuration, sharing: sharing) { cluster in
            let client = try await cluster[0].join(user(1, role: "authenticated"))
            _ = try await client.call("subscribe-entity", ["uid": .string(Samples.article), "id": 5])
            #expect(try await self.entries(cluster, sharing).map(\.type) == ["the-end"])
        }
    }

    @Test func longEntriesLoseTheirData() async throws {
        let sharing = Sharing()
        try await TestCluster.run(configuration: Self.logging, sharing: sharing) { cluster in
            let long = String(repeating: "x", count: 10_000)
            cluster[0].io.monitoring.logEvent(long, .string(long))
            let entry = try #require(try await self.entries(cluster, sharing).first)
            #expect(entry.type?.utf8.count == EventJournal.maximumTypeBytes)
            #expect(entry.value["data"] == ["truncated": true])
        }
    }
}
