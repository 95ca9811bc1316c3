import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Who edits what, who types, who is online.
@Suite(.timeLimit(.minutes(1))) struct PresenceTests {
    private static let entry: JSONValue = ["uid": "api::article.article", "documentId": "abc"]

    private static func failure(_ message: String) -> JSONValue { ["success": false, "error": .string(message)] }

    /// The next event of that name.
    private static func event(_ name: String, _ client: TestClient) async -> JSONValue? {
        while case .event(let event, let arguments) = await client.packet() {
            if event == name { return arguments.first }
        }
        return nil
    }

    private static func users(_ value: JSONValue?) -> [JSONValue?] {
        (value?.arrayValue ?? []).map { $0["user"]?["id"] ?? $0["id"] }
    }

    @Test func editorsAreUsersAndNoTabs() async throws {
        try await TestCluster.run(nodes: 3, sharing: Sharing()) { cluster in
            let bob = try await cluster[2].join(user(2, role: "editor"))
            let first = try await bob.call("presence:join", Self.entry)
            #expect(first["success"] == true && first["entityKey"] == "api::article.article:abc")
            #expect(Self.users(first["editors"]) == [2])
            #expect(Self.users(await Self.event("presence:update", bob)?["joined"]) == [2])
            let tabs = [
                try await cluster[0].join(user(1, role: "editor")), try await cluster[0].join(user(1, role: "editor")),
                try await cluster[1].join(user(1, role: "editor")),
            ]
            for tab in tabs {
                let answer = try await tab.call("presence:join", Self.entry)
                // All have come at the same moment, because the clock stands still.
                #expect(Self.users(answer["editors"]) == [1, 2])
            }
            // Once for the user.
            let came = await Self.event("presence:update", bob)
            #expect(Self.users(came?["joined"]) == [1] && came?["count"] == 2 && Self.users(came?["left"]).isEmpty)
            let check = try await bob.call("presence:check", Self.entry)
            #expect(check["isBeingEdited"] == true)
            #expect(check["editors"]?.arrayValue?.compactMap { $0["connections"]?.intValue }.reduce(0, +) == 4)
            _ = try await tabs[0].call("presence:leave", Self.entry)
            for tab in tabs[1...] { #expect(try await cluster[0].io.disconnectSocket(tab.id)) }
            let went = await Self.event("presence:update", bob)
            #expect(Self.users(went?["left"]) == [1] && went?["count"] == 1)
            #expect(try await cluster[0].io.editors(of: "api::article.article", "abc").count == 1)
            _ = try await bob.call("presence:leave", Self.entry)
            _ = try await bob.call("presence:heartbeat")
        }
    }

    @Test func refusalsSayWhy() async throws {
        try await TestCluster.run { cluster in
            let visitor = try await cluster[0].join()
            #expect(
                try await visitor.call("presence:join", Self.entry)
                    == Self.failure("Authentication required for presence")
            )
            #expect(try await visitor.call("presence:heartbeat") == Self.failure("Socket not registered"))
            let ada = try await cluster[0].join(user(1, role: "editor"))
            for (payload, message) in [
                (7, "Invalid payload"), ([:], "uid and documentId are required"),
                (["uid": "x", "documentId": "1"], "Invalid content type uid format"),
                (["uid": "api::article.article", "documentId": "a:b"], "Invalid entity id"),
                (["uid": "api::x.x", "documentId": "1"], "Content type not found"),
            ] as [(JSONValue, String)] {
                #expect(try await ada.call("presence:join", payload) == Self.failure(message))
            }
            let nobody = try await cluster[0].join(user(3, role: "nobody"))
            for event in ["presence:join", "presence:check"] {
                #expect(
                    try await nobody.call(event, Self.entry)
                        == Self.failure("Permission denied: no access to this content type")
                )
            }
            #expect(
                try await ada.call("presence:typing", ["uid": "api::article.article", "documentId": "abc"])
                    == Self.failure("Socket not registered")
            )
        }
        var configuration = Samples.configuration
        configuration.presence.maximumEntitiesPerSocket = 1
        try await TestCluster.run(configuration: configuration) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            #expect(try await ada.call("presence:join", Self.entry)["success"] == true)
            #expect(
                try await ada.call("presence:join", ["uid": "api::article.article", "documentId": "other"])
                    == Self.failure("Too many editing sessions for this socket.")
            )
            let rooms = try await ada.call("get-rooms")["rooms"]?.arrayValue ?? []
            #expect(!rooms.contains("presence:api::article.article:other"))
        }
        configuration.presence.enabled = false
        try await TestCluster.run(configuration: configuration) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            #expect(try await ada.call("presence:join", Self.entry) == Self.failure("Presence is disabled"))
        }
    }

    @Test func theOthersHearWhoTypes() async throws {
        var configuration = Samples.configuration
        configuration.presence.typingLifetime = .milliseconds(100)
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let bob = try await cluster[1].join(user(2, role: "editor"))
            for client in [ada, bob] { _ = try await client.call("presence:join", Self.entry) }
            for _ in 0..<5 {
                _ = try await ada.call(
                    "presence:typing",
                    ["uid": "api::article.article", "documentId": "abc", "fieldName": "title"]
                )
            }
            let typing = await Self.event("presence:typing", bob)
            #expect(typing?["fieldName"] == "title" && typing?["user"] == ["id": 1, "username": "user-1"])
            #expect(typing?["expiresIn"] == 100)
            #expect(await Self.event("presence:typing", bob)?["fieldName"] == .null)
        }
    }

    @Test func usersAreOnlineOnceAndWatched() async throws {
        var configuration = Samples.configuration
        configuration.presence.onlineUsers = true
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let bob = try await cluster[1].join(user(2, role: "editor"))
            let watch = try await bob.call("online:watch", ["userIds": [1, "3", 1]])
            #expect(watch == ["success": true, "online": []])
            let tabs = [
                try await cluster[0].join(user(1, role: "editor")), try await cluster[1].join(user(1, role: "editor")),
            ]
            #expect(await Self.event("online:changed", bob) == ["userId": 1, "online": true])
            let eve = try await cluster[0].join(user(3, role: "editor"))
            #expect(await Self.event("online:changed", bob) == ["userId": "3", "online": true])
            #expect(try await eve.call("online:watch", ["userIds": [1, 9]]) == ["success": true, "online": [1]])
            var users: [JSONValue] = []
            var cursor: String?
            repeat {
                let page = try await cluster[0].io.onlineUsers(after: cursor, limit: 2)
                #expect(page.total == 3 && page.users.count <= 2)
                users += page.users
                cursor = page.next
            } while cursor != nil
            #expect(Set(users.compactMap { $0["userId"]?.intValue }) == [1, 2, 3] && users.count == 3)
            #expect(users.first { $0["userId"] == 1 }?["connections"] == 2)
            for tab in tabs { #expect(try await cluster[0].io.disconnectSocket(tab.id)) }
            #expect(await Self.event("online:changed", bob) == ["userId": 1, "online": false])
            let visitor = try await cluster[0].join()
            #expect(
                try await visitor.call("online:watch", ["userIds": []])
                    == Self.failure("Authentication required for presence")
            )
            let many = JSONValue.array((0...1_000).map { .int($0) })
            #expect(
                try await bob.call("online:watch", ["userIds": many])
                    == Self.failure("Maximum watched users (1000) reached")
            )
            await #expect(throws: GatewayError.self) { try await cluster[0].io.onlineUsers(after: "x") }
        }
    }

    @Test func roomsAreCounted() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            for index in 0..<3 { _ = try await cluster[index % 2].join(user(index + 1, role: "editor")) }
            #expect(await cluster[0].io.countSockets(in: "io-role-editor").sockets == 3)
            cluster.bus.silence(1)
            let part = await cluster[0].io.countSockets(in: "io-role-editor")
            #expect(part.sockets == 2 && part.nodes == 1 && part.missing == ["node-1"])
        }
    }
}

/// Entries that clients see while others edit them.
@Suite(.timeLimit(.minutes(1))) struct LivePreviewTests {
    private static let entry: JSONValue = ["uid": "api::article.article", "documentId": "abc"]

    private static func failure(_ message: String) -> JSONValue { ["success": false, "error": .string(message)] }

    private static func event(_ name: String, _ client: TestClient) async -> JSONValue? {
        while case .event(let event, let arguments) = await client.packet() {
            if event == name { return arguments.first }
        }
        return nil
    }

    @Test func everybodySeesOnlyWhatHeMaySee() async throws {
        var hooks = GatewayHooks()
        hooks.findEntity = { _, _ in Samples.entry }
        try await TestCluster.run(nodes: 2, hooks: hooks) { cluster in
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            let editor = try await cluster[1].join(user(2, role: "editor"))
            let visitor = try await cluster[1].join()
            for client in [member, editor, visitor] {
                let answer = try await client.call("preview:subscribe", Self.entry)
                #expect(answer["success"] == true, "\(answer)")
                let initial = await Self.event("preview:initial", client)?["data"]
                #expect(initial?["title"] == "Hello" && "\(initial ?? .null)".contains("PRIVATE") == false)
            }
            var changed = Samples.entry
            changed["title"] = "Draft"
            changed["notes"] = "PRIVATE 2"
            changed["author"] = ["id": 1, "name": "Eve", "pin": "PRIVATE 2"]
            let report = try await cluster[0].io.publisher().emitDraftChange(
                "api::article.article",
                "abc",
                data: changed,
                previous: Samples.entry
            )
            #expect(report.delivery == .published)
            for (client, fields) in [(member, ["title", "author"]), (editor, ["title"]), (visitor, ["title"])] {
                let change = await Self.event("preview:change", client)
                #expect(change?["isDraft"] == true && change?["data"]?["title"] == "Draft")
                #expect("\(change ?? .null)".contains("PRIVATE") == false)
                let names = change?["diff"]?["changedFields"]?.arrayValue?.compactMap(\.stringValue) ?? []
                #expect(Set(names) == Set(fields))
                #expect(change?["diff"]?["diff"]?["title"] == ["old": "Hello", "new": "Draft"])
            }
            // An update that says what the entry was before is shown as well, and still is an event of its own.
            try cluster[0].io.emit(
                LifecycleEvent(
                    event: "update",
                    schema: "api::article.article",
                    data: changed,
                    previous: Samples.entry
                )
            )
            #expect(await Self.event("preview:change", visitor)?["documentId"] == "abc")
            _ = try await cluster[0].io.publisher().emitPublish("api::article.article", "abc", data: changed)
            #expect(await Self.event("preview:publish", visitor)?["isDraft"] == false)
            let nobody = try await cluster[0].join(user(3, role: "nobody"))
            #expect(try await nobody.call("preview:subscribe", Self.entry) == Self.failure("Permission denied"))
        }
    }

    @Test func fieldsReachThoseWhoMaySeeThem() async throws {
        var configuration = Samples.configuration
        configuration.livePreview.debounce = .seconds(3)
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let visitor = try await cluster[1].join()
            for client in [ada, visitor] { _ = try await client.call("preview:subscribe", Self.entry) }
            func change(_ client: TestClient, _ field: JSONValue, _ value: JSONValue) async throws -> JSONValue {
                try await client.call(
                    "preview:field-change",
                    ["uid": "api::article.article", "documentId": "abc", "fieldName": field, "value": value]
                )
            }
            for (field, value) in [
                ("notes", "PRIVATE"), ("title", "a"), ("publishedAt", "now"), ("title", "ab"), ("unknown", "PRIVATE"),
            ] as [(JSONValue, JSONValue)] {
                #expect(try await change(ada, field, value)["success"] == true)
            }
            // The last value of each field, in whatever order, and nothing of those that it may not see.
            var shown: [UTF8Text: JSONValue] = [:]
            for _ in 0..<2 {
                let field = await Self.event("preview:field", visitor)
                #expect(field?["editorSocketId"] == .string(ada.id))
                shown[UTF8Text(field?["fieldName"]?.stringValue ?? "")] = field?["value"]
            }
            #expect(shown == ["title": "ab", "publishedAt": "now"])
            #expect(try await change(visitor, "title", 1) == Self.failure("Authentication required for presence"))
            #expect(try await change(ada, "", 1) == Self.failure("Invalid field name"))
            _ = try await ada.call("preview:unsubscribe", Self.entry)
            #expect(try await change(ada, "title", 1) == Self.failure("Not subscribed to this preview"))
            let rooms = try await ada.call("get-rooms")["rooms"]?.arrayValue ?? []
            #expect(!rooms.contains { $0.stringValue?.hasPrefix("preview:") == true })
        }
    }
}
