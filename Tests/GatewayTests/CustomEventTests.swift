import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Events that are not the gateway's own: who handles them, and what clients are told.
@Suite(.timeLimit(.minutes(1))) struct CustomEventTests {
    private static func configuration(
        _ events: [CustomEvent],
        _ change: (inout GatewayConfiguration) -> Void = { _ in }
    ) -> GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        for index in configuration.roles.indices { configuration.roles[index].joinPolicy = ["*"] }
        configuration.customEvents = events
        configuration.webhooks = [
            Webhook(name: "backend", url: "https://backend.example/hooks", secret: WebhookTests.secret)
        ]
        change(&configuration)
        return configuration
    }

    private static let silent = ScriptedHTTP(json: { _ in [:] })

    private static func failure(_ message: String) -> JSONValue { ["success": false, "error": .string(message)] }

    private static func relay(_ name: String = "chat", _ change: (inout CustomEvent) -> Void = { _ in }) -> CustomEvent
    {
        var event = CustomEvent(name: name, handling: .relay)
        change(&event)
        return event
    }

    // MARK: Names

    @Test func whatNobodyHandlesIsAnsweredAtOnce() async throws {
        var configuration = Self.configuration([CustomEvent(name: "noise")])
        configuration.namespaces = [GatewayNamespace(name: "admin")]
        try await TestCluster.run(configuration: configuration, outgoing: Self.silent) { cluster in
            let client = try await cluster[0].join()
            for name in ["nothing", "connection", "connect_errors", "", "__proto__", "noise\u{301}"] {
                #expect(try await client.call(name, 1) == Self.failure("Unknown event"), "\(name)")
            }
            #expect(try await client.call("noise") == ["success": true])
            #expect(try await client.call("get-rooms")["success"] == true)
            let other = try await TestClient.join("/admin", at: cluster[0].address)
            try await other.send("42/admin,5[\"nothing\"]")
            #expect(await other.packet() == .acknowledgement(5, [Self.failure("Unknown event")]))
        }
    }

    /// What the application itself handles on the server is its own.
    @Test func theApplicationsOwnHandlersComeFirst() async throws {
        try await TestCluster.run(configuration: Self.configuration([]), outgoing: Self.silent) { cluster in
            cluster[0].io.server.on("mine") { (_: Socket) in "mine" }
            let client = try await cluster[0].join()
            #expect(try await client.call("mine") == "mine")
        }
    }

    @Test func aNewConfigurationHoldsForTheNextEvent() async throws {
        try await TestCluster.run(configuration: Self.configuration([]), outgoing: Self.silent) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("noise") == Self.failure("Unknown event"))
            try await cluster[0].io.reload(Self.configuration([CustomEvent(name: "noise")]))
            #expect(try await client.call("noise") == ["success": true])
            try await cluster[0].io.reload(Self.configuration([]))
            #expect(try await client.call("noise") == Self.failure("Unknown event"))
        }
    }

    // MARK: Checks

    @Test func rolesRatesAndSizesHoldForEveryKind() async throws {
        var event = CustomEvent(name: "e")
        event.roles = ["Editor"]
        event.rate = RateLimit(perSecond: 1, burst: 2)
        event.maximumBytes = 40
        try await TestCluster.run(configuration: Self.configuration([event]), outgoing: Self.silent) { cluster in
            let visitor = try await cluster[0].join()
            let token = try await cluster[0].join(apiToken("Full"))
            for client in [visitor, token] {
                #expect(try await client.call("e") == Self.failure("Permission denied"))
            }
            let editor = try await cluster[0].join(user(1, role: "editor"))
            let long = JSONValue.string(String(repeating: "x", count: 41))
            #expect(try await editor.call("e", long) == Self.failure("Event is too long"))
            #expect(try await editor.call("e", 1) == ["success": true])
            let limited = try await editor.call("e")
            #expect(limited["error"] == "Rate limit exceeded")
            #expect((limited["retryAfter"]?.intValue ?? 0) > 0)
            // One client's haste is not another's.
            #expect(try await cluster[0].join(user(2, role: "editor")).call("e") == ["success": true])
        }
    }

    @Test func aSchemaSaysWhatIsWrongAndWhere() async throws {
        var event = CustomEvent(name: "e")
        event.schema = [
            "type": "object", "required": ["text"], "properties": ["text": ["type": "string", "maxLength": 3]],
        ]
        try await TestCluster.run(configuration: Self.configuration([event]), outgoing: Self.silent) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("e", ["text": "abc"]) == ["success": true])
            for (payload, path) in [
                (["text": 5], "/text"), (["text": "abcd"], "/text"), ([:], ""), (5, ""), (nil, ""),
            ] as [(JSONValue, String)] {
                let refusal = try await client.call("e", payload)
                #expect(refusal["error"] == "Invalid payload")
                #expect(refusal["violations"]?[0]?["path"] == .string(path), "\(payload)")
                #expect(refusal["violations"]?[0]?["message"]?.stringValue?.isEmpty == false)
            }
            #expect(try await client.call("e", ["text": "abc"], 2)["error"] == "Invalid payload")
            #expect(try await client.call("e")["error"] == "Invalid payload")
        }
    }

    // MARK: Relays

    @Test func membersOfARoomTalkWithoutABackEnd() async throws {
        let relay = Self.relay { $0.relay.fields = ["text"] }
        let configuration = Self.configuration([relay])
        try await TestCluster.run(nodes: 2, configuration: configuration, outgoing: Self.silent) { cluster in
            let ada = try await cluster[0].join(user(1, role: "editor"))
            let bob = try await cluster[1].join(user(2, role: "editor"))
            let eve = try await cluster[1].join()
            for client in [ada, bob] { #expect(try await client.call("join-room", "tea")["success"] == true) }
            let sent = try await ada.call("chat", ["room": "tea", "text": "Hello", "from": "the queen"])
            #expect(sent == Self.failure("Field not allowed: from"))
            #expect(try await ada.call("chat", ["room": "tea", "text": "Hello"]) == ["success": true])
            #expect(
                try await bob.event("chat") == [
                    [
                        "room": "tea", "text": "Hello",
                        "from": ["id": .string(ada.id), "userId": 1, "username": "user-1"], "timestamp": 500_000,
                    ]
                ]
            )
            for (payload, error) in [
                (["room": "tea"], "Not a member of the room"), (["room": "io-role-public"], "Room name is reserved"),
                (["room": .string(eve.id)], "Room name is reserved"), (["room": 5], "Invalid room name"),
                ([:], "Invalid room name"), ("tea", "Invalid payload"), ([1], "Invalid payload"),
            ] as [(JSONValue, String)] {
                #expect(try await eve.call("chat", payload) == Self.failure(error), "\(payload)")
            }
            #expect(try await eve.call("chat") == Self.failure("Invalid payload"))
            let received = try await cluster.received(by: [ada, bob, eve])
            #expect(received.allSatisfy { !$0.contains { if case .event("chat", _) = $0 { true } else { false } } })
        }
    }

    @Test func aRelayMayHaveARoomAndANameOfItsOwn() async throws {
        let open = Self.relay("shout") {
            $0.relay.room = "square"
            $0.relay.requiresMembership = false
            $0.relay.event = "shouted"
            $0.relay.includesSender = true
        }
        let closed = Self.relay("whisper") { $0.relay.room = "square" }
        try await TestCluster.run(configuration: Self.configuration([open, closed]), outgoing: Self.silent) { cluster in
            let inside = try await cluster[0].join()
            let outside = try await cluster[0].join()
            #expect(try await inside.call("join-room", "square")["success"] == true)
            #expect(try await outside.call("shout", ["any": 1, "from": 5, "timestamp": "x"]) == ["success": true])
            let shouted = try await inside.event("shouted")
            #expect(shouted[0]["any"] == 1)
            #expect(shouted[0]["from"] == ["id": .string(outside.id)])
            #expect(shouted[0]["timestamp"] == 500_000)
            #expect(try await inside.call("shout", [:]) == ["success": true])
            #expect(try await inside.event("shouted")[0]["from"] == ["id": .string(inside.id)])
            #expect(try await outside.call("whisper", [:]) == Self.failure("Not a member of the room"))
            #expect(try await inside.call("whisper", [:]) == ["success": true])
        }
    }

    // MARK: Functions

    @Test func functionsAnswerEvents() async throws {
        struct Broken: Error {}
        var application = GatewayApplication()
        application.handlers["sum"] = { call in
            .acknowledge(.int(call.arguments.compactMap(\.intValue).reduce(0, +)))
        }
        application.handlers["who"] = { .acknowledge(.string($0.principal.role?.type ?? "")) }
        application.handlers["no"] = { _ in throw RejectedEvent("Never", data: ["why": "because"]) }
        application.handlers["broken"] = { _ in throw Broken() }
        application.handlers["tell"] = { _ in
            var reply = EventReply()
            reply.join = ["told"]
            reply.emissions = [.init("news", ["n"], to: .everybody), .init("to-me", [])]
            reply.data = ["told": true]
            return reply
        }
        application.handlers["out"] = { _ in
            var reply = EventReply.acknowledge("bye")
            reply.disconnection = "Enough"
            return reply
        }
        let members = CustomEvent(name: "who")
        var editorsOnly = members
        editorsOnly.roles = ["editor"]
        try await TestCluster.run(
            nodes: 2,
            configuration: Self.configuration([editorsOnly]),
            application: application,
            outgoing: Self.silent
        ) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor"))
            let other = try await cluster[1].join()
            #expect(try await client.call("sum", 1, 2, 3) == 6)
            #expect(try await client.call("who") == "editor")
            #expect(try await other.call("who") == Self.failure("Permission denied"))
            #expect(try await client.call("no") == ["success": false, "error": "Never", "data": ["why": "because"]])
            #expect(try await client.call("broken") == Self.failure("Internal error: the application could not decide"))
            #expect(try await client.call("tell") == ["success": true])
            #expect(try await other.event("news") == ["n"])
            #expect(try await client.event("to-me") == [])
            #expect(try await client.call("get-rooms")["rooms"]?.arrayValue?.contains("told") == true)
            #expect(try await client.call("out") == "bye")
            #expect(try await client.event("io:disconnect") == [["reason": "Enough"]])
        }
    }

    @Test func functionsHearOfClientsThatComeAndGo() async throws {
        let left = NIOLockedValueBox<[String]>([])
        let (departures, departed) = AsyncStream.makeStream(of: Void.self)
        var application = GatewayApplication()
        application.handlers["connection"] = { call in
            guard call.principal.isAuthenticated else { return .refuse("Log in", data: ["code": 401]) }
            var reply = EventReply()
            reply.data = ["plan": "pro"]
            reply.join = ["lounge"]
            reply.emissions = [.init("welcome", ["hello"])]
            return reply
        }
        application.handlers["disconnect"] = { call in
            left.withLockedValue { $0.append(call.arguments.first?.stringValue ?? "") }
            departed.yield()
            return EventReply()
        }
        let initialized = NIOLockedValueBox(0)
        application.initialize = { io in
            initialized.withLockedValue { $0 += 1 }
            io.server.sockets.use { socket in
                if socket.handshake.auth["early"] != nil { throw ConnectError("before the gateway") }
            }
        }
        let configuration = Self.configuration([])
        try await TestCluster.run(configuration: configuration, application: application, outgoing: Self.silent) {
            cluster in
            #expect(initialized.withLockedValue { $0 } == 1)
            await #expect(throws: TestClient.Refused(message: "before the gateway")) {
                try await cluster[0].join(["early": true, "token": "wrong"])
            }
            let refused = try await TestClient.connect(to: cluster[0].address)
            try await refused.send("40")
            #expect(await refused.packet() == .refused(["message": "Log in", "data": ["code": 401]]))
            let client = try await cluster[0].join(user(1, role: "editor"))
            #expect(try await client.event("welcome") == ["hello"])
            let id = try #require(SocketID(client.id))
            let socket = try #require(await cluster[0].io.server.sockets.socket(id))
            #expect(socket.data["plan"] == "pro")
            #expect(socket.data["role"] == "editor")
            #expect(socket.rooms.contains("lounge"))
            try await client.send("41")
            for await _ in departures { break }
            #expect(left.withLockedValue { $0 } == ["client namespace disconnect"])
        }
    }

    /// In event mode the application is asked when a client has authenticated, and hears of nobody else.
    @Test func theApplicationIsAskedWhenClientsAuthenticate() async throws {
        let asked = NIOLockedValueBox<[String]>([])
        var application = GatewayApplication()
        application.handlers["connection"] = { call in
            asked.withLockedValue { $0.append("in \(call.principal.user?.username ?? "")") }
            var reply = call.principal.user?.id == 2 ? EventReply.refuse("Not you") : EventReply()
            reply.emissions = [.init("welcome", [])]
            return reply
        }
        application.handlers["disconnect"] = { call in
            asked.withLockedValue { $0.append("out") }
            return EventReply()
        }
        let configuration = Self.configuration([]) { $0.authentication.mode = .event }
        try await TestCluster.run(configuration: configuration, application: application, outgoing: Self.silent) {
            cluster in
            let first = try await cluster[0].join()
            #expect(try await first.call("nothing") == Self.failure("Not authenticated"))
            #expect(try await first.call("authenticate", user(1, role: "editor"))["success"] == true)
            #expect(try await first.event("welcome") == [])
            let second = try await cluster[0].join()
            try await second.emit("authenticate", user(2, role: "editor"))
            #expect(try await second.event("unauthenticated")[0]["message"] == "Not you")
            #expect(asked.withLockedValue { $0 } == ["in user-1", "in user-2"])
        }
    }

    // MARK: Configuration

    @Test func mistakesAreFound() throws {
        func problems(_ events: [CustomEvent], _ change: (inout GatewayConfiguration) -> Void = { _ in }) -> [String] {
            Self.configuration(events, change).validate().map(\.path)
        }
        #expect(problems([CustomEvent(name: "a", handling: .webhook, webhook: "backend"), Self.relay()]) == [])
        #expect(problems([CustomEvent(name: "connection", handling: .webhook, webhook: "backend")]) == [])
        for name in ["join-room", "private-message", "authenticate", "connect", "disconnecting", ""] {
            #expect(problems([CustomEvent(name: name)]) == ["customEvents[0].name"], "\(name)")
        }
        #expect(problems([CustomEvent(name: "a"), CustomEvent(name: "a")]) == ["customEvents[1].name"])
        #expect(problems([CustomEvent(name: "a", handling: .webhook)]) == ["customEvents[0].webhook"])
        #expect(problems([CustomEvent(name: "disconnect", handling: .relay)]) == ["customEvents[0].handle"])
        #expect(problems([Self.relay { $0.schema = ["type": "magic"] }]) == ["customEvents[0].schema"])
        #expect(problems([Self.relay { $0.roles = ["nothing"] }]) == ["customEvents[0].roles"])
        #expect(problems([Self.relay { $0.relay.room = "" }]) == ["customEvents[0].relay.room"])
        #expect(problems([Self.relay { $0.relay.event = "connect" }]) == ["customEvents[0].relay.event"])
        #expect(problems([]) { $0.webhooks[0].url = "ftp://x" } == ["webhooks[0].url"])
        #expect(problems([]) { $0.webhooks[0].secret = "short" } == ["webhooks[0].secret"])
        #expect(problems([]) { $0.webhooks[0].previousSecret = "short" } == ["webhooks[0].previousSecret"])
        #expect(problems([]) { $0.webhooks[0].batch = 0 } == ["webhooks[0].batch"])
        #expect(problems([]) { $0.webhooks[0].timeout = .zero } == ["webhooks[0].timeout"])
        // No secret is ever shown.
        let shown = Self.configuration([]) { $0.webhooks[0].secret = "my password" }.validate()
        #expect(!"\(shown)".utf8.elementsEqual("my password".utf8) && !"\(shown)".contains("my password"))
    }

    @Test func webhooksNeedSomethingThatSends() async throws {
        await #expect(throws: GatewayError.self) {
            try await TestCluster.run(configuration: Self.configuration([])) { _ in }
        }
        var application = GatewayApplication()
        application.handlers["join-room"] = { _ in EventReply() }
        await #expect(throws: GatewayError.self) {
            try await TestCluster.run(application: application) { _ in }
        }
    }
}
