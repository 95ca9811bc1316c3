import Gateway
import Logging
import NIOCore
import NIOPosix
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console

/// What operators ask over HTTP.
@Suite(.timeLimit(.minutes(1)))
struct MonitoringRoutesTests {
    private struct Served {
        let io: IO
        let clients: SocketAddress
        let console: SocketAddress

        func get(_ target: String, key: String = "watch") async throws -> (status: Int, value: JSONValue) {
            let answer = try await exchange("GET", target, token: key, with: self.console)
            return (answer.status, (try? JSONValue(parsing: ByteBuffer(string: answer.body))) ?? .string(answer.body))
        }

        func post(
            _ target: String,
            _ body: String?,
            key: String = "watch"
        ) async throws -> (status: Int, value: JSONValue) {
            let answer = try await exchange("POST", target, token: key, body: body, with: self.console)
            return (answer.status, (try? JSONValue(parsing: ByteBuffer(string: answer.body))) ?? .string(answer.body))
        }
    }

    private static let salt = "0123456789abcdef0123456789abcdef"

    private func serving(_ body: (Served) async throws -> Void) async throws {
        var configuration = GatewayConfiguration()
        configuration.nodeName = "node-1"
        configuration.monitoring.enableEventLogging = true
        configuration.monitoring.maximumEventLogSize = 10
        configuration.contentTypes = [
            ContentType(uid: "api::b.b", fields: [:]), ContentType(uid: "api::a.a", fields: [:]),
        ]
        configuration.apiTokenSalt = Self.salt
        configuration.apiTokens = [("watch", "io.monitor"), ("publish", "io.raw")].map { name, scope in
            APIToken(
                name: name,
                kind: .custom,
                hash: APIToken.hash(of: name, salt: Self.salt),
                scopes: [Scope(scope)].compactMap(\.self)
            )
        }
        let server = SocketServer()
        let io = try await IO.install(on: server, configuration: configuration)
        try await server.start()
        let clients = try await server.listen(host: "127.0.0.1", port: 0)
        let api = ConsoleAPI(
            metrics: .forTests(),
            io: io,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            eventLoop: MultiThreadedEventLoopGroup.singleton.next()
        )
        do {
            try await withListener(api) { try await body(Served(io: io, clients: clients, console: $0)) }
        } catch {
            await server.close()
            throw error
        }
        await server.close()
    }

    @Test(arguments: [
        "/io/stats", "/io/monitoring/stats", "/io/event-log", "/io/content-types", "/io/roles", "/io/nodes",
        "/io/rooms",
        "/io/sockets", "/io/audit", "/io/online-users", "/io/export/connections.json", "/io/export/connections.csv",
    ])
    func everyRouteNeedsAToken(target: String) async throws {
        try await self.serving { (served: Served) async throws in
            #expect(try await exchange("GET", target, with: served.console).status == 401)
            #expect(try await served.get(target, key: "publish").status == 403)
            #expect(try await served.get(target).status == 200)
            #expect(try await served.get(target + "?misspelt=1").status == 400)
            for limit in ["0", "-1", "1001", "x", "", "1e3"] where !target.hasSuffix("types") {
                #expect(try await served.get(target + "?limit=\(limit)").status == 400)
            }
        }
    }

    @Test func whatIsConfigured() async throws {
        try await self.serving { served in
            let types = try await served.get("/io/content-types").value["data"]?.arrayValue
            #expect(types?.map { $0["uid"] } == ["api::a.a", "api::b.b"])
            #expect(types?.first?["singularName"] == "a")
            #expect(
                try await served.get("/io/roles").value["data"]?.arrayValue?.map { $0["type"] } == [
                    "public", "authenticated",
                ]
            )
        }
    }

    @Test func figuresHaveTheShapeOfTheOriginals() async throws {
        try await self.serving { served in
            let client = try await TestClient.join(at: served.clients)
            served.io.monitoring.logEvent("order")
            let stats = try await served.get("/io/stats").value
            #expect(stats["complete"] == true)
            #expect(stats["missing"] == [])
            let connections = try #require(stats["data"]?["connections"])
            #expect(connections["connected"] == 1)
            #expect(
                connections["rooms"]?.arrayValue?.contains([
                    "name": "io-role-public", "members": 1, "isEntityRoom": false,
                ]) == true
            )
            #expect(connections["sockets"]?.arrayValue?.first?["id"] == .string(client.id))
            #expect(connections["entitySubscriptions"] == ["total": 0, "byContentType": [:], "rooms": []])
            #expect(stats["data"]?["events"]?["totalEvents"] == 2)
            #expect(stats["data"]?["events"]?["eventsByType"] == ["connection": 1, "order": 1])
            let widget = try #require(try await served.get("/io/monitoring/stats").value["data"])
            #expect(widget["connections"]?["connected"] == 1)
            #expect(widget["connections"]?["rooms"]?.intValue ?? 0 > 0)
            #expect(widget["timestamp"]?.intValue ?? 0 > 1_700_000_000_000)
            #expect(try await served.post("/io/reset-stats", nil).value["data"] == ["success": true])
            #expect(try await served.get("/io/monitoring/stats").value["data"]?["events"]?["totalEvents"] == 0)
        }
    }

    @Test func testEventsReachEverybody() async throws {
        try await self.serving { served in
            let client = try await TestClient.join(at: served.clients)
            let answer = try await served.post("/io/test-event", #"{"eventName": "a:b", "data": {"x": 1}}"#)
            #expect(answer.status == 200)
            #expect(answer.value["data"]?["eventName"] == "test:a:b")
            #expect(answer.value["data"]?["recipients"] == 1)
            let arguments = try await client.event("test:a:b")
            #expect(arguments.first?["x"] == 1)
            #expect(arguments.first?["test"] == true)
            #expect(arguments.first?["timestamp"]?.intValue != nil)
            #expect(try await served.post("/io/test-event", nil).value["data"]?["eventName"] == "test:test")
            for name in ["", "a b", "é", String(repeating: "x", count: 51), "a\u{0}"] {
                let body: JSONValue = ["eventName": .string(name)]
                var bytes = ByteBuffer()
                bytes.writeJSON(body)
                #expect(try await served.post("/io/test-event", String(buffer: bytes)).status == 400)
            }
            #expect(try await served.post("/io/test-event", #"{"eventName": 1}"#).status == 400)
            #expect(try await served.post("/io/test-event", #"{"event": "x"}"#).status == 400)
            // Who has done what is kept.
            let audit = try await self.audit(served, count: 8)
            #expect(audit.first?["action"] == "POST /io/test-event")
            #expect(audit.first?["actor"] == "watch")
            #expect(audit.first?["address"] == "127.0.0.1")
            #expect(audit.first?["result"] == "done")
            #expect(audit.last?["result"] == "invalid_request")
        }
    }

    /// The audit log is written behind the answers.
    private func audit(_ served: Served, count: Int) async throws -> [JSONValue] {
        let reader = served.io.monitoring.auditLog.reader(after: LogEntryID(milliseconds: 0, sequence: 0), pause: .zero)
        var found = 0
        while found < count, let news = await reader.next(within: .minutes(1)) {
            if case .entries(let entries) = news { found += entries.count }
        }
        return try await served.get("/io/audit?limit=100").value["data"]?.arrayValue ?? []
    }

    @Test func theLogIsReadInPages() async throws {
        try await self.serving { served in
            let reader = served.io.monitoring.eventLog.reader(
                after: LogEntryID(milliseconds: 0, sequence: 0),
                pause: .zero
            )
            for number in 0..<5 { served.io.monitoring.logEvent(number == 2 ? "b" : "a", .int(number)) }
            var found = 0
            while found < 5, let news = await reader.next(within: .minutes(1)) {
                if case .entries(let entries) = news { found += entries.count }
            }
            func data(_ target: String) async throws -> ([JSONValue?], cursor: String?) {
                let answer = try await served.get(target).value
                return (answer["data"]?.arrayValue?.map { $0["data"] } ?? [], answer["cursor"]?.stringValue)
            }
            let newest = try await data("/io/event-log?limit=2")
            #expect(newest.0 == [3, 4])
            let older = try await data("/io/event-log?limit=2&cursor=\(try #require(newest.cursor))")
            #expect(older.0 == [1, 2])
            let oldest = try await data("/io/event-log?limit=2&cursor=\(try #require(older.cursor))")
            #expect(oldest.0 == [0])
            #expect(oldest.cursor == nil)
            #expect(try await data("/io/event-log?type=b").0 == [2])
            #expect(try await served.get("/io/event-log?cursor=x").status == 400)
        }
    }

    // MARK: The stream

    /// A connection that reads Server-Sent Events.
    private func stream(_ served: Served, _ fields: String...) async throws -> RawConnection {
        let connection = try await RawConnection(served.console)
        let head =
            ["GET /io/event-log HTTP/1.1", "Host: x", "Authorization: Bearer watch", "Accept: text/event-stream"]
            + fields
        try await connection.send(head.joined(separator: "\r\n") + "\r\n\r\n")
        return connection
    }

    private func text(_ connection: RawConnection, until end: String) async throws -> String {
        try await connection.text(until: end)
    }

    @Test func theLogIsHeardLive() async throws {
        try await self.serving { served in
            let connection = try await self.stream(served)
            let head = try await self.text(connection, until: "retry: 2000\n\n")
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(head.contains("\r\nContent-Type: text/event-stream; charset=utf-8\r\n"))
            #expect(head.contains("\r\nConnection: close\r\n"))
            #expect(!head.contains("Content-Length"))
            served.io.monitoring.logEvent("order", ["id": 7])
            let first = try await self.text(connection, until: "\n\n")
            #expect(first.hasPrefix("id: "))
            #expect(first.contains(#""type":"order""#))
            let id = try #require(first.split(separator: "\n").first?.dropFirst("id: ".count))
            await connection.close()
            // It goes on where it was.
            served.io.monitoring.logEvent("second")
            let again = try await self.stream(served, "Last-Event-ID: \(id)")
            _ = try await self.text(again, until: "retry: 2000\n\n")
            #expect(try await self.text(again, until: "\n\n").contains(#""type":"second""#))
            await again.close()
        }
    }

    @Test func aReaderThatWasAwayTooLongIsTold() async throws {
        try await self.serving { served in
            for number in 0..<30 { served.io.monitoring.logEvent("a", .int(number)) }
            let reader = served.io.monitoring.eventLog.reader(
                after: LogEntryID(milliseconds: 0, sequence: 0),
                pause: .zero
            )
            _ = await reader.next(within: .minutes(1))
            let connection = try await self.stream(served, "Last-Event-ID: 1-0")
            let text = try await self.text(connection, until: "event: gap\ndata: {}\n\n")
            #expect(text.hasSuffix("retry: 2000\n\nevent: gap\ndata: {}\n\n"))
            #expect(try await self.text(connection, until: "\n\n").hasPrefix("id: "))
            await connection.close()
        }
    }

    @Test func streamsAreBounded() async throws {
        try await self.serving { served in
            var open: [RawConnection] = []
            for _ in 0..<16 {
                let connection = try await self.stream(served)
                _ = try await self.text(connection, until: "retry: 2000\n\n")
                open.append(connection)
            }
            let further = try await self.stream(served)
            #expect(try await further.response().status.contains("503"))
            await further.close()
            // Other questions are answered as before.
            #expect(try await served.get("/io/nodes").status == 200)
            await open[0].close()
            // The place is free when the node has noticed.
            var status = ""
            while !status.contains("200") {
                let next = try await self.stream(served)
                status = try await self.text(next, until: "\r\n")
                await next.close()
            }
            for connection in open { await connection.close() }
        }
    }

    @Test(arguments: ["x", "-", "1", "1-1\u{0}"])
    func strangePlacesAreRefused(id: String) async throws {
        try await self.serving { served in
            let connection = try await self.stream(served, "Last-Event-ID: \(id)")
            #expect(try await connection.response().status.contains("400"))
            await connection.close()
        }
    }

    // MARK: Connections as files

    @Test func connectionsAreExported() async throws {
        try await self.serving { served in
            var ids: [String] = []
            for _ in 0..<3 { ids.append(try await TestClient.join(at: served.clients).id) }
            ids.sort { UTF8Text($0) < UTF8Text($1) }
            let connection = try await RawConnection(served.console)
            try await connection.send(
                "GET /io/export/connections.csv?limit=2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer watch\r\n\r\n"
            )
            let response = try await connection.response()
            await connection.close()
            #expect(response.head.contains("\r\nContent-Disposition: attachment; filename=\"connections.csv\"\r\n"))
            #expect(response.head.contains("\r\nX-Complete: true\r\nX-Next-Cursor: \(ids[1])\r\n"))
            let lines = response.text.split(separator: "\r\n")
            #expect(lines.first?.hasPrefix(#""id","node","userId""#) == true)
            #expect(
                lines.dropFirst().map {
                    $0.hasPrefix("\"\(ids[0])\",\"node-1\"") || $0.hasPrefix("\"\(ids[1])\",\"node-1\"")
                } == [true, true]
            )
            let rest = try await served.get("/io/export/connections.json?limit=2&cursor=\(ids[1])").value
            #expect(rest["data"]?.arrayValue?.map { $0["id"] } == [.string(ids[2])])
            #expect(rest["cursor"] == .null)
            #expect(try await served.get("/io/sockets?namespace=nothing").status == 404)
        }
    }
}
