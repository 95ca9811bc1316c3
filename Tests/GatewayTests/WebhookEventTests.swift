import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Events of clients that webhooks answer, and webhooks that behave badly.
@Suite(.timeLimit(.minutes(1))) struct WebhookEventTests {
    private static func configuration(_ change: (inout GatewayConfiguration) -> Void = { _ in }) -> GatewayConfiguration
    {
        var configuration = Samples.configuration
        var webhook = Webhook(name: "backend", url: "https://backend.example/hooks", secret: WebhookTests.secret)
        webhook.retryDelay = .milliseconds(1)
        webhook.maximumRetryDelay = .milliseconds(2)
        configuration.webhooks = [webhook]
        configuration.customEvents = [CustomEvent(name: "order", handling: .webhook, webhook: "backend")]
        change(&configuration)
        return configuration
    }

    private static func hook(_ name: String) -> CustomEvent {
        CustomEvent(name: name, handling: .webhook, webhook: "backend")
    }

    static let unusable = "Internal error: the application's answer cannot be used"

    private static func failure(_ message: String) -> JSONValue { ["success": false, "error": .string(message)] }

    @Test func whatAWebhookAnswersIsTheAcknowledgement() async throws {
        let http = ScriptedHTTP(json: { ["got": $0["data"]?["args"] ?? .null] })
        let clock: @Sendable () -> Double = { 1_000_000 }
        try await TestCluster.run(configuration: Self.configuration(), outgoing: http, clock: clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor"))
            #expect(try await client.call("order", ["item": "tea"], 2) == ["got": [["item": "tea"], 2]])
            let request = try #require(http.requests.first)
            #expect(request.method == .post)
            #expect(request.url.description == "https://backend.example/hooks")
            #expect(request.maximumRedirects == 0)
            let body = try #require(request.body)
            let signer = try #require(WebhookSigner(secrets: [WebhookTests.secret]))
            let id = try #require(request.header("webhook-id"))
            #expect(!id.utf8.contains(UInt8(ascii: ".")))
            #expect(request.header("webhook-timestamp") == "1000000")
            let signature = signer.signature(id: id, timestamp: 1_000_000, body: body)
            #expect(request.header("webhook-signature") == signature)
            let json = request.json
            #expect(json["type"] == "order")
            #expect(json["timestamp"] == "1970-01-12T13:46:40.000Z")
            #expect(json["data"]?["expectsAnswer"] == true)
            let socket = json["data"]?["socket"]
            #expect(socket?["id"] == .string(client.id))
            #expect(socket?["userId"] == 1)
            #expect(socket?["role"] == "editor")
            #expect(socket?["node"] == "node-0")
        }
    }

    @Test func answersDoThings() async throws {
        let http = ScriptedHTTP(json: { _ in
            [
                "ack": "done", "join": "orders", "data": ["orders": 1],
                "emit": [["event": "new-order", "data": 7, "everybody": true, "exceptClient": true]],
            ]
        })
        try await TestCluster.run(nodes: 2, configuration: Self.configuration(), outgoing: http) { cluster in
            let client = try await cluster[0].join()
            let other = try await cluster[1].join()
            #expect(try await client.call("order") == "done")
            #expect(try await other.event("new-order") == [7])
            #expect(try await client.call("get-rooms")["rooms"] == ["io-role-public", "orders"])
        }
    }

    /// The room of another's id is where that one's messages go, and no webhook puts a client there.
    @Test func noAnswerPutsAClientIntoAnothersRoom() async throws {
        let victim = NIOLockedValueBox("")
        let http = ScriptedHTTP(json: { _ in ["join": .string(victim.withLockedValue { $0 })] })
        try await TestCluster.run(nodes: 2, configuration: Self.configuration(), outgoing: http) { cluster in
            let other = try await cluster[1].join()
            victim.withLockedValue { $0 = other.id }
            let client = try await cluster[0].join()
            #expect(try await client.call("order") == Self.failure(Self.unusable))
            // A name of the same form that is no id is as good as any.
            victim.withLockedValue { $0 = "general-announcement" }
            #expect(try await client.call("order") == ["success": true])
            #expect(try await client.call("get-rooms")["rooms"] == ["general-announcement", "io-role-public"])
        }
    }

    // MARK: Bad webhooks

    @Test(arguments: [
        ("redirect", WebhookEventTests.unusable), ("nonsense", WebhookEventTests.unusable),
        ("elevate", WebhookEventTests.unusable), ("long", WebhookEventTests.unusable),
        ("forbidden", WebhookEventTests.unusable), ("no", "The application has refused the event"),
        ("down", "The application is not available"),
    ]) func badAnswersBecomeRefusals(_ kind: String, _ error: String) async throws {
        let http = ScriptedHTTP { request, _ in
            switch kind {
            case "redirect":
                return OutgoingResponse(
                    status: 307,
                    headers: [.init("location", "http://169.254.169.254/latest/meta-data/")]
                )
            case "nonsense":
                return OutgoingResponse(
                    status: 200,
                    headers: [.init("content-type", "application/json")],
                    body: ByteBuffer(string: "{\"ack\":")
                )
            case "elevate": return .json(["data": ["kind": "operator"]])
            // What sends requests ought to have cut it off.
            case "long": return .json(.string(String(repeating: "x", count: 10_000_000)))
            case "forbidden":
                throw OutgoingError(.forbiddenAddress, "the address is not allowed", mayHaveArrived: false)
            case "no": return OutgoingResponse(status: 403)
            default: throw OutgoingError(.unreachable, "nobody listens", mayHaveArrived: false)
            }
        }
        try await TestCluster.run(
            configuration: Self.configuration { $0.webhooks[0].attempts = 3 },
            outgoing: http
        ) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("order") == Self.failure(error))
            // Only what may be otherwise another time is tried again.
            #expect(http.requests.count == (kind == "down" ? 3 : 1))
            #expect(Set(http.requests.compactMap { $0.header("webhook-id") }).count == 1)
        }
    }

    @Test func whatMayBeOtherwiseIsTriedAgain() async throws {
        let http = ScriptedHTTP { _, number in
            switch number {
            case 1: throw OutgoingError(.timedOut, "no answer in time", mayHaveArrived: true)
            case 2: OutgoingResponse(status: 503)
            default: .json(.string("at last"))
            }
        }
        try await TestCluster.run(configuration: Self.configuration(), outgoing: http) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("order") == "at last")
            #expect(http.requests.count == 3)
        }
    }

    /// A webhook that never answers: the client is told, other events of other kinds are not kept waiting.
    @Test func aWebhookThatHangsKeepsNobodyWaiting() async throws {
        let http = ScriptedHTTP { _, _ in
            await ScriptedHTTP.hang()
            return OutgoingResponse(status: 200)
        }
        let configuration = Self.configuration { $0.webhooks[0].answerTimeout = .milliseconds(50) }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            let client = try await cluster[0].join()
            try await client.emit("order", 1)
            #expect(try await client.call("get-rooms")["success"] == true)
            #expect(try await client.call("order") == Self.failure("The application has not answered in time"))
        }
    }

    @Test func aWebhookThatFailsGetsARest() async throws {
        let http = ScriptedHTTP { _, _ in OutgoingResponse(status: 500) }
        let configuration = Self.configuration {
            $0.webhooks[0].attempts = 1
            $0.webhooks[0].failuresBeforeRest = 2
            $0.webhooks[0].rest = .minutes(10)
        }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            let client = try await cluster[0].join()
            for _ in 0..<2 {
                #expect(try await client.call("order") == Self.failure("The application is not available"))
            }
            let refusal = try await client.call("order")
            #expect(refusal["error"] == "The application is not available")
            #expect((refusal["retryAfter"]?.intValue ?? 0) > 60_000)
            #expect(http.requests.count == 2)
        }
    }

    @Test func whatWaitsIsLimited() async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        let http = ScriptedHTTP { _, _ in
            arrived.yield()
            await ScriptedHTTP.hang()
            return .json(.string("ok"))
        }
        let configuration = Self.configuration {
            $0.webhooks[0].maximumEventsPerClient = 2
            $0.webhooks[0].concurrency = 1
        }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            let client = try await cluster[0].join()
            try await client.emit("order", 1)
            for await _ in arrivals { break }
            // One is under way, and two wait.
            for _ in 0..<2 { try await client.emit("order", 1) }
            let refusal = try await client.call("order")
            #expect(refusal["error"] == "Too many events wait for the application")
            #expect(refusal["retryAfter"] == 1000)
        }
    }

    // MARK: Batches

    @Test func eventsOfOneTurnTravelTogether() async throws {
        let http = ScriptedHTTP(json: { body in
            let events = body["data"]?.arrayValue ?? []
            let answers = events.compactMap { event -> (UTF8Text, JSONValue)? in
                guard let id = event["id"]?.stringValue else { return nil }
                return (UTF8Text(id), ["echo": event["event"]?["data"]?["args"]?[0] ?? .null])
            }
            return ["answers": .object(JSONObject(uniqueKeysWithValues: answers))]
        })
        let configuration = Self.configuration {
            $0.webhooks[0].batch = 100
            $0.customEvents[0].rate = RateLimit(perSecond: 1000)
        }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            let client = try await cluster[0].join()
            for number in 0..<50 { try await client.send("42\(100 + number)[\"order\",\(number)]") }
            var answers: [JSONValue] = []
            while answers.count < 50 {
                guard case .acknowledgement(let id, let values) = await client.packet() else { continue }
                #expect(values == [["echo": .int(id - 100)]])
                answers.append(values[0])
            }
            // They come in their order, and in few requests.
            #expect(answers == (0..<50).map { ["echo": .int($0)] })
            #expect(http.requests.count < 50)
            #expect(http.requests.allSatisfy { $0.json["type"] == "batch" })
        }
    }

    @Test func anEventThatABatchDoesNotAnswerIsAcknowledged() async throws {
        let lies = NIOLockedValueBox<JSONValue>(["answers": [:]])
        let http = ScriptedHTTP(json: { _ in lies.withLockedValue { $0 } })
        try await TestCluster.run(configuration: Self.configuration { $0.webhooks[0].batch = 10 }, outgoing: http) {
            cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("order") == ["success": true])
            for lie in [["answers": 5], [1, 2], "x"] as [JSONValue] {
                lies.withLockedValue { $0 = lie }
                #expect(try await client.call("order") == Self.failure(Self.unusable))
            }
        }
    }

    // MARK: Clients that come and go

    @Test func connectionsAreDecidedByAWebhook() async throws {
        let (departures, departed) = AsyncStream.makeStream(of: JSONValue.self)
        let http = ScriptedHTTP(json: { body in
            let socket = body["data"]?["socket"]
            if body["type"] == "disconnect" {
                departed.yield(body["data"] ?? .null)
                return [:]
            }
            guard let id = socket?["userId"]?.intValue else {
                return ["refuse": ["message": "Log in", "data": ["code": 401]]]
            }
            return [
                "data": ["plan": "pro"], "join": ["lounge"], "emit": [["event": "welcome", "data": .int(id)]],
            ]
        })
        let configuration = Self.configuration {
            $0.customEvents = [Self.hook("connection"), Self.hook("disconnect")]
        }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            let refused = try await TestClient.connect(to: cluster[0].address)
            try await refused.send("40")
            #expect(await refused.packet() == .refused(["message": "Log in", "data": ["code": 401]]))
            let auth = user(7, role: "editor")
            let client = try await cluster[0].join(auth)
            #expect(try await client.event("welcome") == [7])
            let found = try await cluster[0].io.getSocketsInRoom("lounge")
            #expect(found.map(\.id) == [client.id])
            let request = try #require(http.requests.last)
            // The credentials stay here.
            let text = String(buffer: request.body ?? ByteBuffer())
            #expect(!text.contains(auth["token"]?.stringValue ?? "?"))
            #expect(request.json["data"]?["handshake"]?["secure"] == false)
            try await client.send("41")
            for await departure in departures {
                #expect(departure["reason"] == "client namespace disconnect")
                #expect(departure["socket"]?["userId"] == 7)
                break
            }
        }
    }

    @Test(arguments: [true, false]) func aWebhookThatIsAwayLetsInWhomTheConfigurationSays(_ admits: Bool) async throws {
        let http = ScriptedHTTP { _, _ in OutgoingResponse(status: 500) }
        let configuration = Self.configuration {
            $0.webhooks[0].attempts = 2
            $0.customEvents = [Self.hook("connection")]
            $0.customEvents[0].admitsWhenUnavailable = admits
        }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            guard admits else {
                await #expect(throws: TestClient.Refused(message: "The application is not available")) {
                    try await cluster[0].join()
                }
                return
            }
            let client = try await cluster[0].join()
            #expect(try await client.call("get-rooms")["success"] == true)
        }
    }

    /// A node that ends tells webhooks what waits.
    @Test func theEndWaitsForWebhooks() async throws {
        let http = ScriptedHTTP { _, number in
            // The first attempt fails, so the event waits when the end begins.
            number == 1 ? OutgoingResponse(status: 503) : .json([:])
        }
        let configuration = Self.configuration { $0.customEvents = [Self.hook("disconnect")] }
        try await TestCluster.run(configuration: configuration, outgoing: http) { cluster in
            _ = try await cluster[0].join()
            await cluster[0].io.server.disconnectClients()
            await cluster[0].io.finishWebhooks(within: .seconds(30))
            #expect(http.requests.count == 2)
            #expect(http.requests.last?.json["type"] == "disconnect")
        }
        // One that never answers does not keep the node.
        let hanging = ScriptedHTTP { _, _ in
            await ScriptedHTTP.hang()
            return OutgoingResponse(status: 200)
        }
        try await TestCluster.run(configuration: configuration, outgoing: hanging) { cluster in
            _ = try await cluster[0].join()
            await cluster[0].io.server.disconnectClients()
            await cluster[0].io.finishWebhooks(within: .milliseconds(20))
        }
    }

    /// A webhook that is taken out of the configuration gives up what waits for it.
    @Test func webhooksChangeWhileTheNodeRuns() async throws {
        let http = ScriptedHTTP(json: { _ in "ok" })
        try await TestCluster.run(configuration: Self.configuration(), outgoing: http) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("order") == "ok")
            var configuration = Self.configuration()
            configuration.webhooks[0].url = "https://other.example/"
            try await cluster[0].io.reload(configuration)
            #expect(try await client.call("order") == "ok")
            #expect(http.requests.map(\.url.host) == ["backend.example", "other.example"])
            configuration.webhooks = []
            configuration.customEvents = []
            try await cluster[0].io.reload(configuration)
            #expect(try await client.call("order") == Self.failure("Unknown event"))
        }
    }
}
