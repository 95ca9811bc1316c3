import Logging
import Metrics
import NIOCore
import NIOEmbedded
import NIOPosix
import ServiceLifecycle
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console
@testable import socketio_node

/// The internal listener, as scrapers and strangers speak to it.
@Suite(.timeLimit(.minutes(1)))
struct ConsoleTests {
    private static let registry: MetricRegistry = {
        let registry = MetricRegistry.forTests([("process_open_fds", 7)])
        Counter(label: "socketio_events_total", dimensions: [("namespace", "/")], factory: registry).increment()
        return registry
    }()

    private static let text = """
        # HELP process_open_fds File descriptors that are open.
        # TYPE process_open_fds gauge
        process_open_fds 7
        # HELP socketio_events_total Events of clients.
        # TYPE socketio_events_total counter
        socketio_events_total{namespace="/"} 1

        """

    private static func api(_ log: LogLines = LogLines()) -> ConsoleAPI {
        ConsoleAPI(
            metrics: Self.registry,
            logger: log.logger(.info),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            health: { $0 == "/readyz" ? (status: 503, body: ByteBuffer(string: "{}")) : nil }
        )
    }

    private func serving(
        _ api: ConsoleAPI = Self.api(),
        _ body: (SocketAddress) async throws -> Void
    ) async throws {
        try await withListener(api, body)
    }

    private func head(_ line: String, _ fields: String...) -> String {
        ([line, "Host: x"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    @Test func metricsAreAnswered() async throws {
        try await self.serving { address in
            let connection = try await RawConnection(address)
            // A scraper keeps its connection.
            for _ in 0..<3 {
                try await connection.send(self.head("GET /metrics HTTP/1.1"))
                let response = try await connection.response()
                #expect(response.status == "HTTP/1.1 200 OK")
                #expect(response.head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
                #expect(response.head.contains("\r\nCache-Control: no-store\r\n"))
                #expect(response.text == Self.text)
            }
            try await connection.send(self.head("GET /metrics?x=1 HTTP/1.1", "Accept: application/openmetrics-text"))
            let response = try await connection.response()
            let type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
            #expect(response.head.contains("\r\nContent-Type: \(type)\r\n"))
            #expect(response.text.hasSuffix("\n# EOF\n"))
        }
    }

    @Test func headHasTheSameFieldsAndNoBody() async throws {
        try await self.serving { address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head("HEAD /metrics HTTP/1.1") + self.head("GET /metrics HTTP/1.1"))
            let head = try await connection.response(isHead: true)
            let get = try await connection.response()
            #expect(head.status == "HTTP/1.1 200 OK")
            #expect(head.head.contains("\r\nContent-Length: \(Self.text.utf8.count)\r\n"))
            #expect(head.body.isEmpty)
            #expect(get.text == Self.text)
        }
    }

    @Test func healthIsAnswered() async throws {
        try await self.serving { address in
            let (known, unknown) = (
                try await exchange("GET", "/readyz", with: address),
                try await exchange("GET", "/healthz", with: address)
            )
            #expect(known.status == 503)
            #expect(unknown.status == 404)
        }
    }

    @Test(arguments: [
        ("GET", "/", 404), ("GET", "/metrics/", 200), ("GET", "/Metrics", 404), ("GET", "/metrics/x", 404),
        ("GET", "/%6Detrics", 200), ("GET", "/metrics%00", 404), ("GET", "/%ff", 404), ("POST", "/metrics", 405),
        ("DELETE", "/metrics", 405), ("OPTIONS", "/metrics", 405), ("GET", "/io/raw", 404),
    ])
    func routes(method: String, target: String, status: Int) async throws {
        try await self.serving { address in
            let answer = try await exchange(method, target, with: address)
            #expect(answer.status == status)
        }
    }

    /// No page of a browser may read the answer.
    @Test func noOtherOriginIsLetIn() async throws {
        try await self.serving { address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head("GET /metrics HTTP/1.1", "Origin: https://example.com"))
            let head = try await connection.response().head
            #expect(!head.lowercased().contains("access-control"))
        }
    }

    /// The head is enough for a refusal, and the connection is closed.
    @Test(arguments: ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 99999999999999999999"])
    func bodiesAreNotRead(field: String) async throws {
        try await self.serving { address in
            let connection = try await RawConnection(address)
            try await connection.send(self.head("GET /metrics HTTP/1.1", field))
            let response = try await connection.response()
            #expect(["HTTP/1.1 413", "HTTP/1.1 400"].contains(String(response.status.prefix(12))))
            #expect(response.head.contains("Connection: close"))
            await connection.close()
        }
    }

    @Test func silentConnectionsAreClosed() async throws {
        let server = APIServer(
            api: Self.api(),
            host: "",
            port: 0,
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            onListening: { _ in }
        )
        let channel = try await NIOAsyncTestingChannel { channel in
            try APIConnection.addHandlers(to: channel, server: server)
        }
        try await channel.connect(to: .init(unixDomainSocketPath: "/unused"))
        try await channel.writeInbound(ByteBuffer(string: "GET /met"))
        await channel.testingEventLoop.advanceTime(by: .seconds(9))
        #expect(channel.isActive)
        await channel.testingEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    /// Even if every connection has a request under way, there are no more than the limit.
    @Test func connectionsAreBounded() async throws {
        let (started, isStarted) = AsyncStream.makeStream(of: Void.self)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let hanging = ConsoleRoute(.get, "hangs", access: .anybody) { _ in
            isStarted.yield()
            for await _ in ends {}
            return .bytes(ByteBuffer(), contentType: "text/plain")
        }
        let log = LogLines()
        let api = ConsoleAPI(
            routes: [hanging],
            logger: log.logger(.info),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next()
        )
        try await self.serving(api) { address in
            var connections: [RawConnection] = []
            var iterator = started.makeAsyncIterator()
            for _ in 0..<ConsoleAPI.maximumConnections {
                let connection = try await RawConnection(address)
                try await connection.send(self.head("GET /hangs HTTP/1.1"))
                connections.append(connection)
                _ = await iterator.next()
            }
            let further = try await RawConnection(address)
            #expect(try await further.end() == [])
            #expect(log.all.contains { $0.contains("because there are too many") })
            end.finish()
            #expect(try await connections[0].response().status == "HTTP/1.1 200 OK")
            try await connections[0].send(self.head("GET /nothing HTTP/1.1"))
            #expect(try await connections[0].response().status == "HTTP/1.1 404 Not Found")
            // Now there is somebody who waits, and gives way.
            let next = try await RawConnection(address)
            try await next.send(self.head("GET /nothing HTTP/1.1"))
            #expect(try await next.response().status == "HTTP/1.1 404 Not Found")
        }
    }

    @Test func refusalsAreLogged() async throws {
        let log = LogLines()
        try await self.serving(Self.api(log)) { address in
            _ = try await exchange("GET", "/nothing", with: address)
        }
        #expect(log.all.contains { $0.contains("Requests to the console were refused") && $0.contains("404") })
    }

    @Test func aTakenPortSaysWhatToChange() async throws {
        try await self.serving { address in
            var console = NodeConfiguration.Console()
            console.port = try #require(address.port)
            let service = ConsoleService(
                api: Self.api().service(
                    host: console.host,
                    port: console.port,
                    eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
                    onListening: { _ in }
                ),
                console: console
            )
            let error = await #expect(throws: NodeStartError.self) { try await service.run() }
            #expect(error?.exitStatus == 69)
            let text = try #require(error?.description)
            #expect(text.contains("The console can't listen on 127.0.0.1:\(console.port): Address already in use"))
            #expect(text.contains("console.host or console.port, or set console.enabled to false"))
        }
    }
}
