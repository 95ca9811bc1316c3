import Gateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

/// What the log says of requests to the publish API.
@Suite(.timeLimit(.minutes(1)))
struct PublishLogTests {
    private let lines = LogLines()

    private func api(
        _ level: Logger.Level,
        _ change: (inout PublishAPI.Configuration) -> Void = { _ in }
    ) async throws -> TestAPI {
        try await TestAPI.make(logger: self.lines.logger(level), change)
    }

    /// The API on connections without a network.
    private func server(
        _ change: (inout PublishAPI.Configuration) -> Void = { _ in }
    ) async throws -> APIServer<PublishAPI> {
        APIServer(
            api: try await self.api(.info, change).api,
            host: "",
            port: 0,
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            onListening: { _ in }
        )
    }

    private func connect(to server: APIServer<PublishAPI>) async throws -> NIOAsyncTestingChannel {
        let channel = try await NIOAsyncTestingChannel { channel in
            try APIConnection.addHandlers(to: channel, server: server)
        }
        try await channel.connect(to: SocketAddress(ipAddress: "192.0.2.7", port: 1))
        return channel
    }

    private func send(_ text: String, on channel: NIOAsyncTestingChannel) async throws {
        try await channel.writeInbound(ByteBuffer(string: text))
        await channel.testingEventLoop.run()
    }

    // MARK: Refusals at info

    /// What the API refuses before a body is read, or instead of reading it to its end.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let reason: String
        let status: Int
        var requests: [String]
        var change: @Sendable (inout PublishAPI.Configuration) -> Void = { _ in }
        var testDescription: String { self.reason }
    }

    static func post(_ token: String?, length: Int, body: String = "") -> String {
        let authorization = token.map { "Authorization: Bearer key-of-\($0)\r\n" } ?? ""
        return "POST /io/raw HTTP/1.1\r\nHost: x\r\n\(authorization)Content-Length: \(length)\r\n\r\n\(body)"
    }

    static let refusals = [
        Refusal(reason: "unauthorized", status: 401, requests: [Self.post(nil, length: 0)]),
        Refusal(reason: "unauthorized", status: 401, requests: [Self.post("planted", length: 9)]),
        Refusal(reason: "forbidden", status: 403, requests: [Self.post("client", length: 9)]),
        Refusal(reason: "too_large", status: 413, requests: [Self.post("all", length: 1_000_000)]),
        Refusal(
            reason: "busy",
            status: 503,
            requests: [Self.post("all", length: 100, body: String(repeating: " ", count: 90))],
            change: { $0.maximumTotalBytes = 50 }
        ),
        Refusal(
            reason: "too_many_requests",
            status: 429,
            requests: [Self.post("all", length: 100), Self.post("all", length: 100)],
            change: { $0.requestsPerToken = 1 }
        ),
        Refusal(reason: "malformed", status: 400, requests: ["planted\r\n\r\n"]),
        Refusal(reason: "invalid_host", status: 400, requests: ["GET /io/raw HTTP/1.1\r\n\r\n"]),
    ]

    /// The first of a minute at once, and not one for each.
    @Test(arguments: Self.refusals) func refusalsAreOneLine(_ refusal: Refusal) async throws {
        let server = try await self.server(refusal.change)
        for _ in 0..<5 {
            var channels: [NIOAsyncTestingChannel] = []
            for request in refusal.requests {
                let channel = try await self.connect(to: server)
                try await self.send(request, on: channel)
                channels.append(channel)
            }
            for channel in channels { _ = try await channel.finish(acceptAlreadyClosed: true) }
        }
        let line =
            "info Requests to the publish API were refused address=192.0.2.7 count=1 reason=\(refusal.reason)"
            + " status=\(refusal.status)"
        #expect(self.lines.all == [line])
    }

    @Test func connectionsThatGiveWayAreCounted() async throws {
        let server = try await self.server { $0.maximumConnections = 1 }
        let first = try await self.connect(to: server)
        let second = try await self.connect(to: server)
        await first.testingEventLoop.run()
        #expect(!first.isActive)
        let message =
            "info Connections to the publish API that asked nothing were closed, because there are too many"
        #expect(self.lines.all == ["\(message) count=1 limit=1 reason=connections"])
        _ = try await second.finish(acceptAlreadyClosed: true)
    }

    /// What only the body shows.
    @Test func refusedBodiesAreCounted() async throws {
        let api = try await self.api(.info)
        for _ in 0..<10 { _ = await api.ask("POST", "/io/raw", "planted") }
        for _ in 0..<10 { _ = await api.ask("POST", "/io/batch", #"{"operations": [{"path": "/planted"}, {}]}"#) }
        #expect(
            self.lines.all.map { $0.split(separator: "reason=").last ?? "" } == [
                "invalid_json status=400", "not_found status=404", "invalid_request status=400",
            ]
        )
    }

    // MARK: Requests at debug

    @Test(arguments: [
        ("/io/raw", #"{"event": "x", "data": "planted"}"#, "outcome=published sio.event=x sio.route=/io/raw"),
        ("/io/raw", #"{"event": "x", "rooms": [], "data": "planted"}"#, "outcome=none sio.event=x sio.route=/io/raw"),
        (
            "/io/users/7/message", #"{"event": "x", "data": "planted"}"#,
            "outcome=published sio.addressed=7 sio.event=x sio.route=/io/users/:/message"
        ),
        (
            "/io/sockets/none/message", #"{"event": "x", "data": "planted"}"#,
            "outcome=failed sio.addressed=none sio.event=x sio.route=/io/sockets/:/message"
        ),
        (
            "/io/batch", #"{"operations": [{"path": "/io/raw", "body": {"event": "x", "data": "planted"}}]}"#,
            "outcome=published sio.event=x sio.route=/io/raw"
        ),
    ])
    func requestsAreNamed(path: String, body: String, expected: String) async throws {
        let api = try await self.api(.trace)
        #expect(await api.ask("POST", path, body).status == 200)
        let requests = self.lines.all.filter { $0.hasPrefix("debug Answered a publish request") }
        #expect(
            requests == ["debug Answered a publish request address=unknown \(expected) sio.token.name=all status=200"]
        )
        #expect(self.lines.all.filter { $0.contains("planted") || $0.contains("key-of") } == [])
    }

    /// No key, good or bad, and no part of a body or a query is in any line, in either format.
    @Test(arguments: [NodeConfiguration.Logging.Format.text, .json])
    func secretsAreNowhere(format: NodeConfiguration.Logging.Format) async throws {
        let written = NIOLockedValueBox(ByteBuffer())
        let logger = Logger(label: "test") { label in
            LineLogHandler(format, label: label, level: .trace) { line in
                written.withLockedValue { _ = $0.writeImmutableBuffer(line) }
            }
        }
        let api = try await TestAPI.make(logger: logger)
        let bodies = [
            #"{"event": "x", "data": {"token": "planted-payload"}}"#, "planted-payload", #"{"planted-payload": 1}"#,
            #"{"event": "x", "eventId": "planted-payload", "data": 1}"#, #"{"reason": "planted-payload"}"#, "",
        ]
        for token in ["all", "raw", "client", "old", "gone", "full", "reading", "planted-token", nil] {
            for body in bodies {
                for path in ["raw", "emit", "users/7/disconnect", "batch", "x?token=planted-query"] {
                    _ = await api.ask("POST", "/io/\(path)", body, token: token)
                }
                _ = await api.ask("GET", "/io/rooms/a/sockets?token=planted-query", token: token)
            }
        }
        try await api.server.start()
        let address = try await api.server.listen(host: "127.0.0.1", port: 0)
        for auth in [["token": "planted-token"], ["strategy": "api-token", "token": "key-of-all"]] as [JSONValue] {
            if let client = try? await TestClient.join(at: address, auth: auth) { await client.close() }
        }
        await api.server.close()
        let text = String(buffer: written.withLockedValue { $0 })
        #expect(text.contains("Answered a publish request"))
        #expect(text.contains("Refused a publish request"))
        let lines = text.split(separator: "\n").filter { $0.contains("planted-") || $0.contains("key-of-") }
        #expect(lines == [])
    }
}
