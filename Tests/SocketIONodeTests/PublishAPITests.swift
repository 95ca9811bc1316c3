import Gateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

private let article = "api::article.article"

/// The API over a node of its own.
struct TestAPI {
    var api: PublishAPI
    var server: SocketServer

    /// The API over a server that listens to nobody yet, with eight tokens; `now` is the time by which they expire.
    static func make(
        adapter: any AdapterFactory = InMemoryAdapterFactory(),
        rememberedEvents: Int = 100,
        now: Double = 1_000_000,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        eventIDs: (any SharedEventIDs)? = nil,
        contentTypes: [ContentType] = [ContentType(uid: article, fields: ["title": .string])],
        _ change: (inout PublishAPI.Configuration) -> Void = { _ in }
    ) async throws -> TestAPI {
        var gateway = GatewayConfiguration()
        gateway.contentTypes = contentTypes
        gateway.namespaces = [GatewayNamespace(name: "chat")]
        gateway.apiTokenSalt = "sixteen bytes and more"
        gateway.events.rememberedEventIDs = rememberedEvents
        func token(_ name: String, _ scopes: String..., expiresAt: Double? = nil, isRevoked: Bool = false) -> APIToken {
            APIToken(
                name: name,
                kind: .custom,
                hash: APIToken.hash(of: "key-of-\(name)", salt: gateway.apiTokenSalt),
                scopes: scopes.compactMap { Scope($0) },
                expiresAt: expiresAt,
                isRevoked: isRevoked
            )
        }
        func token(_ name: String, _ kind: APIToken.Kind) -> APIToken {
            APIToken(name: name, kind: kind, hash: APIToken.hash(of: "key-of-\(name)", salt: gateway.apiTokenSalt))
        }
        gateway.apiTokens = [
            token("all", "io.*"), token("raw", "io.raw"), token("client", "\(article).*"),
            token("old", "io.*", expiresAt: 999_999), token("gone", "io.*", isRevoked: true),
            token("full", .fullAccess), token("reading", .readOnly), token("mover", "io.sockets"),
        ]
        let server = SocketServer(adapter: adapter, logger: logger)
        let io = try await IO.install(on: server, configuration: gateway, logger: logger, clock: { now })
        var configuration = PublishAPI.Configuration()
        configuration.maximumBatch = 10
        configuration.maximumBodyBytes = 1000
        change(&configuration)
        let api = PublishAPI(io: io, configuration: configuration, logger: logger, eventIDs: eventIDs) { path in
            path == "/healthz" ? (status: 200, body: ByteBuffer(string: "{}")) : nil
        }
        return TestAPI(api: api, server: server)
    }

    /// Status and body of the answer to a request of a token.
    func ask(
        _ method: String,
        _ target: String,
        _ body: String = "",
        token: String? = "all"
    ) async -> (status: Int, body: JSONValue) {
        let answer = await self.answer(method, target, body, authorization: token.map { "Bearer key-of-\($0)" })
        return (answer.status, (try? JSONValue(parsing: answer.body.bytes)) ?? .null)
    }

    func answer(
        _ method: String,
        _ target: String,
        _ body: String = "",
        authorization: String?
    ) async -> APIAnswer {
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: target)
        head.headers.add(name: "Host", value: "x")
        head.headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        if let authorization { head.headers.add(name: "Authorization", value: authorization) }
        do {
            return await self.api.answer(try self.api.admit(RequestHead(head)), body: ByteBuffer(string: body))
        } catch {
            return APIAnswer(error)
        }
    }
}

/// An adapter that says what it was told to say about everything that it publishes.
final class ToldAdapterFactory: AdapterFactory {
    private let outcome: NIOLockedValueBox<PublishOutcome>
    private let policies = NIOLockedValueBox<[UnreachablePolicy]>([])

    init(_ outcome: PublishOutcome) { self.outcome = NIOLockedValueBox(outcome) }

    /// With which policies it was asked.
    var askedWith: [UnreachablePolicy] { self.policies.withLockedValue { $0 } }

    func say(_ outcome: PublishOutcome) { self.outcome.withLockedValue { $0 = outcome } }

    func makeAdapter(for host: any AdapterHost) -> any Adapter { Told(factory: self) }

    private struct Told: LonelyAdapter {
        let factory: ToldAdapterFactory

        func publish(
            _ operations: [ClusterOperation],
            whileUnreachable policy: UnreachablePolicy,
            timeout: TimeAmount
        ) async -> PublishOutcome {
            self.factory.policies.withLockedValue { $0.append(policy) }
            return self.factory.outcome.withLockedValue { $0 }
        }

        func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
            guard self.factory.outcome.withLockedValue({ $0 }) != .published else { return [] }
            throw ClusterError(code: .unreachable, message: "the nodes of the cluster can't be counted")
        }
    }
}

/// An adapter whose questions end with an error.
private struct FailingAdapterFactory: AdapterFactory {
    var error: ClusterError

    func makeAdapter(for host: any AdapterHost) -> any Adapter { Failing(error: self.error) }

    private struct Failing: LonelyAdapter {
        let error: ClusterError

        func publish(
            _ operations: [ClusterOperation],
            whileUnreachable policy: UnreachablePolicy,
            timeout: TimeAmount
        ) async -> PublishOutcome { .published }

        func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
            throw self.error
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct PublishAPITests {
    private static let lists = ["/io/rooms/lobby/sockets", "/io/entities/\(article)/1/sockets"]

    /// Who is missing is told with every refusal that nodes are the reason of, and beside what came where that is enough.
    @Test func nodesThatAreMissing() async throws {
        let nodes = [ClusterNode(id: "a1", address: "10.0.0.7:3000"), ClusterNode(id: "b2"), ClusterNode()]
        let missing: JSONValue = [
            ["id": "a1", "address": "10.0.0.7:3000"], ["id": "b2", "address": .null], ["id": .null, "address": .null],
        ]
        let codes: [(ClusterError.Code, Int, JSONValue, isPartial: Bool)] = [
            (.timeout, 504, "timeout", true), (.incomplete, 504, "incomplete", true), (.refused, 503, "refused", true),
            (.unreachable, 503, "cluster_unreachable", false), (.closed, 503, "unavailable", false),
        ]
        for (code, status, name, isPartial) in codes {
            var error = ClusterError(code: code, message: "no answer")
            error.missing = nodes
            error.partialSockets = [SocketDescription(id: "there", handshake: .null, rooms: ["lobby"], data: .null)]
            let api = try await TestAPI.make(adapter: FailingAdapterFactory(error: error))
            for path in Self.lists {
                let refusal = await api.ask("GET", path)
                #expect(refusal.status == status && refusal.body["error"]?["code"] == name)
                #expect(refusal.body["error"]?["message"] == "no answer")
                let told: JSONValue? = isPartial ? .some(missing) : .none
                #expect(refusal.body["error"]?["missing"] == told)
                let part = await api.ask("GET", "\(path)?allowPartial=true")
                #expect(part.status == (isPartial ? 200 : status))
                guard isPartial else { continue }
                #expect(part.body["missing"] == missing && part.body["complete"] == false)
                #expect(part.body["sockets"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == ["there"])
            }
            let batch = await api.ask(
                "POST",
                "/io/batch",
                #"{"operations": [{"method": "GET", "path": "/io/rooms/lobby/sockets?allowPartial=true"}]}"#
            )
            #expect(batch.body["results"]?[0]?["status"] == .int(isPartial ? 200 : status))
        }
    }

    private static let published: JSONValue = ["success": true, "delivery": "published"]

    private static let sending: [(String, String)] = [
        ("raw", #"{"event": "x", "data": 1}"#),
        ("raw", #"{"event": "x", "rooms": ["a", "b"]}"#),
        ("raw", #"{"event": "x", "rooms": [""]}"#),
        ("namespaces/chat/emit", #"{"event": "x"}"#),
        ("namespaces/main/emit", #"{"event": "x", "rooms": ["a"]}"#),
        ("users/7/message", #"{"event": "x"}"#),
        ("users/7/disconnect", #"{"reason": "x"}"#),
        ("entities/api::article.article/1/emit", #"{"event": "x"}"#),
        ("entities/api%3A%3Aarticle.article/%31/emit", #"{"event": "x"}"#),
    ]

    @Test(arguments: Self.sending)
    func sendingSucceeds(path: String, body: String) async throws {
        let answer = try await TestAPI.make().ask("POST", "/io/\(path)", body)
        #expect(answer == (200, Self.published))
    }

    /// 202 for what waits, 503 for what was refused, everywhere and item by item.
    @Test(arguments: Self.sending)
    func theDeliveryIsTold(path: String, body: String) async throws {
        let outcomes: [(PublishOutcome, Int, JSONValue?)] = [
            (.published, 200, "published"), (.queued, 202, "queued"), (.localOnly, 200, "published"),
            (.refused(reason: "full"), 503, nil),
        ]
        for (outcome, status, delivery) in outcomes {
            let api = try await TestAPI.make(adapter: ToldAdapterFactory(outcome))
            let answer = await api.ask("POST", "/io/\(path)", body)
            #expect(answer.status == status, "\(answer.body)")
            #expect(answer.body["delivery"] == delivery)
            if status == 503 { #expect(answer.body["error"]?["code"] == "cluster_unreachable") }
            let batch = await api.ask(
                "POST",
                "/io/batch",
                #"{"operations": [{"path": "/io/\#(path)", "body": \#(body)}]}"#
            )
            #expect(batch.status == 200)
            #expect(batch.body["results"]?[0]?["status"] == .int(status), "\(batch.body)")
        }
    }

    @Test(arguments: UnreachablePolicy.allCases)
    func theAdapterKnowsThePolicy(_ policy: UnreachablePolicy) async throws {
        let adapter = ToldAdapterFactory(.published)
        let api = try await TestAPI.make(adapter: adapter) { $0.whileDisconnected = policy }
        #expect(await api.ask("POST", "/io/raw", #"{"event": "x"}"#) == (200, Self.published))
        #expect(adapter.askedWith == [policy])
    }

    /// While nobody can say whether a socket exists, what may wait waits, and nothing claims success.
    @Test(arguments: [
        ("message", #"{"event": "x"}"#, 202, 503), ("broadcast", #"{"event": "x"}"#, 503, 503),
        ("join", #"{"room": "a"}"#, 503, 503), ("leave", #"{"room": "a"}"#, 503, 503), ("disconnect", "", 503, 503),
    ])
    func socketsThatNobodyKnowsOf(verb: String, body: String, queue: Int, refuse: Int) async throws {
        for (policy, outcome, status) in [
            (UnreachablePolicy.queue, PublishOutcome.queued, queue), (.refuse, .refused(reason: "away"), refuse),
        ] {
            let api = try await TestAPI.make(adapter: ToldAdapterFactory(outcome)) { $0.whileDisconnected = policy }
            let answer = await api.ask("POST", "/io/sockets/AAAAAAAAAAAAAAAAAAAA/\(verb)", body)
            #expect(answer.status == status, "\(answer.body)")
            if status == 503 { #expect(answer.body["error"]?["code"] == "cluster_unreachable") }
        }
    }

    @Test func emittingTellsWhatBecameOfIt() async throws {
        let body = #"{"event": "create", "schema": "api::article.article", "data": {"id": 1, "title": "x"}}"#
        let answer = try await TestAPI.make().ask("POST", "/io/emit", body, token: "all")
        #expect(answer.status == 200)
        #expect(answer.body["success"] == true)
        #expect(answer.body["event"] == "article:create")
        #expect(["sent", "nobodyPermitted"].contains(answer.body["outcome"]?.stringValue))
    }

    @Test(arguments: [
        ("join", #"{"room": "a"}"#), ("leave", #"{"room": "a"}"#), ("message", #"{"event": "x"}"#),
        ("broadcast", #"{"event": "x"}"#), ("disconnect", ""), ("disconnect", "{}"),
    ])
    func socketsThatDoNotExist(verb: String, body: String) async throws {
        let answer = try await TestAPI.make().ask("POST", "/io/sockets/AAAAAAAAAAAAAAAAAAAA/\(verb)", body)
        #expect(answer == (200, ["success": false]))
    }

    @Test func questionsAreAnswered() async throws {
        let api = try await TestAPI.make()
        #expect(await api.ask("GET", "/io/rooms/lobby/sockets") == (200, ["sockets": []]))
        #expect(await api.ask("GET", "/io/entities/api::article.article/1/sockets") == (200, ["sockets": []]))
        for path in Self.lists {
            #expect(await api.ask("GET", "\(path)?allowPartial=false") == (200, ["sockets": []]))
            let whole: JSONValue = ["sockets": [], "complete": true, "missing": []]
            #expect(await api.ask("GET", "\(path)?allowPartial=true") == (200, whole))
            #expect(await api.ask("GET", "\(path)?allowPartial=1").status == 400)
            #expect(await api.ask("GET", "\(path)?allowpartial=true").status == 400)
        }
        let subscriptions = "/io/sockets/AAAAAAAAAAAAAAAAAAAA/subscriptions"
        let notFound: JSONValue = ["success": false, "error": "Socket not found"]
        #expect(await api.ask("GET", subscriptions) == (200, notFound))
        #expect(await api.ask("POST", subscriptions, #"{"uid": "api::article.article", "id": 1}"#) == (200, notFound))
        #expect(await api.ask("DELETE", subscriptions + "?uid=api::article.article&id=1") == (200, notFound))
    }

    // MARK: Who may

    @Test(arguments: [nil, "nobody", "old", "gone"])
    func strangersAreRefused(token: String?) async throws {
        // Also where there is nothing: what exists is told to nobody.
        for target in ["/io/raw", "/io/nothing", "nonsense"] {
            let answer = try await TestAPI.make().ask("POST", target, #"{"event": "x"}"#, token: token)
            #expect(answer.status == 401)
            #expect(answer.body["error"]?["code"] == "unauthorized")
        }
    }

    @Test(arguments: [
        "", "key-of-all", "Basic key-of-all", "Bearer", "Bearer ", "Bearer key-of-al", "Bearer key-of-all ",
        "Bearer \u{212A}ey-of-all", "bearer\u{301} key-of-all",
    ])
    func otherAuthorizationsAreRefused(header: String) async throws {
        let answer = try await TestAPI.make().answer("POST", "/io/raw", "{", authorization: header)
        #expect(answer.status == 401)
        #expect(answer.headers.map(\.name) == ["WWW-Authenticate"])
    }

    @Test func schemeIsNotCaseSensitive() async throws {
        let answer = try await TestAPI.make().answer("GET", "/io/rooms/a/sockets", authorization: "bEARER  key-of-all")
        #expect(answer.status == 200)
    }

    @Test(arguments: [
        ("raw", "raw", 200), ("raw", "namespaces/chat/emit", 200), ("raw", "users/1/message", 403),
        ("raw", "entities/api::a.a/1/emit", 403), ("client", "raw", 403), ("full", "raw", 200), ("reading", "raw", 403),
    ])
    func scopesDecide(token: String, path: String, status: Int) async throws {
        let answer = try await TestAPI.make().ask("POST", "/io/\(path)", #"{"event": "x"}"#, token: token)
        #expect(answer.status == status, "\(answer.body)")
    }

    // MARK: What is wrong

    @Test(
        arguments: [
            ("POST", "/io/raw", "{", 400, "invalid_json"),
            ("POST", "/io/raw", "", 400, "invalid_request"),
            ("POST", "/io/raw", "[]", 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": ""}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": 1}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "disconnect"}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "rooms": [1]}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "rooms": null}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "rooms": "a"}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "receipt": 1}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "eventId": 1}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "eventId": ""}"#, 400, "invalid_request"),
            ("POST", "/io/emit", #"{"event": "create", "data": {}}"#, 400, "invalid_request"),
            (
                "POST", "/io/emit", #"{"event": "create", "schema": "api::b.b", "data": {"id": 1}}"#, 400,
                "invalid_request"
            ),
            ("POST", "/io/emit", #"{"event": "api::article.article.create", "data": {}}"#, 400, "invalid_request"),
            ("POST", "/io/sockets/A/join", #"{"room": ""}"#, 400, "invalid_request"),
            ("POST", "/io/sockets/A/subscriptions", #"{"uid": "api::a.a"}"#, 400, "invalid_request"),
            ("POST", "/io/namespaces/none/emit", #"{"event": "x"}"#, 404, "not_found"),
            ("POST", "/io/namespaces/cha\u{301}t/emit", #"{"event": "x"}"#, 404, "not_found"),
            ("POST", "/", "", 404, "not_found"),
            ("POST", "/io/raw/", #"{"event": "x"}"#, 200, nil),
            ("POST", "/io/raw/more", "", 404, "not_found"),
            ("POST", "/io/%zz", "", 404, "not_found"),
            ("POST", "/io/%ff", "", 404, "not_found"),
            ("GET", "/io/raw", "", 405, "method_not_allowed"),
            ("HEAD", "/io/raw", "", 405, "method_not_allowed"),
            ("PUT", "/io/sockets/A/subscriptions", "", 405, "method_not_allowed"),
            ("GET", "/io/batch", "", 405, "method_not_allowed"),
            ("POST", "/io/batch", "{}", 400, "invalid_request"),
            ("GET", "/io/rooms/a/sockets?limit=1", "", 400, "invalid_request"),
        ] as [(String, String, String, Int, String?)]
    )
    func refusals(method: String, target: String, body: String, status: Int, code: String?) async throws {
        let answer = try await TestAPI.make().ask(method, target, body)
        #expect(answer.status == status, "\(answer.body)")
        #expect(answer.body["error"]?["code"]?.stringValue == code)
    }

    /// A misspelt member that narrows an event down would send it to everybody.
    @Test(arguments: [
        ("raw", #""rom": ["a"]"#, nil), ("raw", #""roooms": ["a"]"#, "'rooms'"),
        ("raw", #""room": "a""#, "'rooms'"), ("raw", #""Data": 1"#, "'data'"),
        ("emit", #""schema": "api::article.article", "rooms": ["a"]"#, nil),
        ("emit", #""schema": "api::article.article", "dta": 1"#, "'data'"),
        ("namespaces/chat/emit", #""romms": ["a"]"#, "'rooms'"), ("users/1/message", #""rooms": []"#, nil),
        ("users/1/disconnect", #""raeson": "x""#, "'reason'"), ("users/1/message", #""eventID": "x""#, "'eventId'"),
        ("sockets/A/message", #""recipt": true"#, "'receipt'"), ("sockets/A/broadcast", #""x": 1"#, nil),
        ("sockets/A/join", #""rooms": []"#, "'room'"), ("sockets/A/leave", #""rom": "x""#, "'room'"),
        ("sockets/A/disconnect", #""x": 1"#, nil), ("sockets/A/subscriptions", #""di": 1"#, "'id'"),
        ("entities/api::article.article/1/emit", #""dat": 1"#, "'data'"),
        ("batch", #""operation": []"#, "'operations'"), ("raw", #""event\u0301": 1"#, "'event'"),
    ])
    func unknownMembersAreErrors(path: String, member: String, hint: String?) async throws {
        let answer = try await TestAPI.make().ask("POST", "/io/\(path)", #"{"event": "x", "room": "y", \#(member)}"#)
        let alone = try await TestAPI.make().ask("POST", "/io/\(path)", "{\(member)}")
        for answer in [answer, alone] {
            #expect(answer.status == 400, "\(answer.body)")
            #expect(answer.body["error"]?["code"] == "invalid_request")
        }
        guard let message = alone.body["error"]?["message"]?.stringValue else {
            Issue.record("no message")
            return
        }
        #expect(message.contains("Did you mean") == (hint != nil), "\(message)")
        if let hint { #expect(message.contains("Did you mean \(hint)"), "\(message)") }
    }

    @Test func anEmptyListIsNobody() async throws {
        let adapter = ToldAdapterFactory(.published)
        let api = try await TestAPI.make(adapter: adapter)
        for path in ["raw", "namespaces/chat/emit", "namespaces/main/emit"] {
            let answer = await api.ask("POST", "/io/\(path)", #"{"event": "x", "rooms": []}"#)
            #expect(answer == (200, ["success": true, "delivery": "none"]))
        }
        #expect(adapter.askedWith.isEmpty)
    }

    @Test func allowedMethodsAreNamed() async throws {
        let answer = try await TestAPI.make().answer(
            "PUT",
            "/io/sockets/A/subscriptions",
            authorization: "Bearer key-of-all"
        )
        #expect(answer.headers.map(\.value) == ["DELETE, GET, POST"])
    }

    @Test func longPathsAreRefused() async throws {
        let path = "/io/sockets/" + String(repeating: "x", count: 1100) + "/message"
        let api = try await TestAPI.make { $0.maximumBodyBytes = 10_000 }
        let body = #"{"event": "x", "eventId": "1"}"#
        #expect(await api.ask("POST", path, body).status == 414)
        let batch = #"{"operations": [{"path": "\#(path)", "body": \#(body)}]}"#
        let answer = await api.ask("POST", "/io/batch", batch)
        #expect(answer.body["results"]?.arrayValue?.first?["status"] == 414)
    }

    @Test func longBodiesAreRefusedByTheirHead() async throws {
        #expect(try await TestAPI.make().ask("POST", "/io/raw", String(repeating: " ", count: 1001)).status == 413)
    }

    @Test func entriesAreNotUsers() async throws {
        let api = try await TestAPI.make()
        #expect(await api.ask("POST", "/io/entities/user/7/emit", #"{"event": "x"}"#).status == 400)
        #expect(await api.ask("GET", "/io/entities/user/7/sockets").status == 400)
    }

    // MARK: Ids

    @Test func repeatedEventsAreDoneOnce() async throws {
        let api = try await TestAPI.make()
        let body = #"{"event": "x", "eventId": "1"}"#
        let first: JSONValue = ["success": true, "delivery": "published", "eventIdScope": "node"]
        #expect(await api.ask("POST", "/io/raw", body).body == first)
        let again: JSONValue = ["success": true, "duplicate": true, "eventIdScope": "node"]
        #expect(await api.ask("POST", "/io/raw", body).body == again)
        // Another route has its own ids, and so has another token.
        #expect(await api.ask("POST", "/io/users/1/message", body).body == first)
        #expect(await api.ask("POST", "/io/users/2/message", body).body == first)
        #expect(await api.ask("POST", "/io/raw", body, token: "raw").body == first)
        #expect(await api.ask("POST", "/io/raw", #"{"event": "x", "eventId": "1\u0301"}"#).body == first)
    }

    /// Whoever is in a room of a role, token, user or entity sees what is meant for others, so moving sockets there needs
    /// a scope of its own.
    @Test(arguments: ["join", "leave"])
    func reservedRoomsNeedAScopeOfTheirOwn(_ verb: String) async throws {
        let api = try await TestAPI.make()
        let path = "/io/sockets/AAAAAAAAAAAAAAAAAAAA/\(verb)"
        for room in ["io-role-public", "io-token-full", "user:7", "\(article):5", "narrow:\(article)"] {
            let body = "{\"room\": \"\(room)\"}"
            let refused = await api.ask("POST", path, body, token: "mover")
            #expect(refused.status == 403)
            #expect(refused.body["error"]?["message"]?.stringValue?.contains("io.audiences") == true)
            #expect(await api.ask("POST", path, body, token: "all").status == 200)
            let batch = "{\"operations\": [{\"path\": \"\(path)\", \"body\": \(body)}]}"
            let results = await api.ask("POST", "/io/batch", batch, token: "mover").body["results"]
            #expect(results?[0]?["status"] == 403)
        }
        for room in ["lobby", "general-announcement"] {
            #expect(await api.ask("POST", path, "{\"room\": \"\(room)\"}", token: "mover").status == 200)
        }
    }

    /// What published nothing uses no id up.
    @Test func failedEventsCanBeTriedAgain() async throws {
        let adapter = ToldAdapterFactory(.refused(reason: "away"))
        let api = try await TestAPI.make(adapter: adapter)
        let id = #""eventId": "1""#
        func isNew(_ path: String, _ members: String) async -> Bool {
            await api.ask("POST", path, "{\(members), \(id)}").body["duplicate"] == nil
        }
        #expect(await api.ask("POST", "/io/raw", "{\"event\": \"x\", \(id)}").status == 503)
        adapter.say(.published)
        #expect(await api.ask("POST", "/io/raw", "{\"event\": \"connect\", \(id)}").status == 400)
        #expect(await isNew("/io/raw", #""event": "x", "rooms": []"#))
        #expect(await isNew("/io/raw", #""event": "x""#))
        #expect(await !isNew("/io/raw", #""event": "x""#))
        let socket = "/io/sockets/AAAAAAAAAAAAAAAAAAAA"
        for _ in 0..<2 {
            #expect(await isNew(socket + "/message", #""event": "x""#))
            #expect(await isNew(socket + "/join", #""room": "x""#))
            #expect(await isNew("/io/emit", #""event": "create", "schema": "api::article.article", "data": null"#))
        }
        // What waits will be published.
        adapter.say(.queued)
        #expect(await isNew("/io/users/1/message", #""event": "x""#))
        #expect(await !isNew("/io/users/1/message", #""event": "x""#))
    }

    @Test func aBatchHasIDsItemByItem() async throws {
        let adapter = ToldAdapterFactory(.published)
        let api = try await TestAPI.make(adapter: adapter)
        let batch = """
            {"eventId": "b", "operations": [
                {"path": "/io/raw", "body": {"event": "x"}},
                {"path": "/io/raw", "body": {"event": "x"}},
                {"path": "/io/raw", "body": {"event": "x", "eventId": "own"}},
                {"path": "/io/raw", "body": {"event": "connect"}},
                {"method": "GET", "path": "/io/rooms/a/sockets"}
            ]}
            """
        for duplicates in [[nil, nil, nil, nil, nil], [true, true, true, nil, nil]] as [[JSONValue?]] {
            let results = await api.ask("POST", "/io/batch", batch).body["results"]?.arrayValue ?? []
            let seen: [JSONValue?] = results.map { $0["body"]?["duplicate"] }
            #expect(seen == duplicates)
            #expect(results.map { $0["status"]?.intValue } == [200, 200, 200, 400, 200])
        }
        #expect(await api.ask("POST", "/io/raw", #"{"event": "x", "eventId": "own"}"#).body["duplicate"] == true)
        #expect(adapter.askedWith.count == 3)
    }

    // MARK: Batches

    @Test func batchesGoOnAfterFailures() async throws {
        let body = """
            {"operations": [
                {"path": "/io/raw", "body": {"event": "x"}},
                {"path": "/io/emit", "body": {"event": "create", "schema": "api::article.article", "data": {"id": 1}}},
                {"path": "/io/batch", "body": {"operations": []}},
                {"method": "GET", "path": "/io/rooms/a/sockets"},
                {"path": "/io/raw", "bdy": {"event": "x"}},
                {"body": {}},
                7
            ]}
            """
        let answer = try await TestAPI.make().ask("POST", "/io/batch", body, token: "raw")
        #expect(answer.status == 200)
        let statuses = answer.body["results"]?.arrayValue?.map { $0["status"]?.intValue }
        #expect(statuses == [200, 403, 404, 403, 400, 400, 400])
    }

    /// An operation that is the same as the one before it but for its method or its path goes where it says.
    @Test func neighboursOfABatchDoNotShareTheirRoutes() async throws {
        let raw = #"{"path": "/io/raw", "body": {"event": "x"}}"#
        let operations = [
            raw, raw, #"{"method": "GET", "path": "/io/raw"}"#, raw, #"{"path": "/io/rooms/a/sockets"}"#,
            #"{"method": "GET", "path": "/io/rooms/a/sockets"}"#, #"{"method": "GET", "path": "/io/rooms/b/sockets"}"#,
            #"{"method": "GET", "path": "/io/rooms/b/sockets?x=1"}"#, #"{"path": "/io/batch"}"#,
            #"{"path": "/io/batch"}"#, #"{"path": "/io/raw?x=1", "body": {"event": "x"}}"#, raw,
        ]
        let body = #"{"operations": ["# + operations.joined(separator: ",") + "]}"
        let api = try await TestAPI.make { $0.maximumBatch = 20 }
        let results = await api.ask("POST", "/io/batch", body).body["results"]?.arrayValue
        let statuses = results?.map { $0["status"]?.intValue }
        #expect(statuses == [200, 200, 405, 200, 405, 200, 200, 400, 404, 404, 400, 200])
    }

    @Test func batchesAreBounded() async throws {
        let operations = Array(repeating: #"{"path": "/io/raw", "body": {"event": "x"}}"#, count: 11)
        let body = #"{"operations": ["# + operations.joined(separator: ",") + "]}"
        #expect(try await TestAPI.make().ask("POST", "/io/batch", body).status == 400)
        #expect(try await TestAPI.make { $0.maximumBatch = 11 }.ask("POST", "/io/batch", body).status == 200)
        let short = try await TestAPI.make { configuration in
            configuration.maximumBatch = 11
            configuration.maximumAnswerBytes = 200
        }
        let results = await short.ask("POST", "/io/batch", body).body["results"]?.arrayValue
        #expect(results?.first?["status"] == 200)
        #expect(results?.last?["status"] == 422)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct HTTPCallTests {
    @Test(arguments: [
        ("nonsense", "is no URL"), ("https://127.0.0.1:1", "is not http"), ("http://127.0.0.1:1", "no node answers at"),
    ])
    func failuresAreExplained(url: String, text: String) async throws {
        let error = await #expect(throws: HTTPCall.Failure.self) {
            _ = try await HTTPCall(method: .GET, url: url).run()
        }
        #expect(error?.description.contains(text) == true)
    }
}
