import EngineIO
import Foundation
import Gateway
import NIOCore
import Testing

@testable import socketio_node

/// Each setting is declared once, and every property that a node's configuration has is a setting, or is named here.
@Suite(.timeLimit(.minutes(1)))
struct SettingTableTests {
    private static let sample = load(SettingSample.configuration.yaml)

    /// The sample is correct but for what settings say together.
    @Test func samplesAreAcceptedOneByOne() {
        var reader = ConfigurationReader(file: "sample", environment: [:], flags: [])
        _ = reader.read(yaml: SettingSample.configuration.yaml)
        #expect(reader.problems == [])
    }

    /// Properties of the configuration that no setting sets; each other one changes when all settings do.
    @Test func everyPropertyHasASetting() {
        let same = StoredProperties.same(NodeConfiguration(), Self.sample.node).filter { property in
            !Self.madeFromOthers.contains { property.hasPrefix($0) }
        }
        #expect(same.sorted() == Self.noSettings.sorted())
    }

    /// Copies, in the adapter that is connected and in the directory of users, of what other properties of it say.
    private static let madeFromOthers = [
        "lookup.settings.token", "lookup.settings.url", "adapter.connection.", "adapter.classic.cluster.",
        "adapter.shardedAdapter.cluster.",
        "adapter.streamsAdapter.cluster.",
    ]

    private static let noSettings: [String] = [
        // What belongs to applications: closures, names and answers that no file can hold.
        "gateway.nodeName", "gateway.entitySubscriptions.requireVerification", "server.engine.allowRequest",
        "server.engine.generateID", "server.engine.headers", "server.engine.initialHeaders",
        "server.engine.initialPacket", "server.engine.onHandshakeError", "server.engine.cookie",
        "server.acknowledgementTimeout",
        // What the node itself sets when it starts.
        "server.engine.page", "server.engine.refusesForeignOrigins", "server.engine.refusesSessions",
        "server.engine.routes", "server.engine.trustedProxies", "server.engine.limits.reservedDescriptors",
        "jwt.configuration.keys", "adapter.shardedAdapter.channelPrefix", "adapter.streamsAdapter.channelPrefix",
        // What is for tests, and for comparison with Node's server.
        "adapter.classic.makeID", "adapter.shardedAdapter.makeID", "adapter.streamsAdapter.makeID",
        "adapter.classic.writesNumericRooms", "adapter.shardedAdapter.writesNumericRooms",
        "adapter.streamsAdapter.writesNumericRooms", "adapter.streamsAdapter.startTask",
        "server.engine.echoesWebSockets",
        "server.engine.lingeringTime.nanoseconds", "server.engine.probeCheckInterval.nanoseconds",
        "server.engine.addTrailingSlash",
        // Users don't publish, and credentials that are wrong belong to nobody.
        "gateway.limits.cluster.user.failedLogins", "gateway.limits.cluster.user.publishes",
        "gateway.limits.cluster.address.publishes", "gateway.limits.cluster.token.failedLogins",
        "gateway.limits.cluster.tenant.failedLogins",
        // Bounds that the libraries have chosen, which nobody has had to change yet.
        "adapter.cluster.leaseDuration.nanoseconds", "adapter.cluster.leaseInterval.nanoseconds",
        "adapter.cluster.livenessInterval.nanoseconds", "adapter.cluster.maximumAnswerBytes",
        "adapter.cluster.maximumCollectedBytes", "adapter.cluster.maximumQuestions",
        "adapter.cluster.reconnectGrace.nanoseconds", "adapter.queue.maximumCount",
        "adapter.streamsAdapter.blockTime.nanoseconds", "adapter.streamsAdapter.offsetPatience.nanoseconds",
        "adapter.streamsAdapter.sessionKeyPrefix", "jwt.configuration.maximumTokenBytes",
        "publishing.api.answerTimeout.nanoseconds", "publishing.api.confirmationTimeout.nanoseconds",
        "publishing.api.idleTimeout.nanoseconds", "publishing.api.maximumQuestions",
        "server.attachmentTimeout.nanoseconds", "server.cleanupEmptyChildNamespaces",
        "server.engine.limits.closeTimeout.nanoseconds", "server.engine.limits.maxFragments",
        "server.engine.limits.maxHalfOpenPerAddress", "server.engine.limits.maxHeaderBytes",
        "server.engine.limits.maxHeaderCount", "server.engine.limits.maxPacketsPerPayload",
        "server.engine.limits.maxPipelinedRequests", "server.engine.limits.maxQueuedPackets",
        "server.engine.limits.maxSessions", "server.engine.maxPacketsPerPoll", "server.limits.dynamicNamespaceBytes",
        "server.limits.dynamicNamespaces", "server.limits.dynamicNamespacesPerAddress",
        "server.limits.remoteAcknowledgementTimeout.nanoseconds", "server.limits.remoteAcknowledgements",
        "server.packetLimits.json.maximumDepth", "server.packetLimits.maximumNamespaceLength",
    ]

    @Test func everyPropertyOfAnEntryHasASetting() throws {
        let gateway = Self.sample.node.gateway
        let type = try #require(gateway.contentTypes.first)
        // A `Duration` of a few seconds has nothing in its upper half.
        #expect(StoredProperties.same(ContentType(uid: type.uid), type) == ["uid", "coalescing._high"])
        let component = try #require(gateway.components.first)
        #expect(StoredProperties.same(Component(uid: component.uid, fields: [:]), component) == ["uid"])
        let role = try #require(gateway.roles.first)
        #expect(StoredProperties.same(Role(type: role.type), role) == ["type"])
        let rule = try #require(role.fields.values.first)
        #expect(StoredProperties.same(Role.FieldRule(), rule) == [])
        let token = try #require(gateway.apiTokens.first)
        let noToken = APIToken(name: token.name, kind: .custom, hash: "")
        #expect(StoredProperties.same(noToken, token) == ["id", "name"])
        let namespace = try #require(gateway.namespaces.first)
        #expect(StoredProperties.same(GatewayNamespace(name: namespace.name), namespace) == ["name"])
        let key = try #require(Self.sample.node.jwt.keys.first)
        #expect(StoredProperties.same(NodeConfiguration.JWT.Key(), key) == [])
    }

    /// A default that the bounds forbid could not be written into the file.
    @Test func defaultsAreWithinTheirBounds() {
        #expect(load(ConfigurationTemplate.text).problems == [])
    }

    @Test func declarationsAreComplete() {
        func check(_ fields: [SettingField], at path: String) {
            #expect(Set(fields.map(\.name)).count == fields.count, "\(path)")
            for field in fields {
                let place = "\(path).\(field.name)"
                #expect(!field.summary.isEmpty && !field.summary.contains("\n"), "\(place)")
                #expect(field.name.utf8.allSatisfy { $0 != UInt8(ascii: ".") }, "\(place)")
                if field.isRequired { #expect(field.default == nil, "\(place)") }
                if case .record(let members) = field.kind { check(members, at: place) }
                if let members = field.kind.entryFields { check(members, at: place) }
            }
        }
        check(SettingTable.root, at: "")
    }

    /// What is meant to change while a node runs, by its paths.
    @Test(arguments: [
        ("gateway.roles", SettingChange.live), ("gateway.contentTypes", .live), ("gateway.apiTokens", .live),
        ("cors.origins", .live), ("logging.level", .live), ("limits.packetsPerSecond", .restart),
        ("listen.port", .restart), ("listen.threads", .restart), ("adapter.redis.url", .restart),
        ("adapter.type", .restart), ("publish.port", .restart), ("limits.connections", .restart),
    ])
    func changes(path: String, change: SettingChange) {
        var fields = SettingTable.root
        var found: SettingField?
        for name in path.split(separator: ".") {
            found = fields.first { $0.name == name }
            if case .record(let members)? = found?.kind { fields = members }
        }
        #expect(found?.change == change)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct SettingLiteralTests {
    @Test(arguments: [
        (0, "0"), (1, "1ms"), (999, "999ms"), (1000, "1s"), (25_000, "25s"), (120_000, "2m"), (90_000, "90s"),
        (3_600_000, "1h"), (86_400_000, "24h"),
    ])
    func durations(milliseconds: Int, text: String) {
        #expect(SettingLiteral.duration(milliseconds).yaml == text)
        #expect(ConfigurationReader.duration(text) == milliseconds)
    }

    @Test(arguments: [
        (0, "0"), (1, "1"), (1000, "1KB"), (1024, "1KiB"), (65_536, "64KiB"), (1_000_000, "1MB"), (64_000_000, "64MB"),
        (67_108_864, "64MiB"), (1_000_001, "1000001"), (1_073_741_824, "1GiB"),
    ])
    func bytes(count: Int, text: String) {
        #expect(SettingLiteral.bytes(count).yaml == text)
        #expect(ConfigurationReader.bytes(text) == count)
    }

    /// Whatever a text is, YAML reads it back as that text.
    @Test(arguments: [
        "", " ", "a", "a b", "true", "No", "~", "null", "7", "1e5", "0x10", "1:20", "::1", "::", "a: b", "a #b", "- a",
        "*",
        "&a", "!a", "\"q\"", "it's", "a\\b", "line\nline", "tab\t", "\u{7}", "{a}", "[a]", "a,b", "%a", "@a", "`a`",
        "|", ">",
        "api::a.b", "https://a.example", "\u{FC}ber", "\u{1F600}", "e\u{301}", "(hidden)", "-", "?", "a:", ".inf",
        "nan",
    ])
    func textsAreReadBack(text: String) {
        let yaml = "gateway: {rooms: {defaultRooms: [\(SettingLiteral.text(text).yaml)]}}"
        let shown = load("gateway: {events: {sensitivePatterns: [\(SettingLiteral.text("x" + text).yaml)]}}")
        let texts = shown.settings["gateway"]["events"]["sensitivePatterns"].texts
        #expect(texts.map { Array($0.utf8) } == [Array(("x" + text).utf8)], "\(shown.problems)")
        guard !text.isEmpty else { return }
        let rooms = load(yaml).settings["gateway"]["rooms"]["defaultRooms"].texts
        #expect(rooms.map { Array($0.utf8) } == [Array(text.utf8)])
    }
}
