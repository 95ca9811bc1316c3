import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// The settings document that nodes share.
@Suite(.timeLimit(.minutes(1))) struct LiveSettingsTests {
    /// Knows two settings: whether visitors may hear of articles, and fields that are private.
    private struct Source: SettingsSource {
        var base = Samples.configuration
        /// Wrong values for this node alone.
        var refuses = false

        func propose(_ document: SettingsDocument?) async throws -> SettingsProposal {
            let settings = try document?.value().objectValue ?? [:]
            var configuration = self.base
            var changes: [SettingsChange] = []
            for (name, value) in settings {
                switch name {
                case "visitors": configuration.roles[0].scopes = value == true ? configuration.roles[0].scopes : []
                case "private":
                    configuration.events.sensitiveFields = value.arrayValue?.compactMap(\.stringValue) ?? []
                case "role": configuration.roles[0].type = value.stringValue ?? ""
                default: throw SettingsRefusal(problems: ["\(name.string) is no setting"])
                }
                changes.append(SettingsChange(key: name.string))
            }
            if self.refuses, !settings.isEmpty { throw SettingsRefusal(problems: ["not on this node"]) }
            return SettingsProposal(configuration: configuration, changes: changes)
        }
    }

    /// Nodes that follow the same settings.
    private func run(
        nodes: Int = 2,
        _ sharing: Sharing = Sharing(),
        _ sources: [Source] = [],
        _ body: (TestCluster, [LiveSettings], InMemorySettings) async throws -> Void
    ) async throws {
        let store = try #require(sharing.settings as? InMemorySettings)
        try await TestCluster.run(nodes: nodes, sharing: sharing) { cluster in
            var settings: [LiveSettings] = []
            for (index, node) in cluster.nodes.enumerated() {
                let source = index < sources.count ? sources[index] : Source()
                settings.append(
                    try await node.io.follow(source, patience: .milliseconds(1), interval: .milliseconds(20))
                )
            }
            let all = settings
            for node in cluster.nodes {
                await node.io.watch.wait(atMost: .seconds(20)) { others in
                    others.count == nodes - 1 && others.allSatisfy { $0.announcement.revision != nil }
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for settings in all { group.addTask { await settings.run() } }
                try await body(cluster, all, store)
                group.cancelAll()
            }
        }
    }

    private func hears(_ cluster: TestCluster, _ node: Int) async throws -> Bool {
        let visitor = try await cluster[node].join()
        try cluster[node].io.emit(event: "update", schema: "api::article.article", data: ["id": 1])
        try cluster[node].io.raw(event: "end", data: .null)
        return try await visitor.packets(until: "end").count == 1
    }

    /// A document is in force on all nodes when it has been written, and in the history.
    @Test func aDocumentIsInForceEverywhere() async throws {
        try await self.run { cluster, settings, _ in
            let report = try await settings[0].replace(with: ["visitors": false], ifMatch: "0-0", by: "Ada")
            #expect(report.version == 1)
            #expect(report.changes == [SettingsChange(key: "visitors")])
            #expect(report.nodes.count == 2 && report.nodes.allSatisfy(\.isInForce))
            #expect(Set(report.nodes.map(\.digest)).count == 1)
            for node in 0...1 { #expect(try await !self.hears(cluster, node)) }
            let status = try await settings[1].status()
            #expect(status.versionInForce == 1 && status.error == nil)
            #expect(status.document?.author == "Ada" && status.document?.time == 500_000)
            #expect(status.entityTag == report.entityTag)
        }
    }

    /// Who has not seen the newest document does not replace it.
    @Test func onlyWhatWasSeenIsReplaced() async throws {
        try await self.run(nodes: 1) { _, settings, _ in
            let first = try await settings[0].replace(with: ["visitors": true], ifMatch: nil, by: "Ada")
            let second = try await settings[0].replace(with: [:], ifMatch: first.entityTag, by: "Bob")
            let conflict = SettingsChangeError.conflict(entityTag: second.entityTag)
            await #expect(throws: conflict) {
                try await settings[0].replace(with: ["visitors": false], ifMatch: first.entityTag, by: "Eve")
            }
            #expect(try await settings[0].history().map(\.author) == ["Bob", "Ada"])
        }
    }

    /// A wrong document is refused with everything that is wrong, and nothing is written.
    @Test(
        arguments: [(["nonsense": 1], "nonsense is no setting"), (["role": "a:b"], "roles[0].type")]
            as [(JSONValue, String)]
    )
    func aWrongDocumentIsRefused(_ document: JSONValue, _ problem: String) async throws {
        try await self.run(nodes: 1) { cluster, settings, _ in
            do {
                _ = try await settings[0].replace(with: document, ifMatch: nil, by: "Ada")
                Issue.record("The document was taken")
            } catch let refusal as SettingsRefusal {
                #expect(refusal.description.contains(problem))
            }
            #expect(try await settings[0].history().isEmpty)
            #expect(try await self.hears(cluster, 0))
        }
    }

    /// Whatever somebody writes by hand, what was in force stays, the error is told, and there is a way back.
    @Test(arguments: ["", "no JSON", "[]", "{\"nonsense\": 1}", "{\"role\": \"a:b\"}"])
    func aWrongDocumentWrittenByHandLocksNobodyOut(_ text: String) async throws {
        let sharing = Sharing()
        try await self.run(nodes: 1, sharing) { cluster, settings, store in
            _ = try await settings[0].replace(with: ["visitors": true], ifMatch: nil, by: "Ada")
            _ = try await settings[0].replace(with: ["visitors": false], ifMatch: nil, by: "Ada")
            store.overwrite(ByteBuffer(string: text))
            await settings[0].catchUp()
            let status = try await settings[0].status()
            #expect(status.error != nil)
            #expect(status.versionInForce == 2)
            #expect(try await !self.hears(cluster, 0))
        }
        // A node that starts now goes by the newest version that is right.
        try await self.run(nodes: 1, sharing) { cluster, settings, _ in
            #expect(try await settings[0].status().versionInForce == 2)
            #expect(try await settings[0].status().error != nil)
            #expect(try await !self.hears(cluster, 0))
            let report = try await settings[0].rollBack(ifMatch: nil, by: "Bob")
            #expect(report.version == 3)
            #expect(try await settings[0].status().error == nil)
            _ = try await settings[0].rollBack(to: 1, ifMatch: nil, by: "Bob")
            #expect(try await self.hears(cluster, 0))
        }
    }

    /// A document that one node cannot use is in force on the others, and the answer says where it is not.
    @Test func theAnswerSaysWhereADocumentIsNotInForce() async throws {
        try await self.run(sources: [Source(), Source(refuses: true)]) { cluster, settings, _ in
            let report = try await settings[0].replace(with: ["visitors": false], ifMatch: nil, by: "Ada")
            #expect(report.nodes.map(\.isInForce) == [true, false])
            #expect(report.nodes[1].error?.contains("not on this node") == true)
            #expect(try await !self.hears(cluster, 0))
            #expect(try await self.hears(cluster, 1))
        }
    }

    @Test func theHistoryHasTheLastTwentyVersions() async throws {
        try await self.run(nodes: 1) { _, settings, _ in
            for number in 0..<25 {
                _ = try await settings[0].replace(
                    with: ["visitors": .bool(number % 2 == 0)],
                    ifMatch: nil,
                    by: "\(number)"
                )
            }
            let history = try await settings[0].history()
            #expect(history.map(\.version) == Array((6...25).reversed()))
            #expect(history.map(\.author) == (5...24).reversed().map { "\($0)" })
            await #expect(throws: SettingsChangeError.unknownVersion) {
                try await settings[0].rollBack(to: 5, ifMatch: nil, by: "x")
            }
        }
    }

    /// All nodes read everything again, and the answer knows that they did.
    @Test func everyNodeReadsEverythingAgain() async throws {
        try await self.run(nodes: 3) { _, settings, _ in
            let report = try await settings[2].reload(everywhere: true)
            #expect(report.nodes.count == 3 && report.nodes.allSatisfy(\.isInForce))
            let alone = try await settings[2].reload(everywhere: false)
            #expect(alone.nodes.count { $0.isInForce } == 1)
        }
    }

    /// Nodes with different configurations: what is private to one of them leaves none.
    @Test func aFieldThatIsPrivateOnAnyNodeIsPrivateOnAll() async throws {
        var strict = Source()
        strict.base.contentTypes[0].privateAttributes.insert("title")
        strict.base.events.sensitiveFields = ["url"]
        let sharing = Sharing()
        try await self.run(sharing, sources: [Source(), strict]) { cluster, settings, _ in
            let io = cluster[0].io
            await io.watch.wait(atMost: .seconds(20)) { nodes in nodes.contains { $0.announcement.revision != nil } }
            while io.watch.others.isEmpty { await Task.yield() }
            _ = try await settings[0].reload(everywhere: false)
            let visitor = try await cluster[0].join()
            try io.emit(
                event: "update",
                schema: "api::article.article",
                data: ["id": 1, "title": "x", "cover": ["id": 2, "url": "u"]]
            )
            guard case .event("article:update", let arguments) = await visitor.packet() else {
                Issue.record("The event has not come")
                return
            }
            #expect(arguments == [["id": 1, "cover": ["id": 2]]])
            #expect(io.configuration.events.sensitiveFields.isEmpty, "The node's own configuration is still its own")
            #expect(try await settings[0].status().nodes.map(\.digest).count == 2)
            // The strict node leaves, and its rules with it.
            await cluster[1].io.leave()
            while !io.watch.others.isEmpty { await Task.yield() }
            _ = try await settings[0].reload(everywhere: false)
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 1, "title": "x"])
            #expect(await visitor.packet() == .event("article:update", [["id": 1, "title": "x"]]))
        }
    }
}

extension LiveSettingsTests {
    private func run(
        _ sharing: Sharing = Sharing(),
        sources: [Source],
        _ body: (TestCluster, [LiveSettings], InMemorySettings) async throws -> Void
    ) async throws {
        try await self.run(nodes: sources.count, sharing, sources, body)
    }
}
