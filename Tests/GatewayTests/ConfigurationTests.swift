import NIOCore
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ConfigurationTests {
    @Test func defaultsAndSamplesAreValid() {
        #expect(GatewayConfiguration().validate() == [])
        #expect(Samples.configuration.validate() == [])
    }

    private static let mistakes: [(path: String, make: @Sendable (inout GatewayConfiguration) -> Void)] = [
        ("contentTypes[0].uid", { $0.contentTypes[0].uid = "article" }),
        ("contentTypes[2].uid", { $0.contentTypes.append(ContentType(uid: Samples.author)) }),
        ("contentTypes[0].singularName", { $0.contentTypes[0].singularName = "a b" }),
        ("contentTypes[2].singularName", { $0.contentTypes.append(ContentType(uid: "api::blog.article")) }),
        ("contentTypes[0].eventPrefix", { $0.contentTypes[0].eventPrefix = "" }),
        ("contentTypes[0].actions", { $0.contentTypes[0].actions = ["a b"] }),
        ("contentTypes[0].idFields", { $0.contentTypes[0].idFields = [] }),
        ("contentTypes[0].idFields[0]", { $0.contentTypes[0].idFields = ["slug"] }),
        ("contentTypes[0].idFields[1]", { $0.contentTypes[0].idFields = ["id", "author"] }),
        ("contentTypes[0].idFields[0]", { $0.contentTypes[0].idFields = ["publishedAt"] }),
        ("contentTypes[0].ownerField", { $0.contentTypes[0].ownerField = "" }),
        ("contentTypes[0].populate", { $0.contentTypes[0].populate = .paths(["writer"]) }),
        ("contentTypes[0].populate.writer", { $0.contentTypes[0].populate = .tree(["writer": .init()]) }),
        (
            "contentTypes[0].populate.author.populate",
            { $0.contentTypes[0].populate = .tree(["author": .init(populate: .paths(["x"]))]) }
        ),
        (
            "contentTypes[0].fields.author.target",
            { $0.contentTypes[0].fields["author"] = Field(.relation(target: "api::x.x")) }
        ),
        ("contentTypes[0].fields.seo.component", { $0.contentTypes[0].fields["seo"] = Field(.component("x.x")) }),
        ("contentTypes[0].fields.body.components", { $0.contentTypes[0].fields["body"] = Field(.dynamicZone([])) }),
        (
            "contentTypes[0].fields.body.components",
            { $0.contentTypes[0].fields["body"] = Field(.dynamicZone(["x.x"])) }
        ),
        ("components[2].uid", { $0.components.append($0.components[0]) }),
        ("components[2].uid", { $0.components.append(Component(uid: "", fields: [:])) }),
        (
            "components[0].fields.reviewer.target",
            { $0.components[0].fields["reviewer"] = Field(.relation(target: "x")) }
        ),
        ("roles[0].type", { $0.roles[0].type = "a:b" }),
        ("roles[5].type", { $0.roles.append(Role(type: "Editor ")) }),
        ("roles[0].scopes[0]", { $0.roles[0].scopes = Samples.scopes("api::x.x.find") }),
        ("roles[0].scopes[0]", { $0.roles[0].scopes = Samples.scopes("io.nothing") }),
        ("roles[0].autoJoin[0]", { $0.roles[0].autoJoin = ["io-role-editor"] }),
        ("roles[0].joinPolicy[0]", { $0.roles[0].joinPolicy = [""] }),
        ("roles[0].fields.api::x.x", { $0.roles[0].fields = ["api::x.x": .init()] }),
        ("authentication.publicRole", { $0.authentication.publicRole = "guests" }),
        ("authentication.defaultRole", { $0.authentication.defaultRole = "members" }),
        ("authentication.timeout", { $0.authentication.timeout = .zero }),
        ("authentication.maximumFailures", { $0.authentication.maximumFailures = 0 }),
        ("authentication.failureWindow", { $0.authentication.failureWindow = .zero }),
        ("authentication.jwt.keys", { $0.authentication.jwt?.keys = [] }),
        ("authentication.jwt.keys[0].secret", { $0.authentication.jwt?.keys = [.init(.secret("short"))] }),
        ("authentication.jwt.keys[0].secret", { $0.authentication.jwt?.algorithms = ["HS512"] }),
        ("authentication.jwt.keys[0].secret", { $0.authentication.jwt?.algorithms = ["RS256"] }),
        ("authentication.jwt.algorithms", { $0.authentication.jwt?.algorithms = ["HS256", "none"] }),
        ("authentication.jwt.leeway", { $0.authentication.jwt?.leeway = -1 }),
        ("authentication.jwt.claims.role", { $0.authentication.jwt?.claims.role = "" }),
        ("authentication.jwt.maximumTokenBytes", { $0.authentication.jwt?.maximumTokenBytes = 1 }),
        ("authentication.jwt.keys[0].publicKey", { $0.authentication.jwt?.keys = [.init(.publicKey(pem: "x"))] }),
        ("authentication.jwt.keys[0].keySet", { $0.authentication.jwt?.keys = [.init(.keySet(json: "{}"))] }),
        ("apiTokens[5].name", { $0.apiTokens.append(Samples.token("FULL", .readOnly)) }),
        ("apiTokens[0].hash", { $0.apiTokens[0].hash = "plain-text-key" }),
        ("apiTokens[1].hash", { $0.apiTokens[1].hash = $0.apiTokens[0].hash }),
        ("apiTokens[1].id", { $0.apiTokens[1].id = $0.apiTokens[0].id }),
        ("apiTokens[2].scopes", { $0.apiTokens[2].scopes = [] }),
        ("apiTokens[0].scopes", { $0.apiTokens[0].scopes = Samples.scopes("*.find") }),
        ("apiTokenSalt", { $0.apiTokenSalt = "short" }),
        ("security.ipWhitelist[0]", { $0.security.ipWhitelist = ["10.0.0.0/33"] }),
        ("security.ipBlacklist[1]", { $0.security.ipBlacklist = ["::1", "localhost"] }),
        ("security.trustedProxies[0]", { $0.security.trustedProxies = [""] }),
        ("security.maximumConnections", { $0.security.maximumConnections = 0 }),
        (
            "entitySubscriptions.maximumSubscriptionsPerSocket",
            { $0.entitySubscriptions.maximumSubscriptionsPerSocket = 0 }
        ),
        ("entitySubscriptions.allowedContentTypes[0]", { $0.entitySubscriptions.allowedContentTypes = ["api::x.x"] }),
        ("rooms.maximumNameLength", { $0.rooms.maximumNameLength = 0 }),
        ("rooms.maximumRoomsPerSocket", { $0.rooms.maximumRoomsPerSocket = 0 }),
        ("rooms.defaultRooms[0]", { $0.rooms.defaultRooms = ["io-role-editor"] }),
        ("events.sensitivePatterns[0]", { $0.events.sensitivePatterns = ["*"] }),
        ("events.rememberedEventIDs", { $0.events.rememberedEventIDs = -1 }),
        ("entitySubscriptions.rememberedIDs", { $0.entitySubscriptions.rememberedIDs = -1 }),
        ("namespaces[0].tokens", { $0.namespaces = [GatewayNamespace(name: "a", tokens: ["x"])] }),
        (
            "namespaces[0].inheritsChecks",
            { $0.namespaces = [GatewayNamespace(name: "a", tokens: ["Full"], inheritsChecks: false)] }
        ),
        ("clusterTimeout", { $0.clusterTimeout = .zero }),
        ("namespaces[0].name", { $0.namespaces = [GatewayNamespace(name: "/")] }),
        ("namespaces[0].name", { $0.namespaces = [GatewayNamespace(name: "main")] }),
        ("namespaces[1].name", { $0.namespaces = [GatewayNamespace(name: "a"), GatewayNamespace(name: "/a")] }),
        ("namespaces[0].roles", { $0.namespaces = [GatewayNamespace(name: "a", roles: ["x"])] }),
        (
            "namespaces[0].inheritsChecks",
            { $0.namespaces = [GatewayNamespace(name: "a", requireAuth: true, inheritsChecks: false)] }
        ),
    ]

    @Test(arguments: mistakes.indices)
    func eachMistakeIsNamed(_ index: Int) {
        let mistake = Self.mistakes[index]
        var configuration = Samples.configuration
        mistake.make(&configuration)
        let problems = configuration.validate()
        #expect(problems.contains { $0.path == mistake.path }, "\(mistake.path): \(problems)")
        #expect(problems.allSatisfy { !$0.advice.isEmpty })
    }

    @Test func everyMistakeIsFoundAtOnceAndNoSecretShown() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].idFields = []
        configuration.authentication.jwt?.keys = [.init(.secret("hunter2"))]
        configuration.apiTokenSalt = "hunter3"
        configuration.apiTokens[0].hash = "hunter4"
        let error = await #expect(throws: GatewayError.self) {
            try await Rules(configuration, hooks: GatewayHooks())
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.problems.count == 4)
        #expect(error?.message.contains("hunter") == false)
    }

    @Test func verificationNeedsAVerifier() async throws {
        var configuration = Samples.configuration
        configuration.entitySubscriptions.requireVerification = true
        let error = await #expect(throws: GatewayError.self) {
            try await Rules(configuration, hooks: GatewayHooks())
        }
        #expect(error?.problems.map(\.path) == ["entitySubscriptions.requireVerification"])
        var hooks = GatewayHooks()
        hooks.verifyEntity = { _, _ in true }
        _ = try await Rules(configuration, hooks: hooks)
        hooks = GatewayHooks()
        hooks.findEntity = { _, _ in ["id": 1] }
        _ = try await Rules(configuration, hooks: hooks)
    }

    @Test(arguments: Field.typeNames)
    func fieldsAreMadeFromTheirNames(_ name: String) {
        #expect(Field(type: name, target: "api::a.a", components: ["a.b"]) != nil)
    }

    @Test func fieldsSayWhatTheyLack() {
        #expect(Field(type: "component") == nil)
        #expect(Field(type: "dynamiczone") == nil)
        #expect(Field(type: "colour") == nil)
        #expect(Field(type: "relation")?.kind == .morph)
    }
}
