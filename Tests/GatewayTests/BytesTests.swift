import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Pairs that Swift takes for the same text, and JavaScript for two.
private let twins = [
    ("K1", "\u{212A}1"), ("\u{E9}", "e\u{301}"), ("\u{C5}ngstr\u{F6}m", "\u{212B}ngstro\u{308}m"),
    ("\u{3A9}", "\u{2126}"),
    ("\u{1E69}", "s\u{307}\u{323}"),
]

private func auth(id: String, role: String = "authenticated") -> JSONValue {
    ["token": .string(makeToken(["id": .string(id), "role": .string(role)]))]
}

/// Texts from outside are told apart by their bytes.
@Suite(.timeLimit(.minutes(1))) struct BytesTests {
    @Test(arguments: twins)
    func usersAreTwo(_ one: String, _ two: String) async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "author"
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let io = cluster[0].io
            var clients: [TestClient] = []
            for node in cluster.nodes {
                for id in [one, two] { clients.append(try await node.join(auth(id: id))) }
            }
            try io.sendToUser(.string(one), event: "one", data: 1)
            try io.emit(
                event: "update",
                schema: "api::article.article",
                data: ["id": 5, "author": .string(two)] as JSONValue
            )
            try io.emit(
                event: "update",
                schema: "api::article.article",
                data: [["id": 6, "author": .string(one)], ["id": 7, "author": .string(two)]] as JSONValue
            )
            let received = try await cluster.received(by: clients)
            for (index, packets) in received.enumerated() {
                let owner = JSONValue.string(index % 2 == 0 ? one : two)
                let id = JSONValue.int(index % 2 == 0 ? 6 : 7)
                let expected: [TestClient.Packet] =
                    index % 2 == 0 ? [.event("one", [1])] : [.event("article:update", [["id": 5, "author": owner]])]
                #expect(packets == expected + [.event("article:update", [[["id": id, "author": owner]]])])
            }
            // Only the owner may follow what is theirs.
            for (client, isOwner) in zip(clients, [false, true, false, true]) {
                let answer = try await client.call("subscribe-entity", ["uid": "api::article.article", "id": 5])
                #expect(answer["success"] == .bool(isOwner))
            }
            io.disconnectUser(.string(one))
            for index in [0, 2] {
                #expect(await clients[index].packet() == .event("io:disconnect", [["reason": "server disconnect"]]))
            }
            #expect(try await cluster.received(by: [clients[1], clients[3]]) == [[], []])
        }
    }

    private func authenticate(
        _ auth: JSONValue,
        hooks: GatewayHooks = GatewayHooks(),
        change: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> AuthenticatedPrincipal {
        var configuration = Samples.configuration
        change(&configuration)
        let rules = try await Rules(configuration, hooks: hooks)
        return try await Authenticator(rules: rules.access, hooks: hooks)
            .authenticate(.init(auth: auth, handshake: [:], address: "::1"), now: 500)
    }

    @Test(arguments: twins)
    func rolesAndStrategiesAreTwo(_ one: String, _ two: String) async throws {
        func claim(_ value: JSONValue) -> JSONValue { ["token": .string(makeToken(["id": 1, "role": value]))] }
        let roles: (inout GatewayConfiguration) -> Void = {
            $0.roles.append(Role(type: one, id: .string("id-\(one)")))
        }
        for value in [.string(one), ["type": .string(one)], .string("id-\(one)")] as [JSONValue] {
            #expect(try await self.authenticate(claim(value), change: roles).principal.role?.name == one)
        }
        for value in [.string(two), ["type": .string(two)], ["name": .string(two)], .string("id-\(two)")] as [JSONValue]
        {
            await #expect(throws: ConnectionRefusal.invalidCredentials) {
                try await self.authenticate(claim(value), change: roles)
            }
        }
        var hooks = GatewayHooks()
        hooks.strategies[one] = { _, _ in AuthenticatedPrincipal(.operator(User(id: 1))) }
        let found = try await self.authenticate(["strategy": .string(one), "token": "x"], hooks: hooks)
        #expect(found.principal.audienceRoom == RoomName.operators)
        await #expect(throws: ConnectionRefusal.invalidCredentials) {
            try await self.authenticate(["strategy": .string(two), "token": "x"], hooks: hooks)
        }
    }

    @Test(arguments: twins)
    func rolesAndTokensThatLookAlikeHaveRoomsOfTheirOwn(_ one: String, _ two: String) async throws {
        var configuration = Samples.configuration
        let scopes = Samples.scopes("\(Samples.article).update")
        configuration.roles += [Role(type: one, scopes: scopes), Role(type: two)]
        configuration.apiTokens = [
            Samples.token(one, .custom, scopes: scopes), Samples.token(two, .custom, scopes: Samples.scopes("io.raw")),
        ]
        #expect(configuration.validate() == [])
        let rules = try await Rules(configuration, hooks: GatewayHooks())
        let plan = try rules.plan(
            LifecycleEvent(event: "update", schema: "api::article.article", data: ["id": 1]),
            now: 0
        )
        let rooms = Set(plan.variants.flatMap { $0.deliveries.flatMap(\.rooms) })
        #expect(rooms.contains(RoomName.role(RoomName.slug(one))) && rooms.contains(RoomName.token(RoomName.slug(one))))
        #expect(!rooms.contains(RoomName.role(RoomName.slug(two))))
        #expect(!rooms.contains(RoomName.token(RoomName.slug(two))))
        // What a socket's data says.
        for (text, scopes) in [(one, 1), (two, 0)] {
            let record = PrincipalRecord(["kind": "user", "userId": 1, "role": .string(RoomName.slug(text))])
            #expect(rules.access.principal(of: record).role?.scopes.count == scopes)
        }
        #expect(
            rules.access.tokens.validToken(forKey: Samples.key(one), now: 0)?.slug.utf8.elementsEqual(
                RoomName.slug(one).utf8
            ) == true
        )
        // Namespaces.
        let namespace = GatewayNamespace(name: "x", roles: [one], tokens: [one])
        try namespace.check(.user(User(id: 1), configuration.roles[5]))
        try namespace.check(.token(configuration.apiTokens[0]))
        #expect(throws: ConnectionRefusal.self) { try namespace.check(.user(User(id: 1), configuration.roles[6])) }
        #expect(throws: ConnectionRefusal.self) { try namespace.check(.token(configuration.apiTokens[1])) }
    }

    @Test(arguments: twins)
    func claimsOfTokensAreTwo(_ one: String, _ two: String) async throws {
        var configuration = JWTConfiguration(keys: [.init(.secret(Samples.secret), id: one)])
        configuration.issuer = one
        configuration.audience = one
        let verifier = try await JWTVerifier(configuration)
        func claims(_ issuer: String, _ audience: JSONValue) -> JSONValue { ["iss": .string(issuer), "aud": audience] }
        func verify(_ claims: JSONValue, id: String) throws(JWTRefusal) {
            let header: JSONValue = ["alg": "HS256", "kid": .string(id)]
            _ = try verifier.verify(makeToken(claims, header: header), now: 0)
        }
        try verify(claims(one, .string(one)), id: one)
        try verify(claims(one, [.string(two), .string(one)]), id: one)
        #expect(throws: JWTRefusal.noKey) { try verify(claims(one, .string(one)), id: two) }
        #expect(throws: JWTRefusal.wrongIssuer) { try verify(claims(two, .string(one)), id: one) }
        #expect(throws: JWTRefusal.wrongAudience) { try verify(claims(one, .string(two)), id: one) }
        #expect(throws: JWTRefusal.wrongAudience) { try verify(claims(one, [.string(two)]), id: one) }
    }

    @Test(arguments: twins)
    func namesOfFieldsAreTwo(_ one: String, _ two: String) throws {
        var type = ContentType(uid: "api::a.a", fields: [one: .string], privateAttributes: ["p\(one)"])
        type.unknownFields = .keep
        type.populate = .tree(["r\(one)": .init()])
        type.fields["r\(one)"] = Field(.relation(target: "api::a.a"))
        let schema = Schema(contentTypes: [type], components: [])
        let sanitiser = Sanitiser(schema: schema, blocklist: Blocklist(additionalNames: ["b\(one)"]))
        func clean(_ value: JSONValue, rule: Role.FieldRule) throws -> JSONValue {
            try sanitiser.sanitise(
                value,
                as: type,
                for: Projection(visibleTargets: ["api::a.a"], rules: ["api::a.a": rule]),
                selection: Selection(type.populate)
            )
        }
        func entry(_ text: String) -> JSONValue {
            var object: JSONObject = ["id": 1]
            for prefix in ["", "p", "b", "d"] { object["\(prefix)\(text)"] = 1 }
            return .object(object)
        }
        let rule = Role.FieldRule(deny: ["d\(one)"])
        #expect(try clean(entry(one), rule: rule) == .object(["id": 1, UTF8Text(one): 1]))
        // Not the names that are hidden.
        #expect(try clean(entry(two), rule: rule) == entry(two))
        // Both at once, and neither is lost.
        let both: JSONValue = .object([UTF8Text(one): 1, UTF8Text(two): 2])
        #expect(try clean(both, rule: rule) == both)
        let relation = JSONValue.object([UTF8Text("r\(one)"): ["id": 2, "r\(two)": 5]])
        #expect(try clean(relation, rule: rule) == relation)
        #expect(try clean(.object([UTF8Text(two): 2]), rule: .init(allow: [one])) == [:])
    }

    @Test(arguments: twins)
    func rooms(_ one: String, _ two: String) async throws {
        var configuration = Samples.configuration
        configuration.roles[0].autoJoin = [one]
        configuration.namespaces = [GatewayNamespace(name: one)]
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let client = try await cluster[1].join()
            try cluster[0].io.raw(event: "wrong", rooms: [Room(two)], data: 1)
            try cluster[0].io.raw(event: "right", rooms: [Room(one)], data: 1)
            #expect(try await cluster[0].io.getSocketsInRoom(Room(two)) == [])
            #expect(try await cluster[0].io.getSocketsInRoom(Room(one)).map(\.id) == [client.id])
            #expect(try cluster[0].io.emitToNamespace(one, event: "x", data: 1))
            #expect(try !cluster[0].io.emitToNamespace(two, event: "x", data: 1))
            #expect(try await cluster.received(by: [client]) == [[.event("right", [1])]])
        }
    }

    @Test(arguments: twins)
    func values(_ one: String, _ two: String) {
        #expect(EntityID.string(one) != .string(two))
        #expect(Set([EntityID.string(one), .string(two)]).count == 2)
        #expect(Set([EntityRef(uid: one, id: "1"), EntityRef(uid: two, id: "1")]).count == 2)
        #expect(Set([EntityRef(uid: "1", id: one), EntityRef(uid: "1", id: two)]).count == 2)
        #expect(User(id: .string(one)) != User(id: .string(two)))
        #expect(User(id: 1, username: one) != User(id: 1, username: two))
        #expect(!RoomName.slug(one).utf8.elementsEqual(RoomName.slug(two).utf8))
        var ids = RecentIDs(capacity: 5)
        #expect([one, two, one, two].map { ids.insert($0) } == [true, true, false, false])
        #expect(!Glob(one).matches(two))
        // ASCII has a twin, too.
        let ability = Ability([Scope("api::a.a.K")!])
        #expect(ability.allows("K", on: "api::a.a") && !ability.allows("\u{212A}", on: "api::a.a"))
        #expect(Scope("\u{37E}") == nil)
    }

    @Test(arguments: [
        ("\u{C9}l\u{E8}ve", "\u{E9}l\u{E8}ve"), ("\u{130}stanbul", "\u{130}stanbul"),
        ("\u{212A}elvin", "\u{212A}elvin"),
        ("STRA\u{1E9E}E", "stra\u{1E9E}e"), ("\u{3A9}\u{A0}A", "\u{3C9}-a"),
        ("a\u{301}\u{2003}B\u{301}", "a\u{301}-b\u{301}"),
    ])
    func slugs(_ name: String, _ slug: String) {
        #expect(RoomName.slug(name).utf8.elementsEqual(slug.utf8))
    }
}

/// A letter with so many accents in disorder that putting them in order takes Swift seconds: 160 KB.
private let pile = "a" + String(repeating: "\u{301}", count: 40_000) + String(repeating: "\u{323}", count: 40_000)

/// Whatever comes from outside is handled in a time that grows with its length alone.
@Suite(.timeLimit(.minutes(1))) struct LinearTimeTests {
    /// Four texts that only differ at their ends, so that all of them are compared to the end.
    private let piles = ["x", "y", "z", ""].map { pile + $0 }

    private func isQuick(_ body: () async throws -> Void) async rethrows -> Bool {
        let clock = ContinuousClock()
        let start = clock.now
        try await body()
        return clock.now - start < .seconds(15)
    }

    private func values() -> [JSONValue] { self.piles.map { .string($0) } }

    @Test func entries() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].unknownFields = .keep
        configuration.events.sensitivePatterns = ["*\u{323}\u{323}x"]
        let rules = try await Rules(configuration, hooks: GatewayHooks())
        var members = JSONObject()
        for (index, text) in self.piles.enumerated() { members[text] = .int(index) }
        var entry = members
        entry["id"] = 5
        entry["settings"] = .object(members)
        entry["undeclared"] = [.object(members)]
        entry["author"] = .array(self.values())
        entry["related"] = .array(self.values().map { ["__type": $0] })
        entry["body"] = .array(self.values().map { ["__component": $0] })
        entry["documentId"] = .string(pile)
        let data = JSONValue.object(entry)
        let quick = try await self.isQuick {
            let event = LifecycleEvent(event: "update", schema: "api::article.article", data: data)
            let outcome = try rules.plan(event, now: 0).report.outcome
            #expect(outcome == .sent)
        }
        #expect(quick)
    }

    @Test func owners() async throws {
        var configuration = Samples.configuration
        configuration.contentTypes[0].ownerField = "author"
        let rules = try await Rules(configuration, hooks: GatewayHooks())
        var memory = EntityMemory(capacity: 10)
        let list = JSONValue.array(self.values().map { ["id": 5, "documentId": $0, "author": [$0, ["id": $0]]] })
        let quick = try await self.isQuick {
            for data in [list, list[0] ?? .null] {
                let event = LifecycleEvent(event: "update", schema: "api::article.article", data: data)
                let outcome = try rules.plan(event, now: 0).report.outcome
                #expect(outcome == .sent)
            }
            for text in self.piles {
                var identity = EntityIdentity(uid: text, ids: [.init(field: text, text: text)], owners: [1])
                memory.learn(identity)
                let areKnown = memory.owners(uid: text, id: text, fields: [text]) == [1]
                #expect(areKnown)
                identity.owners = [.string(text)]
                memory.learn(identity)
                let isKnown = memory.owners(uid: text, id: text, fields: [text]) != nil
                #expect(!isKnown, "an id of that length is not remembered")
            }
        }
        #expect(quick)
    }

    @Test func events() async throws {
        let rules = try await Rules(Samples.configuration, hooks: GatewayHooks())
        var ids = RecentIDs(capacity: 10)
        let quick = await self.isQuick {
            for text in self.piles {
                let schema = SchemaReference(uid: text)
                let error = #expect(throws: GatewayError.self) {
                    try rules.plan(LifecycleEvent(event: "update", schema: schema, data: 1), now: 0)
                }
                #expect((error?.message.utf8.count ?? 0) < 500)
                #expect(throws: GatewayError.self) {
                    try rules.plan(LifecycleEvent(event: text, schema: "api::article.article", data: 1), now: 0)
                }
                let isNew = ids.insert(text)
                #expect(isNew)
                #expect(!Ability(Samples.scopes("*.update", "api::a.a.find")).allows(text, on: text))
                #expect(!RoomName.isInternal(Room(text)))
                #expect(RoomName.slug(text).utf8.count == text.utf8.count)
                #expect(rules.access.roles.role(claim: .string(text)) == nil)
                #expect(PrincipalRecord(["kind": .string(text)]) == nil)
                let record = PrincipalRecord(["kind": "user", "userId": 1, "role": .string(text)])
                #expect(rules.access.principal(of: record).user == nil)
                #expect(Glob("*\u{301}*z").matches(text) == text.utf8.elementsEqual(self.piles[2].utf8))
            }
        }
        #expect(quick)
    }

    @Test func credentials() async throws {
        var configuration = Samples.configuration
        configuration.authentication.jwt?.maximumTokenBytes = 1_000_000
        configuration.authentication.jwt?.issuer = pile
        configuration.authentication.jwt?.audience = pile
        configuration.authentication.jwt?.algorithms = ["HS256"]
        var hooks = GatewayHooks()
        hooks.strategies["magic"] = { _, _ in nil }
        let rules = try await Rules(configuration, hooks: hooks)
        let authenticator = Authenticator(rules: rules.access, hooks: hooks)
        var auths: [JSONValue] = []
        for text in self.values().prefix(1) {
            auths.append(["strategy": text, "token": text])
            auths.append(["strategy": "api-token", "token": text])
            for header in [
                ["alg": "HS256", "kid": text], ["alg": text], ["alg": "HS256", "typ": text],
            ] as [JSONValue] {
                for claims in [
                    ["id": 1, "iss": text], ["id": 1, "iss": .string(pile), "aud": [text, text]],
                    ["id": 1, "iss": .string(pile), "aud": .string(pile), "role": text],
                ] as [JSONValue] {
                    auths.append(["token": .string(makeToken(claims, header: header))])
                }
            }
        }
        let quick = await self.isQuick {
            for auth in auths {
                await #expect(throws: ConnectionRefusal.self) {
                    try await authenticator.authenticate(.init(auth: auth, handshake: [:], address: "::1"), now: 0)
                }
            }
        }
        #expect(quick)
    }

    @Test func clientEvents() async throws {
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        configuration.roles[0].autoJoin = ["room-a\u{301}"]
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            let quick = try await self.isQuick {
                for text in self.values().prefix(1) {
                    for event in ClientEvent.allCases where event != .join && event != .leave {
                        for payload in [
                            text, ["uid": text, "id": 1], ["uid": "api::article.article", "id": text],
                            ["to": text, "message": "x"], .object([UTF8Text(self.piles[1]): 1, UTF8Text(pile): 2]),
                        ] as [JSONValue] {
                            let answer = try await client.call(event.rawValue, payload)
                            #expect(answer["success"]?.boolValue != nil)
                        }
                    }
                }
            }
            #expect(quick)
        }
    }
}
