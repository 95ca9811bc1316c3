import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ClientEventTests {
    private static var open: GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        for index in configuration.roles.indices { configuration.roles[index].joinPolicy = ["*"] }
        return configuration
    }

    private static func failure(_ message: String) -> JSONValue { ["success": false, "error": .string(message)] }

    @Test func roomsAreJoinedAndLeft() async throws {
        try await TestCluster.run(configuration: Self.open) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("join-room", "lobby") == ["success": true, "room": "lobby"])
            #expect(try await client.call("get-rooms")["rooms"] == ["io-role-public", "lobby"])
            #expect(try await client.call("leave-room", "lobby") == ["success": true, "room": "lobby"])
            #expect(try await client.call("get-rooms")["rooms"] == ["io-role-public"])
            #expect(try await client.call("join-room", "a b") == Self.failure("Room name contains invalid characters"))
            #expect(try await client.call("join-room") == Self.failure("Invalid room name"))
            #expect(try await client.call("leave-room", 5) == Self.failure("Invalid room name"))
            #expect(try await client.call("leave-room", "io-role-public") == Self.failure("Room name is reserved"))
        }
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("join-room", "lobby") == Self.failure("Private rooms are disabled"))
        }
    }

    /// Whoever is in the room of another's id reads that one's private messages.
    @Test func nobodyJoinsAnothersRoom() async throws {
        try await TestCluster.run(nodes: 2, configuration: Self.open) { cluster in
            let victim = try await cluster[1].join()
            let attacker = try await cluster[0].join()
            #expect(try await attacker.call("join-room", .string(victim.id)) == Self.failure("Room name is reserved"))
            #expect(try await attacker.call("join-room", .string(attacker.id)) == Self.failure("Room name is reserved"))
            // Twenty characters are not yet an id, and the question is asked once.
            let before = cluster.bus.requests
            for _ in 0..<5 {
                #expect(try await attacker.call("join-room", "general-announcement")["success"] == true)
            }
            #expect(cluster.bus.requests == before + 1)
        }
    }

    @Test func hooksHaveTheLastWord() async throws {
        var hooks = GatewayHooks()
        hooks.allowJoin = { room, _, _ in room != "secret" }
        try await TestCluster.run(configuration: Self.open, hooks: hooks) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("join-room", "secret") == Self.failure("Permission denied"))
            #expect(try await client.call("join-room", "public")["success"] == true)
        }
    }

    @Test func entitiesAreSubscribed() async throws {
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join()
            let subscribed = try await client.call("subscribe-entity", ["uid": "api::article.article", "id": 5])
            #expect(
                subscribed == [
                    "success": true, "room": "api::article.article:5", "uid": "api::article.article", "id": 5,
                ]
            )
            #expect(
                try await client.call("get-entity-subscriptions") == [
                    "success": true,
                    "subscriptions": [["uid": "api::article.article", "id": "5", "room": "api::article.article:5"]],
                ]
            )
            // The gateway's own book-keeping is not shown.
            #expect(try await client.call("get-rooms")["rooms"] == ["api::article.article:5", "io-role-public"])
            #expect(try await client.call("subscribe-entity", "x") == Self.failure("Invalid payload"))
            #expect(
                try await client.call("subscribe-entity", ["uid": "api::author.author", "id": 1])
                    == Self.failure("Permission denied: no access to this content type")
            )
            #expect(
                try await client.call("unsubscribe-entity", ["uid": "api::article.article"])
                    == Self.failure("Invalid parameters: uid and id are required")
            )
            #expect(
                try await client.call("unsubscribe-entity", ["uid": "api::article.article", "id": 5]) == subscribed
            )
            #expect(try await client.call("get-rooms")["rooms"] == ["io-role-public"])
            #expect(try await client.call("get-entity-subscriptions") == ["success": true, "subscriptions": []])
        }
    }

    @Test func entitiesAreVerified() async throws {
        struct Broken: Error {}
        var hooks = GatewayHooks()
        hooks.verifyEntity = { entity, _ in
            if entity.id == "broken" { throw Broken() }
            return entity.id == "5"
        }
        var configuration = Samples.configuration
        configuration.entitySubscriptions.requireVerification = true
        try await TestCluster.run(configuration: configuration, hooks: hooks) { cluster in
            let client = try await cluster[0].join()
            for (id, answer) in [
                (5, nil), ("6", "Entity not found"), ("broken", "Entity verification failed"),
            ] as [(JSONValue, String?)] {
                let result = try await client.call("subscribe-entity", ["uid": "api::article.article", "id": id])
                #expect(result["error"]?.stringValue == answer)
            }
        }
    }

    @Test func privateMessages() async throws {
        try await TestCluster.run(nodes: 2, configuration: Self.open) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let bob = try await cluster[1].join()
            let to = JSONValue.string(bob.id)
            #expect(try await ada.call("private-message", ["to": to, "message": "hi"]) == ["success": true])
            let message = try await bob.event("private-message")
            #expect(
                message == [["from": .string(ada.id), "fromUser": "user-1", "message": "hi", "timestamp": 500_000]]
            )
            let back = try await bob.call("private-message", ["to": .string(ada.id), "message": "ho"])
            #expect(back["success"] == true)
            #expect(try await ada.event("private-message").first?["fromUser"] == "anonymous")

            let long = JSONValue.string(String(repeating: "x", count: 10_001))
            for (payload, error) in [
                ("x", "Invalid payload"), ([], "Invalid payload"), (.null, "Invalid payload"),
                ([:], "Invalid parameters"),
                (["to": to], "Invalid parameters"), (["message": "hi"], "Invalid parameters"),
                (["to": 5, "message": "hi"], "Invalid parameters"),
                (["to": to, "message": 5], "Invalid message length"),
                (["to": to, "message": ""], "Invalid message length"),
                (["to": to, "message": long], "Invalid message length"),
                (["to": "nobody", "message": "hi"], "Target socket not found"),
                (["to": "AAAAAAAAAAAAAAAAAAAA", "message": "hi"], "Target socket not found"),
            ] as [(JSONValue, String)] {
                #expect(try await ada.call("private-message", payload) == Self.failure(error))
            }
            #expect(try await ada.call("private-message") == Self.failure("Invalid payload"))
        }
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join()
            let answer = try await client.call("private-message", ["to": "x", "message": ""])
            #expect(answer == Self.failure("Private messages are disabled"))
        }
    }

    /// (policy, what the two are in) -> whether one may write to the other.
    @Test(
        arguments: [
            (MessagePolicy.anyone, [], [], true),
            (.nobody, ["chat", "user:1"], ["chat", "user:1", "io-role-a"], false),
            (.sameRole, ["chat"], ["chat"], false), (.sameRole, [], ["io-role-a"], true),
            (.sameRole, [], ["io-role-ab"], false), (.sameRoom, ["chat"], ["chat"], true),
            (.sameRoom, ["chat"], ["other"], false), (.sameRoom, ["io-role-a"], ["io-role-a"], false),
            (.sameRoom, ["io-default"], ["io-default"], false), (.sameRoom, ["everyone"], ["everyone"], false),
            (.sameRoom, ["api::a.a:1"], ["api::a.a:1"], false), (.sameRoom, ["user:1"], ["user:1"], true),
            (.sameRoom, ["narrow:api::a.a"], ["narrow:api::a.a"], false),
        ] as [(MessagePolicy, [Room], [Room], Bool)]
    )
    func whoMayWriteToWhom(_ policy: MessagePolicy, _ sender: [Room], _ receiver: [Room], _ isAllowed: Bool) {
        #expect(
            policy.allows(
                from: sender,
                audience: "io-role-a",
                to: receiver,
                defaultRooms: ["io-default", "everyone"]
            ) == isAllowed
        )
    }

    @Test func messagesToStrangersFollowThePolicy() async throws {
        for policy in MessagePolicy.allCases {
            var configuration = Self.open
            configuration.rooms.messagePolicy = policy
            try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
                let ada = try await cluster[0].join(user(1, role: "editor"))
                let colleague = try await cluster[1].join(user(2, role: "editor"))
                let friend = try await cluster[1].join(user(3, role: "authenticated"))
                _ = try await ada.call("join-room", "club")
                _ = try await friend.call("join-room", "club")
                var allowed: [Bool] = []
                for receiver in [colleague, friend] {
                    let answer = try await ada.call("private-message", ["to": .string(receiver.id), "message": "hi"])
                    allowed.append(answer["success"] == true)
                    if answer["success"] == false { #expect(answer == Self.failure("Permission denied")) }
                }
                let expected: [MessagePolicy: [Bool]] = [
                    .anyone: [true, true], .sameRoom: [false, true], .sameRole: [true, false], .nobody: [false, false],
                ]
                #expect(allowed == expected[policy], "\(policy)")
                let received = try await cluster.received(by: [colleague, friend]).map(\.count)
                #expect(received == allowed.map { $0 ? 1 : 0 })
            }
        }
    }

    /// A client that looks for sockets which nobody has costs the cluster a few questions, and is told to wait.
    @Test(arguments: ["private-message", "join-room"])
    func questionsAreBounded(_ event: String) async throws {
        var configuration = Self.open
        configuration.limits.questions = RateLimit(perSecond: 1, burst: 3)
        try await TestCluster.run(nodes: 2, configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            let neighbour = try await cluster[0].join()
            let before = cluster.bus.requests
            let start = ContinuousClock.now
            var limited = 0
            for index in 0..<40 {
                let id = "AAAAAAAAAAAAAAAAAA\(10 + index)"
                let payload: JSONValue = event == "join-room" ? .string(id) : ["to": .string(id), "message": "x"]
                let answer = try await client.call(event, payload)
                guard answer["error"] == "Rate limit exceeded" else { continue }
                limited += 1
                #expect(answer["success"] == false)
                #expect((answer["retryAfter"]?.intValue ?? 0) > 0)
            }
            #expect(40 - limited <= 4 + Int((ContinuousClock.now - start).components.seconds))
            #expect(limited > 0)
            #expect(cluster.bus.requests - before == 40 - limited)
            // A socket of this node is no question to others, and everybody has limits of their own.
            let near = try await client.call("private-message", ["to": .string(neighbour.id), "message": "x"])
            #expect(near == ["success": true])
            let payload: JSONValue = ["to": "AAAAAAAAAAAAAAAAAAAA", "message": "x"]
            #expect(try await neighbour.call("private-message", payload) == Self.failure("Target socket not found"))
        }
    }

    @Test(arguments: ["join-room", "leave-room", "subscribe-entity", "unsubscribe-entity"])
    func changesAreBounded(_ event: String) async throws {
        var configuration = Self.open
        configuration.limits.changes = RateLimit(perSecond: 1, burst: 3)
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            let payload: JSONValue =
                event.hasSuffix("entity") ? ["uid": "api::article.article", "id": 5] : "lobby"
            let start = ContinuousClock.now
            var (granted, refused) = (0, 0)
            for _ in 0..<60 {
                let answer = try await client.call(event, payload)
                if answer["success"] == true {
                    granted += 1
                    continue
                }
                refused += 1
                #expect(answer["error"] == "Rate limit exceeded")
                #expect((answer["retryAfter"]?.intValue ?? 0) > 0)
            }
            #expect(granted >= 3 && refused > 0)
            // Three at once, and one more each second that this took.
            #expect(granted <= 4 + Int((ContinuousClock.now - start).components.seconds))
        }
    }

    @Test func budgetsFillUpAgain() {
        var budget = ClientBudget()
        let questions = RateLimit(perSecond: 2, burst: 4)
        let changes = GatewayConfiguration.Limits().changes
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        for _ in 0..<4 { #expect(budget.take(.questions, 1, of: questions, at: start) == .taken) }
        guard case .refused(let wait) = budget.take(.questions, 1, of: questions, at: start) else {
            Issue.record("The fifth question at once was not refused")
            return
        }
        #expect((500...501).contains(wait))
        #expect(budget.take(.changes, 1, of: changes, at: start) == .taken)
        #expect(budget.take(.questions, 1, of: questions, at: start + .milliseconds(Int64(wait))) == .taken)
        #expect(budget.take(.questions, 1, of: questions, at: start + .milliseconds(Int64(wait))) != .taken)
    }

    /// What is said of errors that are not the client's: never nothing, and never what a hook said.
    @Test func internalErrorsSayWhatHappened() {
        struct Secret: Error {}
        var messages: Set<String> = []
        for code in [ClusterError.Code.timeout, .unreachable, .closed] {
            messages.insert(ClientRefusal(ClusterError(code: code, message: "x")).message)
        }
        messages.insert(ClientRefusal(Secret()).message)
        #expect(messages.count == 4)
        // A node that nobody waits for any more has not answered in time either.
        let waited = ClientRefusal(ClusterError(code: .timeout, message: "x"))
        #expect(ClientRefusal(ClusterError(code: .incomplete, message: "x")) == waited)
        #expect(messages.allSatisfy { $0.hasPrefix("Internal error: ") && !$0.contains("Secret") })
        #expect(ClientRefusal(ClientRefusal.joinDenied as any Error) == .joinDenied)
    }

    @Test func hooksThatFailAreAnswered() async throws {
        struct Broken: Error {}
        var hooks = GatewayHooks()
        hooks.allowJoin = { _, _, _ in throw Broken() }
        try await TestCluster.run(configuration: Self.open, hooks: hooks) { cluster in
            let client = try await cluster[0].join()
            let answer = try await client.call("join-room", "lobby")
            #expect(answer == Self.failure("Internal error: the application could not decide"))
        }
    }

    @Test func otherNodesThatDoNotAnswerAreAnInternalError() async throws {
        try await TestCluster.run(nodes: 2, configuration: Self.open) { cluster in
            let client = try await cluster[0].join()
            cluster.bus.silence(1)
            let payload: JSONValue = ["to": "AAAAAAAAAAAAAAAAAAAA", "message": "hi"]
            #expect(
                try await client.call("private-message", payload)
                    == Self.failure("Internal error: not every node of the cluster has answered in time")
            )
        }
    }

    /// Whatever is sent gets an answer, and the client stays connected.
    @Test(arguments: [
        "join-room", "leave-room", "get-rooms", "subscribe-entity", "unsubscribe-entity", "get-entity-subscriptions",
        "private-message",
    ])
    func hostilePayloadsAreAnswered(_ event: String) async throws {
        var deep: JSONValue = 1
        for _ in 0..<60 { deep = ["uid": deep] }
        let long = JSONValue.string(String(repeating: "a", count: 100_000))
        let payloads: [JSONValue] = [
            .null, true, 0, -1, 1e300, "", "x", long, [], [[]], [:], deep, ["uid": long, "id": long],
            ["uid": [:], "id": [:]],
            ["uid": "api::article.article", "id": deep], ["uid": "api::article.article", "id": 1e300],
            ["uid": "api::article.article", "id": "__proto__"], ["to": deep, "message": deep], ["__proto__": [:]],
            "\u{0}", "💥", ["to": long, "message": long], ["uid": "api::article.article", "id": "\u{0}"],
        ]
        try await TestCluster.run(configuration: Self.open) { cluster in
            let client = try await cluster[0].join()
            for payload in payloads {
                let answer = try await client.call(event, payload, payload, payload)
                #expect(answer["success"]?.boolValue != nil)
                if answer["success"] == false { #expect(answer["error"]?.stringValue?.isEmpty == false) }
                // Without an acknowledgement nothing is sent back.
                try await client.emit(event, payload)
            }
            #expect(try await client.call("get-rooms")["success"] == true)
            #expect(try await cluster.received(by: [client]) == [[]])
        }
    }
}
