import Gateway
import Logging
import NIOCore
import Testing

@testable import socketio_node

/// The settings document that all nodes share, between the file and the environment.
@Suite struct DocumentTests {
    private static let file = """
        logging: {level: warning}
        limits: {connectionsPerAddress: 5, packetsPerSecond: 7}
        gateway:
          clusterTimeout: 3s
          rooms: {allowsDot: true, maximumNameLength: 50}
          contentTypes:
            "api::article.article":
              fields: {title: string, secret: {type: string, private: true}}
          roles:
            editor:
              scopes: ["api::article.article.*"]
              autoJoin: [staff]
            guest: {scopes: []}
        """

    private func document(_ text: String, version: Int = 7) -> SettingsDocument {
        SettingsDocument(version: version, settings: ByteBuffer(string: text), author: "Ada", time: 0)
    }

    private func load(
        _ text: String?,
        environment: [String: String] = [:],
        flags: [String] = []
    ) throws -> LoadedConfiguration {
        try LoadedConfiguration(
            file: "node.yaml",
            yaml: Self.file,
            environment: environment,
            flags: flags,
            document: text.map { self.document($0) }
        )
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try self.load(text)
            return []
        } catch let error as ConfigurationError {
            return error.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    /// File, document, environment, flags: a later one wins, and what it leaves open is that of the one before.
    @Test func aLaterPlaceWins() throws {
        let text =
            "{\"logging\":{\"level\":\"debug\"},\"gateway\":{\"clusterTimeout\":\"4s\",\"rooms\":{\"allowsColon\":true}}}"
        let loaded = try self.load(
            text,
            environment: ["SOCKETIO_GATEWAY_CLUSTER_TIMEOUT": "6s", "SOCKETIO_LIMITS_PACKETS_PER_SECOND": "9"],
            flags: ["gateway.clusterTimeout=8s"]
        )
        #expect(loaded.node.logging.level == .debug)
        #expect(loaded.node.gateway.clusterTimeout == .seconds(8))
        #expect(loaded.node.server.packetsPerSecond == 9)
        #expect(loaded.node.gateway.rooms.allowsColon && loaded.node.gateway.rooms.allowsDot)
        #expect(loaded.node.gateway.rooms.maximumNameLength == 50)
        let yaml = EffectiveConfiguration.yaml(loaded.settings, withOrigin: true)
        #expect(yaml.contains("level: debug  # settings document, version 7"))
        #expect(yaml.contains("allowsDot: true  # node.yaml:5"))
        #expect(yaml.contains("clusterTimeout: 8s  # flag"))
    }

    /// Maps are taken together by the names of their entries.
    ///
    /// `null` takes one away, or gives a key its default.
    @Test func entriesAreTakenTogether() throws {
        let text = """
            {"gateway": {"roles": {"editor": {"scopes": ["api::article.article.find"]}, "guest": null,
             "writer": {"autoJoin": ["desk"]}}, "clusterTimeout": null,
             "contentTypes": {"api::article.article": {"fields": {"title": {"type": "text"}}}}}}
            """
        let gateway = try self.load(text).node.gateway
        let roles = Dictionary(uniqueKeysWithValues: gateway.roles.map { ($0.type, $0) })
        #expect(roles["editor"]?.scopes.map(\.description) == ["api::article.article.find"])
        #expect(roles["editor"]?.autoJoin == ["staff"])
        #expect(roles["guest"] == nil)
        #expect(roles["writer"]?.autoJoin == ["desk"])
        #expect(gateway.clusterTimeout == GatewayConfiguration().clusterTimeout)
        #expect(gateway.contentTypes[0].fields["title"]?.kind == .scalar(.text))
        #expect(gateway.contentTypes[0].fields["secret"]?.isPrivate == true)
    }

    /// Texts come as they were written, whatever YAML would make of them.
    @Test func textsAreNoYAML() throws {
        let text = "{\"gateway\":{\"roles\":{\"editor\":{\"name\":\"null: [\\ud83d\\ude00\"}}}}"
        #expect(try self.load(text).node.gateway.roles.first { $0.type == "editor" }?.name == "null: [\u{1F600}")
        #expect(try self.load(nil).node.logging.level == .warning)
        #expect(try self.load("{}").node.logging.level == .warning)
    }

    @Test(
        arguments: [
            ("", "not JSON"), ("[]", "no JSON object"), ("{\"nonsense\":1}", "nonsense: is no setting"),
            ("{\"gateway\":{\"roles\":{\"editor\":{\"scopes\":[\"x\"]}}}}", "gateway.roles.editor.scopes"),
            ("{\"gateway\":{\"roles\":[]}}", "gateway.roles"),
            ("{\"adapter\":{\"type\":\"memory\"}}", "belongs to the file"),
            ("{\"listen\":{\"threads\":2}}", "belongs to the file"),
            ("{\"gateway\":{\"apiTokenSalt\":\"0123456789abcdef0123456789abcdef\"}}", "is a secret"),
            (
                "{\"gateway\":{\"authentication\":{\"jwt\":{\"secret\":\"0123456789abcdef0123456789abcdef\"}}}}",
                "is a secret"
            ),
        ]
    )
    func whatIsWrongIsTold(_ text: String, _ problem: String) {
        let problems = self.problems(text)
        #expect(problems.contains { $0.contains(problem) && !$0.contains("0123456789abcdef") }, "\(problems)")
    }

    /// What the environment hides on this node is wrong on others.
    @Test(
        arguments: [
            ("{\"logging\":{\"level\":\"loud\"}}", "SOCKETIO_LOGGING_LEVEL", "info", "logging.level"),
            (
                "{\"gateway\":{\"apiTokenSalt\":\"0123456789abcdef0123456789abcdef\"}}",
                "SOCKETIO_GATEWAY_API_TOKEN_SALT", "fedcba9876543210fedcba9876543210", "is a secret"
            ),
        ]
    )
    func whatIsHiddenIsCheckedToo(_ text: String, _ name: String, _ value: String, _ problem: String) throws {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try self.load(text, environment: [name: value], flags: [])
        }
        #expect(error?.problems.contains { $0.description.contains(problem) } == true)
    }

    /// What changes, what waits for a restart, and that nothing changes before it is applied.
    @Test func aProposalSaysWhatChanges() async throws {
        let source = NodeSettings(
            started: try self.load(nil),
            load: { document in
                try LoadedConfiguration(
                    file: "node.yaml",
                    yaml: Self.file,
                    environment: [:],
                    flags: [],
                    document: document
                )
            }
        )
        let text = "{\"logging\":{\"level\":\"error\"},\"listen\":{\"port\":4000}}"
        let first = try await source.propose(self.document(text))
        #expect(
            first.changes == [
                SettingsChange(key: "listen.port", needsRestart: true), SettingsChange(key: "logging.level"),
            ]
        )
        #expect(first.pending == ["listen.port"])
        #expect(try await source.propose(self.document(text)).changes == first.changes)
        await first.apply()
        let second = try await source.propose(self.document(text))
        #expect(second.changes.isEmpty && second.pending == ["listen.port"])
        await #expect(throws: SettingsRefusal.self) { try await source.propose(self.document("{\"x\":1}")) }
        #expect(try await source.propose(nil).changes.count == 2)
    }

    @Test func theLevelOfTheLogChanges() {
        let log = NodeLog(NodeConfiguration.Logging())
        var handler = log.handler(label: "test")
        #expect(handler.logLevel == .info)
        log.setLevel(.trace)
        #expect(handler.logLevel == .trace)
        handler.logLevel = .critical
        log.setLevel(.debug)
        #expect(handler.logLevel == .critical)
    }
}
