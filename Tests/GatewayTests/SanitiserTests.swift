import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct SanitiserTests {
    private let schema = Schema(contentTypes: Samples.contentTypes, components: Samples.components)

    private func clean(
        _ value: JSONValue,
        sees targets: Set<String> = [],
        rules: [String: Role.FieldRule] = [:],
        populate: Populate? = nil,
        blocklist: Blocklist = Blocklist(),
        schema: Schema? = nil,
        type: ContentType? = nil
    ) throws -> JSONValue {
        let sanitiser = Sanitiser(schema: schema ?? self.schema, blocklist: blocklist)
        return try sanitiser.sanitise(
            value,
            as: type ?? Samples.contentTypes[0],
            for: Projection(visibleTargets: targets, rules: rules),
            selection: Selection(populate)
        )
    }

    @Test func whoMaySeeEverythingStillSeesNothingPrivate() throws {
        let clean = try self.clean(Samples.entry, sees: [Samples.author, Samples.article])
        #expect(
            clean == [
                "id": 5, "documentId": "abc", "title": "Hello", "author": ["id": 1, "name": "Ada"],
                "seo": ["id": 3, "description": "d", "reviewer": ["id": 2, "name": "Bob"]],
                "body": [["__component": "shared.quote", "id": 1, "text": "q"]],
                "cover": ["id": 9, "url": "/a.png", "hash": "a_1"],
                "related": [["__type": "api::author.author", "id": 4, "name": "Eve"]],
                "settings": ["hashtags": ["a"], "tokenCount": 3, "secretary": "Ann", "deep": ["ok": 1]],
            ]
        )
        #expect(!String(describing: clean).contains("PRIVATE"))
    }

    @Test func relationsNeedTheTargetsFindScope() throws {
        let clean = try self.clean(Samples.entry)
        #expect(clean["author"] == nil)
        #expect(clean["related"] == nil)
        #expect(clean["seo"] == ["id": 3, "description": "d"])
        #expect(clean["title"] == "Hello")
    }

    @Test func populateCuts() throws {
        let entry: JSONValue = ["id": 1, "author": ["id": 2, "name": "Ada", "articles": [["id": 3, "title": "t"]]]]
        let all: Set<String> = [Samples.author, Samples.article]
        #expect(try self.clean(entry, sees: all) == entry)
        #expect(try self.clean(entry, sees: all, populate: Populate.none) == ["id": 1])
        #expect(try self.clean(entry, sees: all, populate: .all) == ["id": 1, "author": ["id": 2, "name": "Ada"]])
        #expect(
            try self.clean(entry, sees: all, populate: .paths(["author"])) == [
                "id": 1, "author": ["id": 2, "name": "Ada"],
            ]
        )
        #expect(try self.clean(entry, sees: all, populate: .paths(["author.articles"])) == entry)
        #expect(try self.clean(entry, sees: all, populate: .paths(["author.*"])) == entry)
        #expect(try self.clean(entry, sees: all, populate: .paths(["*", "author.articles"])) == entry)
        #expect(try self.clean(entry, sees: all, populate: .paths(["author.articles", "*"])) == entry)
        let tree = Populate.tree(["author": .init(fields: [], populate: .paths(["articles"]))])
        #expect(
            try self.clean(entry, sees: all, populate: tree) == [
                "id": 1, "author": ["id": 2, "articles": [["id": 3, "title": "t"]]],
            ]
        )
    }

    @Test func roleRulesHideFields() throws {
        let entry: JSONValue = ["id": 1, "title": "t", "settings": [:], "author": ["id": 2, "name": "Ada"]]
        #expect(
            try self.clean(entry, sees: [Samples.author], rules: [Samples.author: .init(deny: ["name"])])
                == ["id": 1, "title": "t", "settings": [:], "author": ["id": 2]]
        )
        #expect(
            try self.clean(entry, sees: [Samples.author], rules: [Samples.article: .init(allow: ["title"])])
                == ["id": 1, "title": "t"]
        )
        #expect(
            try self.clean(entry, rules: [Samples.article: .init(allow: ["title"], deny: ["title"])]) == ["id": 1]
        )
    }

    @Test func listsAndOtherValues() throws {
        #expect(try self.clean([["id": 1, "notes": "PRIVATE"], 5, .null]) == [["id": 1], 5, .null])
        #expect(try self.clean("text") == "text")
        #expect(try self.clean(.null) == .null)
    }

    /// What nobody declared may hold anything: an object in the place of a text is not sent.
    @Test(arguments: Field.Scalar.allCases)
    func objectsInTheirPlaceAreNoScalars(_ scalar: Field.Scalar) throws {
        for isRepeatable in [false, true] {
            let field = Field(.scalar(scalar), isRepeatable: isRepeatable)
            let type = ContentType(uid: "api::a.a", fields: ["a": field])
            for value in [1, "x", .null, true, 1.5, ["x", 1], []] as [JSONValue] {
                #expect(try self.clean(["id": 1, "a": value], type: type) == ["id": 1, "a": value])
            }
            guard scalar != .blocks else {
                let blocks: JSONValue = [["type": "paragraph", "children": [["text": "x"]]]]
                #expect(try self.clean(["a": blocks], type: type) == ["a": blocks])
                continue
            }
            #expect(try self.clean(["id": 1, "a": ["notes": "PRIVATE"]], type: type) == ["id": 1])
            let list: JSONValue = ["x", ["notes": "PRIVATE"], [["notes": "PRIVATE"]], ["PRIVATE"], 2]
            #expect(try self.clean(["a": list], type: type) == ["a": ["x", 2]])
        }
    }

    @Test func identityFieldsAreNoWayAround() throws {
        #expect(
            try self.clean(["id": ["password": "PRIVATE"], "locale": ["x"], "documentId": "d"]) == ["documentId": "d"]
        )
    }

    @Test func undeclaredFieldsOfUndeclaredTypesStayWithoutSecrets() throws {
        var type = ContentType(uid: "api::free.free")
        type.privateAttributes = ["hidden"]
        let entry: JSONValue = [
            "a": 1, "token": "PRIVATE", "Salt": "PRIVATE", "hash": "PRIVATE", "hashtags": 2, "PassWord": "PRIVATE",
            "hidden": "PRIVATE",
            "b": [
                "hidden": "PRIVATE", "api_key": "PRIVATE", "token": "PRIVATE", "c": [["secret": "PRIVATE", "d": 1]],
            ],
        ]
        #expect(try self.clean(entry, type: type) == ["a": 1, "hashtags": 2, "b": ["c": [["d": 1]]]])
        type.unknownFields = .drop
        #expect(try self.clean(entry, type: type) == [:])
    }

    @Test func patternsAndExcludedFields() throws {
        let blocklist = Blocklist(additionalNames: ["Title"], patterns: ["*count*"])
        #expect(
            try self.clean(["title": "t", "settings": ["tokenCount": 1, "x": 2]], blocklist: blocklist)
                == ["settings": ["x": 2]]
        )
    }

    @Test func creatorsAreNamesAtMost() throws {
        var type = Samples.contentTypes[0]
        type.populateCreatorFields = true
        let entry: JSONValue = [
            "id": 1, "createdBy": ["id": 2, "firstname": "A", "email": "PRIVATE", "roles": ["PRIVATE"]],
            "updatedBy": [["PRIVATE": 1]],
        ]
        #expect(try self.clean(entry, type: type) == ["id": 1, "createdBy": ["id": 2, "firstname": "A"]])
    }

    @Test(arguments: [19, 20, 21, 60])
    func depthIsLimited(_ depth: Int) throws {
        // author -> articles -> author -> …
        var value: JSONValue = ["id": 999, "title": "t", "name": "n"]
        for level in (0..<depth).reversed() {
            value = level % 2 == 0 ? ["id": .int(level), "author": value] : ["id": .int(level), "articles": [value]]
        }
        let clean = try self.clean(value, sees: [Samples.author, Samples.article])
        let text = String(describing: clean)
        #expect(text.contains("999") == (depth <= Sanitiser.maximumDepth))
    }

    @Test func listsInListsAreLimitedAsWell() throws {
        var value: JSONValue = ["secret": "PRIVATE", "leaf": 1]
        for _ in 0..<100 { value = [value] }
        let clean = try self.clean(["settings": value, "author": value], sees: [Samples.author])
        #expect(!String(describing: clean).contains("leaf"))
    }

    @Test func morphsOfUnknownOrUnreadableTypesGo() throws {
        let entry: JSONValue = [
            "id": 1,
            "related": [
                ["__type": "api::author.author", "id": 1, "pin": "PRIVATE"],
                ["__type": "api::article.article", "id": 2],
                ["id": 3, "name": "PRIVATE"], "PRIVATE", .null,
            ],
        ]
        #expect(
            try self.clean(entry, sees: [Samples.author])
                == ["id": 1, "related": [["__type": "api::author.author", "id": 1]]]
        )
        #expect(try self.clean(entry) == ["id": 1])
        #expect(try self.clean(["related": []]) == ["related": []])
        #expect(try self.clean(["related": .null]) == ["related": .null])
    }

    @Test func brokenSchemasSendNothing() {
        let type = ContentType(
            uid: "api::x.x",
            fields: ["a": Field(.relation(target: "api::gone.gone")), "c": Field(.component("gone"))]
        )
        let schema = Schema(contentTypes: [type], components: [])
        #expect(throws: SanitisationError.unknownType("api::gone.gone")) {
            try self.clean(["a": [:]], sees: ["api::gone.gone"], schema: schema, type: type)
        }
        #expect(throws: SanitisationError.unknownType("gone")) {
            try self.clean(["c": [:]], schema: schema, type: type)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct PayloadFormatTests {
    private let schema = Schema(contentTypes: Samples.contentTypes, components: Samples.components)

    private func argument(_ value: JSONValue, _ format: PayloadFormat) throws -> JSONValue {
        try format.argument(value, type: Samples.contentTypes[0], schema: self.schema)
    }

    @Test func flatIsTheEntryAndEnvelopeSurroundsIt() throws {
        #expect(try self.argument(["id": 1], .flat) == ["id": 1])
        #expect(try self.argument(["id": 1], .envelope) == ["data": ["id": 1], "meta": [:]])
        #expect(PayloadFormat.flat.rawArgument(5) == 5)
        #expect(PayloadFormat.envelope.rawArgument(5) == ["data": 5])
        #expect(PayloadFormat.strapi4.rawArgument(.null) == ["data": .null])
    }

    @Test func strapi4TakesEntriesApart() throws {
        let entry: JSONValue = [
            "id": 1, "documentId": "d", "title": "t",
            "author": ["id": 2, "name": "Ada", "articles": [["id": 3, "title": "u"]]],
            "seo": ["id": 4, "description": "x", "reviewer": .null],
            "body": [["__component": "shared.quote", "id": 5, "text": "q"]],
            "cover": .null, "related": [["__type": "api::author.author", "id": 6, "name": "Eve"]],
        ]
        #expect(
            try self.argument(entry, .strapi4) == [
                "data": [
                    "id": 1,
                    "attributes": [
                        "documentId": "d", "title": "t",
                        "author": [
                            "data": [
                                "id": 2,
                                "attributes": [
                                    "name": "Ada", "articles": ["data": [["id": 3, "attributes": ["title": "u"]]]],
                                ],
                            ]
                        ],
                        "seo": ["id": 4, "description": "x", "reviewer": ["data": .null]],
                        "body": [["__component": "shared.quote", "id": 5, "text": "q"]],
                        "cover": ["data": .null],
                        "related": [
                            "data": [["id": 6, "attributes": ["__type": "api::author.author", "name": "Eve"]]]
                        ],
                    ],
                ], "meta": [:],
            ]
        )
        #expect(try self.argument([["id": 1]], .strapi4) == ["data": [["id": 1, "attributes": [:]]], "meta": [:]])
    }

    @Test(arguments: ["text", ["id": 1, "author": 5], ["seo": "x"], ["body": [5]], [[1]]] as [JSONValue])
    func strapi4WantsEntries(_ value: JSONValue) {
        #expect(throws: SanitisationError.entryIsNoObject) { try self.argument(value, .strapi4) }
        #expect(SanitisationError.entryIsNoObject.description == "Entry must be an object")
    }
}

/// Random schemas and random entries of them: whatever is private carries a mark, and no mark may get out.
@Suite(.timeLimit(.minutes(1))) struct SanitiserPropertyTests {
    private static let mark = "PRIVATE-MARK"

    private struct World {
        var types: [ContentType] = []
        var components: [Component] = []
        var generator: SeededGenerator

        init(seed: UInt64) {
            self.generator = SeededGenerator(seed: seed)
            let typeIDs = (0..<4).map { "api::t\($0).t\($0)" }
            let componentIDs = (0..<3).map { "c.c\($0)" }
            for uid in typeIDs {
                var type = ContentType(uid: uid, fields: self.fields(typeIDs, componentIDs))
                type.privateAttributes = ["p-attr"]
                type.unknownFields = Bool.random(using: &self.generator) ? .keep : nil
                type.populateCreatorFields = Bool.random(using: &self.generator)
                self.types.append(type)
            }
            for uid in componentIDs {
                self.components.append(Component(uid: uid, fields: self.fields(typeIDs, componentIDs)))
            }
        }

        private mutating func fields(_ types: [String], _ components: [String]) -> [String: Field] {
            var fields: [String: Field] = [:]
            for index in 0..<Int.random(in: 1...6, using: &self.generator) {
                let kinds: [Field.Kind] = [
                    .scalar(.string), .json, .password, .relation(target: types.randomElement(using: &self.generator)!),
                    .morph,
                    .media, .component(components.randomElement(using: &self.generator)!), .dynamicZone(components),
                ]
                let kind = kinds.randomElement(using: &self.generator)!
                fields["f\(index)"] = Field(kind, isPrivate: Int.random(in: 0..<4, using: &self.generator) == 0)
            }
            return fields
        }

        mutating func entry(
            _ fields: [String: Field],
            depth: Int,
            type: String? = nil,
            component: String? = nil
        ) -> JSONValue {
            var object = JSONObject()
            object["id"] = .int(Int.random(in: 1...99, using: &self.generator))
            if let type { object["__type"] = .string(type) }
            if let component { object["__component"] = .string(component) }
            for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
                object[name] =
                    field.isPrivate || field.kind == .password
                    ? self.marked(depth) : self.value(field.kind, depth: depth)
            }
            if type != nil { object["p-attr"] = .string(mark) }
            object["Password"] = self.marked(depth)
            object["apiKey"] = .string(mark)
            object["createdBy"] = ["id": 1, "email": .string(mark), "firstname": "ok"]
            return .object(object)
        }

        private mutating func marked(_ depth: Int) -> JSONValue {
            Bool.random(using: &self.generator) ? .string(mark) : [["x": .string(mark)], ["id": .string(mark)]]
        }

        private mutating func list(_ make: (inout World) -> JSONValue) -> JSONValue {
            if Bool.random(using: &self.generator) { return make(&self) }
            var list: [JSONValue] = []
            for _ in 0..<Int.random(in: 0...2, using: &self.generator) { list.append(make(&self)) }
            return .array(list)
        }

        private mutating func value(_ kind: Field.Kind, depth: Int) -> JSONValue {
            guard depth > 0 else { return .null }
            switch kind {
            case .scalar: return "text"
            case .json: return ["a": [["secret": .string(mark), "b": 1]], "SECRETKEY": .string(mark)]
            case .password: return .string(mark)
            case .relation(let target):
                return self.list { world in
                    let type = world.types.first { $0.uid == target } ?? world.types[0]
                    return world.entry(type.fields, depth: depth - 1, type: target)
                }
            case .morph:
                return self.list { world in
                    let type = world.types.randomElement(using: &world.generator)!
                    return world.entry(type.fields, depth: depth - 1, type: type.uid)
                }
            case .media: return ["id": 1, "url": "u", "provider_metadata": .string(mark), "folderPath": .string(mark)]
            case .component(let uid):
                return self.list { world in
                    world.entry(world.components.first { $0.uid == uid }?.fields ?? [:], depth: depth - 1)
                }
            case .dynamicZone:
                var list: [JSONValue] = []
                for _ in 0..<2 {
                    let component = self.components.randomElement(using: &self.generator)!
                    list.append(self.entry(component.fields, depth: depth - 1, component: component.uid))
                }
                return .array(list + [["__component": "c.none", "x": .string(mark)]])
            }
        }
    }

    @Test(arguments: 0..<300)
    func noMarkGetsOut(_ seed: Int) async throws {
        var world = World(seed: UInt64(seed))
        var configuration = GatewayConfiguration()
        configuration.contentTypes = world.types
        configuration.components = world.components
        configuration.events.payloadFormat = PayloadFormat.allCases.randomElement(using: &world.generator)!
        configuration.roles = [
            Role(type: "public", scopes: [.all]),
            Role(
                type: "some",
                scopes: world.types.prefix(2).map { Scope(subject: $0.uid, action: "find") }
                    + Samples.scopes("*.update")
            ),
        ]
        let rules = try await Rules(configuration, hooks: GatewayHooks())
        let type = world.types[0]
        let entry = world.entry(type.fields, depth: 4, type: type.uid)
        let plan = try rules.plan(
            LifecycleEvent(event: "update", schema: SchemaReference(uid: type.uid), data: entry),
            now: 0
        )
        // strapi4 can refuse odd entries, which is as good.
        #expect(plan.report.outcome == .sent || plan.report.outcome == .unsendable)
        for variant in plan.variants {
            var bytes = ByteBuffer()
            bytes.writeJSON(variant.argument)
            #expect(!String(buffer: bytes).contains(Self.mark))
        }
    }

    /// What the sanitiser makes of an entry depends on the projection alone, so audiences may share it.
    @Test(arguments: 0..<100)
    func equalProjectionsMeanEqualBytes(_ seed: Int) throws {
        var world = World(seed: UInt64(seed))
        let schema = Schema(contentTypes: world.types, components: world.components)
        let type = world.types[0]
        let entry = world.entry(type.fields, depth: 3, type: type.uid)
        let sanitiser = Sanitiser(schema: schema, blocklist: Blocklist())
        var seen: [Projection: JSONValue] = [:]
        for mask in 0..<16 {
            let scopes = world.types.enumerated().filter { mask >> $0.offset & 1 == 1 }
                .map { Scope(subject: $0.element.uid, action: "find") }
            let projection = Projection(
                of: Audience(Role(type: "r\(mask)", scopes: scopes)),
                reach: schema.reach(from: type.uid)
            )
            let clean = try sanitiser.sanitise(entry, as: type, for: projection, selection: .everything)
            if let other = seen[projection] { #expect(other == clean) }
            seen[projection] = clean
        }
    }
}
