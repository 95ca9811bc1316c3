import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire
import Testing

@testable import Gateway

/// What nodes know of each other's configurations.
@Suite struct ConformityTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private static func at(_ seconds: Double) -> NIODeadline {
        self.start + .milliseconds(Int64(seconds * 1000))
    }

    private func says(
        _ node: UTF8Text,
        _ digest: UTF8Text,
        privacy: [String]? = nil,
        _ change: (inout ConfigurationAnnouncement) -> Void = { _ in }
    ) -> ConfigurationAnnouncement {
        var announcement = ConfigurationAnnouncement(node: node, digest: digest)
        if let privacy {
            var configuration = GatewayConfiguration()
            configuration.events.sensitiveFields = privacy
            announcement.privacy = Privacy(configuration)
        }
        change(&announcement)
        return announcement
    }

    // MARK: Digests

    @Test func equalConfigurationsHaveEqualDigests() {
        var other = Samples.configuration
        other.nodeName = "another"
        #expect(ConfigurationDigest.digest(of: Samples.configuration) == ConfigurationDigest.digest(of: other))
        #expect(ConfigurationDigest.digest(of: other).utf8.count == 16)
    }

    /// Sets and dictionaries have another order in each process, and digests have not.
    @Test func ordersDoNotCount() {
        let names = (0..<200).map { "name-\($0)" }
        var first = GatewayConfiguration()
        first.contentTypes = [ContentType(uid: Samples.article, privateAttributes: Set(names))]
        var second = GatewayConfiguration()
        var set = Set<String>(minimumCapacity: 4096)
        for name in names.reversed() { set.insert(name) }
        second.contentTypes = [ContentType(uid: Samples.article, privateAttributes: set)]
        second.contentTypes[0].fields = Dictionary(uniqueKeysWithValues: names.reversed().map { ($0, Field.string) })
        first.contentTypes[0].fields = Dictionary(uniqueKeysWithValues: names.map { ($0, Field.string) })
        #expect(ConfigurationDigest.digest(of: first) == ConfigurationDigest.digest(of: second))
    }

    @Test(arguments: 0..<12) func everyChangeChangesTheDigest(_ number: Int) {
        var changed = Samples.configuration
        switch number {
        case 0: changed.roles[0].scopes = []
        case 1: changed.apiTokens[0].isRevoked = true
        case 2: changed.contentTypes[0].fields["title"]?.isPrivate = true
        case 3: changed.contentTypes[0].ownerField = "author"
        case 4: changed.authentication.jwt?.keys = [.init(.secret("another secret of at least thirty-two bytes"))]
        case 5: changed.apiTokenSalt += "x"
        case 6: changed.limits.questions.perSecond += 1
        case 7: changed.clusterTimeout = .seconds(6)
        case 8: changed.rooms.defaultRooms = ["io-notification", "io-default"]
        case 9: changed.security.ipBlacklist = ["10.0.0.0/8"]
        case 10: changed.roles[2].fields = [:]
        default: changed.contentTypes[0].coalescing = .seconds(1)
        }
        #expect(ConfigurationDigest.digest(of: changed) != ConfigurationDigest.digest(of: Samples.configuration))
        #expect(ConfigurationDigest.digest(of: changed, "x") != ConfigurationDigest.digest(of: changed))
    }

    // MARK: Messages

    @Test func messagesAreReadAsTheyWereWritten() {
        let whole = self.says("a", "d", privacy: ["pin"]) { announcement in
            announcement.name = "node-1"
            announcement.revision = "r"
            announcement.version = 7
            announcement.error = "because"
            announcement.reloads = ["x", "y"]
            announcement.asks = true
            announcement.isLeaving = true
        }
        for announcement in [whole, self.says("b", "e")] {
            #expect(SettingsMessage(announcement.message) == .announcement(announcement))
        }
        #expect(SettingsMessage(ConfigurationAnnouncement.change("r")) == .changed)
        #expect(SettingsMessage(ConfigurationAnnouncement.reload("id")) == .reload("id"))
    }

    @Test(
        arguments: [
            "", "[]", "{}", "null", "{\"node\": 1, \"digest\": \"d\"}", "{\"node\": \"\", \"digest\": \"d\"}",
            "{\"node\": \"\(String(repeating: "n", count: 65))\", \"digest\": \"d\"}",
            "{\"reload\": \"\(String(repeating: "n", count: 65))\"}", "\u{0}",
        ]
    )
    func somethingElseIsNoMessage(_ text: String) {
        #expect(SettingsMessage(ByteBuffer(string: text)) == nil)
    }

    @Test func whatIsPrivateIsReadAsItWasWritten() {
        var configuration = Samples.configuration
        configuration.events.sensitivePatterns = ["*-pin"]
        configuration.events.excludeFields = ["ssn"]
        let privacy = Privacy(configuration)
        #expect(Privacy(privacy.value) == privacy)
        #expect(privacy.fields(of: UTF8Text(Samples.author)) == ["pin", "salary"])
        #expect(Privacy(["fields": [], "names": [], "patterns": []]) == nil)
        let many = JSONValue.array((0...200_000).map { .int($0) })
        #expect(Privacy(["fields": [:], "names": many, "patterns": []]) == nil)
    }

    /// What `*` hides holds for the types that the node has not declared, and for no others.
    @Test func otherTypesAreHiddenAsTheirNodeHidesThem() {
        var others = GatewayConfiguration()
        others.contentTypes = [
            ContentType(uid: "*", privateAttributes: ["any"]), ContentType(uid: Samples.author),
        ]
        others.components = [Component(uid: "shared.seo", fields: ["draft": Field(.json, isPrivate: true)])]
        var own = GatewayConfiguration()
        own.contentTypes = [ContentType(uid: Samples.author), ContentType(uid: Samples.article)]
        own.components = [Component(uid: "shared.seo", fields: [:])]
        let hidden = own.hiding([Privacy(others)])
        #expect(hidden.contentTypes.map(\.privateAttributes) == [[], ["any"]])
        #expect(hidden.components[0].fields["draft"]?.isPrivate == true)
        #expect(hidden.components[0].unknownFields == .keep, "A field that is hidden does not drop the others")
    }

    // MARK: Nodes

    @Test func aNodeThatIsSilentIsNotLiveAnyMore() {
        var cluster = ClusterConfigurations(own: "me", digest: "d", lease: .seconds(6))
        #expect(cluster.heard(self.says("me", "d"), at: Self.at(0)) == .init())
        #expect(cluster.heard(self.says("a", "d"), at: Self.at(0)) == .init())
        #expect(cluster.counts == (2, 0))
        for second in stride(from: 2.0, through: 8, by: 2) {
            _ = cluster.heard(self.says("me", "d"), at: Self.at(second))
            _ = cluster.tick(at: Self.at(second))
            #expect(cluster.counts == (second <= 6 ? 2 : 1, 0))
        }
        _ = cluster.heard(self.says("a", "d"), at: Self.at(9))
        _ = cluster.heard(self.says("a", "d") { $0.isLeaving = true }, at: Self.at(9))
        #expect(cluster.counts == (1, 0))
    }

    /// Who does not hear even itself is cut off.
    ///
    /// The others may be there, and what they hide stays hidden.
    @Test func nobodyIsForgottenWhileThisNodeIsCutOff() {
        var cluster = ClusterConfigurations(own: "me", digest: "d", lease: .seconds(6))
        _ = cluster.heard(self.says("me", "d"), at: Self.at(0))
        #expect(cluster.heard(self.says("a", "e", privacy: ["pin"]), at: Self.at(0)).privacyChanged)
        #expect(!cluster.tick(at: Self.at(100)).privacyChanged)
        #expect(cluster.counts == (1, 1))
        // Back again: the others have time to say something.
        _ = cluster.heard(self.says("me", "d"), at: Self.at(100))
        #expect(!cluster.tick(at: Self.at(101)).privacyChanged)
        for second in stride(from: 102.0, through: 107, by: 1) {
            _ = cluster.heard(self.says("me", "d"), at: Self.at(second))
        }
        #expect(cluster.tick(at: Self.at(107)).privacyChanged)
        #expect(cluster.others == [])
    }

    /// A node asks what is private under a digest that it does not know, and keeps it as long as a node has that digest.
    @Test func whatIsPrivateElsewhereIsAskedForOnce() {
        var cluster = ClusterConfigurations(own: "me", digest: "d", lease: .seconds(6))
        #expect(cluster.heard(self.says("a", "e"), at: Self.at(0)).asks)
        #expect(cluster.heard(self.says("a", "e", privacy: ["pin"]), at: Self.at(0)) == .init(privacyChanged: true))
        #expect(cluster.heard(self.says("b", "e"), at: Self.at(0)) == .init())
        #expect(cluster.others.map(\.names) == [["pin"]])
        #expect(cluster.heard(self.says("b", "e") { $0.asks = true }, at: Self.at(0)).tells)
        _ = cluster.heard(self.says("a", "e") { $0.isLeaving = true }, at: Self.at(1))
        #expect(cluster.others.count == 1)
        // The same configuration here: nothing of it is another's.
        #expect(cluster.changed("e").privacyChanged)
        #expect(cluster.others == [])
        #expect(cluster.counts == (2, 0))
    }

    @Test func thereAreOnlySoManyNodes() {
        var cluster = ClusterConfigurations(own: "me", digest: "d", lease: .seconds(6))
        for number in 0..<(ClusterConfigurations.capacity + 100) {
            _ = cluster.heard(self.says("\(number)", "d\(number)", privacy: []), at: Self.at(0))
        }
        #expect(cluster.nodes.count == ClusterConfigurations.capacity)
    }
}
