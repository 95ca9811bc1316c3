import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Explanations say what happens, without letting it happen.
@Suite(.timeLimit(.minutes(1))) struct ExplainTests {
    private static let article = SchemaReference(uid: Samples.article)

    /// Whatever an explanation says a socket would get, it gets; and as many as it says.
    @Test(arguments: SubscriptionMode.allCases, [false, true])
    func explanationsComeTrue(_ mode: SubscriptionMode, hasOwner: Bool) async throws {
        var configuration = Samples.configuration
        configuration.entitySubscriptions.mode = mode
        if hasOwner {
            configuration.contentTypes[0].ownerField = "owner"
            configuration.contentTypes[0].fields["owner"] = .integer
        }
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let auths: [JSONValue?] = [
                nil, user(1, role: "authenticated"), user(2, role: "authenticated"), user(3, role: "editor"),
                user(4, role: "nobody"), apiToken("Full"), apiToken("Reader"), apiToken("Custom One"),
            ]
            var clients: [TestClient] = []
            for (index, auth) in auths.enumerated() {
                clients.append(try await cluster[index % 2].join(auth))
                // A second socket each, which follows one of the entries.
                let follower = try await cluster[(index + 1) % 2].join(auth)
                _ = try await follower.call("subscribe-entity", ["uid": .string(Samples.article), "id": 5])
                clients.append(follower)
            }
            let io = cluster[0].io
            let entries: [JSONValue] = [
                ["id": 5, "title": "t", "notes": "PRIVATE", "author": ["id": 1, "name": "Ada"], "owner": 1],
                ["id": 6, "title": "t", "owner": 2],
                [["id": 5, "owner": 1], ["id": 7, "owner": 2]],
                .null,
            ]
            for name in ["create", "update", "delete", "publish", "custom"] {
                for entry in entries {
                    let event = LifecycleEvent(event: name, schema: Self.article, data: entry)
                    var expected: [[TestClient.Packet]] = []
                    for client in clients {
                        let explanation = try await io.explain(event, for: .socket(client.id))
                        let view = try #require(explanation.sockets.first)
                        #expect(view.socket.id == client.id)
                        #expect(view.queuedBytes != nil)
                        #expect(view.reason.hasSuffix("."))
                        #expect(explanation.missing == [])
                        expected.append(view.events.map { .event($0.topic, [$0.data]) })
                    }
                    let explanation = try await io.explain(event)
                    let report = try io.emit(event)
                    #expect(explanation.event == report.event)
                    #expect(explanation.outcome == report.outcome)
                    let received = try await cluster.received(by: clients)
                    for (index, (got, told)) in zip(received, expected).enumerated() {
                        #expect(got == told, "client \(index), \(name) \(entry)")
                    }
                    let counted = explanation.audiences.reduce(0) { $0 + $1.receivers.values.reduce(0, +) }
                    #expect(counted == received.filter { !$0.isEmpty }.count, "\(name) \(entry)")
                }
            }
            for client in clients { await client.close() }
        }
    }

    /// Nothing is sent, counted as sent, or learnt.
    @Test func explainingChangesNothing() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "owner"
        configuration.contentTypes[0].coalescing = .seconds(10)
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let client = try await cluster[1].join(user(1, role: "authenticated"))
            let before = cluster.bus.broadcasts
            let data: JSONValue = ["id": 5, "documentId": "abc", "owner": 1]
            let event = LifecycleEvent(event: "update", schema: Self.article, data: data, eventID: "1")
            _ = try await cluster[0].io.explain(event, for: .user(1))
            #expect(cluster.bus.broadcasts == before)
            let type = try #require(cluster[0].io.context.rules.value.content.schema.contentType(Samples.article))
            let entity = EntityRef(uid: Samples.article, id: "5")
            #expect(cluster[0].io.subscriptions.owners(of: entity, type) == nil)
            #expect(try cluster[0].io.emit(event).outcome == .coalesced, "The id is still free")
            cluster[0].io.sendHeldUpdates()
            #expect(try await cluster.received(by: [client])[0].count == 1)
        }
    }

    @Test func everyRuleHasItsSentence() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "owner"
        configuration.contentTypes[0].fields["owner"] = .integer
        try await TestCluster.run(configuration: configuration) { cluster in
            let io = cluster[0].io
            let update = try await io.explain(LifecycleEvent(event: "update", schema: Self.article, data: ["id": 1]))
            let reasons = update.audiences.reduce(into: [Room: String]()) {
                $0[$1.room] = "\($1.verdict): \($1.reason)"
            }
            #expect(reasons["io-role-nobody"] == "denied: It lacks the scope api::article.article.update.")
            #expect(
                reasons["io-role-public"]
                    == "ownersOnly: It receives events about its own entries; those of others need the scope api::article.article.update:any."
            )
            #expect(reasons["io-token-full"] == "permitted: It may do everything.")
            #expect(reasons["io-token-late"] == "permitted: It may do everything.")
            let publish = try await io.explain(LifecycleEvent(event: "publish", schema: Self.article, data: ["id": 1]))
            let nobody = publish.audiences.first { $0.room == "io-role-nobody" }
            #expect(
                nobody?.reason == "It lacks the scope api::article.article.publish or api::article.article.update."
            )
            let empty = try await io.explain(LifecycleEvent(event: "update", schema: Self.article, data: .null))
            #expect(empty.outcome == .noData)
        }
    }

    @Test func expiredTokensAreDenied() async throws {
        let clock: @Sendable () -> Double = { 1000 }
        try await TestCluster.run(clock: clock) { cluster in
            let event = LifecycleEvent(event: "update", schema: Self.article, data: ["id": 1])
            let late = try await cluster[0].io.explain(event).audiences.first { $0.room == "io-token-late" }
            #expect(late?.verdict == "denied")
            #expect(late?.reason == "The token has expired.")
        }
    }

    /// A follower of something else learns why it hears nothing.
    @Test func socketsLearnWhy() async throws {
        var configuration = Samples.configuration
        configuration.entitySubscriptions.mode = .narrow
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let follower = try await cluster[1].join(user(7, role: "authenticated"))
            _ = try await follower.call("subscribe-entity", ["uid": .string(Samples.article), "id": 5])
            let nobody = try await cluster[1].join(user(8, role: "nobody"))
            func reason(_ data: JSONValue, _ target: ExplanationTarget) async throws -> String? {
                let event = LifecycleEvent(event: "update", schema: Self.article, data: data)
                let explanation = try await cluster[0].io.explain(event, for: target)
                #expect(explanation.sockets.count == 1)
                return explanation.sockets.first?.reason
            }
            let own = try await reason(["id": 5], .user(7))
            #expect(own == "It follows the entry. Its scopes allow it: api::article.article.update.")
            let other = try await reason(["id": 6], .socket(follower.id))
            #expect(other?.hasPrefix("It follows other entries of the type") == true)
            let denied = try await reason(["id": 5], .socket(nobody.id))
            #expect(denied == "It lacks the scope api::article.article.update.")
            let editor = try await cluster[0].io.explain(
                LifecycleEvent(event: "update", schema: Self.article, data: ["id": 5]),
                for: .role("Editor")
            )
            #expect(editor.audiences.map(\.room) == ["io-role-editor"])
        }
    }

    @Test func eventsWithoutContentTypeAreExplained() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let client = try await cluster[1].join(user(7, role: "editor"))
            let io = cluster[0].io
            func view(_ rooms: [Room]?) async throws -> Explanation.SocketView? {
                try await io.explainRaw(event: "x", rooms: rooms, data: 1, for: .socket(client.id)).sockets.first
            }
            #expect(try await view(nil)?.reason == "Everybody gets it.")
            #expect(try await view(["user:7", "nothing"])?.reason == "It is in user:7.")
            #expect(try await view(["user:7"])?.events == [IO.Message(topic: "x", data: 1)])
            #expect(try await view(["nothing"])?.events == [])
            #expect(try await view([])?.reason == "It is in none of the rooms.")
            await #expect(throws: GatewayError.self) { try await io.explainRaw(event: "connect", data: 1) }
        }
    }

    /// A node that does not answer is named, and the others have answered nevertheless.
    @Test func missingNodesAreNamed() async throws {
        try await TestCluster.run(nodes: 3) { cluster in
            let client = try await cluster[1].join()
            cluster.bus.silence(2)
            let event = LifecycleEvent(event: "update", schema: Self.article, data: ["id": 1])
            let explanation = try await cluster[0].io.explain(event)
            #expect(explanation.missing == ["node-2"])
            let visitors = explanation.audiences.first { $0.room == "io-role-public" }
            #expect(visitors?.receivers == ["node-0": 0, "node-1": 1])
            await client.close()
        }
    }
}
