import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ScopeTests {
    @Test(arguments: [
        "*", "*.find", "*.*", "io.emit", "io.*", "api::article.article.find", "plugin::users-permissions.user.*",
        "api::order.order.update:any", "api::order.order.*:any", "api::a.a.bulk_delete",
    ])
    func isRead(_ text: String) throws {
        let scope = try #require(Scope(text))
        #expect(scope.description == (text == "*.*" ? "*" : text))
    }

    @Test(arguments: [
        "", ".", "find", "api::article.article", "article.find", "api::Article.article.find", "*.", ".find",
        "api::article.article.", "api::article.article.fi nd", "api::article.article.fi*", "io.", "api::a.b.c.d",
    ])
    func isRefused(_ text: String) {
        // A bare uid reads as subject `api::article` and action `article`, and such a subject doesn't exist.
        #expect(Scope(text) == nil)
    }

    @Test func wildcardsCoverWhatTheySay() {
        let uid = "api::a.a"
        let all = Ability([.all])
        let type = Ability([Scope("\(uid).*")!])
        let action = Ability([Scope("*.find")!])
        let exact = Ability([Scope("\(uid).update")!])
        for (ability, find, update, other, any) in [
            (all, true, true, true, true), (type, true, true, false, false), (action, true, false, true, false),
            (exact, false, true, false, false), (Ability([]), false, false, false, false),
        ] {
            #expect(ability.allows("find", on: uid) == find)
            #expect(ability.allows("update", on: uid) == update)
            #expect(ability.allows("find", on: "api::b.b") == other)
            #expect(ability.allows("update:any", on: uid) == any)
        }
        #expect(Ability([Scope("\(uid).*:any")!]).allows("update:any", on: uid))
        #expect(!Ability([Scope("\(uid).*:any")!]).allows("update", on: uid))
    }

    @Test func gatewayVerbsNeedTheirOwnScopes() {
        #expect(Ability([Scope("io.emit")!]).allowsVerb("emit"))
        #expect(!Ability([Scope("io.emit")!]).allowsVerb("raw"))
        #expect(Ability([Scope("io.*")!]).allowsVerb("raw"))
        #expect(Ability.full.allowsVerb("raw"))
        #expect(!Ability([Scope("*.emit")!]).allowsVerb("emit"))
        #expect(!Ability.readOnly.allowsVerb("monitor"))
    }

    @Test(arguments: [
        ("publish", "update"), ("createOrUpdate", "update"), ("unpublish", "delete"), ("bulkDelete", "delete"),
    ])
    func aliasesStandInForMissingScopes(_ event: String, _ alias: String) {
        let uid = "api::a.a"
        let ability = Ability([Scope(subject: uid, action: alias)])
        #expect(ability.canReceive(event, of: uid, policy: .action, usesAliases: true))
        #expect(!ability.canReceive(event, of: uid, policy: .action, usesAliases: false))
        #expect(!ability.canReceive(event, of: uid, policy: .read, usesAliases: true))
        #expect(
            !Ability([Scope(subject: uid, action: "create")]).canReceive(
                event,
                of: uid,
                policy: .action,
                usesAliases: true
            )
        )
    }

    @Test func readersReceiveUnderTheReadPolicyAndReadOnlyTokensUnderBoth() {
        let uid = "api::a.a"
        let reader = Ability([Scope(subject: uid, action: "find")])
        #expect(reader.canReceive("update", of: uid, policy: .read, usesAliases: true))
        #expect(!reader.canReceive("update", of: uid, policy: .action, usesAliases: true))
        for policy in ReceivePolicy.allCases {
            #expect(Ability.readOnly.canReceive("delete", of: uid, policy: policy, usesAliases: false))
        }
        #expect(!Ability.readOnly.allows("update", on: uid))
    }
}

@Suite(.timeLimit(.minutes(1))) struct APITokenTests {
    @Test func hashIsThatOfNode() {
        // require('crypto').createHmac('sha512', 'salt').update('key').digest('hex')
        let hash = APIToken.hash(of: "Hi There", salt: String(repeating: "\u{0b}", count: 20))
        // RFC 4231, test case 1.
        #expect(
            hash
                == "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
        )
    }

    @Test func keysAreLongAndNeverTheSame() {
        let key = APIToken.makeKey()
        #expect(key.utf8.count == 256)
        #expect(key.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        #expect(key != APIToken.makeKey())
    }

    @Test func tokensAreFoundByTheirKeyAlone() {
        let table = TokenTable(Samples.configuration.apiTokens, salt: Samples.salt)
        #expect(table.token(forKey: Samples.key("Full"))?.name == "Full")
        let other = TokenTable(Samples.configuration.apiTokens, salt: Samples.salt + "x")
        #expect(other.token(forKey: Samples.key("Full")) == nil)
        #expect(table.token(forKey: "") == nil)
        #expect(table.token(forKey: Samples.token("Full", .fullAccess).hash) == nil)
    }

    @Test func comparisonLooksAtEveryByte() {
        let bytes = (0..<64).map { UInt8($0) }
        #expect(constantTimeEqual(bytes, bytes))
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(!constantTimeEqual(bytes, other))
        }
        #expect(!constantTimeEqual(bytes, Array(bytes.dropLast())))
    }

    @Test(arguments: ["", "zz", String(repeating: "g", count: 128), String(repeating: "a", count: 127)])
    func otherHashesAreNone(_ text: String) {
        #expect(APIToken.bytes(ofHash: text) == nil)
    }

    @Test func kindsMeanWhatTheySay() {
        let uid = Samples.article
        let full = Samples.token("a", .fullAccess).ability
        let reader = Samples.token("b", .readOnly).ability
        let custom = Samples.token("c", .custom, scopes: Samples.scopes("\(uid).update")).ability
        #expect(full.allows("anything", on: uid) && full.canFind(Samples.author))
        #expect(reader.canFind(Samples.author) && reader.canRead(uid) && !reader.allows("update", on: uid))
        #expect(custom.allows("update", on: uid) && !custom.canFind(Samples.author))
        #expect(Samples.token("d", .fullAccess, expiresAt: 10).isExpired(at: 10))
        #expect(!Samples.token("d", .fullAccess, expiresAt: 10).isExpired(at: 9.99))
        #expect(!Samples.token("d", .fullAccess).isExpired(at: .greatestFiniteMagnitude))
    }
}

@Suite(.timeLimit(.minutes(1))) struct PrincipalRecordTests {
    @Test func survivesTheTripThroughSocketData() {
        let user = User(id: 5, username: "ada", email: "a@b.c")
        for principal in [
            Principal.visitor(Role(type: "public")), .user(user, Role(type: "editor")),
            .token(Samples.token("Full", .fullAccess)), .operator(User(id: "root")),
        ] {
            let record = PrincipalRecord(principal, expiresAt: 99)
            #expect(PrincipalRecord(record.merged(into: .null)) == record)
        }
    }

    @Test func keepsWhatTheApplicationStored() {
        let record = PrincipalRecord(.visitor(Role(type: "public")), expiresAt: nil)
        #expect(
            record.merged(into: ["app": 1, "kind": "user", "userId": 4]) == [
                "app": 1, "kind": "public", "role": "public",
            ]
        )
    }

    @Test(arguments: [JSONValue.null, [], "x", ["kind": 5], ["kind": "root"], [:]])
    func foreignDataIsNoRecord(_ data: JSONValue) {
        #expect(PrincipalRecord(data) == nil)
    }
}
