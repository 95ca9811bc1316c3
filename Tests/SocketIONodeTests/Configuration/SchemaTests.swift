import Foundation
import SocketIOWire
import Testing

@testable import socketio_node

/// What editors are told agrees with what the node takes.
@Suite(.timeLimit(.minutes(1)))
struct SchemaTests {
    private let check = SchemaCheck(schema: ConfigurationSchema.value)

    @Test(arguments: ["config/node.yaml", "config/cluster.yaml"])
    func shippedFilesAreAccepted(path: String) throws {
        let file = try RepositoryFile.text(path)
        #expect(try self.check.problems(SchemaCheck.json(yaml: file)) == [])
    }

    /// Every key, with another value than by default.
    @Test func aFileOfEverythingIsAccepted() throws {
        var yaml = SettingSample.configuration.yaml
        #expect(try self.check.problems(SchemaCheck.json(yaml: yaml)) == [])
        yaml = EffectiveConfiguration.yaml(load(yaml).settings, withOrigin: true)
        // The salt's own form is hidden in it.
        let problems = try self.check.problems(SchemaCheck.json(yaml: yaml))
        #expect(problems.allSatisfy { $0.hasSuffix("url: pattern") }, "\(problems)")
    }

    @Test(arguments: [
        "", "listen:", "listen: {port: ~}", "listen: {port: 0}", "limits: {messageSize: 1024}", "cors: {maxAge: 0}",
        "limits: {messageSize: 64KiB}", "limits: {messageSize: 1 MB}", "heartbeat: {interval: 300ms}",
        "gateway: {roles: {editor: }}", "gateway: {roles: {editor: {id: 7, autoJoin: [2026, true]}}}",
        "gateway: {contentTypes: {\"*\": {fields: {title: string, views: {type: integer}}}}}",
        "gateway: {contentTypes: {\"api::a.b\": {populate: \"*\"}}}",
        "gateway: {contentTypes: {\"api::a.b\": {populate: [author.company]}}}",
        "gateway: {contentTypes: {\"api::a.b\": {populate: {a: true, b: none, c: {fields: [x], populate: {d: [e]}}}}}}",
        "gateway: {namespaces: {chat: {}, b\u{FC}cher: ~}}",
        "gateway: {authentication: {jwt: {keys: [{id: 2026, keySetFile: a}], audience: 7, secret: ~, secretFile: a}}}",
        "gateway: {webhooks: {backend: {url: \"https://a.example/x\", secretFile: a}}}",
        "gateway: {customEvents: [{name: chat, handle: relay, relay: {fields: [text]}}]}",
        "gateway: {security: {ipWhitelist: [10.0.0.1, 10.0.0.0/8, \"::1\", \"fd00::/8\", \"fe80::1%eth0\"]}}",
    ])
    func whatTheNodeTakesIsAccepted(yaml: String) throws {
        #expect(try self.check.problems(SchemaCheck.json(yaml: yaml)) == [])
        var reader = ConfigurationReader(file: "a", environment: [:], flags: [], readFile: nil)
        _ = reader.read(yaml: yaml)
        #expect(reader.problems == [])
    }

    @Test(arguments: [
        ("listen: 3000", "listen"), ("listen: {prot: 1}", "listen.prot"), ("lisen: {}", "lisen"),
        ("listen: {port: 65536}", "listen.port"), ("listen: {port: -1}", "listen.port"),
        ("listen: {port: 1.5}", "listen.port"), ("listen: {port: abc}", "listen.port"),
        ("listen: {transports: polling}", "listen.transports"), ("listen: {transports: [tcp]}", "listen.transports[0]"),
        ("listen: {allowUpgrades: yes}", "listen.allowUpgrades"), ("listen: {path: socket.io}", "listen.path"),
        ("listen: {host: \"a b\"}", "listen.host"), ("heartbeat: {interval: 25000}", "heartbeat.interval"),
        ("heartbeat: {interval: 5 minutes}", "heartbeat.interval"), ("heartbeat: {timeout: 0}", "heartbeat.timeout"),
        ("limits: {messageSize: 12 monkeys}", "limits.messageSize"), ("limits: {messageSize: 1}", "limits.messageSize"),
        ("cors: {origins: [example.com]}", "cors.origins[0]"), ("cors: {methods: [get]}", "cors.methods[0]"),
        ("adapter: {type: rediss}", "adapter.type"), ("adapter: {redis: {url: localhost}}", "adapter.redis.url"),
        ("adapter: {redis: {url: \"redis://a\", urlFile: b}}", "adapter.redis"),
        ("logging: {level: loud}", "logging.level"),
        ("gateway: {roles: {Admin: {}}}", "gateway.roles.Admin"), ("gateway: {roles: []}", "gateway.roles"),
        ("gateway: {roles: {a: {scopes: [article.create]}}}", "gateway.roles.a.scopes[0]"),
        ("gateway: {apiTokens: {a: {}}}", "gateway.apiTokens.a"),
        ("gateway: {apiTokens: {a: ~}}", "gateway.apiTokens.a"),
        ("gateway: {apiTokens: {a: {hash: abc}}}", "gateway.apiTokens.a.hash"),
        ("gateway: {contentTypes: {article: {}}}", "gateway.contentTypes.article"),
        ("gateway: {contentTypes: {\"*\": {fields: {a: strnig}}}}", "gateway.contentTypes.*.fields.a"),
        ("gateway: {contentTypes: {\"*\": {fields: {a: {private: true}}}}}", "gateway.contentTypes.*.fields.a"),
        ("gateway: {contentTypes: {\"*\": {populate: all}}}", "gateway.contentTypes.*.populate"),
        ("gateway: {contentTypes: {\"*\": {populate: {a: 7}}}}", "gateway.contentTypes.*.populate"),
        ("gateway: {components: {\"a.b\": {}}}", "gateway.components.a.b"),
        ("gateway: {authentication: {jwt: {algorithms: [HS1]}}}", "gateway.authentication.jwt.algorithms[0]"),
        ("gateway: {authentication: {jwt: {secret: short}}}", "gateway.authentication.jwt.secret"),
        ("gateway: {security: {ipWhitelist: [localhost]}}", "gateway.security.ipWhitelist[0]"),
        ("gateway: {webhooks: {a: {secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}}", "gateway.webhooks.a"),
        ("gateway: {webhooks: {a: {url: \"ftp://a\"}}}", "gateway.webhooks.a.url"),
        ("gateway: {customEvents: [{handle: relay}]}", "gateway.customEvents[0]"),
        ("gateway: {customEvents: [{name: a, handle: swallow}]}", "gateway.customEvents[0].handle"),
        ("gateway: {namespaces: {/admin: {}}}", "gateway.namespaces./admin"),
    ])
    func whatTheNodeRefusesIsRefused(yaml: String, place: String) throws {
        let problems = try self.check.problems(SchemaCheck.json(yaml: yaml))
        #expect(problems.contains { $0.hasPrefix("\(place): ") }, "\(problems)")
        var reader = ConfigurationReader(file: "a", environment: [:], flags: [], readFile: nil)
        let settings = reader.read(yaml: yaml)
        var all = reader.problems
        _ = NodeConfiguration(settings, problems: &all)
        #expect(!all.isEmpty || place == "adapter.redis.url")
    }

    /// A pattern may let wrong texts through, but stops no right one; its example is a right one.
    @Test func patternsStopNoRightText() {
        var rules: [TextRule] = []
        func collect(_ kind: SettingKind) {
            switch kind {
            case .text(let rule), .secret(let rule): rules.append(rule)
            case .list(let element): collect(element)
            case .map(let rule, let element):
                rules.append(rule)
                collect(element)
            case .record(let fields), .shorthand(_, let fields): for field in fields { collect(field.kind) }
            case .scalarOr(let scalar, let collection):
                collect(scalar)
                collect(collection)
            case .bool, .integer, .duration, .bytes, .choice, .listOrTree: break
            }
        }
        collect(.record(SettingTable.root))
        let parts = [
            "", "a", "Z", "7", "-", "_", ".", ":", "::", "/", "*", "?", " ", ",", "%", "[", "]", "api::a.b", "io.emit",
            "://",
            "https://a.example", "null", "10.0.0.0/8", "fd00::", "2030-01-31", "T12:00:00Z", "\u{FC}", "e\u{301}",
            "\u{1F600}",
            "\n", "\r\n", "0f", String(repeating: "0f", count: 64), String(repeating: "\u{1F600}", count: 8),
        ]
        let texts = parts.flatMap { first in parts.map { first + $0 } }
        for rule in rules where rule.pattern != TextRule.redisURL.pattern {
            #expect(rule.accepts(rule.example), "\(rule.expectation)")
            #expect(SchemaCheck.matches(rule.example, rule.pattern), "\(rule.expectation)")
            for text in texts where rule.accepts(text) {
                #expect(SchemaCheck.matches(text, rule.pattern), "\(rule.expectation): \(text.debugDescription)")
            }
        }
    }
}
