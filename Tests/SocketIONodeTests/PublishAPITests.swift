import Gateway
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import SocketIOServer
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

private let salt = "sixteen bytes and more"
private let article = "api::article.article"

/// The API over a node without any client.
private func makeAPI(
    maximumBatch: Int = 10,
    rememberedEvents: Int = 100,
    bodyTimeout: TimeAmount = .seconds(30),
    maximumConnections: Int = 100,
    now: Double = 1_000_000
) async throws -> PublishAPI {
    var gateway = GatewayConfiguration()
    gateway.contentTypes = [ContentType(uid: article, fields: ["title": .string])]
    gateway.namespaces = [GatewayNamespace(name: "chat")]
    let server = SocketServer()
    let io = try await IO.install(on: server, configuration: gateway)
    func token(_ name: String, _ scopes: String..., expiresAt: Double? = nil, isRevoked: Bool = false) -> APIToken {
        APIToken(
            name: name,
            kind: .custom,
            hash: APIToken.hash(of: "key-of-\(name)", salt: salt),
            scopes: scopes.compactMap { Scope($0) },
            expiresAt: expiresAt,
            isRevoked: isRevoked
        )
    }
    var configuration = PublishAPI.Configuration(
        tokens: [
            token("all", "io.*"), token("raw", "io.raw"), token("client", "\(article).*"),
            token("old", "io.*", expiresAt: 999_999), token("gone", "io.*", isRevoked: true),
            APIToken(name: "full", kind: .fullAccess, hash: APIToken.hash(of: "key-of-full", salt: salt)),
            APIToken(name: "reading", kind: .readOnly, hash: APIToken.hash(of: "key-of-reading", salt: salt)),
        ],
        tokenSalt: salt
    )
    configuration.maximumBatch = maximumBatch
    configuration.rememberedEvents = rememberedEvents
    configuration.maximumBodyBytes = 1000
    configuration.bodyTimeout = bodyTimeout
    configuration.maximumConnections = maximumConnections
    return PublishAPI(io: io, configuration: configuration, logger: Logger(label: "test"), now: { now })
}

extension PublishAPI {
    /// Status and body of the answer to a request of a token.
    fileprivate func ask(
        _ method: String,
        _ target: String,
        _ body: String = "",
        token: String? = "all"
    ) async -> (status: Int, body: JSONValue) {
        let answer = await self.respond(
            method: method,
            target: target,
            authorization: token.map { "Bearer key-of-\($0)" },
            body: { ByteBuffer(string: body) }
        )
        return (Int(answer.status.code), answer.body)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct PublishAPITests {
    @Test(arguments: [
        ("raw", #"{"event": "x", "data": 1}"#),
        ("raw", #"{"event": "x", "rooms": ["a", "b"]}"#),
        ("namespaces/chat/emit", #"{"event": "x"}"#),
        ("namespaces/main/emit", #"{"event": "x"}"#),
        ("sockets/AAAAAAAAAAAAAAAAAAAA/message", #"{"event": "x"}"#),
        ("users/7/message", #"{"event": "x"}"#),
        ("users/7/disconnect", #"{"reason": "x"}"#),
        ("entities/api::article.article/1/emit", #"{"event": "x"}"#),
        ("entities/api%3A%3Aarticle.article/a%2Fb/emit", #"{"event": "x"}"#),
    ])
    func sendingSucceeds(path: String, body: String) async throws {
        let answer = try await makeAPI().ask("POST", "/io/\(path)", body)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.body == ["success": true])
    }

    @Test func emittingTellsWhatBecameOfIt() async throws {
        let body = #"{"event": "create", "schema": "api::article.article", "data": {"id": 1, "title": "x"}}"#
        let answer = try await makeAPI().ask("POST", "/io/emit", body)
        #expect(answer.status == 200)
        #expect(answer.body["success"] == true)
        #expect(answer.body["event"] == "article:create")
        #expect(answer.body["outcome"] == "nobodyPermitted")
    }

    @Test(arguments: ["join", "leave"])
    func socketsThatDoNotExist(verb: String) async throws {
        let path = "/io/sockets/AAAAAAAAAAAAAAAAAAAA/\(verb)"
        let answer = try await makeAPI().ask("POST", path, #"{"room": "a"}"#)
        #expect(answer == (200, ["success": false]))
    }

    @Test func questionsAreAnswered() async throws {
        let api = try await makeAPI()
        #expect(await api.ask("GET", "/io/rooms/lobby/sockets") == (200, ["sockets": []]))
        #expect(await api.ask("GET", "/io/entities/api::article.article/1/sockets") == (200, ["sockets": []]))
        let subscriptions = "/io/sockets/AAAAAAAAAAAAAAAAAAAA/subscriptions"
        let notFound: JSONValue = ["success": false, "error": "Socket not found"]
        #expect(await api.ask("GET", subscriptions) == (200, notFound))
        #expect(await api.ask("POST", subscriptions, #"{"uid": "api::article.article", "id": 1}"#) == (200, notFound))
        #expect(await api.ask("DELETE", subscriptions + "?uid=api::article.article&id=1") == (200, notFound))
    }

    @Test(arguments: [nil, "nobody", "old", "gone"])
    func strangersAreRefused(token: String?) async throws {
        let answer = try await makeAPI().ask("POST", "/io/raw", #"{"event": "x"}"#, token: token)
        #expect(answer.status == 401)
        #expect(answer.body["error"]?["code"] == "unauthorized")
    }

    @Test(arguments: ["", "key-of-all", "Basic key-of-all", "Bearer", "Bearer ", "Bearer key-of-al"])
    func otherAuthorizationsAreRefused(header: String) async throws {
        let answer = try await makeAPI().respond(
            method: "POST",
            target: "/io/raw",
            authorization: header,
            body: {
                Issue.record("the body was read before the token")
                return ByteBuffer()
            }
        )
        #expect(answer.status == .unauthorized)
        #expect(answer.headers["WWW-Authenticate"] == "Bearer")
    }

    @Test func schemeIsNotCaseSensitive() async throws {
        let answer = try await makeAPI().respond(
            method: "GET",
            target: "/io/rooms/a/sockets",
            authorization: "bearer  key-of-all",
            body: { ByteBuffer() }
        )
        #expect(answer.status == .ok)
    }

    @Test(arguments: [
        ("raw", "raw", 200), ("raw", "namespaces/chat/emit", 200), ("raw", "users/1/message", 403),
        ("raw", "entities/api::a.a/1/emit", 403), ("client", "raw", 403), ("full", "raw", 200), ("reading", "raw", 403),
    ])
    func scopesDecide(token: String, path: String, status: Int) async throws {
        let answer = try await makeAPI().ask("POST", "/io/\(path)", #"{"event": "x"}"#, token: token)
        #expect(answer.status == status, "\(answer.body)")
    }

    @Test(
        arguments: [
            ("POST", "/io/raw", "{", 400, "invalid_json"),
            ("POST", "/io/raw", "", 400, "invalid_request"),
            ("POST", "/io/raw", "[]", 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": ""}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": 1}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "disconnect"}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "room": "a"}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "rom": ["a"]}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "rooms": [1]}"#, 400, "invalid_request"),
            ("POST", "/io/raw", #"{"event": "x", "eventId": 1}"#, 400, "invalid_request"),
            ("POST", "/io/emit", #"{"event": "create", "data": {}}"#, 400, "invalid_request"),
            (
                "POST", "/io/emit", #"{"event": "create", "schema": "api::b.b", "data": {"id": 1}}"#, 400,
                "invalid_request"
            ),
            ("POST", "/io/emit", #"{"event": "api::article.article.create", "data": {}}"#, 400, "invalid_request"),
            ("POST", "/io/sockets/A/join", #"{"room": ""}"#, 400, "invalid_request"),
            ("POST", "/io/sockets/A/subscriptions", #"{"uid": "api::a.a"}"#, 400, "invalid_request"),
            ("POST", "/io/namespaces/none/emit", #"{"event": "x"}"#, 404, "not_found"),
            ("POST", "/", "", 404, "not_found"),
            ("POST", "/io/raw/", #"{"event": "x"}"#, 200, nil),
            ("POST", "/io/raw/more", "", 404, "not_found"),
            ("POST", "/io/%zz", "", 404, "not_found"),
            ("GET", "/io/raw", "", 405, "method_not_allowed"),
            ("PUT", "/io/sockets/A/subscriptions", "", 405, "method_not_allowed"),
            ("GET", "/io/batch", "", 405, "method_not_allowed"),
            ("POST", "/io/batch", "{}", 400, "invalid_request"),
        ] as [(String, String, String, Int, String?)]
    )
    func refusals(method: String, target: String, body: String, status: Int, code: String?) async throws {
        let answer = try await makeAPI().ask(method, target, body)
        #expect(answer.status == status, "\(answer.body)")
        #expect(answer.body["error"]?["code"]?.stringValue == code)
    }

    @Test func allowedMethodsAreNamed() async throws {
        let answer = try await makeAPI().respond(
            method: "PUT",
            target: "/io/sockets/A/subscriptions",
            authorization: "Bearer key-of-all",
            body: { ByteBuffer() }
        )
        #expect(answer.headers["Allow"] == "DELETE, GET, POST")
    }

    @Test func repeatedEventsAreDoneOnce() async throws {
        let api = try await makeAPI()
        let body = #"{"event": "x", "eventId": "1"}"#
        #expect(await api.ask("POST", "/io/raw", body).body == ["success": true])
        #expect(await api.ask("POST", "/io/raw", body).body == ["success": true, "duplicate": true])
        // Another route has its own ids.
        #expect(await api.ask("POST", "/io/users/1/message", body).body == ["success": true])
    }

    @Test func failedEventsCanBeTriedAgain() async throws {
        let api = try await makeAPI()
        #expect(await api.ask("POST", "/io/raw", #"{"event": "connect", "eventId": "1"}"#).status == 400)
        #expect(await api.ask("POST", "/io/raw", #"{"event": "x", "eventId": "1"}"#).body == ["success": true])
    }

    @Test func batchesGoOnAfterFailures() async throws {
        let body = """
            {"operations": [
                {"path": "/io/raw", "body": {"event": "x"}},
                {"path": "/io/emit", "body": {"event": "create", "schema": "api::article.article", "data": {"id": 1}}},
                {"path": "/io/batch", "body": {"operations": []}},
                {"method": "GET", "path": "/io/rooms/a/sockets"},
                {"body": {}},
                7
            ]}
            """
        let answer = try await makeAPI().ask("POST", "/io/batch", body, token: "raw")
        #expect(answer.status == 200)
        let statuses = answer.body["results"]?.arrayValue?.map { $0["status"]?.intValue }
        #expect(statuses == [200, 403, 404, 403, 400, 400])
    }

    /// Paths are remembered together with event ids.
    @Test func longPathsAreRefused() async throws {
        let path = "/io/sockets/" + String(repeating: "x", count: 1100) + "/message"
        let api = try await makeAPI()
        let body = #"{"event": "x", "eventId": "1"}"#
        #expect(await api.ask("POST", path, body).status == 414)
        let batch = #"{"operations": [{"path": "\#(path)", "body": \#(body)}]}"#
        let answer = await api.ask("POST", "/io/batch", batch)
        #expect(answer.body["results"]?.arrayValue?.first?["status"] == 414)
    }

    @Test func entriesAreNotUsers() async throws {
        let api = try await makeAPI()
        #expect(await api.ask("POST", "/io/entities/user/7/emit", #"{"event": "x"}"#).status == 400)
        #expect(await api.ask("GET", "/io/entities/user/7/sockets").status == 400)
    }

    @Test func batchesAreBounded() async throws {
        let operations = Array(repeating: #"{"path": "/io/raw", "body": {"event": "x"}}"#, count: 11)
        let body = #"{"operations": ["# + operations.joined(separator: ",") + "]}"
        #expect(try await makeAPI(maximumBatch: 10).ask("POST", "/io/batch", body).status == 400)
        #expect(try await makeAPI(maximumBatch: 11).ask("POST", "/io/batch", body).status == 200)
    }

    /// Serves the API on a free port while `body` runs.
    private func serving(_ api: PublishAPI, _ body: (SocketAddress) async throws -> Void) async throws {
        let (addresses, listening) = AsyncStream.makeStream(of: SocketAddress?.self)
        let service = api.service(host: "127.0.0.1", port: 0, eventLoopGroup: .singletonMultiThreadedEventLoopGroup) {
            listening.yield($0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            var iterator = addresses.makeAsyncIterator()
            let address = try #require(await iterator.next() ?? nil)
            try await body(address)
            group.cancelAll()
        }
    }

    /// What a connection receives after it sent this text, until it is closed.
    private func answer(to text: String, from address: SocketAddress) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var received = ByteBuffer()
            for try await bytes in inbound { received.writeImmutableBuffer(bytes) }
            return String(buffer: received)
        }
    }

    /// With and without a token: who shows none costs no more.
    @Test(arguments: [("key-of-all", "408"), ("wrong", "401")])
    func bodiesThatNeverEndAreNotWaitedFor(token: String, status: String) async throws {
        try await self.serving(try await makeAPI(bodyTimeout: .milliseconds(50))) { address in
            let head = "POST /io/raw HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n"
            let answer = try await self.answer(to: head + "Content-Length: 100\r\n\r\n{", from: address)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
        }
    }

    /// Over HTTP, with the client that the commands use.
    @Test func servesHTTP() async throws {
        let api = try await makeAPI()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let service = api.service(host: "127.0.0.1", port: 0, eventLoopGroup: .singletonMultiThreadedEventLoopGroup) {
            port.yield($0?.port ?? 0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            var url = ""
            for await port in ports {
                url = "http://127.0.0.1:\(port)"
                break
            }
            func post(_ body: String, token: String) async throws -> (Int, JSONValue) {
                let answer = try await HTTPCall(
                    method: .POST,
                    url: url + "/io/raw",
                    headers: [("Authorization", "Bearer \(token)")],
                    body: ByteBuffer(string: body)
                ).run()
                return (answer.status, try JSONValue(parsing: answer.body))
            }
            #expect(try await post(#"{"event": "x"}"#, token: "key-of-all") == (200, ["success": true]))
            // Refused before the body is read, and heard nevertheless.
            let body = #"{"event": "x", "data": ""# + String(repeating: "x", count: 5000) + #""}"#
            for _ in 0..<20 {
                #expect(try await post(body, token: "wrong").0 == 401)
            }
            let large = #"{"event": "x", "data": ""# + String(repeating: "x", count: 1000) + #""}"#
            let refusal = try await post(large, token: "key-of-all")
            #expect(refusal.0 == 413)
            #expect(refusal.1["error"]?["code"] == "too_large")
            group.cancelAll()
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct EventMemoryTests {
    @Test func forgetsTheOldestFirst() {
        let memory = EventMemory(capacity: 2)
        #expect(memory.insert("a"))
        #expect(memory.insert("b"))
        #expect(!memory.insert("a"))
        #expect(memory.insert("c"))
        #expect(memory.insert("a"))
        #expect(!memory.insert("c"))
    }

    @Test func removedIDsComeBack() {
        let memory = EventMemory(capacity: 2)
        #expect(memory.insert("a"))
        memory.remove("a")
        #expect(memory.insert("a"))
        #expect(memory.insert("b"))
        #expect(memory.insert("c"))
        #expect(!memory.insert("c"))
        #expect(!memory.insert("b"))
    }

    @Test func zeroRemembersNothing() {
        let memory = EventMemory(capacity: 0)
        #expect(memory.insert("a"))
        #expect(memory.insert("a"))
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
