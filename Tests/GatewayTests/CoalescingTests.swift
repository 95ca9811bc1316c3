import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Updates that wait for later ones, as a value.
@Suite(.timeLimit(.minutes(1))) struct HeldUpdatesTests {
    private func update(_ id: Int, _ value: Int, previous: JSONValue? = nil) -> LifecycleEvent {
        LifecycleEvent(
            event: "update",
            schema: "api::a.a",
            data: ["id": .int(id), "value": .int(value)],
            previous: previous
        )
    }

    private func id(_ id: Int) -> EntityIdentity.ID { .init(field: "id", text: "\(id)") }

    /// Whatever is held and taken, in whatever order: of each entry the last update, each once, nothing stays behind.
    @Test(arguments: 0..<20) func theLastUpdateOfEachEntryIsKept(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var held = HeldUpdates()
        var expected: OrderedDictionary<Int, Int> = [:]
        for step in 0..<400 {
            if Int.random(in: 0..<20, using: &generator) == 0 {
                let taken = held.take(uid: "api::a.a").flatMap(\.events)
                #expect(taken.map(\.data["id"]) == expected.keys.map { .int($0) })
                #expect(taken.map(\.data["value"]) == expected.values.map { .int($0) })
                #expect(held.count == 0)
                expected = [:]
            } else {
                let entry = Int.random(in: 0..<10, using: &generator)
                let answer = held.hold(self.update(entry, step), of: self.id(entry), onlyHere: false)
                #expect(answer == (expected.isEmpty ? .begins : .holds))
                expected[entry] = step
                #expect(held.count == expected.count)
            }
        }
    }

    @Test func previousIsWhatWasBeforeTheFirstUpdate() {
        var held = HeldUpdates()
        _ = held.hold(self.update(1, 1, previous: ["value": 0]), of: self.id(1), onlyHere: false)
        _ = held.hold(self.update(1, 2, previous: ["value": 1]), of: self.id(1), onlyHere: false)
        let taken = held.takeAll().flatMap(\.events)
        #expect(taken.map(\.previous) == [["value": 0]])
        #expect(taken.map(\.data["value"]) == [2])
    }

    /// What this node sends alone is not mixed with what it sends to the cluster.
    @Test func theWayOfAnUpdateIsKept() {
        var held = HeldUpdates()
        _ = held.hold(self.update(1, 1), of: self.id(1), onlyHere: false)
        _ = held.hold(self.update(1, 2), of: self.id(1), onlyHere: true)
        #expect(held.takeAll().map(\.onlyHere) == [false, true])
    }

    @Test func thereIsALimit() {
        var held = HeldUpdates()
        for entry in 1..<HeldUpdates.maximumCount {
            let answer = held.hold(self.update(entry, 0), of: self.id(entry), onlyHere: false)
            #expect(answer != .isFull)
        }
        #expect(held.hold(self.update(0, 0), of: self.id(0), onlyHere: false) == .isFull)
        #expect(held.take(uid: "api::a.a").flatMap(\.events).count == HeldUpdates.maximumCount)
        let large = JSONValue.string(String(repeating: "x", count: HeldUpdates.maximumWeight))
        let event = LifecycleEvent(event: "update", schema: "api::a.a", data: ["id": 1, "text": large])
        #expect(held.hold(event, of: self.id(1), onlyHere: false) == .isFull)
        _ = held.takeAll()
        // The same entry again and again does not count again.
        for step in 0..<HeldUpdates.maximumCount * 2 {
            #expect(held.hold(self.update(1, step), of: self.id(1), onlyHere: false) != .isFull)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct CoalescingTests {
    private func configuration(
        _ time: Duration = .seconds(10),
        bulk: Bool = false,
        _ change: (inout GatewayConfiguration) -> Void = { _ in }
    ) -> GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.contentTypes[0].coalescing = time
        configuration.contentTypes[0].sendsBulk = bulk
        change(&configuration)
        return configuration
    }

    private func article(_ id: Int, _ title: String) -> JSONValue { ["id": .int(id), "title": .string(title)] }

    @Test func onlyTheLastUpdateOfAnEntryIsSent() async throws {
        try await TestCluster.run(nodes: 2, configuration: self.configuration()) { cluster in
            let clients = [try await cluster[0].join(), try await cluster[1].join()]
            let io = cluster[0].io
            for title in ["a", "b", "c"] {
                let report = try io.emit(event: "update", schema: "api::article.article", data: self.article(1, title))
                #expect(report.outcome == .coalesced)
                #expect(report.event == "article:update")
            }
            try io.emit(event: "update", schema: "api::article.article", data: self.article(2, "x"))
            io.sendHeldUpdates()
            for received in try await cluster.received(by: clients) {
                #expect(
                    received == [
                        .event("article:update", [self.article(1, "c")]),
                        .event("article:update", [self.article(2, "x")]),
                    ]
                )
            }
        }
    }

    /// The time of the content type ends by itself.
    @Test func heldUpdatesAreSentInTime() async throws {
        try await TestCluster.run(configuration: self.configuration(.milliseconds(20))) { cluster in
            let client = try await cluster[0].join()
            for round in 1...3 {
                try cluster[0].io.emit(
                    event: "update",
                    schema: "api::article.article",
                    data: self.article(1, "\(round)")
                )
                #expect(try await client.event("article:update") == [self.article(1, "\(round)")])
            }
        }
    }

    /// An entry that is known by two ids is one entry.
    @Test func bothIDsOfAnEntryMeanTheSameEntry() async throws {
        try await TestCluster.run(configuration: self.configuration()) { cluster in
            let client = try await cluster[0].join()
            let io = cluster[0].io
            func emit(_ event: String, _ data: JSONValue) throws {
                try io.emit(event: event, schema: "api::article.article", data: data)
            }
            try emit("create", ["id": 1, "documentId": "abc", "title": "0"])
            try emit("update", ["documentId": "abc", "title": "1"])
            try emit("update", ["id": 1, "title": "2"])
            io.sendHeldUpdates()
            let received = try await cluster.received(by: [client])[0]
            #expect(received.count == 2)
            #expect(received.last == .event("article:update", [["id": 1, "title": "2"]]))
        }
    }

    /// Whatever else is published about the type comes after what was held, and what nobody would get is told at once.
    @Test func otherEventsDoNotOvertakeHeldUpdates() async throws {
        var configuration = self.configuration()
        configuration.contentTypes[0].draftAndPublish = true
        configuration.events.onlyPublished = true
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            let io = cluster[0].io
            func emit(_ event: String, _ data: JSONValue) throws -> EmitReport.Outcome {
                try io.emit(event: event, schema: "api::article.article", data: data).outcome
            }
            let published: JSONValue = ["id": 1, "publishedAt": "2026"]
            #expect(try emit("update", published) == .coalesced)
            #expect(try emit("update", ["id": 1]) == .draft)
            #expect(try emit("update", published) == .coalesced)
            #expect(try emit("update", [published]) == .sent)
            #expect(try emit("update", published) == .coalesced)
            #expect(try emit("delete", ["id": 1]) == .sent)
            #expect(try emit("update", .null) == .noData)
            let received = try await cluster.received(by: [client])[0]
            #expect(
                received == [
                    .event("article:update", [published]), .event("article:update", [published]),
                    .event("article:update", [[published]]), .event("article:update", [published]),
                    .event("article:delete", [["id": 1]]),
                ]
            )
        }
    }

    /// Who takes what is held, and who publishes something else, are two threads.
    @Test func aDeleteNeverOvertakesAnUpdateThatSomebodyElseSends() async throws {
        try await TestCluster.run(configuration: self.configuration()) { cluster in
            let client = try await cluster[0].join()
            let io = cluster[0].io
            for round in 0..<100 {
                try io.emit(event: "update", schema: "api::article.article", data: self.article(round, "x"))
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { io.sendHeldUpdates() }
                    group.addTask {
                        _ = try? io.emit(event: "delete", schema: "api::article.article", data: ["id": .int(round)])
                    }
                }
            }
            let received = try await cluster.received(by: [client])[0]
            let expected = (0..<100).flatMap { round -> [TestClient.Packet] in
                [
                    .event("article:update", [self.article(round, "x")]),
                    .event("article:delete", [["id": .int(round)]]),
                ]
            }
            #expect(received == expected)
        }
    }

    /// With `bulk`, those who hear of all entries get one list, followers get theirs one by one, and everybody gets what
    /// his role may see.
    @Test(arguments: SubscriptionMode.allCases) func manyUpdatesBecomeOneList(_ mode: SubscriptionMode) async throws {
        let configuration = self.configuration(bulk: true) { $0.entitySubscriptions.mode = mode }
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let reader = try await cluster[1].join()
            let member = try await cluster[1].join(user(1, role: "authenticated"))
            let follower = try await cluster[1].join()
            _ = try await follower.call("subscribe-entity", ["uid": "api::article.article", "id": 2])
            let io = cluster[0].io
            for id in 1...3 {
                try io.emit(
                    event: "update",
                    schema: "api::article.article",
                    data: ["id": .int(id), "notes": "PRIVATE", "author": ["id": 9, "name": "Ada", "pin": "PRIVATE"]]
                )
            }
            io.sendHeldUpdates()
            let plain = (1...3).map { id -> JSONValue in ["id": .int(id)] }
            let withAuthors = (1...3).map { id -> JSONValue in
                ["id": .int(id), "author": ["id": 9, "name": "Ada"]]
            }
            let received = try await cluster.received(by: [reader, member, follower])
            #expect(received[0] == [.event("article:update:bulk", [.array(plain)])])
            #expect(received[1] == [.event("article:update:bulk", [.array(withAuthors)])])
            switch mode {
            case .narrow: #expect(received[2] == [.event("article:update", [plain[1]])])
            case .additive: #expect(received[2] == [.event("article:update:bulk", [.array(plain)])])
            }
            // A single update is no list.
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 1])
            io.sendHeldUpdates()
            #expect(try await cluster.received(by: [reader])[0] == [.event("article:update", [["id": 1]])])
        }
    }

    @Test func ownersGetTheirPartOfAList() async throws {
        let configuration = self.configuration(bulk: true) {
            $0.contentTypes[0].ownerField = "owner"
            $0.contentTypes[0].fields["owner"] = .integer
        }
        try await TestCluster.run(configuration: configuration) { cluster in
            let clients = [
                try await cluster[0].join(user(1, role: "authenticated")),
                try await cluster[0].join(user(2, role: "authenticated")),
                try await cluster[0].join(user(3, role: "authenticated")),
            ]
            let entries = [1, 2, 1].enumerated().map { index, owner -> JSONValue in
                ["id": .int(index), "owner": .int(owner)]
            }
            for entry in entries {
                try cluster[0].io.emit(event: "update", schema: "api::article.article", data: entry)
            }
            cluster[0].io.sendHeldUpdates()
            let received = try await cluster.received(by: clients)
            #expect(received[0] == [.event("article:update:bulk", [[entries[0], entries[2]]])])
            #expect(received[1] == [.event("article:update:bulk", [[entries[1]]])])
            #expect(received[2] == [])
        }
    }

    /// Back ends are told that nobody has it yet, and a repeated event is not held twice.
    @Test func publishersAreToldThatUpdatesAreHeld() async throws {
        try await TestCluster.run(configuration: self.configuration()) { cluster in
            let client = try await cluster[0].join()
            let event = LifecycleEvent(
                event: "update",
                schema: "api::article.article",
                data: self.article(1, "a"),
                eventID: "1"
            )
            let (report, sent) = try await cluster[0].io.publisher(wantsReceipt: true).emit(event)
            #expect(report == PublishReport(.held))
            #expect(sent.outcome == .coalesced)
            #expect(try await cluster[0].io.publisher().emit(event).1.outcome == .repeated)
            #expect(try cluster[0].io.emit(event).outcome == .repeated)
            cluster[0].io.sendHeldUpdates()
            #expect(try await cluster.received(by: [client])[0].count == 1)
            // Who has to know that it was sent does not let it be held.
            var publisher = cluster[0].io.publisher()
            publisher.mayHoldUpdates = false
            let other = LifecycleEvent(event: "update", schema: "api::article.article", data: self.article(1, "b"))
            let (sentReport, sentNow) = try await publisher.emit(other)
            #expect(sentReport == PublishReport(.published))
            #expect(sentNow.outcome == .sent)
        }
    }

    /// What every node hears of, every node holds, and sends to its own clients.
    @Test func eventsOfOtherProcessesAreHeldByEveryNode() async throws {
        try await TestCluster.run(nodes: 2, configuration: self.configuration()) { cluster in
            let clients = [try await cluster[0].join(), try await cluster[1].join()]
            for title in ["a", "b"] {
                let event: JSONValue = [
                    "event": "update", "schema": "api::article.article", "data": self.article(1, title),
                ]
                cluster.bus.publishServerSide(["io:emit", event])
            }
            for node in cluster.nodes { node.io.sendHeldUpdates() }
            for received in try await cluster.received(by: clients) {
                #expect(received == [.event("article:update", [self.article(1, "b")])])
            }
        }
    }

    @Test func impossibleTimesAreProblems() {
        for (time, bulk, path) in [
            (Duration.seconds(11), false, "coalesce"), (.milliseconds(-1), false, "coalesce"),
            (.zero, true, "bulk"),
        ] {
            let problems = self.configuration(time, bulk: bulk).validate()
            #expect(problems.map(\.path) == ["contentTypes[0].\(path)"])
        }
        #expect(self.configuration(.seconds(10), bulk: true).validate().isEmpty)
    }
}
