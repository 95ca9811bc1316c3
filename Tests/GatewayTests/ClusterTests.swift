import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ClusterEmitTests {
    private static let full: JSONValue = [
        "id": 5, "documentId": "abc", "title": "Hello", "author": ["id": 1, "name": "Ada"],
    ]

    /// What each kind of client sees of the author; `nil`: it doesn't receive the event.
    private static func views(_ author: JSONValue) -> [(JSONValue?, JSONValue?)] {
        let nameless: JSONValue = ["id": 1]
        return [
            (nil, .some(.null)), (user(1, role: "authenticated"), author), (user(2, role: "editor"), nameless),
            (user(3, role: "nobody"), Optional<JSONValue>.none), (apiToken("Full"), author),
            (apiToken("Reader"), author), (apiToken("Custom One"), .some(.null)),
        ]
    }

    private func arguments(_ packets: [TestClient.Packet], _ name: String = "article:update") -> [JSONValue] {
        packets.compactMap { packet in
            if case .event(name, let arguments) = packet { arguments.first } else { nil }
        }
    }

    /// Everybody receives their own view once, whichever node they are connected to and whatever they follow.
    @Test(arguments: SubscriptionMode.allCases)
    func everybodyReceivesTheirViewOnce(_ mode: SubscriptionMode) async throws {
        var configuration = Samples.configuration
        configuration.entitySubscriptions.mode = mode
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            var clients: [TestClient] = []
            var views: [JSONValue?] = []
            let author: JSONValue = ["id": 1, "name": "Ada"]
            for node in cluster.nodes {
                for (auth, view) in Self.views(author) {
                    for subscriptions in [[], [5], ["abc"], [5, "abc"], [6]] as [[JSONValue]] {
                        let client = try await node.join(auth)
                        var isSubscribed = true
                        for id in subscriptions {
                            let answer = try await client.call(
                                "subscribe-entity",
                                ["uid": "api::article.article", "id": id]
                            )
                            isSubscribed = answer["success"] == true
                        }
                        clients.append(client)
                        let isElsewhere = subscriptions == [6] && mode == .narrow && isSubscribed
                        views.append(isElsewhere ? Optional<JSONValue>.none : view)
                    }
                }
            }
            let report = try cluster[0].io.emit(event: "update", schema: "api::article.article", data: Samples.entry)
            #expect(report.outcome == .sent)
            #expect(report.projections == 3)
            let received = try await cluster.received(by: clients)
            for (index, (client, view)) in zip(clients, views).enumerated() {
                let events = self.arguments(received[index])
                #expect(events.count == (view == nil ? 0 : 1), "client \(index)")
                for event in events {
                    #expect((event["author"] ?? .null) == view)
                    #expect(event["title"] == "Hello")
                }
                #expect(!client.transcript.joined().contains("PRIVATE"))
            }
        }
    }

    @Test func deletesReachThosePermittedOnly() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let permitted = try await cluster[1].join()
            let other = try await cluster[1].join(apiToken("Custom One"))
            try cluster[0].io.emit(event: "delete", schema: "api::article.article", data: ["documentId": "abc"])
            let received = try await cluster.received(by: [permitted, other])
            #expect(received[0] == [.event("article:delete", [["documentId": "abc"]])])
            #expect(received[1] == [])
        }
    }

    @Test func brokenDataReachesNobody() async throws {
        var configuration = Samples.configuration
        configuration.events.payloadFormat = .strapi4
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join(apiToken("Full"))
            let report = try cluster[0].io.emit(event: "update", schema: "api::article.article", data: "PRIVATE")
            #expect(report.outcome == .unsendable)
            #expect(try await cluster.received(by: [client]) == [[]])
        }
    }

    /// Each node serves its own sockets: one event in, one copy out, and nothing published again.
    @Test func eventsFromOtherProcessesAreServedOnceByEveryNode() async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            var clients: [TestClient] = []
            for node in cluster.nodes { clients.append(try await node.join(user(2, role: "editor"))) }
            let subscriber = try await cluster[2].join()
            _ = try await subscriber.call("subscribe-entity", ["uid": "api::article.article", "id": "abc"])
            clients.append(subscriber)
            let before = cluster.bus.broadcasts
            let event: JSONValue = [
                "event": "update", "schema": "api::article.article", "data": Samples.entry, "eventId": "e-1",
            ]
            cluster.bus.publishServerSide(["io:emit", event])
            cluster.bus.publishServerSide(["io:emit", event])
            for garbage in [
                [], ["io:emit"], ["io:emit", 5], ["io:emit", [:]], ["io:emit", ["event": "x", "schema": "y"]],
            ] as [[JSONValue]] {
                cluster.bus.publishServerSide(garbage)
            }
            #expect(cluster.bus.broadcasts == before)
            for (index, packets) in try await cluster.received(by: clients).enumerated() {
                #expect(self.arguments(packets).count == 1, "client \(index)")
            }
            for client in clients { #expect(!client.transcript.joined().contains("PRIVATE")) }
            let answers = try await cluster[0].io.server.sockets.serverSideEmitWithAck(
                "io:emit",
                ["event": "update", "schema": "api::x.x", "data": 1] as JSONValue
            )
            #expect(answers.map { $0?["success"] } == [false, false])
        }
    }

    @Test func everythingIsCounted() async throws {
        let metrics = TestMetrics()
        try await TestCluster.run(metrics: metrics) { cluster in
            let io = cluster[0].io
            let client = try await cluster[0].join(apiToken("Full"))
            _ = try? await cluster[0].join(["token": "x"])
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 1])
            try io.emit(event: "update", schema: "api::article.article", data: .null)
            cluster.bus.publishServerSide(["io:emit", 5])
            try await io.disconnectSocket(client.id)
            for (label, dimensions, count) in [
                ("socketio_gateway_events_total", [("outcome", "sent")], 1),
                ("socketio_gateway_events_total", [("outcome", "noData")], 1),
                ("socketio_gateway_variants_total", [], 3),
                ("socketio_malformed_total", [("reason", "lifecycle event")], 1),
                ("socketio_gateway_refusals_total", [("reason", "invalid_token")], 1),
                ("socketio_gateway_admissions_total", [("kind", "token")], 1),
                ("socketio_gateway_disconnections_total", [("reason", "requested")], 1),
            ] as [(String, [(String, String)], Int64)] {
                #expect(try metrics.expectCounter(label, dimensions).totalValue == count, "\(label)")
            }
        }
    }

    @Test func keysOfTokensAreChecked() async throws {
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            #expect(io.apiToken(forKey: Samples.key("Full"))?.name == "Full")
            #expect(io.apiToken(forKey: Samples.key("Late"))?.name == "Late")
            #expect(io.apiToken(forKey: Samples.key("Revoked")) == nil)
            #expect(io.apiToken(forKey: "") == nil)
            #expect(io.apiToken(forKey: String(repeating: "x", count: 100_000)) == nil)
        }
    }

    @Test func repeatedEventsAreSentOnce() async throws {
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join()
            let event = LifecycleEvent(event: "update", schema: "api::article.article", data: ["id": 1], eventID: "x")
            #expect(try cluster[0].io.emit(event).outcome == .sent)
            #expect(try cluster[0].io.emit(event).outcome == .repeated)
            #expect(try await cluster.received(by: [client])[0].count == 1)
        }
    }

    @Test func changedPermissionsApplyAtOnce() async throws {
        try await TestCluster.run { cluster in
            let visitor = try await cluster[0].join()
            let token = try await cluster[0].join(apiToken("Full"))
            var configuration = Samples.configuration
            configuration.roles[0].scopes = []
            configuration.apiTokens[0].isRevoked = true
            try await cluster[0].io.reload(configuration)
            #expect(await token.packet() == .event("io:disconnect", [["reason": "Token revoked"]]))
            #expect(await token.packet() == .disconnected)
            try cluster[0].io.emit(event: "update", schema: "api::article.article", data: ["id": 1])
            let removed: [JSONValue] = ["create", "delete", "update"].map { .string("api::article.article.\($0)") }
            let told = TestClient.Packet.event("io:permissions", [["removed": .array(removed), "added": []]])
            #expect(try await cluster.received(by: [visitor]) == [[told]])
            await #expect(throws: TestClient.Refused(message: "Invalid credentials")) {
                try await cluster[0].join(apiToken("Full"))
            }
            configuration.roles[0].type = "a:b"
            await #expect(throws: GatewayError.self) { try await cluster[0].io.reload(configuration) }
        }
    }

    /// The other nodes hear who owns an entry: only then may its owner follow it, and only its owner.
    @Test func onlyOwnersFollowWhatIsTheirs() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "author"
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let io = cluster[0].io
            let uid = Samples.article
            let owner = try await cluster[1].join(user(1, role: "authenticated"))
            let stranger = try await cluster[1].join(user(2, role: "authenticated"))
            let visitor = try await cluster[0].join()
            let reader = try await cluster[0].join(apiToken("Reader"))
            for client in [owner, stranger, visitor, reader] {
                let answer = try await client.call("subscribe-entity", ["uid": .string(uid), "id": 5])
                #expect(answer == ["success": true, "room": "\(uid):5", "uid": .string(uid), "id": 5])
                let list = try await client.call("get-entity-subscriptions")["subscriptions"]
                #expect(list == [["uid": .string(uid), "id": "5", "room": "\(uid):5"]])
            }
            #expect(try await io.getEntityRoomSockets(uid, 5).count == 4)
            // Nobody knows yet whose it is: only those who may see every entry hear of it.
            try io.emitToEntity(uid, 5, event: "early", data: 1)
            try io.raw(event: "room", rooms: [RoomName.entity(uid, 5)], data: 1)
            try io.emit(event: "update", schema: "api::article.article", data: Self.full)
            try io.emitToEntity(uid, 5, event: "late", data: 1)
            // By its other id, too, whoever tells of it.
            try io.emit(event: "update", schema: "api::article.article", data: ["documentId": "abc"])
            let events = try await cluster.received(by: [owner, stranger, visitor, reader]).map { packets in
                packets.compactMap { if case .event(let name, _) = $0 { name } else { nil } }
            }
            #expect(events[0] == ["article:update", "late", "article:update"])
            #expect(events[1] == [])
            #expect(events[2] == [])
            #expect(events[3] == ["early", "room", "article:update", "late", "article:update"])
            // From now on everybody is told at once, on every node and by every id.
            for id in ["abc", 5] as [JSONValue] {
                for node in cluster.nodes {
                    let late = try await node.join(user(2, role: "authenticated"))
                    let answer = try await late.call("subscribe-entity", ["uid": .string(uid), "id": id])
                    #expect(
                        answer == ["success": false, "error": "Permission denied: no access to this entity"]
                    )
                    #expect(try await late.call("get-rooms")["rooms"]?.arrayValue?.contains("\(uid):5") == false)
                    let second = try await node.join(user(1, role: "authenticated"))
                    #expect(
                        try await second.call("subscribe-entity", ["uid": .string(uid), "id": id])["success"] == true
                    )
                }
            }
            #expect(
                try await io.subscribeToEntity(stranger.id, uid, "abc").error
                    == "Permission denied: no access to this entity"
            )
            // It changes hands.
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 5, "author": 2])
            try io.emitToEntity(uid, 5, event: "sold", data: 1)
            let sold = try await cluster.received(by: [owner, stranger]).map { $0.contains(.event("sold", [1])) }
            #expect(sold == [false, true])
        }
    }

    @Test func aVerifierDecidesAtOnce() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "author"
        configuration.entitySubscriptions.requireVerification = true
        var hooks = GatewayHooks()
        hooks.findEntity = { entity, _ in
            entity.id == "6" ? nil : ["id": 5, "documentId": "abc", "author": ["id": 1]]
        }
        try await TestCluster.run(configuration: configuration, hooks: hooks) { cluster in
            let owner = try await cluster[0].join(user(1, role: "authenticated"))
            let stranger = try await cluster[0].join(user(2, role: "authenticated"))
            func subscribe(_ client: TestClient, _ id: JSONValue) async throws -> JSONValue? {
                try await client.call("subscribe-entity", ["uid": "api::article.article", "id": id])["error"]
            }
            #expect(try await subscribe(owner, 5) == nil)
            #expect(try await subscribe(owner, 6) == "Entity not found")
            #expect(try await subscribe(stranger, 5) == "Permission denied: no access to this entity")
            try cluster[0].io.emitToEntity(Samples.article, 5, event: "x", data: 1)
            #expect(try await cluster.received(by: [owner, stranger]) == [[.event("x", [1])], []])
        }
    }

    /// The pair of ids is known from the subscription's verification: an event with the other one is matched exactly.
    @Test func verificationsTellTheOtherID() async throws {
        var hooks = GatewayHooks()
        hooks.findEntity = { entity, _ in ["id": .int(Int(entity.id) ?? 0), "documentId": .string("doc-\(entity.id)")] }
        try await TestCluster.run(configuration: Samples.configuration, hooks: hooks) { cluster in
            var clients: [TestClient] = []
            for id in [5, 6] {
                clients.append(try await cluster[0].join())
                let payload: JSONValue = ["uid": "api::article.article", "id": .int(id)]
                #expect(try await clients[clients.count - 1].call("subscribe-entity", payload)["success"] == true)
            }
            try cluster[0].io.emit(event: "update", schema: "api::article.article", data: ["documentId": "doc-5"])
            #expect(try await cluster.received(by: clients).map(\.count) == [1, 0])
        }
    }

    /// An event with one id reaches those who subscribed by the other, also on nodes that never saw both.
    @Test func eventsWithOneIDReachSubscribersByTheOther() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let one = try await cluster[1].join()
            let two = try await cluster[1].join()
            for (client, id) in [(one, 5), (two, 6)] {
                _ = try await client.call("subscribe-entity", ["uid": "api::article.article", "id": .int(id)])
            }
            func count(_ node: Int, _ data: JSONValue) async throws -> [Int] {
                try cluster[node].io.emit(event: "update", schema: "api::article.article", data: data)
                return try await cluster.received(by: [one, two]).map(\.count)
            }
            #expect(try await count(0, ["documentId": "abc"]) == [1, 1])
            #expect(try await count(0, ["documentId": "abc", "id": 5]) == [1, 0])
            #expect(try await count(0, ["documentId": "abc"]) == [1, 0])
            #expect(try await count(1, ["documentId": "abc"]) == [1, 1])
            cluster.bus.publishServerSide([
                "io:emit", ["event": "update", "schema": "api::article.article", "data": ["documentId": "abc"]],
            ])
            #expect(try await cluster.received(by: [one, two]).map(\.count) == [1, 1])
        }
    }

    /// What another process tells of entries may be anything.
    @Test func whatOthersTellOfEntitiesIsChecked() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "author"
        try await TestCluster.run(configuration: configuration) { cluster in
            let uid = JSONValue.string(Samples.article)
            for garbage in [
                .null, 5, [:], [[:]], [["uid": uid]], [["uid": uid, "ids": [["id"]], "owners": []]],
                [["uid": uid, "ids": [["id", "a@b"]], "owners": [1]]], [["uid": uid, "ids": [5], "owners": [1]]],
                [["uid": "api::x.x", "ids": [["id", "5"]], "owners": [1]]],
                [["uid": uid, "ids": .array(Array(repeating: ["id", "5"], count: 17)), "owners": [1]]],
            ] as [JSONValue] {
                cluster.bus.publishServerSide(["io:entity", garbage])
            }
            let client = try await cluster[0].join(user(2, role: "authenticated"))
            let payload: JSONValue = ["uid": uid, "id": 5]
            #expect(try await client.call("subscribe-entity", payload)["success"] == true)
            cluster.bus.publishServerSide(["io:entity", [["uid": uid, "ids": [["id", "5"]], "owners": [1]]]])
            #expect(try await client.call("subscribe-entity", payload)["success"] == false)
        }
    }

    @Test func ownersSeeTheirOwn() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "author"
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let owner = try await cluster[1].join(user(1, role: "authenticated"))
            let other = try await cluster[1].join(user(2, role: "authenticated"))
            let reader = try await cluster[0].join(apiToken("Reader"))
            try cluster[0].io.emit(event: "update", schema: "api::article.article", data: Self.full)
            let counts = try await cluster.received(by: [owner, other, reader]).map(\.count)
            #expect(counts == [1, 0, 1])
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ClusterHelperTests {
    /// Event mode: who hasn't said who it is hears nothing that is meant for everybody.
    @Test func everybodyAreThoseWhoHaveAuthenticated() async throws {
        var configuration = Samples.configuration
        configuration.authentication.mode = .event
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let io = cluster[0].io
            let stranger = try await cluster[1].join()
            // Nobody is waited for who is not asked.
            let answers = try await cluster[1].io.server.sockets.everybody.timeout(.minutes(5))
                .emitWithAck("question", returning: JSONValue.self)
            #expect(answers == [])
            let member = try await cluster[1].join(user(1, role: "editor"))
            #expect(try await member.call("authenticate")["success"] == true)
            _ = try await member.event("authenticated")
            try io.raw(event: "raw", data: 1)
            try io.broadcast(payload: .init(topic: "sent", data: 1))
            #expect(try io.emitToNamespace("main", event: "namespace", data: 1))
            #expect(try await io.broadcast("AAAAAAAAAAAAAAAAAAAA", event: "but one", data: 1) == false)
            #expect(try await io.broadcast(stranger.id, event: "but one", data: 1))
            // Emitters of any language, and whatever else knows nothing of the gateway.
            cluster.bus.publish(["emitter", 1], BroadcastOptions())
            cluster.bus.publish(["emitter", 2], BroadcastOptions(except: ["nothing"]))
            io.server.sockets.emit("server", 1)
            io.server.sockets.everybody.socketsJoin(["everybody"])
            cluster.bus.addSockets(BroadcastOptions(), rooms: ["everybody"])
            try io.raw(event: "joined", rooms: ["everybody"], data: 1)
            // Meant for it alone, and behind all the others.
            try io.sendPrivateMessage(stranger.id, event: "the-end", data: .null)
            try io.sendPrivateMessage(member.id, event: "the-end", data: .null)
            #expect(try await stranger.packets(until: "the-end") == [])
            // Before them, the greeting of its authentication.
            #expect(
                try await member.packets(until: "the-end").suffix(8)
                    == ["raw", "sent", "namespace", "but one"].map { .event($0, [1]) }
                    + [
                        .event("emitter", [1]), .event("emitter", [2]), .event("server", [1]), .event("joined", [1]),
                    ]
            )
        }
    }

    /// Scopes tell apart who may write to sockets, entries and rooms; names must not mix them up.
    @Test func roomsAreNoSocketsAndNoEntries() async throws {
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            let client = try await cluster[0].join(user(7, role: "editor"))
            for room in ["io-role-editor", "user:7", "", "io-default"] {
                try io.sendPrivateMessage(room, event: "x", data: 1)
            }
            #expect(throws: GatewayError.self) { try io.emitToEntity("user", 7, event: "x", data: 1) }
            await #expect(throws: GatewayError.self) { try await io.getEntityRoomSockets("user", 7) }
            _ = try await client.call("subscribe-entity", ["uid": "api::article.article", "id": 5])
            try io.emitToEntity("api::article.article", "5@io-role-editor", event: "x", data: 1)
            #expect(try await io.getEntityRoomSockets("api::article.article", "5@io-role-editor") == [])
            #expect(try await cluster.received(by: [client]) == [[]])
        }
    }

    /// Whoever may move sockets may not let them hear what is meant for others.
    @Test func roomsThatDecideWhatIsSeenAreReserved() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let io = cluster[0].io
            let there = try await cluster[1].join()
            for name in [
                "io-role-editor", "io-token-full", "io-admin", "user:7", "api::article.article:5",
                "narrow:api::article.article", there.id,
            ] {
                #expect(try await io.isReserved(Room(name)), "\(name)")
            }
            for name in ["lobby", "", "general-announcement", "AAAAAAAAAAAAAAAAAAAA"] {
                #expect(try await !io.isReserved(Room(name)), "\(name)")
            }
        }
    }

    @Test func usersAreDisconnectedFromEveryNamespace() async throws {
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "admin")]
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let client = try await TestClient.connect(to: cluster[1].address)
            _ = try await client.join("/admin", auth: user(7, role: "editor"))
            cluster[0].io.disconnectUser(7, reason: "x")
            var last = await client.packet()
            while last != .end { last = await client.packet() }
        }
    }

    /// What a publisher chooses freely is remembered, or part of a name: it has a limit.
    @Test func longIDsAndNamesAreRefused() async throws {
        try await TestCluster.run { cluster in
            let long = JSONValue.string(String(repeating: "x", count: 257))
            let uid: JSONValue = "api::article.article"
            let data: JSONValue = ["id": 1]
            for bad in [
                ["event": "update", "schema": uid, "data": data, "eventId": long],
                ["event": long, "schema": uid, "data": data],
                ["event": "update", "schema": ["uid": uid, "singularName": long], "data": data],
            ] as [JSONValue] {
                #expect(throws: GatewayError.self) { try cluster[0].io.emit(LifecycleEvent(bad)) }
            }
        }
    }

    @Test func rawReachesEverybodyOrRooms() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let a = try await cluster[0].join()
            let b = try await cluster[1].join()
            let c = try await cluster[1].join()
            #expect(try await cluster[0].io.joinRoom(b.id, "x"))
            #expect(try await cluster[0].io.joinRoom(b.id, "y"))
            let io = cluster[0].io
            try io.raw(event: "all", data: [1])
            try io.raw(event: "some", rooms: ["x", "y", "nothing"], data: 0)
            try io.raw(event: "one", rooms: [Room(a.id)], data: .null)
            try io.raw(event: "typed", rooms: ["x"], data: [1: true])
            let received = try await cluster.received(by: [a, b, c])
            #expect(received[0] == [.event("all", [[1]]), .event("one", [.null])])
            #expect(received[1].prefix(2) == [.event("all", [[1]]), .event("some", [0])])
            #expect(received[2] == [.event("all", [[1]])])
            for name in ["", "connect", "disconnect", String(repeating: "x", count: 300)] {
                #expect(throws: GatewayError.self) { try io.raw(event: name, data: .null) }
            }
        }
    }

    @Test func rawFollowsThePayloadFormat() async throws {
        var configuration = Samples.configuration
        configuration.events.payloadFormat = .envelope
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            try cluster[0].io.raw(event: "x", data: 5)
            try cluster[0].io.sendPrivateMessage(client.id, event: "y", data: 6)
            let received = try await cluster.received(by: [client])
            #expect(received == [[.event("x", [["data": 5]]), .event("y", [6])]])
        }
    }

    @Test func messages() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let a = try await cluster[0].join(user(5, role: "editor"))
            let b = try await cluster[1].join(user(5, role: "editor"))
            let c = try await cluster[1].join()
            let io = cluster[0].io
            try io.sendPrivateMessage(b.id, event: "private", data: 1)
            try io.sendPrivateMessage("", event: "private", data: 1)
            try io.sendPrivateMessage("nobody", event: "private", data: 1)
            #expect(try await io.broadcast(b.id, event: "others", data: 2))
            #expect(try await !io.broadcast("nobody", event: "others", data: 2))
            try io.sendToUser(5, event: "user", data: 3)
            try io.send(destination: c.id, payload: .init(topic: "topic", data: false))
            try io.send(destination: "", payload: .init(topic: "topic", data: 0))
            try io.broadcast(payload: .init(topic: "topic", data: ""))
            try io.send(destination: "io-notification", payload: .init(topic: "default", data: 4))
            let received = try await cluster.received(by: [a, b, c])
            #expect(
                received[0] == [
                    .event("others", [2]), .event("user", [3]), .event("topic", [0]), .event("topic", [""]),
                    .event("default", [4]),
                ]
            )
            #expect(
                received[1] == [
                    .event("private", [1]), .event("user", [3]), .event("topic", [0]), .event("topic", [""]),
                    .event("default", [4]),
                ]
            )
            #expect(
                received[2] == [
                    .event("others", [2]), .event("topic", [false]), .event("topic", [0]), .event("topic", [""]),
                ]
            )
        }
    }

    @Test func roomsOfSocketsElsewhere() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let io = cluster[0].io
            let here = try await cluster[0].join()
            let there = try await cluster[1].join(user(5, role: "editor"))
            for client in [here, there] {
                #expect(try await io.joinRoom(client.id, "vip"))
                #expect(try await io.joinRoom(client.id, "vip"))
            }
            #expect(try await !io.joinRoom("AAAAAAAAAAAAAAAAAAAA", "vip"))
            #expect(try await !io.joinRoom("", "vip"))
            let sockets = try await io.getSocketsInRoom("vip")
            #expect(Set(sockets.map(\.id)) == [here.id, there.id])
            let remote = try #require(sockets.first { $0.id == there.id })
            #expect(remote.userID == 5)
            #expect(remote.role == "editor")
            #expect(remote.user == ["id": 5, "username": "user-5"])
            #expect(remote.node == "node-1")
            #expect(remote.address == "127.0.0.1")
            #expect(remote.rooms.contains("vip") && remote.rooms.contains("user:5"))
            #expect(remote.value["userId"] == 5)
            #expect(try await io.getSocketsInRoom("empty") == [])
            #expect(try await io.leaveRoom(there.id, "vip"))
            #expect(try await io.leaveRoom(there.id, "never-joined"))
            #expect(try await !io.leaveRoom("AAAAAAAAAAAAAAAAAAAA", "vip"))
            #expect(try await io.getSocketsInRoom("vip").map(\.id) == [here.id])
        }
    }

    @Test func disconnectionsTellTheReason() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            for node in cluster.nodes {
                let client = try await node.join()
                #expect(try await cluster[0].io.disconnectSocket(client.id, reason: "Violation of terms"))
                #expect(await client.packet() == .event("io:disconnect", [["reason": "Violation of terms"]]))
                #expect(await client.packet() == .disconnected)
                #expect(await client.packet() == .end)
            }
            #expect(try await !cluster[0].io.disconnectSocket("AAAAAAAAAAAAAAAAAAAA"))
            let client = try await cluster[1].join(user(9, role: "editor"))
            cluster[0].io.disconnectUser(9)
            #expect(await client.packet() == .event("io:disconnect", [["reason": "server disconnect"]]))
        }
    }

    @Test func entitiesOfSocketsElsewhere() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let io = cluster[0].io
            let client = try await cluster[1].join(user(5, role: "editor"))
            let result = try await io.subscribeToEntity(client.id, "api::article.article", 5)
            #expect(
                result.value == [
                    "success": true, "room": "api::article.article:5", "uid": "api::article.article", "id": 5,
                ]
            )
            #expect(try await io.subscribeToEntity("nobody", "api::article.article", 5).error == "Socket not found")
            #expect(try await io.subscribeToEntity(client.id, "api::x.x", 5).error == "Content type not found")
            #expect(
                try await io.subscribeToEntity(client.id, "api::article.article", "a@b").error == "Invalid entity id"
            )
            let subscriptions = try await io.getEntitySubscriptions(client.id)
            #expect(subscriptions.subscriptions?.map(\.room) == ["api::article.article:5"])
            #expect(
                try await io.getEntitySubscriptions("nobody").value == ["success": false, "error": "Socket not found"]
            )
            let watchers = try await io.getEntityRoomSockets("api::article.article", 5)
            #expect(watchers.map(\.user) == [["id": 5, "username": "user-5"]])
            try io.emitToEntity("api::article.article", 5, event: "article:commented", data: ["text": "x"])
            // Its view as an editor, although the server subscribed it.
            try io.emit(event: "update", schema: "api::article.article", data: Samples.entry)
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 6])
            let received = try await cluster.received(by: [client])[0]
            #expect(received.count == 2)
            #expect(received.first == .event("article:commented", [["text": "x"]]))
            #expect(try await io.unsubscribeFromEntity(client.id, "api::article.article", 5).success)
            #expect(try await io.unsubscribeFromEntity(client.id, "api::article.article", 5).success)
            #expect(try await io.unsubscribeFromEntity("nobody", "api::article.article", 5).error == "Socket not found")
            #expect(try await io.getEntitySubscriptions(client.id).subscriptions == [])
            let rooms = try await io.getSocketsInRoom(Room(client.id)).first?.rooms
            #expect(rooms?.contains { $0.hasPrefix("api::") } == false)
        }
    }

    @Test func silentNodesAreAnErrorAndNoLie() async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            let io = cluster[0].io
            let here = try await cluster[0].join()
            let there = try await cluster[1].join()
            let lost = try await cluster[2].join()
            for client in [here, there, lost] { #expect(try await io.joinRoom(client.id, "x")) }
            cluster.bus.silence(2)
            // Found nevertheless.
            #expect(try await io.joinRoom(here.id, "y"))
            #expect(try await io.joinRoom(there.id, "y"))
            for operation in [
                { try await io.joinRoom(lost.id, "y") }, { try await io.leaveRoom(lost.id, "y") },
                { try await io.disconnectSocket(lost.id) }, { try await io.broadcast(lost.id, event: "e", data: 1) },
                { try await io.subscribeToEntity(lost.id, "api::article.article", 1).success },
                { try await io.unsubscribeFromEntity(lost.id, "api::article.article", 1).success },
                { try await io.getEntitySubscriptions(lost.id).success },
                { try await io.getSocketsInRoom("x").isEmpty },
                { try await io.getEntityRoomSockets("api::article.article", 1).isEmpty },
            ] as [() async throws -> Bool] {
                let error = await #expect(throws: ClusterError.self) { try await operation() }
                #expect(error?.code == .timeout)
            }
            let partial = try await io.getSocketsInRoom("x", allowPartial: true)
            #expect(Set(partial.map(\.id)) == [here.id, there.id])
            let answer = try await io.getSocketsInRoomAllowingPartial("x")
            #expect(Set(answer.value.map(\.id)) == [here.id, there.id])
            #expect(!answer.isComplete && answer.missing == [ClusterNode(id: "node-2", address: "10.0.0.2:3000")])
            let watchers = try await io.getEntityRoomSocketsAllowingPartial("api::article.article", 1)
            #expect(watchers.value.isEmpty && watchers.missing == answer.missing)
            await #expect(throws: GatewayError.self) { try await io.getEntityRoomSocketsAllowingPartial("user", 1) }
        }
    }

    @Test func namespaces() async throws {
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "chat")]
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let io = cluster[0].io
            #expect(Set(io.namespaces.keys) == ["main", "chat"])
            #expect(io.namespaces["main"] === io.server.sockets)
            let chat = try await TestClient.join("/chat", at: cluster[1].address)
            let main = try await cluster[1].join()
            #expect(try io.emitToNamespace("chat", event: "a", data: 1))
            #expect(try io.emitToNamespace("/chat", event: "b", data: 2))
            #expect(try io.emitToNamespace("main", event: "c", data: 3))
            #expect(try !io.emitToNamespace("nothing", event: "d", data: 4))
            #expect(await chat.packet() == .event("a", [1]))
            #expect(await chat.packet() == .event("b", [2]))
            #expect(try await cluster.received(by: [main]) == [[.event("c", [3])]])
        }
    }

    @Test func theHookForConnectedClients() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        var hooks = GatewayHooks()
        hooks.clientConnected = { id, principal in continuation.yield("\(id) \(principal.audienceRoom)") }
        try await TestCluster.run(hooks: hooks) { cluster in
            let client = try await cluster[0].join(apiToken("Full"))
            var iterator = stream.makeAsyncIterator()
            #expect(await iterator.next() == "\(client.id) io-token-full")
        }
    }
}
