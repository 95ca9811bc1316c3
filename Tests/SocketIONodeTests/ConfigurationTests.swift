import EngineIO
import Foundation
import Gateway
import Logging
import NIOCore
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire
import Testing

@testable import socketio_node

/// Reads a configuration as the commands do.
func load(
    _ yaml: String? = nil,
    environment: [String: String] = [:],
    flags: [String] = [],
    files: [String: String] = [:]
) -> (node: NodeConfiguration, settings: Setting, problems: [String], warnings: [String]) {
    var reader = ConfigurationReader(file: "node.yaml", environment: environment, flags: flags) { path in
        guard let text = files[path] else { throw CocoaError(.fileNoSuchFile) }
        return text
    }
    let settings = reader.read(yaml: yaml)
    var problems = reader.problems
    let node = NodeConfiguration(settings, problems: &problems)
    return (node, settings, problems.map(\.description), reader.warnings)
}

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationDefaults {
    @Test func nothingAtAllIsCorrect() {
        let loaded = load()
        #expect(loaded.problems.isEmpty)
        #expect(loaded.warnings.isEmpty)
        #expect(loaded.node.listen.host == "127.0.0.1")
        #expect(loaded.node.listen.port == 3000)
        #expect(loaded.node.redis == nil)
        #expect(loaded.node.publish?.host == "127.0.0.1")
        #expect(loaded.node.console?.host == "127.0.0.1")
        #expect(loaded.node.console?.port == 3002)
        #expect(loaded.node.publish?.port == 3001)
    }

    /// Off by default; what is left out is as in the library, but for who is authenticated again.
    @Test func recoveryIsSwitchedOn() throws {
        #expect(load("recovery: {bytes: 1MiB}").node.server.connectionStateRecovery == nil)
        let least = try #require(load("recovery: {enabled: true}").node.server.connectionStateRecovery)
        #expect(Self.dump(least) == Self.dump(ConnectionStateRecovery(skipMiddlewares: false)))
        let loaded = load(
            """
            recovery:
              {enabled: true, maxDisconnectionDuration: 30s, skipMiddlewares: true, sessions: 5, events: 6, bytes: 7KiB}
            """
        )
        #expect(loaded.problems.isEmpty)
        let all = try #require(loaded.node.server.connectionStateRecovery)
        #expect(all.maxDisconnectionDuration == .seconds(30) && all.skipMiddlewares)
        #expect((all.maximumSessions, all.maximumEvents, all.maximumBytes) == (5, 6, 7168))
        #expect(!load("recovery: {enabled: true, maxDisconnectionDuration: 0s}").problems.isEmpty)
    }

    @Test func anEmptyFileIsCorrect() {
        #expect(load("").problems.isEmpty)
        #expect(load("# nothing\n").problems.isEmpty)
        #expect(load("listen:\nheartbeat: ~\ngateway: {}\n").problems.isEmpty)
    }

    /// A node without a configuration is a server and a gateway as the libraries make them.
    @Test func defaultsAreThoseOfTheLibraries() {
        let node = load().node
        #expect(Self.dump(node.gateway) == Self.dump(GatewayConfiguration()))
        var server = SocketServerConfiguration()
        // The one thing that a node does otherwise.
        server.engine.refusesForeignOrigins = true
        #expect(Self.dump(node.server) == Self.dump(server))
    }

    private static func dump(_ value: some Any) -> String {
        var text = ""
        Swift.dump(value, to: &text)
        return text
    }

    @Test func templateIsCorrectAndChangesNothing() {
        let loaded = load(ConfigurationTemplate.text)
        #expect(loaded.problems == [])
        #expect(Self.dump(loaded.node.gateway) == Self.dump(GatewayConfiguration()))
        #expect(Self.dump(loaded.node.server) == Self.dump(load().node.server))
    }

    @Test func clusterFileNeedsOnlyItsSecrets() throws {
        let file = try RepositoryFile.text("config/cluster.yaml")
        let environment = ["SOCKETIO_ADAPTER_REDIS_URL": "redis://redis:6379"]
        let loaded = load(file, environment: environment)
        #expect(loaded.problems == [])
        #expect(loaded.node.gateway.contentTypes.count == 3)
        #expect(load(file).problems.contains { $0.contains("adapter.redis.url: is missing") })
    }

    /// Every example of the template stands under a key of the table and is accepted there.
    @Test func examplesAreCorrect() {
        func examples(_ fields: [SettingField], _ path: [String]) -> [(path: [String], yaml: String)] {
            fields.flatMap { field -> [(path: [String], yaml: String)] in
                var found: [(path: [String], yaml: String)] = []
                if let example = field.example, !example.contains("…") { found.append((path, example)) }
                if case .record(let members) = field.kind { found += examples(members, path + [field.name]) }
                return found
            }
        }
        let all = examples(SettingTable.root, [])
        #expect(all.count > 4)
        // Together, for some need each other.
        let gateway = all.filter { $0.path == ["gateway"] }.map(\.yaml).joined(separator: "\n")
        let indented = gateway.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
        #expect(load("gateway:\n" + indented).problems == [])
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationProblems {
    @Test func everyProblemIsReportedAtOnce() {
        let problems = load(
            """
            listen:
              port: abc
              transprots: [polling]
            heartbeat:
              interval: 25000
              timeout: 1ms
            adapter:
              type: rediss
            limits:
              messageSize: 12 monkeys
            gateway:
              roles:
                Admin: {}
                editor:
                  scopes: [article.create]
              contentTypes:
                api::article.article:
                  fields:
                    title: strnig
                    author: {type: relation, target: "api::author.author"}
                    seo: {type: component}
              namespaces:
                chat: {roles: [nobody]}
            logging:
              level: loud
            """
        ).problems
        let expected = [
            "node.yaml:2:9: listen.port: 'abc' is wrong; expected a whole number from 0 to 65535",
            "node.yaml:3:3: listen.transprots: is no setting; did you mean transports?",
            "node.yaml:5:13: heartbeat.interval: '25000' is wrong; expected a duration with its unit (ms, s, m, h) "
                + "from 100ms to 1h; write 25000ms or 25000s",
            "node.yaml:6:12: heartbeat.timeout: '1ms' is wrong; expected a duration with its unit (ms, s, m, h) from "
                + "100ms to 1h",
            "node.yaml:8:9: adapter.type: 'rediss' is wrong; expected one of memory, redis, sharded, streams;"
                + " did you mean redis?",
            "node.yaml:10:16: limits.messageSize: '12 monkeys' is wrong; expected a number of bytes",
            "node.yaml:13:5: gateway.roles: 'Admin' is not a valid name here; expected lower-case letters",
            "node.yaml:15:16: gateway.roles.editor.scopes[0]: 'article.create' is wrong; expected a scope",
            "'strnig' is wrong; expected one of string, text",
            "did you mean string?",
            "gateway.contentTypes.api::article.article.fields.author.target: 'api::author.author' is no content type",
            "gateway.contentTypes.api::article.article.fields.seo: has no component",
            "gateway.namespaces.chat.roles: 'nobody' is no role",
            "node.yaml:25:10: logging.level: 'loud' is wrong; expected one of trace",
        ]
        for text in expected {
            #expect(problems.contains { $0.contains(text) }, "\(text)\n\(problems.joined(separator: "\n"))")
        }
        #expect(problems.count == expected.count - 1, "\(problems.joined(separator: "\n"))")
    }

    @Test func problemsOfOneValueAreReportedOnce() {
        let problems = load("gateway:\n  roles:\n    editor:\n      autoJoin: [\"\"]\n").problems
        #expect(problems.count == 1, "\(problems)")
    }

    @Test(arguments: [
        ("listen: 3000", "listen: '3000' is wrong; expected a map with the keys host, port"),
        ("listen: [a]", "listen: is a list; expected a map"),
        ("port: 3000", "port: is no setting; did you mean listen.port?"),
        ("listen: {ports: 1}", "did you mean port?"),
        ("listen: {transports: polling}", "listen.transports: 'polling' is wrong; expected a list"),
        ("listen: {transports: []}", "listen.transports: is empty; expected polling, websocket or both"),
        ("listen: {allowUpgrades: yes}", "'yes' is wrong; expected true or false"),
        ("listen: {path: socket.io}", "expected a path that begins with /"),
        ("cors: {origins: [example.com]}", "expected an origin as a browser sends it"),
        ("cors: {origins: [\"*\"], credentials: true}", "cors.origins: '*' would let every page in the world"),
        ("gateway: {apiTokens: {a: {type: full-access, hash: ab}}}", "gateway.apiTokenSalt: must be at least 16"),
        ("publish: {port: 3000}", "publish.port: '3000' is also listen.port"),
        ("console: {port: 3000}", "console.port: '3000' is also listen.port"),
        ("console: {port: 3001}", "console.port: '3001' is also publish.port"),
        ("console: {port: 65536}", "console.port: '65536' is wrong; expected"),
        ("console: {host: \"\"}", "console.host: "),
        ("console: 3002", "console: '3002' is wrong; expected a map with the keys"),
        ("console: {ports: 1}", "did you mean port?"),
        ("adapter: {type: redis}", "adapter.redis.url: is missing, and adapter.type is redis"),
        ("adapter: {type: redis, redis: {url: \"http://x\"}}", "adapter.redis.url: (hidden) is wrong"),
        (
            "adapter: {type: redis, redis: {url: \"redis://h\", tls: {caFile: /ca.pem}}}",
            "adapter.redis.tls.caFile: is set, and adapter.redis.url asks for no TLS; write rediss:// there"
        ),
        (
            "adapter: {type: redis, redis: {url: \"rediss://h\", tls: {certificateFile: /c.pem}}}",
            "adapter.redis.tls.certificateFile: is set, and adapter.redis.tls.keyFile is not; both are needed"
        ),
        (
            "adapter: {type: redis, redis: {url: \"rediss://h\", tls: {keyFile: /k.pem}}}",
            "adapter.redis.tls.keyFile: is set, and adapter.redis.tls.certificateFile is not; both are needed"
        ),
        ("shutdown: {delay: 30s}", "leaves no time before shutdown.deadline"),
        ("gateway: {security: {ipWhitelist: [10.0.0.0/99]}}", "gateway.security.ipWhitelist[0]: '10.0.0.0/99'"),
        ("gateway: {apiTokens: {backend: {scopes: [io.emit]}}}", "gateway.apiTokens.backend.hash: is missing"),
        ("gateway: {apiTokens: {backend: {hash: abc}}}", "expected 128 hexadecimal digits"),
        ("gateway: {roles: {editor: {scopes: [io.fly]}}}", "expected a scope"),
        ("gateway: {contentTypes: {article: {}}}", "'article' is not a valid name here; expected a content type's uid"),
        ("gateway: {authentication: {publicRole: ghost}}", "gateway.authentication.publicRole: 'ghost' is no role"),
        ("gateway: {authentication: {jwt: {keys: [{id: a}]}}}", "has no key; expected secret, publicKey, keySet"),
    ])
    func problem(yaml: String, text: String) {
        let problems = load(yaml).problems
        #expect(problems.contains { $0.contains(text) }, "\(problems)")
        #expect(problems.allSatisfy { $0.hasPrefix("node.yaml:") || !$0.contains("'") }, "\(problems)")
    }

    /// Hashes are seeded with randomness; a process where they aren't must not meet clients.
    @Test func predictableHashesAreRefused() throws {
        let environment = ["SWIFT_DETERMINISTIC_HASHING": "1"]
        let error = #expect(throws: ConfigurationError.self) {
            try LoadedConfiguration(file: nil, yaml: nil, environment: environment, flags: [])
        }
        #expect(
            error?.description.contains("environment SWIFT_DETERMINISTIC_HASHING: lets clients choose names") == true
        )
        #expect(throws: Never.self) { try LoadedConfiguration(file: nil, yaml: nil, environment: [:], flags: []) }
    }

    @Test func brokenYAMLIsReportedWithItsPlace() {
        #expect(load("listen: {port: 1").problems.first?.hasPrefix("node.yaml:") == true)
        #expect(load("a: 1\n b: 2\n").problems.first?.contains("is not valid YAML") == true)
        let twice = load("listen: {port: 1}\nlisten: {port: 2}\n").problems.first
        #expect(twice?.contains("same key twice: listen. Put what stands below the second one below the first") == true)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationSecrets {
    private let secret = "correct horse battery staple 0123456789"

    @Test func secretsNeverAppear() {
        let loaded = load(
            """
            adapter: {type: redis, redis: {url: "redis://user:hunter2@:notaport"}}
            gateway:
              apiTokenSalt: hunter2
              authentication: {jwt: {secret: hunter2}}
            """
        )
        #expect(loaded.problems.count == 3, "\(loaded.problems)")
        #expect(!loaded.problems.joined().contains("hunter2"))
        // The token itself where its hash belongs.
        let misplaced = load(
            "gateway: {apiTokenSalt: \"\(self.secret)\", apiTokens: {a: {type: full-access, hash: hunter2}}}"
        )
        #expect(misplaced.problems.count == 1, "\(misplaced.problems)")
        #expect(!misplaced.problems.joined().contains("hunter2"))
        let good = load(
            "gateway: {apiTokenSalt: \"\(self.secret)\", authentication: {jwt: {secret: \"\(self.secret)\"}}}"
        )
        #expect(good.problems == [])
        let effective = EffectiveConfiguration.lines(good.settings).joined(separator: "\n")
        #expect(!effective.contains("horse"))
        #expect(effective.contains("gateway.apiTokenSalt = (hidden)    (node.yaml:1:"))
    }

    @Test func secretsComeFromFiles() {
        let yaml = "gateway: {authentication: {jwt: {secretFile: /run/secrets/jwt}}}"
        let loaded = load(yaml, files: ["/run/secrets/jwt": self.secret + "\n"])
        #expect(loaded.problems == [])
        #expect(loaded.node.gateway.authentication.jwt?.keys == [.init(.secret(self.secret))])
        #expect(load(yaml).problems.first?.contains("jwt.secretFile: '/run/secrets/jwt' can't be read") == true)
        let both = "gateway: {authentication: {jwt: {secretFile: a, secret: \"\(self.secret)\"}}}"
        #expect(load(both, files: ["a": self.secret]).problems.first?.contains("is given twice") == true)
    }

    @Test func strongerOriginDecidesBetweenSecretAndFile() {
        let yaml = "gateway: {authentication: {jwt: {secret: \"\(self.secret)\"}}}"
        let other = "another secret of more than thirty-two bytes"
        let loaded = load(
            yaml,
            environment: ["SOCKETIO_GATEWAY_AUTHENTICATION_JWT_SECRET_FILE": "/x"],
            files: ["/x": other]
        )
        #expect(loaded.problems == [])
        #expect(loaded.node.gateway.authentication.jwt?.keys == [.init(.secret(other))])
    }

    @Test func shortSecretsAreRefused() {
        let problems = load("gateway: {authentication: {jwt: {secret: short}}}").problems
        #expect(problems.count == 1)
        #expect(problems.first?.contains("at least 32 bytes") == true)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationOrigins {
    @Test func flagsWinOverEnvironmentOverFile() {
        let yaml = "listen: {port: 1}"
        let environment = ["SOCKETIO_LISTEN_PORT": "2"]
        #expect(load(yaml).node.listen.port == 1)
        #expect(load(yaml, environment: environment).node.listen.port == 2)
        #expect(load(yaml, environment: environment, flags: ["listen.port=3"]).node.listen.port == 3)
    }

    @Test(arguments: [
        ("listen.port", "SOCKETIO_LISTEN_PORT"),
        ("adapter.redis.requestsTimeout", "SOCKETIO_ADAPTER_REDIS_REQUESTS_TIMEOUT"),
        ("adapter.redis.urlFile", "SOCKETIO_ADAPTER_REDIS_URL_FILE"),
        ("gateway.apiTokenSalt", "SOCKETIO_GATEWAY_API_TOKEN_SALT"),
        ("gateway.events.rememberedEventIDs", "SOCKETIO_GATEWAY_EVENTS_REMEMBERED_EVENT_IDS"),
    ])
    func environmentName(path: String, name: String) {
        #expect(SettingNames.environmentName(of: path) == name)
    }

    @Test func everyKeyHasItsOwnVariable() {
        let names = ConfigurationReader.paths().map(SettingNames.environmentName)
        #expect(Set(names).count == names.count)
        #expect(names.count > 80)
    }

    @Test func listsAndMapsComeFromTheEnvironment() {
        let loaded = load(
            environment: [
                "SOCKETIO_LISTEN_TRANSPORTS": "websocket",
                "SOCKETIO_CORS_ORIGINS": "https://a.example, https://b.example",
                "SOCKETIO_GATEWAY_ROLES": "{editor: {scopes: [\"*\"]}}",
                "SOCKETIO_GATEWAY_API_TOKENS": "",
            ]
        )
        #expect(loaded.problems == [])
        #expect(loaded.node.server.engine.transports == [.websocket])
        #expect(loaded.settings["cors"]["origins"].texts == ["https://a.example", "https://b.example"])
        #expect(loaded.node.gateway.roles.map(\.type) == ["editor", "public", "authenticated"])
    }

    @Test func problemsNameTheVariableOrFlag() {
        let problems = load(environment: ["SOCKETIO_LISTEN_PORT": "x"], flags: ["heartbeat.timeout=9", "oops"]).problems
        #expect(problems.contains { $0.hasPrefix("environment SOCKETIO_LISTEN_PORT: listen.port: 'x'") })
        #expect(problems.contains { $0.hasPrefix("flag --set heartbeat.timeout: heartbeat.timeout: '9'") })
        #expect(problems.contains { $0.contains("flag --set oops: has no value") })
    }

    @Test func unknownNamesHaveASuggestion() {
        let loaded = load(environment: ["SOCKETIO_LISTEN_PROT": "1"], flags: ["listen.hots=x"])
        #expect(loaded.warnings.first?.contains("did you mean SOCKETIO_LISTEN_PORT?") == true)
        #expect(loaded.problems.first?.contains("did you mean listen.host?") == true)
    }

    /// Kubernetes sets variables for each service: one that is called socketio must not stop its own nodes.
    @Test func foreignVariablesDoNotStopTheStart() {
        // As it does for services called socketio, socketio-publish, socketio-listen and socketio-service.
        let names = ["SOCKETIO", "SOCKETIO_PUBLISH", "SOCKETIO_LISTEN", "SOCKETIO_SERVICE", "SOCKETIO_PORT"]
        for address in ["10.0.0.6", "fd00::6"] {
            var environment: [String: String] = [:]
            for name in names {
                let url = address.contains(":") ? "tcp://[\(address)]:3001" : "tcp://\(address):3001"
                environment[name + "_SERVICE_HOST"] = address
                environment[name + "_SERVICE_PORT"] = "3001"
                environment[name + "_SERVICE_PORT_HTTP_API"] = "3001"
                environment[name + "_PORT"] = url
                environment[name + "_PORT_3001_TCP"] = url
                environment[name + "_PORT_3001_TCP_PROTO"] = "tcp"
                environment[name + "_PORT_3001_TCP_PORT"] = "3001"
                environment[name + "_PORT_3001_TCP_ADDR"] = address
                environment[name + "_PORT_53_UDP"] = "udp://10.0.0.6:53"
            }
            let loaded = load(environment: environment)
            #expect(loaded.problems == [])
            #expect(loaded.warnings.count == 1)
            #expect(environment.keys.allSatisfy { loaded.warnings.first?.contains($0) == true })
            #expect(loaded.node.publish?.port == 3001)
            #expect(loaded.node.listen.port == 3000)
        }
    }

    @Test(arguments: [
        ("SOCKETIO_PUBLISH_PORT", "tcp://"), ("SOCKETIO_PUBLISH_PORT", "tcp://10.0.0.6"),
        ("SOCKETIO_PUBLISH_PORT", "http://10.0.0.6:3001"), ("SOCKETIO_LISTEN_PORT", "300x"),
        ("SOCKETIO_LISTEN_PORT", "tcp://10.0.0.6:99999"),
    ])
    func whatOnlyResemblesThemIsAnError(name: String, value: String) {
        #expect(load(environment: [name: value]).problems.count == 1)
    }

    @Test func aNameThatOnlyResemblesThemIsToldOf() {
        let loaded = load(environment: ["SOCKETIO_PUBLISH_PROT": "3001", "SOCKETIO_SERVICE_HOST": "example.com"])
        #expect(loaded.warnings.count == 2)
        #expect(loaded.warnings.contains { $0.contains("did you mean SOCKETIO_PUBLISH_PORT?") })
    }

    /// A setting's own values are never taken for a link's.
    @Test func numbersAreSettings() {
        let loaded = load(environment: ["SOCKETIO_PUBLISH_PORT": "4001", "SOCKETIO_LISTEN_PORT": "4000"])
        #expect(loaded.problems == [] && loaded.warnings == [])
        #expect(loaded.node.publish?.port == 4001)
        #expect(loaded.node.listen.port == 4000)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationValues {
    @Test func everyLayerArrives() throws {
        let hash = String(repeating: "0f", count: 64)
        let loaded = load(
            """
            listen:
              {host: "::", port: 0, path: /live/, transports: [websocket], connectTimeout: 3s, threads: 2, allowEIO3: true,
               compressPolls: false, compressMessages: true}
            heartbeat: {interval: 300ms, timeout: 200ms, upgradeTimeout: 1s}
            limits:
              {messageSize: 64KiB, attachments: 3, queuedBytes: 1MiB,
               totalQueuedBytes: 2GiB, totalRequestBytes: 300MiB, volatileBytes: 0, waitingEvents: 5, waitingBytes: 2KiB,
               roomsPerSocket: 7, pendingAcknowledgements: 8, authSize: 9KiB, packetsPerSecond: 10, bytesPerSecond: 1KiB,
               controlPacketsPerSecond: 14, connections: 11, connectionsPerAddress: 12, sessionsPerAddress: 13}
            cors: {origins: ["https://a.example"], credentials: true, maxAge: 1h}
            adapter:
              type: redis
              redis:
                {url: "rediss://u:p%40@h:7/2", key: chat, requestsTimeout: 250ms, subscriptions: rooms,
                 address: "node-1:80", whenLost: stopAccepting, whenLostGrace: 7s, publishOnSpecificResponseChannel: true,
                 tls: {caFile: /ca.pem, certificateFile: /c.pem, keyFile: /k.pem, serverName: redis.example,
                       insecurelySkipVerification: true}}
            publish: {enabled: false}
            logging: {level: debug, format: json}
            shutdown: {delay: 1s, deadline: 3s}
            gateway:
              apiTokenSalt: 0123456789abcdef
              apiTokens:
                backend: {hash: "\(hash)", scopes: [io.emit, io.*], expiresAt: 2030-01-31}
              roles:
                editor:
                  scopes: ["api::article.article.*", "*.find"]
                  fields: {"api::article.article": {deny: [views]}}
              contentTypes:
                api::article.article:
                  fields:
                    title: string
                    body: {type: richtext, private: true}
                    zone: {type: dynamiczone, components: [shared.seo]}
                    author: {type: relation}
                    tags: {type: relation, target: "api::tag.tag", repeatable: true}
                  populate: {author: {fields: [name], populate: "*"}, tags: true}
                  actions: ["*"]
                  unknownFields: keep
                api::tag.tag: {}
                "*": {}
              components:
                shared.seo: {fields: {metaTitle: string}}
              events: {payloadFormat: strapi4}
              entitySubscriptions: {mode: additive}
              namespaces: {admin: {requireAuth: true, roles: [editor]}}
            """
        )
        #expect(loaded.problems == [])
        let node = loaded.node
        #expect(node.listen.host == "::" && node.listen.port == 0 && node.listen.threads == 2)
        #expect(node.server.engine.path == "/live")
        #expect(node.server.engine.transports == [.websocket])
        #expect(node.server.engine.allowEIO3)
        #expect(node.server.engine.httpCompression == nil && node.server.engine.perMessageDeflate != nil)
        #expect(node.server.connectTimeout == .seconds(3))
        #expect(node.server.engine.pingInterval == .milliseconds(300))
        #expect(node.server.engine.pingTimeout == .milliseconds(200))
        #expect(node.server.engine.maxHTTPBufferSize == 65_536)
        #expect(node.server.engine.limits.maxQueuedBytes == 1_048_576)
        #expect(node.server.engine.limits.maxTotalQueuedBytes == 2_147_483_648)
        #expect(node.server.engine.limits.maxTotalRequestBytes == 314_572_800)
        #expect(node.server.engine.limits.volatileThreshold == 0)
        #expect(node.server.packetLimits.maximumAttachments == 3)
        #expect(node.server.limits.waitingEvents == 5)
        #expect(node.server.limits.waitingBytes == 2048)
        #expect(node.server.limits.roomsPerSocket == 7 && node.server.limits.pendingAcknowledgements == 8)
        #expect(node.server.limits.authBytes == 9_216)
        #expect(node.server.limits.packetRate == RateLimit(perSecond: 10, burst: 20))
        // A message of the greatest length still passes.
        #expect(node.server.limits.byteRate == RateLimit(perSecond: 1_024, burst: 65_536))
        #expect(node.server.engine.limits.maxControlPacketsPerSecond == 14)
        #expect(node.server.engine.limits.maxConnections == 11)
        #expect(node.server.engine.limits.maxConnectionsPerAddress == 12)
        #expect(node.server.engine.limits.maxSessionsPerAddress == 13)
        #expect(node.server.engine.cors?.credentials == true)
        #expect(node.server.engine.cors?.maxAge == 3600)
        let redis = try #require(node.redis)
        #expect(redis.connection.host == "h" && redis.connection.port == 7 && redis.connection.database == 2)
        #expect(redis.connection.password == "p@")
        var tls = RESPTLS()
        tls.caFile = "/ca.pem"
        tls.certificateFile = "/c.pem"
        tls.keyFile = "/k.pem"
        tls.serverName = "redis.example"
        tls.insecurelySkipsVerification = true
        #expect(redis.connection.tls == tls)
        #expect(redis.type == .redis && redis.classic.key == "chat" && redis.classic.subscriptions == .rooms)
        #expect(redis.classic.cluster.requestsTimeout == .milliseconds(250))
        #expect(redis.classic.cluster.address == "node-1:80" && redis.classic.publishOnSpecificResponseChannel)
        #expect(redis.whenLost == .stopAccepting && redis.whenLostGrace == .seconds(7))
        #expect(redis.summary == "redis rediss://u:***@h:7/2, subscriptions rooms")
        #expect(node.publish == nil)
        #expect(node.logging.level == .debug && node.logging.format == .json)
        #expect(node.shutdown.deadline == .seconds(3))

        let gateway = node.gateway
        let token = try #require(gateway.apiTokens.first)
        #expect(token.name == "backend" && token.kind == .custom && token.hash == hash && !token.isRevoked)
        #expect(token.scopes.map(\.description) == ["io.emit", "io.*"])
        #expect(token.expiresAt == 1_896_048_000)
        let editor = try #require(gateway.roles.first)
        #expect(editor.fields["api::article.article"] == Role.FieldRule(deny: ["views"]))
        let article = try #require(gateway.contentTypes.first)
        #expect(article.fields["title"] == .string)
        #expect(article.fields["body"] == Field(.scalar(.richtext), isPrivate: true))
        #expect(article.fields["zone"] == Field(.dynamicZone(["shared.seo"]), isRepeatable: true))
        #expect(
            article.populate
                == .tree(["author": .init(fields: ["name"], populate: .all), "tags": .init()])
        )
        #expect(article.unknownFields == .keep)
        #expect(gateway.contentTypes.last?.uid == "*")
        #expect(gateway.components.map(\.uid) == ["shared.seo"])
        #expect(gateway.events.payloadFormat == .strapi4)
        #expect(gateway.entitySubscriptions.mode == .additive)
        #expect(gateway.namespaces == [GatewayNamespace(name: "admin", requireAuth: true, roles: ["editor"])])
    }

    @Test(arguments: [
        ("0", 0), ("1ms", 1), ("25s", 25_000), ("2m", 120_000), ("1h", 3_600_000), ("1d", 86_400_000), ("7 s", 7000),
    ])
    func duration(text: String, milliseconds: Int) {
        #expect(ConfigurationReader.duration(text) == milliseconds)
    }

    @Test(arguments: ["", "s", "5", "-1s", "1.5s", "1S", "99999999999999999999s", "9223372036854775807h", "1s2"])
    func noDuration(text: String) {
        #expect(ConfigurationReader.duration(text) == nil)
    }

    @Test(arguments: [("0", 0), ("1024", 1024), ("64KiB", 65_536), ("1MB", 1_000_000), ("1 GiB", 1_073_741_824)])
    func bytes(text: String, count: Int) {
        #expect(ConfigurationReader.bytes(text) == count)
    }

    @Test(arguments: ["", "KB", "1kb", "-5KB", "1.5MB", "9223372036854775807GB"])
    func noBytes(text: String) {
        #expect(ConfigurationReader.bytes(text) == nil)
    }

    /// A token whose end can't be read must not become one without end, nor a field with a wrong type a public one.
    @Test func wrongValuesFailClosed() throws {
        let loaded = load(
            """
            gateway:
              apiTokens: {a: {hash: x, revoked: perhaps}}
              contentTypes: {"api::a.a": {fields: {secret: {type: strnig}}}}
            """
        )
        #expect(loaded.problems.count >= 3)
        #expect(loaded.node.gateway.contentTypes.first?.fields["secret"]?.isPrivate == true)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct OriginSettings {
    @Test(arguments: [
        "*", "null", "https://app.example.com", "http://localhost:3000", "https://a.example:8443", "http://[::1]:3000",
        "capacitor://localhost", "ionic://localhost", "tauri://localhost", "chrome-extension://abcdef", "file://",
        "http://127.0.0.1", "https://xn--bcher-kva.example", "http://a_b", "https://a.example:80", "app://obsidian.md",
    ])
    func browsersSendThese(origin: String) {
        #expect(load("cors: {origins: [\"\(origin)\"]}").problems.isEmpty)
    }

    /// An entry that could never match is no protection and no permission, but a mistake.
    @Test(arguments: [
        "https://*.example.com", "https://Example.com", "HTTPS://example.com", "https://example.com:443",
        "http://example.com:80", "https://example.com/", "https://example.com/path", "example.com", "https://",
        "https://user@example.com", "https://example.com?x", "https://b\u{FC}cher.example", "https://example.com:",
        "https://example.com:0443", "https://example.com:65536", "https://a.example,https://b.example", "Null", "",
        "https://exa mple.com", "://x", "https:example.com", "http://[::1", "http://[::G]", "**",
    ])
    func browsersNeverSendThese(origin: String) {
        #expect(load("cors: {origins: [\"\(origin)\"]}").problems.count == 1)
    }

    @Test func foreignPagesAreRefusedByDefault() {
        #expect(load().node.server.engine.refusesForeignOrigins)
        #expect(load("cors: {origins: [\"*\"]}").node.server.engine.allowsPage(of: "http://x", host: "y"))
    }

    @Test func balancersWithThePROXYHeader() {
        let loaded = load("listen: {proxyProtocol: [10.0.0.0/8, \"fd00::1\"]}")
        #expect(loaded.problems.isEmpty)
        #expect(
            loaded.node.server.engine.proxyProtocolSources == ["10.0.0.0/8", "fd00::1"].compactMap { AddressRange($0) }
        )
        #expect(load().node.server.engine.proxyProtocolSources.isEmpty)
        #expect(load("listen: {proxyProtocol: [nonsense]}").problems.count == 1)
    }

    /// The names that a library's `of(_:)` takes.
    @Test(arguments: ["admin", "b\u{FC}cher", "a b", "a?b=c", "\u{1F600}", "a/b", String(repeating: "x", count: 128)])
    func namespaces(name: String) {
        let loaded = load("gateway: {namespaces: {\"\(name)\": {requireAuth: false}}}")
        #expect(loaded.problems.isEmpty)
        #expect(loaded.node.gateway.namespaces.map(\.name) == [name])
    }

    @Test(arguments: ["", "/admin", "a,b", String(repeating: "x", count: 129)])
    func noNamespaces(name: String) {
        #expect(!load("gateway: {namespaces: {\"\(name)\": {requireAuth: false}}}").problems.isEmpty)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct PublicPageTests {
    @Test func saysWhatThisIsAndNoVersion() throws {
        let page = PublicPage(path: "/socket.io")
        let answer = try #require(page.answer(method: "GET", target: "/?x=1"))
        let text = String(buffer: answer.body)
        #expect(answer.status == 200 && text.contains("Socket.IO server") && text.contains("https://"))
        #expect(text.utf8.count < 500)
        #expect(answer.headers == [HTTPField("Content-Type", "text/plain; charset=utf-8")])
        #expect(page.answer(method: "POST", target: "/")?.status == 405)
        #expect(page.answer(method: "GET", target: "/x") == nil)
        #expect(page.answer(method: "GET", target: "/\u{301}") == nil)
    }
}
