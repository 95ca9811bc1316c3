import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// The verbs that say what became of them.
@Suite(.timeLimit(.minutes(1))) struct PublisherTests {
    /// What is published reaches all nodes, and the receipt counts who it was sent to.
    @Test func receiptsCountTheClientsOfAllNodes() async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            var clients: [TestClient] = []
            for node in cluster.nodes {
                clients += [try await node.join(user(1, role: "editor")), try await node.join()]
            }
            let publisher = cluster[0].io.publisher(wantsReceipt: true)
            func expect(_ report: PublishReport?, _ count: Int, nodes: Int = 3, missing: [String] = []) {
                let receipt = PublishReceipt(receivers: count, nodes: nodes, missing: missing)
                #expect(report == PublishReport(.published, receipt: receipt))
            }
            expect(try await publisher.raw(event: "x", data: 1), 6)
            expect(try await publisher.raw(event: "x", rooms: ["user:1"], data: 1), 3)
            expect(try await publisher.raw(event: "x", rooms: [Room(clients[4].id), "user:1"], data: 1), 3)
            expect(try await publisher.sendToUser(1, event: "x", data: 1), 3)
            expect(try await publisher.broadcast(clients[5].id, event: "x", data: 1), 5)
            expect(try await publisher.sendPrivateMessage(clients[3].id, event: "x", data: 1), 1)
            expect(try await publisher.emitToNamespace("/", event: "x", rooms: ["io-role-public"], data: 1), 3)
            let (report, sent) = try await publisher.emit(
                LifecycleEvent(event: "update", schema: "api::article.article", data: Samples.entry)
            )
            #expect(sent.outcome == .sent)
            #expect(report.receipt?.nodes == 3)
            #expect(report.receipt?.receivers == 6)
            // A node that does not answer is named, if it is known by name.
            cluster.bus.silence(2)
            expect(try await publisher.raw(event: "x", data: 1), 4, nodes: 2, missing: ["node-2"])
            for client in clients { await client.close() }
        }
    }

    @Test func whatWaitsIsCountedHereOnly() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let client = try await cluster[0].join()
            cluster.bus.setOutcome(.queued)
            let report = try await cluster[0].io.publisher(wantsReceipt: true).raw(event: "x", data: 1)
            let receipt = PublishReceipt(receivers: 1, nodes: 1, missing: ["cluster"])
            #expect(report == PublishReport(.queued, receipt: receipt))
            #expect(try await client.packets(until: "x").isEmpty)
            await client.close()
        }
    }

    /// Nothing happens on this node either, and no id is used up.
    @Test func whatIsRefusedHappensNowhere() async throws {
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "chat")]
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let client = try await cluster[0].join(user(7, role: "editor"))
            let publisher = cluster[0].io.publisher(whileUnreachable: .refuse)
            let event = LifecycleEvent(
                event: "update",
                schema: "api::article.article",
                data: Samples.entry,
                eventID: "1"
            )
            cluster.bus.setOutcome(.refused(reason: "away"))
            for verb in [
                { _ = try await publisher.raw(event: "x", data: 1) },
                { _ = try await publisher.emit(event) },
                { _ = try await publisher.sendToUser(7, event: "x", data: 1) },
                { _ = try await publisher.sendPrivateMessage(client.id, event: "x", data: 1) },
                { _ = try await publisher.disconnectSocket(client.id, reason: "x") },
                { _ = try await publisher.disconnectUser(7, reason: "x") },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: ClusterError.self) { try await verb() }
                #expect(error?.code == .unreachable)
            }
            cluster.bus.setOutcome(.published)
            #expect(try await publisher.emit(event).1.outcome == .sent)
            #expect(try await publisher.emit(event).1.outcome == .repeated)
            let received = try await cluster.received(by: [client])
            #expect(received[0].count == 1, "\(received[0])")
            await client.close()
        }
    }

    @Test func usersAreDisconnectedOnAllNodes() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let clients = [
                try await cluster[0].join(user(7, role: "editor")), try await cluster[1].join(user(7, role: "editor")),
            ]
            let report = try await cluster[0].io.publisher().disconnectUser(7, reason: "enough")
            #expect(report == PublishReport(.published))
            for client in clients {
                #expect(try await client.packets(until: "io:disconnect").isEmpty)
            }
        }
    }

    /// Whoever may write to sockets may not write to rooms.
    @Test(arguments: ["AAAAAAAAAAAAAAAAAAAA", "io-role-public", "user:1", ""])
    func unknownSocketsAreNobody(id: String) async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let client = try await cluster[1].join(user(1, role: "editor"))
            let publisher = cluster[0].io.publisher()
            #expect(try await publisher.sendPrivateMessage(id, event: "x", data: 1) == nil)
            #expect(try await publisher.broadcast(id, event: "x", data: 1) == nil)
            #expect(try await publisher.joinRoom(id, "r") == nil)
            #expect(try await publisher.leaveRoom(id, "r") == nil)
            #expect(try await publisher.disconnectSocket(id, reason: "x") == nil)
            #expect(try await cluster.received(by: [client])[0].isEmpty)
            await client.close()
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventIDMemoryTests {
    private func key(_ id: String, _ scope: String...) -> EventIDMemory.Key { EventIDMemory.Key(id, scope: scope) }

    @Test func bytesAndScopesDecide() {
        let keys = [
            self.key("a"), self.key("\u{E9}"), self.key("e\u{301}"), self.key("K"), self.key("\u{212A}"), self.key(""),
            self.key("a", ""), self.key("a", "b"), self.key("b", "a"), self.key("", "ab"), self.key("b", "a", ""),
            self.key("", "a", "b"), self.key("a/b"), self.key("b", "a/"),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(self.key("a", "b") == self.key("a", "b"))
    }

    @Test func forgetsTheOldestFirst() {
        let memory = EventIDMemory(capacity: 2)
        let new = ["a", "a", "b", "c", "a", "c"].map { memory.insert(self.key($0)) }
        #expect(new == [true, false, true, true, true, false])
        let none = EventIDMemory(capacity: 0)
        #expect(["a", "a"].map { none.insert(self.key($0)) } == [true, true])
    }

    @Test func onlyWhatPublishedIsRemembered() async throws {
        struct Failure: Error {}
        let memory = EventIDMemory(capacity: 2)
        let key = self.key("a")
        #expect(try await memory.once(key) { (1, false) } == 1)
        await #expect(throws: Failure.self) {
            try await memory.once(key) { () async throws -> (result: Int, hasPublished: Bool) in throw Failure() }
        }
        #expect(try await memory.once(key) { (2, true) } == 2)
        #expect(try await memory.once(key) { (3, true) } == nil)
    }

    /// Of many equal requests at a time one publishes, and the others say so only once it has.
    @Test func requestsUnderWayAreWaitedFor() async throws {
        let memory = EventIDMemory(capacity: 2)
        let key = self.key("a")
        let done = NIOLockedValueBox(0)
        let results = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<100 {
                group.addTask {
                    try? await memory.once(key) {
                        await Task.yield()
                        let count = done.withLockedValue { count in
                            count += 1
                            return count
                        }
                        return (number, count == 10)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        // The tenth try was the first that published; everybody behind it had nothing to do.
        #expect(done.withLockedValue { $0 } == 10)
        #expect(results.count { $0 == nil } == 90)
    }
}
