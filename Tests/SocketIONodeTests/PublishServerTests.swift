import Gateway
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

/// The publish API over HTTP, as strangers, proxies and back ends speak it.
@Suite(.timeLimit(.minutes(1)))
struct PublishServerTests {
    /// Serves the API on a free port while `body` runs.
    private func serving(
        _ configuration: PublishAPI.Configuration = PublishAPI.Configuration(),
        _ body: (APIServer<PublishAPI>, SocketAddress) async throws -> Void
    ) async throws {
        let (addresses, listening) = AsyncStream.makeStream(of: SocketAddress?.self)
        let api = try await TestAPI.make { changed in
            changed = configuration
            changed.maximumBodyBytes = 1000
        }
        let server = APIServer(
            api: api.api,
            host: "127.0.0.1",
            port: 0,
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            onListening: { listening.yield($0) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            var iterator = addresses.makeAsyncIterator()
            let address = try #require(await iterator.next() ?? nil)
            try await body(server, address)
            group.cancelAll()
        }
    }

    private func head(
        _ line: String = "POST /io/raw HTTP/1.1",
        token: String? = "all",
        _ fields: String...
    ) -> String {
        let authorization = token.map { ["Authorization: Bearer key-of-\($0)"] } ?? []
        return ([line, "Host: x"] + authorization + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    private func post(_ body: String, token: String? = "all", _ fields: String...) -> String {
        let authorization = token.map { "Authorization: Bearer key-of-\($0)\r\n" } ?? ""
        return "POST /io/raw HTTP/1.1\r\nHost: x\r\n\(authorization)\(fields.map { $0 + "\r\n" }.joined())"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private let event = #"{"event": "x"}"#

    // MARK: Strangers

    /// The head is enough for a refusal: no byte of the body is kept, and the connection is closed.
    @Test(arguments: [
        (nil, "401"), ("wrong", "401"), ("client", "403"),
    ])
    func theHeadIsEnough(token: String?, status: String) async throws {
        try await self.serving { server, address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head(token: token, "Content-Length: 1000") + "{")
            let response = try await connection.response()
            #expect(response.status.hasPrefix("HTTP/1.1 \(status) "))
            #expect(response.head.contains("Connection: close"))
            #expect(server.budget.bytesInUse == 0)
            // What the client was still writing is read for a while, and not for ever.
            let rest = ByteBuffer(repeating: UInt8(ascii: "x"), count: 2 * ServerLimits.lingeringBytes)
            try? await connection.send(rest)
            #expect(try await connection.end() == [])
        }
    }

    /// A stranger who asks without a body gets no second try on the connection either.
    @Test func strangersAreSentAway() async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head("GET /io/rooms/a/sockets HTTP/1.1", token: nil))
            #expect(try await connection.response().status.hasPrefix("HTTP/1.1 401"))
            #expect(try await connection.end() == [])
        }
    }

    @Test func silentConnectionsTakeNobodysPlace() async throws {
        var configuration = PublishAPI.Configuration()
        configuration.maximumConnections = 5
        try await self.serving(configuration) { _, address in
            var silent: [RawConnection] = []
            for _ in 0..<20 { silent.append(try await RawConnection(address)) }
            #expect(try await exchange("GET", "/healthz", with: address).status == 200)
            let connection = try await RawConnection(address)
            try await connection.send(self.post(self.event))
            #expect(try await connection.response().status == "HTTP/1.1 200 OK")
            // Those that have been silent longest are closed.
            #expect(try await silent[0].end() == [])
            #expect(try await silent[10].end() == [])
        }
    }

    /// A token's places are its own, and are free again when a request has ended, however it did.
    @Test func placesBelongToTokens() async throws {
        var configuration = PublishAPI.Configuration()
        configuration.requestsPerToken = 1
        try await self.serving(configuration) { _, address in
            for _ in 0..<3 {
                let slow = try await RawConnection(address)
                try await slow.send(self.head("POST /io/raw HTTP/1.1", "Expect: 100-continue", "Content-Length: 9"))
                // Skipped by `response()`, so that the next word is that of the second connection.
                let second = try await RawConnection(address)
                try await self.untilContinued(slow)
                try await second.send(self.post(self.event))
                #expect(try await second.response().status.hasPrefix("HTTP/1.1 429"))
                let other = try await RawConnection(address)
                try await other.send(self.post(self.event, token: "raw"))
                #expect(try await other.response().status == "HTTP/1.1 200 OK")
                await slow.close()
                try await self.untilAnswered(address, token: "all")
            }
        }
    }

    private func untilContinued(_ connection: RawConnection) async throws {
        while !String(decoding: connection.pending, as: UTF8.self).contains("100 Continue") { await Task.yield() }
    }

    /// Asks until the token has a place: that the other connection is closed takes the server a moment to see.
    private func untilAnswered(_ address: SocketAddress, token: String) async throws {
        while true {
            let connection = try await RawConnection(address)
            try await connection.send(self.post(self.event, token: token))
            let status = try await connection.response().status
            await connection.close()
            if status == "HTTP/1.1 200 OK" { return }
        }
    }

    @Test func bodiesAreBoundedTogether() async throws {
        var configuration = PublishAPI.Configuration()
        configuration.maximumTotalBytes = 1000
        try await self.serving(configuration) { server, address in
            let first = try await RawConnection(address)
            try await first.send(self.head(token: "all", "Content-Length: 900") + String(repeating: " ", count: 880))
            while server.budget.bytesInUse < 880 { await Task.yield() }
            let second = try await RawConnection(address)
            try await second.send(self.post(self.event + String(repeating: " ", count: 500)))
            let refusal = try await second.response()
            #expect(refusal.status.hasPrefix("HTTP/1.1 503"))
            #expect(refusal.text.contains("\"busy\""))
            await first.close()
            while server.budget.bytesInUse > 0 { await Task.yield() }
            try await self.untilAnswered(address, token: "all")
            while server.budget.bytesInUse > 0 { await Task.yield() }
        }
    }

    @Test(arguments: ["Content-Length: 1001\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e9\r\n"])
    func longBodiesAreRefused(fields: String) async throws {
        try await self.serving { server, address in
            let connection = try await RawConnection(address)
            let head = self.head(token: "all").dropLast()
            try await connection.send(head + fields + String(repeating: " ", count: 1001))
            #expect(try await connection.response().status.hasPrefix("HTTP/1.1 413"))
            while server.budget.bytesInUse > 0 { await Task.yield() }
        }
    }

    // MARK: HTTP

    /// An offer of another protocol that is not taken is ignored, and the connection goes on.
    @Test(arguments: [
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
        ["Connection: Upgrade", "Upgrade: TLS/1.2"], ["Upgrade: websocket"], ["Connection: upgrade", "Upgrade: a, b"],
        ["Connection: keep-alive,UPGRADE", "Upgrade: x"], ["Connection: x upgrade", "Upgrade: x"],
        ["Connection: upgrade; x", "Upgrade: x"], ["Connection: x", "Connection: upgrade", "Upgrade: x"],
        ["Connection: ,\t,upgrade,", "Upgrade: x"], ["Connection: upgraded", "Upgrade: x"],
        ["Connection: upgrade\t", "Upgrade: x"], ["Proxy-Connection: upgrade", "Upgrade: x"],
        ["Connection: upgrade", "Upgrade:"],
    ])
    func declinedUpgradesAreIgnored(fields: [String]) async throws {
        try await self.serving { _, address in
            let offer = fields.map { $0 + "\r\n" }.joined()
            let get = "GET /io/rooms/a/sockets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-all\r\n"
            let requests = [
                get + offer + "\r\n", self.post(self.event, token: "all", fields.joined(separator: "\r\n")),
                get.replacing("key-of-all", with: "key-of-raw") + offer + "\r\n",
            ]
            for request in requests {
                let connection = try await RawConnection(address)
                let isRefused = request.contains("GET") && request.contains("key-of-raw")
                for _ in 0..<2 {
                    try await connection.send(request)
                    #expect(
                        try await connection.response().status == "HTTP/1.1 \(isRefused ? "403 Forbidden" : "200 OK")"
                    )
                    try await connection.send(self.post(self.event))
                    #expect(try await connection.response().status == "HTTP/1.1 200 OK")
                }
                // Sent ahead of its answer.
                try await connection.send(request + self.post(self.event) + request)
                for _ in 0..<3 { #expect(try await connection.response().status.hasPrefix("HTTP/1.1")) }
                await connection.close()
            }
        }
    }

    @Test(arguments: [
        ("GET http://x/io/rooms/a/sockets HTTP/1.1", 200), ("GET HTTP://other:81/io/rooms/a/sockets HTTP/1.1", 200),
        ("GET https://x/io/rooms/a/sockets HTTP/1.1", 200), ("GET ws://x/io/rooms/a/sockets HTTP/1.1", 200),
        ("GET http://x/healthz HTTP/1.1", 200), ("GET http://x HTTP/1.1", 404), ("GET http:///healthz HTTP/1.1", 404),
        ("OPTIONS * HTTP/1.1", 404), ("GET http://x/healthz?a=b#c HTTP/1.1", 200),
    ])
    func targetsOfProxies(line: String, status: Int) async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head(line))
            let response = try await connection.response()
            #expect(response.status.hasPrefix("HTTP/1.1 \(status) "), "\(response)")
        }
    }

    @Test(
        arguments: [
            ("GET /healthz HTTP/1.1", [], 400), ("GET /healthz HTTP/1.1", ["Host: x", "Host: x"], 400),
            ("GET /healthz HTTP/1.1", ["Host: x", "hOST: y"], 400), ("GET /healthz HTTP/1.1", ["Host:"], 200),
            ("GET /healthz HTTP/1.0", [], 200), ("GET /healthz HTTP/1.0", ["Host: x", "Host: y"], 400),
            ("GET http://x/healthz HTTP/1.1", [], 400),
        ] as [(String, [String], Int)]
    )
    func hosts(line: String, fields: [String], status: Int) async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(([line] + fields).joined(separator: "\r\n") + "\r\n\r\n")
            #expect(try await connection.response().status.hasPrefix("HTTP/1.1 \(status) "))
            if status == 400 { #expect(try await connection.end() == []) }
        }
    }

    /// The same fields as for GET, and nothing behind them.
    @Test(arguments: [
        ("/io/rooms/a/sockets", "all", 200), ("/io/raw", "all", 405), ("/io/raw", nil, 401), ("/healthz", nil, 200),
    ])
    func headHasNoBody(target: String, token: String?, status: Int) async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head("HEAD \(target) HTTP/1.1", token: token, "Connection: close"))
            let text = String(decoding: try await connection.end(), as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 \(status) "))
            #expect(text.hasSuffix("\r\n\r\n"))
            #expect(!text.contains("Content-Length: 0"))
        }
    }

    @Test(arguments: ["NONSENSE\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
    func whatIsNoRequestIsRefused(text: String) async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(text)
            #expect(try await connection.response().status.hasPrefix("HTTP/1.1 400"))
            #expect(try await connection.end() == [])
        }
    }

    /// A client that publishes must hear what has happened, whatever it has sent behind the request.
    @Test(arguments: ["NONSENSE\r\n\r\n", "GET / HTTP/2.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nX : y\r\n\r\n"])
    func nonsenseBehindARequestTakesNoAnswer(text: String) async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(self.post(self.event) + text)
            #expect(try await connection.response().status == "HTTP/1.1 200 OK")
            #expect(try await connection.end() == [])
        }
    }

    @Test func longHeadsAreRefused() async throws {
        try await self.serving { _, address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head(token: "all", "X: " + String(repeating: "x", count: 20_000)))
            #expect(try await connection.response().status.hasPrefix("HTTP/1.1 431"))
        }
    }

    /// Names in the path are compared by their bytes, whatever else they may mean.
    @Test func pathsAreBytes() async throws {
        try await self.serving { _, address in
            for (target, status) in [
                ("/io/%72aw", 200), ("/io/ra%CC%81w", 404), ("/IO/raw", 404), ("//io///raw", 200), ("/io%2Fraw", 404),
            ] {
                let connection = try await RawConnection(address)
                try await connection.send(self.post(self.event).replacing("/io/raw", with: target))
                #expect(try await connection.response().status.hasPrefix("HTTP/1.1 \(status) "), "\(target)")
            }
        }
    }

    /// With the client that the commands use.
    @Test func servesTheCommands() async throws {
        try await self.serving { _, address in
            func post(_ body: String, token: String) async throws -> (Int, JSONValue) {
                let answer = try await HTTPCall(
                    method: .POST,
                    url: "http://127.0.0.1:\(address.port ?? 0)/io/raw",
                    headers: [("Authorization", "Bearer \(token)")],
                    body: ByteBuffer(string: body)
                ).run()
                return (answer.status, try JSONValue(parsing: answer.body))
            }
            let published: JSONValue = ["success": true, "delivery": "published"]
            #expect(try await post(self.event, token: "key-of-all") == (200, published))
            // Refused before the body is read, and heard nevertheless.
            let body = #"{"event": "x", "data": ""# + String(repeating: "x", count: 5000) + #""}"#
            for _ in 0..<20 { #expect(try await post(body, token: "wrong").0 == 401) }
            let refusal = try await post(body, token: "key-of-all")
            #expect(refusal.0 == 413)
            #expect(refusal.1["error"]?["code"] == "too_large")
        }
    }

    // MARK: The end

    /// Nobody silent, nobody stalled and no stranger delays the end; whoever was let through hears of it.
    @Test func theEndWaitsForNobodySilent() async throws {
        let (addresses, listening) = AsyncStream.makeStream(of: SocketAddress?.self)
        let server = APIServer(
            api: try await TestAPI.make().api,
            host: "127.0.0.1",
            port: 0,
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            onListening: { listening.yield($0) }
        )
        let run = Task { try await server.run() }
        var iterator = addresses.makeAsyncIterator()
        let address = try #require(await iterator.next() ?? nil)
        let silent = try await RawConnection(address)
        let stranger = try await RawConnection(address)
        try await stranger.send(self.head(token: nil, "Content-Length: 100") + "{")
        #expect(try await stranger.response().status.hasPrefix("HTTP/1.1 401"))
        let stalled = try await RawConnection(address)
        try await stalled.send(self.head(token: "all", "Content-Length: 100") + "{")
        while server.budget.bytesInUse == 0 { await Task.yield() }
        run.cancel()
        #expect(try await stalled.response().status.hasPrefix("HTTP/1.1 503"))
        #expect(try await silent.end() == [])
        #expect(try await stranger.end() == [])
        try await run.value
    }

    // MARK: Time

    /// A connection whose loop has a clock of the test's.
    private func connection(
        _ change: (inout PublishAPI.Configuration) -> Void = { _ in }
    ) async throws -> (APIServer<PublishAPI>, NIOAsyncTestingChannel) {
        let server = APIServer(
            api: try await TestAPI.make(change).api,
            host: "",
            port: 0,
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            onListening: { _ in }
        )
        let channel = try await NIOAsyncTestingChannel { channel in
            try APIConnection.addHandlers(to: channel, server: server)
        }
        try await channel.connect(to: .init(unixDomainSocketPath: "/unused"))
        return (server, channel)
    }

    /// Every byte of a head but the last is silence.
    @Test func headsHaveLittleTime() async throws {
        let (_, channel) = try await self.connection { $0.headTimeout = .seconds(10) }
        let head = self.head(token: "all")
        for (second, byte) in head.utf8.prefix(9).enumerated() {
            try await channel.writeInbound(ByteBuffer(bytes: [byte]))
            #expect(channel.isActive, "\(second)")
            await channel.testingEventLoop.advanceTime(by: .seconds(1))
        }
        await channel.testingEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func bodiesHaveTheirTime() async throws {
        let (server, channel) = try await self.connection { $0.bodyTimeout = .seconds(30) }
        try await channel.writeInbound(ByteBuffer(string: self.head(token: "all", "Content-Length: 100")))
        for _ in 0..<29 {
            try await channel.writeInbound(ByteBuffer(string: " "))
            await channel.testingEventLoop.advanceTime(by: .seconds(1))
        }
        #expect(try await channel.readOutbound(as: ByteBuffer.self) == nil)
        #expect(server.budget.bytesInUse == 29)
        await channel.testingEventLoop.advanceTime(by: .seconds(1))
        let head = try #require(try await channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: head).hasPrefix("HTTP/1.1 408 "))
        #expect(server.budget.bytesInUse == 0)
        await channel.testingEventLoop.advanceTime(by: ServerLimits.lingeringTime)
        #expect(!channel.isActive)
    }

    @Test func strangersHaveAMomentAfterTheirAnswer() async throws {
        let (server, channel) = try await self.connection()
        try await channel.writeInbound(ByteBuffer(string: self.head(token: nil, "Content-Length: 1000000") + "{"))
        let head = try #require(try await channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: head).hasPrefix("HTTP/1.1 401 "))
        #expect(server.budget.bytesInUse == 0)
        await channel.testingEventLoop.advanceTime(by: ServerLimits.lingeringTime)
        #expect(!channel.isActive)
    }

    @Test func idleConnectionsAreClosed() async throws {
        let (_, channel) = try await self.connection { $0.idleTimeout = .seconds(75) }
        try await channel.writeInbound(ByteBuffer(string: self.head("GET /healthz HTTP/1.1", token: nil)))
        await channel.testingEventLoop.advanceTime(by: .seconds(74))
        #expect(channel.isActive)
        await channel.testingEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }
}

/// Lists of sockets, with sockets to list.
@Suite(.timeLimit(.minutes(1)))
struct SocketListTests {
    @Test func longListsAreRefusedWithTheReason() async throws {
        let test = try await TestAPI.make { $0.maximumAnswerBytes = 1000 }
        let address = try await test.server.listen(host: "127.0.0.1", port: 0)
        var clients: [TestClient] = []
        var counts: [(Int, Int)] = []
        for _ in 0..<8 {
            let client = try await TestClient.join(at: address)
            clients.append(client)
            #expect(await test.ask("POST", "/io/sockets/\(client.id)/join", #"{"room": "r"}"#).status == 200)
            let answer = await test.ask("GET", "/io/rooms/r/sockets")
            counts.append((answer.status, answer.body["sockets"]?.arrayValue?.count ?? 0))
            guard answer.status != 200 else { continue }
            #expect(answer.body["error"]?["code"] == "answer_too_large")
            #expect(answer.body["error"]?["message"]?.stringValue?.contains("publish.answerSize") == true)
        }
        #expect(counts[0] == (200, 1))
        #expect(counts[1] == (200, 2))
        #expect(counts[7] == (422, 0))
        #expect(test.api.budget.bytesInUse == 0)
        for client in clients { await client.close() }
        await test.server.close()
    }

    @Test func receiptsCountTheClients() async throws {
        let test = try await TestAPI.make()
        let address = try await test.server.listen(host: "127.0.0.1", port: 0)
        let clients = [try await TestClient.join(at: address), try await TestClient.join(at: address)]
        let body = #"{"event": "x", "receipt": true}"#
        for (path, count) in [
            ("raw", 2), ("sockets/\(clients[0].id)/message", 1), ("sockets/\(clients[0].id)/broadcast", 1),
        ] {
            let answer = await test.ask("POST", "/io/\(path)", body)
            let receipt: JSONValue = ["receivers": .int(count), "nodes": 1, "missing": []]
            #expect(answer == (200, ["success": true, "delivery": "published", "receipt": receipt]))
        }
        for client in clients { await client.close() }
        await test.server.close()
    }
}
