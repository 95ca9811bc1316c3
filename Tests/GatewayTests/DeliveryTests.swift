import OrderedCollections
import SocketIOWire
import Testing

@testable import Gateway

/// A socket as far as delivery is concerned: the rooms it is in.
private struct SimulatedSocket {
    var audience: Room
    var rooms: Set<Room>
}

@Suite(.timeLimit(.minutes(1))) struct DeliveryPlanTests {
    /// The variants a socket receives, by index.
    private func received(_ plan: EventPlan, _ socket: SimulatedSocket) -> [Int] {
        plan.variants.enumerated().flatMap { index, variant in
            variant.deliveries.filter { delivery in
                !socket.rooms.isDisjoint(with: delivery.rooms) && socket.rooms.isDisjoint(with: delivery.except)
            }.map { _ in index }
        }
    }

    private func rules(
        _ mode: SubscriptionMode,
        change: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> Rules {
        var configuration = Samples.configuration
        configuration.entitySubscriptions.mode = mode
        change(&configuration)
        return try await Rules(configuration, hooks: GatewayHooks())
    }

    private func socket(
        _ audience: Room,
        _ mode: SubscriptionMode,
        entities: [EntityRef] = [],
        rooms: [Room] = []
    ) -> SimulatedSocket {
        var settings = GatewayConfiguration.EntitySubscriptions()
        settings.mode = mode
        let policy = SubscriptionPolicy(settings: settings)
        return SimulatedSocket(
            audience: audience,
            rooms: Set([audience] + rooms + entities.flatMap { policy.rooms(of: $0, audience: audience) })
        )
    }

    private static let audiences: [Room] = [
        "io-role-public", "io-role-authenticated", "io-role-editor", "io-role-nobody", "io-token-full",
        "io-token-reader",
        "io-token-custom-one",
    ]

    /// Every mixture of role, subscriptions and event: nobody gets two copies, and nobody another audience's variant.
    @Test(arguments: SubscriptionMode.allCases, 0..<40)
    func everybodyReceivesAtMostOneCopyAndTheirOwn(_ mode: SubscriptionMode, _ seed: Int) async throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let delivery = ContentType.Delivery.allCases.randomElement(using: &generator)!
        let hasOwner = Bool.random(using: &generator)
        let rules = try await self.rules(mode) { configuration in
            configuration.contentTypes[0].delivery = delivery
            if hasOwner { configuration.contentTypes[0].ownerField = "owner" }
        }
        let events = ["create", "update", "delete", "publish", "custom"]
        for _ in 0..<25 {
            let event = events.randomElement(using: &generator)!
            var data: JSONValue = ["id": 5, "documentId": "abc", "title": "t", "author": ["id": 1], "owner": 1]
            if Int.random(in: 0..<5, using: &generator) == 0 { data = [data] }
            let plan = try rules.plan(
                LifecycleEvent(event: event, schema: SchemaReference(uid: Samples.article), data: data),
                now: 0
            )
            for audience in Self.audiences {
                var entities: [EntityRef] = []
                for id in ["5", "abc", "6", "x"] where Bool.random(using: &generator) {
                    entities.append(EntityRef(uid: Samples.article, id: id))
                }
                if Bool.random(using: &generator) { entities.append(EntityRef(uid: Samples.author, id: "5")) }
                let owned: [Room] = Bool.random(using: &generator) ? [RoomName.owner(1, audience: audience)] : []
                let socket = self.socket(audience, mode, entities: entities, rooms: owned + ["lobby", "user:1"])
                let received = self.received(plan, socket)
                #expect(received.count <= 1)
                for index in received {
                    let named = plan.variants[index].deliveries.flatMap(\.rooms).filter { room in
                        room == audience || room.name.hasSuffix("@\(audience.name)")
                            || room.name.hasPrefix("io-owner-\(audience.name):")
                    }
                    #expect(!named.isEmpty)
                }
            }
        }
    }

    private static let five = EntityRef(uid: Samples.article, id: "5")
    private static let document = EntityRef(uid: Samples.article, id: "abc")
    private static let other = EntityRef(uid: Samples.article, id: "6")

    /// (mode, event, subscriptions) -> whether the socket hears of entry 5/abc.
    @Test(
        arguments: [
            (SubscriptionMode.narrow, "update", [], true), (.narrow, "update", [five], true),
            (.narrow, "update", [document], true),
            (.narrow, "update", [five, document], true), (.narrow, "update", [other], false),
            (.narrow, "create", [other], true),
            (.narrow, "create", [five], true), (.narrow, "delete", [other], false), (.additive, "update", [], true),
            (.additive, "update", [five], true), (.additive, "update", [other], true),
            (.additive, "update", [five, document, other], true),
            (.additive, "delete", [document], true), (.additive, "create", [five], true),
        ] as [(SubscriptionMode, String, [EntityRef], Bool)]
    )
    func subscriptions(_ mode: SubscriptionMode, _ event: String, _ entities: [EntityRef], _ hears: Bool) async throws {
        let rules = try await self.rules(mode)
        let data: JSONValue = ["id": 5, "documentId": "abc", "title": "t"]
        let plan = try rules.plan(LifecycleEvent(event: event, schema: "api::article.article", data: data), now: 0)
        let socket = self.socket("io-role-public", mode, entities: entities)
        #expect(self.received(plan, socket).count == (hears ? 1 : 0))
        #expect(self.received(plan, self.socket("io-role-nobody", mode, entities: entities)).isEmpty)
    }

    /// (event's ids, ids it was subscribed by, what is known before) -> whether a narrow subscriber hears of it.
    @Test(
        arguments: [
            // Nothing is known: whoever may have meant this entity gets it.
            (["documentId": "abc"], "5", nil, true), (["documentId": "abc"], "xyz", nil, false),
            (["documentId": "abc"], "abc", nil, true), (["id": 5], "abc", nil, true), (["id": 5], "6", nil, false),
            (["id": 5], "5", nil, true), (["documentId": "7"], "5", nil, true), (["title": "t"], "5", nil, true),
            (["title": "t"], "abc", nil, true), (["id": "uuid-1"], "uuid-2", nil, false),
            // Both ids in the event: no doubt is left.
            (["id": 5, "documentId": "abc"], "6", nil, false), (["id": 5, "documentId": "abc"], "xyz", nil, false),
            (["id": 5, "documentId": "abc"], "5", nil, true),
            // The pair is known.
            (["documentId": "abc"], "5", ["id": 5, "documentId": "abc"], true),
            (["documentId": "abc"], "6", ["id": 5, "documentId": "abc"], false),
            (["id": 5], "abc", ["id": 5, "documentId": "abc"], true),
            (["id": 5], "xyz", ["id": 5, "documentId": "abc"], false),
            (["id": 6], "abc", ["id": 5, "documentId": "abc"], true),
        ] as [(JSONValue, String, JSONValue?, Bool)]
    )
    func everyIDOfAnEntityIsMatched(
        _ data: JSONValue,
        _ subscribed: String,
        _ earlier: JSONValue?,
        _ hears: Bool
    ) async throws {
        for (mode, delivery) in [
            (SubscriptionMode.narrow, ContentType.Delivery.roles), (.narrow, .entity), (.additive, .entity),
        ] {
            let rules = try await self.rules(mode) { $0.contentTypes[0].delivery = delivery }
            var memory = EntityMemory(capacity: 10)
            let type = try #require(rules.content.schema.contentType(Samples.article))
            if let earlier { memory.learn(type.identity(of: try #require(earlier.objectValue))) }
            let plan = try rules.plan(
                LifecycleEvent(event: "update", schema: "api::article.article", data: data),
                now: 0,
                completing: memory.completed
            )
            let entity = EntityRef(uid: Samples.article, id: subscribed)
            let subscriber = self.socket("io-role-public", mode, entities: [entity])
            #expect(self.received(plan, subscriber).count == (hears ? 1 : 0), "\(mode) \(delivery)")
            let other = self.socket("io-role-public", mode)
            #expect(self.received(plan, other).count == (delivery == .roles ? 1 : 0))
            // Doubts about ids widen nothing for those who may not see the type.
            #expect(self.received(plan, self.socket("io-role-nobody", mode, entities: [entity])).isEmpty)
        }
    }

    @Test func whatIsOnlyNowMadeIsForThoseWhoNamedIt() async throws {
        let rules = try await self.rules(.narrow) { $0.contentTypes[0].delivery = .entity }
        let event = LifecycleEvent(event: "create", schema: "api::article.article", data: ["documentId": "abc"])
        let plan = try rules.plan(event, now: 0)
        for (id, count) in [("abc", 1), ("5", 0), ("xyz", 0)] {
            let socket = self.socket("io-role-public", .narrow, entities: [EntityRef(uid: Samples.article, id: id)])
            #expect(self.received(plan, socket).count == count)
        }
    }

    /// The owners of a list's entries each get theirs, once, and nothing of others.
    @Test func ownersOfAListGetTheirs() async throws {
        let rules = try await self.rules(.narrow) { configuration in
            configuration.contentTypes[0].ownerField = "author"
            configuration.roles[2].scopes.append(Scope("\(Samples.article).update:any")!)
        }
        let list: JSONValue = [
            ["id": 1, "author": ["id": 8]], ["id": 2, "author": 9], ["id": 3, "author": "8"], ["id": 4],
            ["id": 5, "author": [["id": 9], 8]], [["id": 6, "author": 9]], 7, ["id": 8, "author": .null],
        ]
        let plan = try rules.plan(LifecycleEvent(event: "update", schema: "api::article.article", data: list), now: 0)
        let member: Room = "io-role-authenticated"
        func ids(of user: EntityID) -> [[JSONValue?]] {
            let socket = self.socket(member, .narrow, rooms: [RoomName.owner(user, audience: member)])
            return self.received(plan, socket).map { plan.variants[$0].argument.arrayValue?.map { $0["id"] } ?? [] }
        }
        #expect(ids(of: 8) == [[1, 3, 5]])
        #expect(ids(of: "8") == [[1, 3, 5]])
        #expect(ids(of: 9) == [[2, 5, 6]])
        #expect(ids(of: 7).isEmpty)
        #expect(self.received(plan, self.socket(member, .narrow)).isEmpty)
        let editor = self.received(plan, self.socket("io-role-editor", .narrow))
        #expect(editor.map { plan.variants[$0].argument.arrayValue?.count } == [8])
    }

    @Test func entityDeliveryReachesSubscribersOnly() async throws {
        for mode in SubscriptionMode.allCases {
            let rules = try await self.rules(mode) { $0.contentTypes[0].delivery = .entity }
            for event in ["create", "update"] {
                let plan = try rules.plan(
                    LifecycleEvent(event: event, schema: "api::article.article", data: ["id": 5, "documentId": "abc"]),
                    now: 0
                )
                #expect(self.received(plan, self.socket("io-role-public", mode)).isEmpty)
                #expect(
                    self.received(plan, self.socket("io-role-public", mode, entities: [Self.five, Self.document])).count
                        == 1
                )
                #expect(self.received(plan, self.socket("io-role-public", mode, entities: [Self.other])).isEmpty)
            }
        }
    }

    @Test func ownersReceiveTheirOwnAndThoseWithAnyReceiveAll() async throws {
        let rules = try await self.rules(.narrow) { configuration in
            configuration.contentTypes[0].ownerField = "author"
            configuration.roles[2].scopes.append(Scope("\(Samples.article).update:any")!)
        }
        let data: JSONValue = ["id": 5, "author": ["id": 9]]
        let plan = try rules.plan(LifecycleEvent(event: "update", schema: "api::article.article", data: data), now: 0)
        let member: Room = "io-role-authenticated"
        #expect(self.received(plan, self.socket(member, .narrow)).isEmpty)
        #expect(self.received(plan, self.socket(member, .narrow, entities: [Self.five])).isEmpty)
        #expect(self.received(plan, self.socket(member, .narrow, rooms: [RoomName.owner(8, audience: member)])).isEmpty)
        #expect(
            self.received(plan, self.socket(member, .narrow, rooms: [RoomName.owner(9, audience: member)])).count == 1
        )
        #expect(self.received(plan, self.socket("io-role-editor", .narrow)).count == 1)
        #expect(self.received(plan, self.socket("io-token-reader", .narrow)).count == 1)
        #expect(self.received(plan, self.socket("io-token-custom-one", .narrow)).isEmpty)
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventPlanTests {
    private func plan(
        _ event: String,
        _ data: JSONValue,
        schema: SchemaReference = "api::article.article",
        now: Double = 0,
        change: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> EventPlan {
        var configuration = Samples.configuration
        change(&configuration)
        let rules = try await Rules(configuration, hooks: GatewayHooks())
        return try rules.plan(LifecycleEvent(event: event, schema: schema, data: data), now: now)
    }

    private func rooms(_ plan: EventPlan) -> Set<Room> {
        Set(plan.variants.flatMap { $0.deliveries.flatMap(\.rooms) }.filter { !$0.name.contains("@") })
    }

    @Test func audiencesWithTheSameViewShareOneVariant() async throws {
        let plan = try await self.plan("update", Samples.entry)
        #expect(plan.report.event == "article:update")
        // Nothing but articles (public, custom), authors too (authenticated, full, reader, late), authors without name.
        #expect(plan.report.projections == 3)
        #expect(plan.report.audiences == 7)
        let views = plan.variants.map { $0.argument["author"] }
        #expect(views == [nil, ["id": 1, "name": "Ada"], ["id": 1]])
        let first = plan.variants[0].deliveries[0]
        #expect(
            first
                == Delivery(rooms: ["io-role-public", "io-token-custom-one"], except: ["narrow:api::article.article"])
        )
    }

    @Test func onlyThosePermittedReceiveDeletes() async throws {
        let plan = try await self.plan("delete", ["documentId": "abc"]) { configuration in
            configuration.roles[0].scopes = Samples.scopes("\(Samples.article).update")
        }
        #expect(!self.rooms(plan).contains("io-role-public"))
        #expect(self.rooms(plan).contains("io-role-authenticated"))
        #expect(!self.rooms(plan).contains("io-token-custom-one"))
    }

    @Test func expiredAndRevokedTokensReceiveNothing() async throws {
        let early = try await self.plan("update", ["id": 1], now: 999)
        #expect(self.rooms(early).contains("io-token-late"))
        let late = try await self.plan("update", ["id": 1], now: 1000)
        #expect(!self.rooms(late).contains("io-token-late"))
        #expect(!self.rooms(early).contains("io-token-revoked"))
    }

    @Test func rememberedGroupsAreForgottenWhenATokenExpires() async throws {
        let rules = try await Rules(Samples.configuration, hooks: GatewayHooks())
        let event = LifecycleEvent(event: "update", schema: "api::article.article", data: ["id": 1])
        #expect(self.rooms(try rules.plan(event, now: 0)).contains("io-token-late"))
        #expect(!self.rooms(try rules.plan(event, now: 1000)).contains("io-token-late"))
    }

    @Test func reasonsToSendNothing() async throws {
        for data in [JSONValue.null, false, 0, ""] {
            #expect(try await self.plan("update", data).report.outcome == .noData)
        }
        #expect(
            try await self.plan("update", ["id": 1]) { $0.contentTypes[0].actions = ["create"] }.report.outcome
                == .actionDisabled
        )
        #expect(try await self.plan("publish", ["id": 1]) { $0.contentTypes[0].actions = [] }.report.outcome == .sent)
        #expect(try await self.plan("update", ["id": 1]) { $0.contentTypes[0].actions = ["*"] }.report.outcome == .sent)
        let drafts: (inout GatewayConfiguration) -> Void = { configuration in
            configuration.events.onlyPublished = true
            configuration.contentTypes[0].draftAndPublish = true
        }
        #expect(
            try await self.plan("update", ["id": 1, "publishedAt": .null], change: drafts).report.outcome == .draft
        )
        #expect(
            try await self.plan("update", ["id": 1, "publishedAt": "2026"], change: drafts).report.outcome == .sent
        )
        #expect(
            try await self.plan("unpublish", ["id": 1, "publishedAt": .null], change: drafts).report.outcome == .sent
        )
        #expect(try await self.plan("update", ["id": 1], change: drafts).report.outcome == .draft)
        #expect(try await self.plan("update", ["id": 1, "publishedAt": ""], change: drafts).report.outcome == .draft)
        #expect(try await self.plan("publish", ["id": 1], change: drafts).report.outcome == .draft)
        #expect(try await self.plan("delete", ["id": 1], change: drafts).report.outcome == .sent)
        #expect(try await self.plan("delete", [["id": 1]], change: drafts).report.outcome == .sent)
        #expect(
            try await self.plan("update", [["id": 1], ["id": 2, "publishedAt": .null]], change: drafts).report.outcome
                == .draft
        )
        #expect(try await self.plan("update", [["id": 1, "publishedAt": .null]]).report.outcome == .sent)
        #expect(
            try await self.plan("update", ["id": 1]) {
                $0.roles = [Role(type: "public"), Role(type: "authenticated")]
                $0.apiTokens = []
            }.report.outcome == .nobodyPermitted
        )
    }

    /// Drafts stay out of a list, wherever in it they stand.
    @Test func draftsAreLeftOutOfLists() async throws {
        let published: JSONValue = ["id": 1, "publishedAt": "2026"]
        let list: JSONValue = [
            published, ["id": 2], ["id": 3, "publishedAt": .null], [["id": 4], published], [["id": 5]],
        ]
        let plan = try await self.plan("update", list) { configuration in
            configuration.events.onlyPublished = true
            configuration.contentTypes[0].draftAndPublish = true
        }
        #expect(plan.report.outcome == .sent)
        #expect(Set(plan.variants.map(\.argument)) == [[published, [published]]])
    }

    @Test func whatCannotBeMadeFitIsNotSent() async throws {
        let plan = try await self.plan("update", "text") { $0.events.payloadFormat = .strapi4 }
        #expect(plan.report.outcome == .unsendable)
        #expect(plan.variants.isEmpty)
        #expect(plan.report.failures.allSatisfy { $0 == "Entry must be an object" })
        #expect(!plan.report.failures.isEmpty)
    }

    @Test func oneFailureDoesNotStopTheOthers() async throws {
        // Only those who may see authors run into the broken one.
        let plan = try await self.plan("update", ["id": 1, "author": "text"]) { $0.events.payloadFormat = .strapi4 }
        #expect(plan.report.outcome == .sent)
        #expect(self.rooms(plan) == ["io-role-public", "io-token-custom-one"])
        #expect(plan.report.failures.count == 2)
    }

    @Test func eventNames() async throws {
        #expect(try await self.plan("create", ["id": 1]).report.event == "article:create")
        #expect(
            try await self.plan("create", ["id": 1]) { $0.events.customEventNames = true }.report.event
                == "article:created"
        )
        #expect(
            try await self.plan("create", ["id": 1]) { $0.contentTypes[0].eventPrefix = "post" }.report.event
                == "post:create"
        )
        let schema = SchemaReference(uid: Samples.article, singularName: "piece")
        #expect(try await self.plan("create", ["id": 1], schema: schema).report.event == "piece:create")
    }

    @Test func unknownContentTypesAreErrorsThatHelp() async throws {
        let unknown = await #expect(throws: GatewayError.self) {
            try await self.plan("update", ["id": 1], schema: "api::x.x")
        }
        #expect(unknown?.code == .unknownContentType)
        #expect(unknown?.message == "Content type 'api::x.x' is not configured")
        let old = await #expect(throws: GatewayError.self) {
            try await self.plan("update", ["id": 1], schema: "api::message.message.create")
        }
        #expect(old?.message.contains("did you mean event 'create' with schema 'api::message.message'") == true)
        for name in ["", String(repeating: "x", count: 129)] {
            let error = await #expect(throws: GatewayError.self) { try await self.plan(name, ["id": 1]) }
            #expect(error?.code == .invalidEventName)
        }
    }

    @Test func theWildcardTypeStandsForEveryOther() async throws {
        let plan = try await self.plan("create", ["id": 1, "a": 2, "token": "x"], schema: "api::x.thing") {
            configuration in
            configuration.contentTypes.append(ContentType(uid: "*"))
            configuration.roles[0].scopes.append(Scope("*.create")!)
        }
        #expect(plan.report.event == "thing:create")
        #expect(plan.variants.map(\.argument) == [["id": 1, "a": 2]])
    }

    @Test func lifecycleEventsAreReadFromJSON() throws {
        let event = try LifecycleEvent([
            "event": "update", "schema": ["uid": "api::a.a", "singularName": "b"], "data": ["id": 1], "eventId": "e1",
            "previous": ["id": 0], "at": "now",
        ])
        #expect(event.schema == SchemaReference(uid: "api::a.a", singularName: "b"))
        #expect(event.eventID == "e1")
        #expect(try LifecycleEvent(["event": "update", "schema": "api::a.a", "data": 0]).data == 0)
        for value in [
            .null, [], "x", [:], ["event": 5, "schema": "api::a.a"], ["event": "e"], ["event": "e", "schema": 5],
            ["event": "e", "schema": ["name": "x"]], ["event": "e", "schema": "api::a.a", "eventId": 5],
        ] as [JSONValue] {
            #expect(throws: GatewayError.self) { try LifecycleEvent(value) }
        }
    }

    @Test func recentIDsForgetTheOldest() {
        var ids = RecentIDs(capacity: 2)
        let new = ["a", "a", "b", "c", "a", "c"].map { ids.insert($0) }
        #expect(new == [true, false, true, true, true, false])
        var none = RecentIDs(capacity: 0)
        #expect(["a", "a"].map { none.insert($0) } == [true, true])
    }
}
