import ArgumentParser
import Testing

@testable import socketio_node

@Suite(.timeLimit(.minutes(1)))
struct ConfigCommandTests {
    @Test(arguments: [
        (["config", "docs"], "ConfigDocs"), (["config", "schema"], "ConfigSchema"), (["config", "show"], "ConfigShow"),
        (["config", "show", "--origin", "--config", "a.yaml", "--set", "listen.port=1"], "ConfigShow"),
        (["config", "diff", "a.yaml", "b.yaml"], "ConfigDiff"),
    ])
    func commands(arguments: [String], name: String) throws {
        let command = try NodeCommand.parseAsRoot(arguments)
        #expect("\(type(of: command))" == name)
    }

    @Test(arguments: [["config", "diff", "a.yaml"], ["config", "docs", "x"], ["config", "shwo"]])
    func noCommands(arguments: [String]) {
        #expect(throws: (any Error).self) { try NodeCommand.parseAsRoot(arguments) }
    }

    @Test func helpTellsOfEach() {
        let help = NodeCommand.helpMessage(for: ConfigCommand.self, columns: 120)
        for name in ["docs", "schema", "show", "diff"] { #expect(help.contains("  \(name) "), "\(help)") }
        #expect(NodeCommand.helpMessage(for: ConfigDiff.self, columns: 120).contains("Exit status: 0"))
        #expect(NodeCommand.helpMessage(for: ConfigShow.self, columns: 120).contains("--origin"))
    }

    // MARK: show

    @Test func showTellsOrigins() {
        let loaded = load(
            "listen:\n  port: 4000\ngateway:\n  roles:\n    editor:\n      scopes: [\"*\"]\n",
            environment: ["SOCKETIO_LISTEN_PATH": "/live"],
            flags: ["logging.level=debug"]
        )
        let text = EffectiveConfiguration.yaml(loaded.settings, withOrigin: true)
        for line in [
            "listen:\n  host: 127.0.0.1  # default\n", "  port: 4000  # node.yaml:2:9\n",
            "  path: /live  # environment SOCKETIO_LISTEN_PATH\n", "  level: debug  # flag --set logging.level\n",
            "    editor:\n      scopes: [\"*\"]  # node.yaml:6:15\n", "      canConnect: true  # default\n",
            "  contentTypes: {}  # default\n", "      claims:\n        id: id  # default\n",
            "  interval: 25s  # default\n",
            "  messageSize: 1MB  # default\n",
        ] {
            #expect(text.contains(line), "\(line)\n\(text)")
        }
        #expect(!EffectiveConfiguration.yaml(loaded.settings, withOrigin: false).contains("#"))
    }

    /// What is shown is a configuration: the same one, but for its secrets.
    @Test(arguments: [nil, SettingSample.configuration.yaml])
    func showIsReadBack(yaml: String?) {
        let loaded = load(yaml)
        let shown = EffectiveConfiguration.yaml(loaded.settings, withOrigin: true)
        let again = load(shown)
        #expect(SettingDifference.all(from: loaded.settings, to: again.settings).allSatisfy { $0.old == .hidden })
    }

    // MARK: diff

    private func differences(_ old: String, _ new: String) throws -> [String] {
        try SettingDifference.all(
            from: ConfigDiff.settings(old, file: "old.yaml"),
            to: ConfigDiff.settings(new, file: "new.yaml")
        ).map { "\($0)" }
    }

    @Test(arguments: Differences.cases)
    func difference(old: String, new: String, lines: [String]) throws {
        #expect(try self.differences(old, new) == lines)
    }

    @Test func wrongFilesAreNotCompared() {
        let error = #expect(throws: ConfigurationError.self) { try self.differences("", "listen: {prot: 1}") }
        #expect(error?.description.contains("new.yaml:1:10: listen.prot: is no setting") == true)
    }
}

private enum Differences {
    static let cases: [(old: String, new: String, lines: [String])] = [
        ("", "", []), ("listen: {port: 3000}", "", []),
        ("heartbeat: {interval: 60s}", "heartbeat: {interval: 1m}", []),
        ("", "listen: {port: 4000}", ["listen.port: 3000 -> 4000 (restart)"]),
        ("logging: {level: debug}", "", ["logging.level: debug -> info (live)"]),
        ("", "cors: {origins: [\"*\"]}", ["cors.origins: [] -> [\"*\"] (live)"]),
        (
            "", "gateway: {security: {maximumConnections: 5}}",
            ["gateway.security.maximumConnections: not set -> 5 (live)"]
        ),
        (
            "", "gateway: {roles: {editor: {scopes: [\"*\"]}}}",
            ["gateway.roles.editor: not set -> {scopes: [\"*\"]} (live)"]
        ),
        (
            "gateway: {roles: {editor: {canConnect: false}}}", "gateway: {roles: {editor: {}}}",
            ["gateway.roles.editor.canConnect: false -> true (live)"]
        ),
        ("gateway: {namespaces: {chat: {}}}", "", ["gateway.namespaces.chat: {} -> not set (restart)"]),
        // Names with dots are names, and a name is its bytes.
        (
            "gateway: {namespaces: {chat: {requireAuth: true}, chat.requireAuth: {}}}",
            "gateway: {namespaces: {chat: {requireAuth: false}, chat.requireAuth: {}}}",
            ["gateway.namespaces.chat.requireAuth: true -> false (restart)"]
        ),
        (
            "gateway: {namespaces: {chat.x: {requireAuth: true}}}",
            "gateway: {namespaces: {chat: {}, chat.x: {requireAuth: false}}}",
            [
                "gateway.namespaces.chat: not set -> {} (restart)",
                "gateway.namespaces.chat.x.requireAuth: true -> false (restart)",
            ]
        ),
        (
            "gateway: {rooms: {defaultRooms: [\u{E9}]}}", "gateway: {rooms: {defaultRooms: [e\u{301}]}}",
            ["gateway.rooms.defaultRooms: [\"\u{E9}\"] -> [\"e\u{301}\"] (live)"]
        ),
        (
            "gateway: {contentTypes: {\"*\": {}}}", "gateway: {contentTypes: {\"*\": {fields: {a: string}}}}",
            ["gateway.contentTypes.*.fields.a: not set -> {type: string} (live)"]
        ),
        (
            "gateway: {contentTypes: {\"*\": {fields: {a: string}}}}",
            "gateway: {contentTypes: {\"*\": {fields: {a: {type: text, private: true}}}}}",
            [
                "gateway.contentTypes.*.fields.a.type: string -> text (live)",
                "gateway.contentTypes.*.fields.a.private: false -> true (live)",
            ]
        ),
        (
            "adapter: {redis: {url: \"redis://a\"}}", "adapter: {redis: {url: \"redis://b\"}}",
            ["adapter.redis.url: changed (hidden) (restart)"]
        ),
        ("adapter: {redis: {url: \"redis://a\"}}", "adapter: {redis: {url: \"redis://a\"}}", []),
        ("", "adapter: {redis: {urlFile: /a}}", ["adapter.redis.url: not set -> (hidden) (restart)"]),
        ("adapter: {redis: {urlFile: /a}}", "adapter: {redis: {urlFile: /a}}", []),
        (
            "adapter: {redis: {urlFile: /a}}", "adapter: {redis: {urlFile: /b}}",
            ["adapter.redis.url: changed (hidden) (restart)"]
        ),
        (
            "gateway: {authentication: {jwt: {keys: [{id: a, keySetFile: a}]}}}",
            "gateway: {authentication: {jwt: {keys: [{id: b, keySetFile: b}]}}}",
            [
                "gateway.authentication.jwt.keys[0].id: a -> b (live)",
                "gateway.authentication.jwt.keys[0].keySet: changed (hidden) (live)",
            ]
        ),
    ]
}
