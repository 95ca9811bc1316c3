import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct RoomNameTests {
    @Test(arguments: [
        ("Editor", "editor"), ("Content  Manager", "content-manager"), (" a\tb\nc ", "a-b-c"), ("A-B", "a-b"), ("", ""),
    ])
    func slug(_ name: String, _ slug: String) {
        #expect(RoomName.slug(name) == slug)
    }

    @Test(arguments: [
        "io-role-admin", "io-token-x", "io-admin", "io-", "user:1", "presence:x", "preview:x", "narrow:x", "api::a.a:1",
        "a@b",
        "io-owner-io-role-a:5", "user:\u{301}1", "a@\u{301}b", "a:\u{301}::",
    ])
    func reserved(_ name: String) {
        #expect(RoomName.isReserved(name))
    }

    @Test(arguments: ["lobby", "users", "audio-io-", "chat:1"])
    func free(_ name: String) {
        #expect(!RoomName.isReserved(name))
    }

    @Test func entityRoomsAreRecognised() {
        #expect(EntityRef(room: "api::a.b:17") == EntityRef(uid: "api::a.b", id: "17"))
        #expect(
            EntityRef(room: "plugin::users-permissions.user:x_1")
                == EntityRef(uid: "plugin::users-permissions.user", id: "x_1")
        )
        for name in [
            "api::a.b:17@io-role-public", "narrow:api::a.b", "user:1", "lobby", "api::a.b", "api::a.b:", "x:1",
            "presence:api::a.b:1",
        ] {
            #expect(EntityRef(room: Room(name)) == nil)
        }
    }

    @Test(arguments: [
        ("api::a.a", true), ("plugin::users-permissions.user", true), ("api::a.a.a", false), ("api::a", false),
        ("admin::a.a", false), ("api::A.a", false), ("api::.a", false), ("api::a.", false), ("api:a.a", false),
        ("", false),
        ("api::a.a\n", false), ("api::é.a", false),
    ])
    func uids(_ text: String, _ isValid: Bool) {
        #expect(ContentType.isValidUID(text) == isValid)
    }

    @Test(arguments: [
        ("*", "", true), ("*", "x", true), ("a*", "abc", true), ("a*c", "abc", true), ("a*c", "abd", false),
        ("a*a", "a", false), ("*b*", "abc", true), ("a*b*c", "a1b2c", true), ("a*b*c", "acb", false),
        ("abc", "abc", true),
        ("abc", "abcd", false), ("**", "x", true), ("", "", true), ("", "x", false), ("a**b", "ab", true),
    ])
    func globs(_ pattern: String, _ text: String, _ matches: Bool) {
        #expect(Glob(pattern).matches(text) == matches)
    }
}

@Suite(.timeLimit(.minutes(1))) struct RoomPolicyTests {
    private func join(
        _ payload: JSONValue?,
        _ configuration: GatewayConfiguration = Self.open,
        role: String = "authenticated",
        joined: [Room] = []
    ) -> Result<Room, ClientRefusal> {
        let role = configuration.roles.first { $0.type == role }!
        return Result { () throws(ClientRefusal) in
            try RoomPolicy(configuration).roomToJoin(
                payload,
                principal: .visitor(role),
                socketID: "AAAAAAAAAAAAAAAAAAAA",
                joined: joined
            )
        }
    }

    private static var open: GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        configuration.roles[1].joinPolicy = ["*"]
        configuration.roles.append(Role(type: "admin", autoJoin: ["admins"]))
        return configuration
    }

    @Test(
        arguments: [
            (nil, "Invalid room name"), (.null, "Invalid room name"), (5, "Invalid room name"),
            ("", "Invalid room name"),
            (["room": "x"], "Invalid room name"), ("a b", "Room name contains invalid characters"),
            ("a:b", "Room name contains invalid characters"), ("a.b", "Room name contains invalid characters"),
            ("é", "Room name contains invalid characters"), ("io-role-admin", "Room name is reserved"),
            ("io-token-full", "Room name is reserved"), ("io-default", "Room name is reserved"),
            ("AAAAAAAAAAAAAAAAAAAA", "Room name is reserved"),
        ] as [(JSONValue?, String)]
    )
    func refusals(_ payload: JSONValue?, _ message: String) {
        #expect(self.join(payload) == .failure(ClientRefusal(message)))
    }

    @Test func namesHaveALimit() {
        #expect(
            self.join(.string(String(repeating: "a", count: 128))) == .success(Room(String(repeating: "a", count: 128)))
        )
        #expect(self.join(.string(String(repeating: "a", count: 129))) == .failure(.invalidRoomName))
    }

    @Test func reservedNamesStayReservedWithColonAndDot() {
        var configuration = Self.open
        configuration.rooms.allowsColon = true
        configuration.rooms.allowsDot = true
        #expect(self.join("chat:1.a", configuration) == .success("chat:1.a"))
        for name in ["user:5", "api::article.article:5", "narrow:api::article.article", "presence:x", "preview:x"] {
            #expect(self.join(.string(name), configuration) == .failure(.reservedRoom))
        }
    }

    @Test func closedRoomsNeedTheRolesPermission() {
        let closed = Samples.configuration
        #expect(self.join("lobby", closed) == .failure(.privateRoomsDisabled))
        #expect(self.join("team-a", closed) == .success("team-a"))
        #expect(self.join("members", closed) == .success("members"))
        #expect(self.join("team-a", closed, role: "public") == .failure(.privateRoomsDisabled))
        #expect(self.join("members", closed, role: "public") == .failure(.privateRoomsDisabled))
        #expect(self.join("admins", Self.open, role: "admin") == .success("admins"))
    }

    /// The switch for private messages opens no room: what a role may join is in its `joinPolicy`, and nowhere else.
    @Test func privateRoomsOpenNoRoom() {
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        configuration.roles.append(Role(type: "admin", autoJoin: ["admins"]))
        #expect(self.join("lobby", configuration) == .failure(.joinDenied))
        #expect(self.join("lobby", configuration, role: "public") == .failure(.joinDenied))
        #expect(self.join("admins", configuration) == .failure(.reservedRoom))
        #expect(self.join("team-a", configuration) == .success("team-a"))
        #expect(self.join("members", configuration) == .success("members"))
        #expect(self.join("admins", configuration, role: "admin") == .success("admins"))
    }

    @Test func roomsAreCounted() {
        var configuration = Self.open
        configuration.rooms.maximumRoomsPerSocket = 2
        let own: [Room] = ["AAAAAAAAAAAAAAAAAAAA", "io-role-authenticated", "user:1", "api::article.article:1"]
        #expect(self.join("c", configuration, joined: own + ["a"]) == .success("c"))
        #expect(
            self.join("c", configuration, joined: own + ["a", "b"])
                == .failure(ClientRefusal("Maximum rooms (2) reached"))
        )
        #expect(self.join("b", configuration, joined: own + ["a", "b"]) == .success("b"))
    }

    @Test(
        arguments: [
            ("lobby", nil), ("a:b", nil), ("io-default", nil), (5, "Invalid room name"), ("", "Invalid room name"),
            ("a b", "Room name contains invalid characters"), ("io-role-public", "Room name is reserved"),
            ("user:5", "Room name is reserved"), ("AAAAAAAAAAAAAAAAAAAA", "Room name is reserved"),
            ("api::article.article:5", "Room name contains invalid characters"),
        ] as [(JSONValue, String?)]
    )
    func leaving(_ payload: JSONValue, _ message: String?) {
        let policy = RoomPolicy(Self.open)
        let result = Result { () throws(ClientRefusal) in
            try policy.roomToLeave(payload, socketID: "AAAAAAAAAAAAAAAAAAAA")
        }
        if let message {
            #expect(result == .failure(ClientRefusal(message)))
        } else {
            #expect(result == .success(Room(payload.stringValue ?? "")))
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct SubscriptionPolicyTests {
    private let schema = Schema(contentTypes: Samples.contentTypes, components: Samples.components)

    private func request(
        _ payload: JSONValue?,
        _ settings: GatewayConfiguration.EntitySubscriptions = .init(),
        ability: Ability = Ability(Samples.scopes("\(Samples.article).update")),
        joined: [Room] = []
    ) -> Result<SubscriptionRequest, ClientRefusal> {
        Result { () throws(ClientRefusal) in
            try SubscriptionPolicy(settings: settings).request(
                payload,
                ability: ability,
                joined: joined,
                schema: self.schema
            )
        }
    }

    @Test(
        arguments: [
            (nil, "Invalid payload"), (.null, "Invalid payload"), ([], "Invalid payload"), ("x", "Invalid payload"),
            ([:], "Invalid parameters: uid and id are required"),
            (["uid": "api::article.article"], "Invalid parameters: uid and id are required"),
            (["uid": "api::article.article", "id": 0], "Invalid parameters: uid and id are required"),
            (["uid": "api::article.article", "id": ""], "Invalid parameters: uid and id are required"),
            (["uid": "api::article.article", "id": .null], "Invalid parameters: uid and id are required"),
            (["uid": "", "id": 1], "Invalid parameters: uid and id are required"),
            (["uid": "article", "id": 1], "Invalid content type uid format"),
            (["uid": 5, "id": 1], "Invalid content type uid format"),
            (["uid": ["a"], "id": 1], "Invalid content type uid format"),
            (["uid": "api::article.article", "id": true], "Invalid entity id"),
            (["uid": "api::article.article", "id": [1]], "Invalid entity id"),
            (["uid": "api::article.article", "id": ["a": 1]], "Invalid entity id"),
            (["uid": "api::article.article", "id": "1@io-role-admin"], "Invalid entity id"),
            (["uid": "api::article.article", "id": "a:b"], "Invalid entity id"),
            (["uid": "api::other.other", "id": 1], "Content type not found"),
            (["uid": "api::author.author", "id": 1], "Permission denied: no access to this content type"),
        ] as [(JSONValue?, String)]
    )
    func refusals(_ payload: JSONValue?, _ message: String) {
        #expect(self.request(payload) == .failure(ClientRefusal(message)))
    }

    @Test func settingsRefuseInTheirOrder() {
        var settings = GatewayConfiguration.EntitySubscriptions()
        settings.allowedContentTypes = [Samples.author]
        settings.maximumSubscriptionsPerSocket = 1
        let joined: [Room] = ["api::other.other:1"]
        let payload: JSONValue = ["uid": "api::article.article", "id": 1]
        #expect(self.request(payload, settings, joined: joined) == .failure(.typeNotAllowed))
        settings.allowedContentTypes = []
        #expect(
            self.request(payload, settings, joined: joined)
                == .failure(ClientRefusal("Maximum subscriptions (1) reached"))
        )
        settings.enabled = false
        #expect(self.request(payload, settings, joined: joined) == .failure(.subscriptionsDisabled))
        #expect(self.request("x", settings) == .failure(.invalidPayload))
    }

    @Test func onlySubscriptionsCountAndRenewingIsFree() throws {
        var settings = GatewayConfiguration.EntitySubscriptions()
        settings.maximumSubscriptionsPerSocket = 1
        let joined: [Room] = [
            "user:5", "presence:api::article.article:1", "narrow:api::article.article", "api::article.article:1",
            "api::article.article:1@io-role-public",
        ]
        let again = try self.request(["uid": "api::article.article", "id": 1], settings, joined: joined).get()
        #expect(
            again.success == [
                "success": true, "room": "api::article.article:1", "uid": "api::article.article", "id": 1,
            ]
        )
        let other = self.request(["uid": "api::article.article", "id": "2"], settings, joined: joined)
        #expect(other == .failure(.maximumSubscriptions(1)))
        #expect(try self.request(["uid": "api::article.article", "id": "2"], settings).get().id == "2")
    }

    /// Ids of fields that no event is matched by would bring nothing, silently.
    @Test(
        arguments: [
            (["documentId"], 7, false), (["documentId"], "7", true), (["documentId"], "abc", true),
            (["documentId"], 7.0, false), (["documentId", "id"], 7, true), (["id"], "abc", true), (["slug"], 7, false),
            (["slug"], "x", true), (["number"], "x", false), (["number"], "7", true), (["number"], 7, true),
            (["number", "slug"], "x", true), (["other"], 7, true), (["other"], "x", true),
        ] as [([String], JSONValue, Bool)]
    )
    func onlyIDsOfTheTypeAreSubscribedTo(_ fields: [String], _ id: JSONValue, _ isPossible: Bool) throws {
        let type = ContentType(
            uid: "api::a.a",
            fields: ["slug": .string, "number": .integer],
            unknownFields: .keep,
            idFields: fields
        )
        let result = Result { () throws(ClientRefusal) in
            try SubscriptionPolicy(settings: .init()).request(
                ["uid": "api::a.a", "id": id],
                ability: .full,
                joined: [],
                schema: Schema(contentTypes: [type], components: [])
            )
        }
        if isPossible {
            #expect(try result.get().entity.uid == "api::a.a")
        } else {
            #expect(result == .failure(.unknownIDField(fields)))
            #expect(ClientRefusal.unknownIDField(fields).message.contains(fields.joined(separator: ", ")))
        }
    }

    /// Somebody who may see an entry only if it is theirs, with what is known about it.
    @Test(
        arguments: [
            ("\(Samples.article).update", nil, .undecided(1)), ("\(Samples.article).update", [], nil),
            ("\(Samples.article).update", [2], nil), ("\(Samples.article).update", [1], .owner(1)),
            ("\(Samples.article).update", ["1"], .owner(1)), ("\(Samples.article).update", [2, 1], .owner(1)),
            ("\(Samples.article).update:any", [2], .anyone), ("\(Samples.article).*:any", nil, .anyone),
            ("*.delete:any", [2], .anyone), ("*", [2], .anyone), ("\(Samples.article).*", [2], nil),
        ] as [(String, [EntityID]?, Follower?)]
    )
    func followers(_ scope: String, _ owners: [EntityID]?, _ follower: Follower?) {
        var type = Samples.contentTypes[0]
        let ability = Ability(Samples.scopes(scope))
        let policy = SubscriptionPolicy(settings: .init())
        let one = Principal.user(User(id: 1), Role(type: "reader"))
        #expect(policy.follower(one, of: type, ability: ability, owners: owners) == .anyone)
        type.ownerField = "author"
        #expect(policy.follower(one, of: type, ability: ability, owners: owners) == follower)
        let nobody = policy.follower(.visitor(Role(type: "public")), of: type, ability: ability, owners: owners)
        switch follower {
        case .anyone: #expect(nobody == .anyone)
        case .undecided: #expect(nobody == .undecided(nil))
        case .owner, nil: #expect(nobody == nil)
        }
    }

    @Test func whatIsOnlyForOwnersCountsAndEndsAsASubscription() throws {
        let policy = SubscriptionPolicy(settings: .init())
        let five = EntityRef(uid: Samples.article, id: "5")
        for follower in [Follower.undecided(1), .undecided(nil), .owner(1)] {
            let rooms = policy.rooms(of: five, audience: "io-role-x", follower: follower)
            #expect(rooms.contains(five.room) == (follower == .owner(1)))
            #expect(rooms.allSatisfy { RoomName.isReserved($0.name) })
            #expect(EntitySubscriptions(rooms: rooms).subscriptions?.map(\.room) == [five.room.name])
            #expect(Set(rooms).isSubset(of: policy.roomsToLeave(of: five, joined: rooms)))
            var settings = GatewayConfiguration.EntitySubscriptions()
            settings.maximumSubscriptionsPerSocket = 1
            let payload: JSONValue = ["uid": "api::article.article", "id": 5]
            #expect(try self.request(payload, settings, joined: rooms).get().entity == five)
            let other: JSONValue = ["uid": "api::article.article", "id": 6]
            #expect(self.request(other, settings, joined: rooms) == .failure(.maximumSubscriptions(1)))
        }
    }

    @Test func roomsForAFormOfIDsGoWithTheLastOfThem() {
        let policy = SubscriptionPolicy(settings: .init())
        func rooms(_ id: String) -> [Room] {
            policy.rooms(of: EntityRef(uid: "api::a.a", id: id), audience: "io-role-x")
        }
        let joined = Set(rooms("1") + rooms("2") + rooms("abc"))
        let one = policy.roomsToLeave(of: EntityRef(uid: "api::a.a", id: "1"), joined: joined)
        #expect(Set(one) == ["api::a.a:1", "api::a.a:1@io-role-x"])
        let text = policy.roomsToLeave(of: EntityRef(uid: "api::a.a", id: "abc"), joined: joined)
        #expect(
            Set(text) == ["api::a.a:abc", "api::a.a:abc@io-role-x", "narrow:api::a.a#text@io-role-x"]
        )
    }

    @Test func unsubscribing() throws {
        let policy = SubscriptionPolicy(settings: .init())
        #expect(throws: ClientRefusal.invalidPayload) { try policy.cancellation("x") }
        #expect(throws: ClientRefusal.missingEntity) { try policy.cancellation(["uid": "api::a.a", "id": 0]) }
        let good = try policy.cancellation(["uid": "api::a.a", "id": 7])
        #expect(good.entity == EntityRef(uid: "api::a.a", id: "7"))
        #expect(good.success == ["success": true, "room": "api::a.a:7", "uid": "api::a.a", "id": 7])
        // Nobody can be subscribed to this, and it must not make a client leave another room.
        #expect(try policy.cancellation(["uid": "user", "id": 7]).entity == nil)
    }

    @Test func theNarrowRoomGoesWithTheLastSubscription() {
        let policy = SubscriptionPolicy(settings: .init())
        let one = EntityRef(uid: "api::a.a", id: "1")
        let joined: [Room] = ["api::a.a:1", "api::a.a:1@io-role-x", "narrow:api::a.a", "api::b.b:1"]
        #expect(
            policy.roomsToLeave(of: one, joined: joined) == ["api::a.a:1", "api::a.a:1@io-role-x", "narrow:api::a.a"]
        )
        #expect(
            policy.roomsToLeave(of: one, joined: joined + ["api::a.a:2"]) == ["api::a.a:1", "api::a.a:1@io-role-x"]
        )
    }
}
