import Foundation
import NIOCore
import NIOEmbedded
import SocketIOWire
import Testing

@testable import EngineIO

/// HTTP as proxies, browsers and other clients speak it.
@Suite(.timeLimit(.minutes(1))) struct HTTPSemanticsTests {
    private static let poll = "/engine.io/?EIO=4&transport=polling"
    private static let webSocket = """
        Connection: Upgrade\r
        Upgrade: websocket\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r

        """

    private func fixture(_ configure: (inout EngineConfiguration) -> Void = { _ in }) -> EmbeddedServer {
        EmbeddedServer { configuration in
            configuration.routes = { method, target in target == "/healthz" ? .text("alive \(method)") : nil }
            configure(&configuration)
        }
    }

    // MARK: Hosts

    @Test(arguments: [
        ("HTTP/1.1", "", 400), ("HTTP/1.1", "Host: a\r\n", 200), ("HTTP/1.1", "Host: a\r\nHost: a\r\n", 400),
        ("HTTP/1.1", "Host: a\r\nX: y\r\nhOST: b\r\n", 400), ("HTTP/1.1", "Host:\r\n", 200), ("HTTP/1.0", "", 200),
        ("HTTP/1.0", "Host: a\r\nHost: b\r\n", 400),
    ])
    func oneHost(version: String, fields: String, status: Int) throws {
        for target in ["/healthz", Self.poll] {
            let fixture = self.fixture()
            let channel = try fixture.connect()
            let answer = try fixture.exchange("GET \(target) \(version)\r\n\(fields)\r\n", on: channel)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(target)")
            if status == 400 { #expect(!channel.isActive) }
        }
        let fixture = self.fixture()
        let upgrade = "GET /engine.io/?EIO=4&transport=websocket \(version)\r\n\(fields)\(Self.webSocket)\r\n"
        let answer = try fixture.exchange(upgrade, on: fixture.connect())
        #expect(answer.hasPrefix("HTTP/1.1 400 ") == (status == 400))
    }

    // MARK: HEAD

    @Test(arguments: [
        "/healthz", "/nothing", Self.poll, "/engine.io/", "/engine.io/?EIO=4&transport=polling&sid=unknown",
        "/engine.io/?transport=x",
    ])
    func answersToHeadHaveNoBody(target: String) throws {
        for fields in ["", Self.webSocket, "Connection: Upgrade\r\nUpgrade: h2c\r\n"] {
            for limit in [nil, 0] {
                let fixture = self.fixture {
                    $0.limits.maxConnections = limit
                    $0.page = .text("page")
                }
                let channel = try fixture.connect()
                let request = "HEAD \(target) HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\(fields)\r\n"
                let answer = try fixture.exchange(request, on: channel)
                #expect(answer.hasPrefix("HTTP/1.1 ") && answer.hasSuffix("\r\n\r\n"))
                #expect(answer.components(separatedBy: "\r\n\r\n").count == 2, "\(answer)")
            }
        }
    }

    // MARK: Offers of other protocols

    /// They are ignored, and the connection goes on.
    @Test(arguments: ["h2c", "TLS/1.2", "TLS/1.0, HTTP/2.0", "websocket2", "web\u{17F}ocket", "", "h2c,foo/1"])
    func offersThatAreNotTaken(offer: String) throws {
        let fixture = self.fixture()
        let fields =
            "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: \(offer)\r\nHTTP2-Settings: AAMAAABk\r\n"
        let requests = [
            "GET /healthz HTTP/1.1\r\n\(fields)\r\n", "GET \(Self.poll) HTTP/1.1\r\n\(fields)\r\n",
            "GET /healthz HTTP/1.1\r\n\(fields)Content-Length: 3\r\n\r\nabc",
            "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
        // One after the other, all at once, and in two parts wherever they are cut.
        let channel = try fixture.connect()
        for request in requests {
            #expect(try fixture.exchange(request, on: channel).hasPrefix("HTTP/1.1 200 OK\r\n"), "\(request)")
        }
        let all = Array(requests.joined().utf8)
        for cut in stride(from: 0, to: all.count, by: 7) {
            let channel = try fixture.connect()
            try channel.writeInbound(ByteBuffer(bytes: all[..<cut]))
            fixture.loop.run()
            try channel.writeInbound(ByteBuffer(bytes: all[cut...]))
            let answer = fixture.text(of: channel)
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK\r\n").count == 5, "\(cut)")
            #expect(channel.isActive)
        }
    }

    /// Fields of which NIO's decoder has another opinion than a reader of RFC 9110.
    static let disputed = [
        "Connection: upgrade\t\r\nUpgrade: x\r\n", "Connection: upgrade\t,x\r\nUpgrade: x\r\n",
        "Connection:\tupgrade\r\nUpgrade:\r\n", "Proxy-Connection: upgrade\r\nUpgrade: x\r\n",
        "Upgrade: x\r\nProxy-Connection: upgrade\r\nConnection: x\r\n", "Connection: x\r\nUpgrade: x\r\nUpgrade: y\r\n",
        "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", "Upgrade: x\r\n",
    ]

    /// Whoever is right: what follows is read as requests, wherever it is cut.
    @Test(arguments: Self.disputed) func disputedOffers(fields: String) throws {
        let fixture = self.fixture()
        let offer = "GET /healthz HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
        let plain = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        let body = "GET /healthz HTTP/1.1\r\nHost: x\r\n\(fields)Content-Length: 3\r\n\r\nabc"
        let all = Array((offer + offer + plain + body + plain).utf8)
        for cut in 0..<all.count {
            let channel = try fixture.connect()
            try channel.writeInbound(ByteBuffer(bytes: all[..<cut]))
            fixture.loop.run()
            try channel.writeInbound(ByteBuffer(bytes: all[cut...]))
            #expect(fixture.text(of: channel).components(separatedBy: "HTTP/1.1 200 OK\r\n").count == 6, "\(cut)")
            #expect(channel.isActive)
        }
    }

    /// A request behind one that has become a WebSocket is spoiled frames, and never a request.
    @Test(arguments: Self.disputed) func requestsBehindAWebSocket(fields: String) throws {
        let fixture = self.fixture()
        let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        for offer in [fields, fields.replacing("Upgrade: x", with: "Upgrade: websocket")] {
            let channel = try fixture.connect()
            let target = "/engine.io/?EIO=4&transport=websocket"
            let request = "GET \(target) HTTP/1.1\r\nHost: x\r\n\(offer)\(key)\r\n"
            try channel.writeInbound(ByteBuffer(string: request + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
            fixture.loop.run()
            let answer = fixture.text(of: channel)
            #expect(answer.hasPrefix("HTTP/1.1 101 ") != answer.contains("alive GET"), "\(offer)")
        }
    }

    /// What nobody reads is not kept.
    @Test(arguments: Self.disputed) func bytesBehindAnOfferAreBounded(fields: String) throws {
        let fixture = self.fixture()
        let channel = try fixture.connect()
        _ = try fixture.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\(fields)\r\n", on: channel)
        var sent = 0
        while channel.isActive, sent < 1_000_000 {
            _ = try? channel.writeInbound(ByteBuffer(repeating: UInt8(ascii: "z"), count: 10_000))
            fixture.loop.run()
            sent += 10_000
        }
        #expect(sent < 200_000)
    }

    /// Each empty line could end such a body, and costs a look.
    @Test func chunksOfEmptyLinesAreRefused() throws {
        let fixture = self.fixture()
        let channel = try fixture.connect()
        _ = try fixture.exchange("GET \(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n", on: channel)
        let session = try #require(fixture.sessions.first)
        let body = String(repeating: "\n", count: 100_000)
        let answer = try fixture.exchange(
            """
            POST \(Self.poll)&sid=\(session.id.secret) HTTP/1.1\r
            Host: x\r
            Transfer-Encoding: chunked\r
            \r
            \(String(body.utf8.count, radix: 16))\r
            \(body)\r
            0\r
            \r

            """,
            on: channel
        )
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }

    @Test(arguments: ["websocket", "WebSocket", "h2c, websocket", "websocket,h2c"])
    func webSocketAmongOffers(offer: String) throws {
        let fixture = self.fixture()
        let fields = Self.webSocket.replacing("Upgrade: websocket", with: "Upgrade: \(offer)")
        let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
        #expect(try fixture.exchange(request, on: fixture.connect()).hasPrefix("HTTP/1.1 101 "))
    }

    // MARK: Targets in absolute form

    @Test(arguments: ["http://h:1", "HTTPS://h:1", "ws://h:1", "wss://h:1", "http://user:secret@h:1"])
    func targetsInAbsoluteForm(origin: String) throws {
        let fixture = self.fixture()
        let channel = try fixture.connect()
        #expect(try fixture.exchange("GET \(origin)/healthz HTTP/1.1\r\nHost: x\r\n\r\n", on: channel).hasSuffix("GET"))
        let poll = try fixture.exchange("GET \(origin)\(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n", on: channel)
        #expect(poll.hasPrefix("HTTP/1.1 200 "))
        let upgrade = "GET \(origin)/engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\(Self.webSocket)\r\n"
        #expect(try fixture.exchange(upgrade, on: fixture.connect()).hasPrefix("HTTP/1.1 101 "))
        for session in fixture.sessions {
            #expect(session.request.header("Host") == "h:1")
            #expect(session.request.target.hasPrefix("/engine.io/?EIO=4&transport="))
        }
        #expect(fixture.sessions.count == 2)
        for path in ["", "?a", "/b"] {
            let answer = try fixture.exchange("GET \(origin)\(path) HTTP/1.1\r\nHost: x\r\n\r\n", on: channel)
            #expect(answer.hasPrefix("HTTP/1.1 404 "))
        }
        #expect(RequestTarget.authority(of: Bytes(start: nil, count: 0)) == nil)
        for target in ["*", "h:1", "http:/x", "http://", "http:///healthz", "ftp://h/healthz", "://h/x"] {
            #expect(target.withBytes { RequestTarget.authority(of: $0) } == nil, "\(target)")
        }
    }

    // MARK: Fields

    /// As Node's `request.headers`.
    @Test func repeatedFields() throws {
        let fixture = self.fixture()
        let fields = [
            "Cookie: a=1", "X-List: 1", "Authorization: Basic YQ==", "cookie: b=2; c=3", "User-Agent: one", "x-LIST: 2",
            "AUTHORIZATION: Basic Yg==", "User-Agent: two", "Referer: r1", "Referer: r2", "X-Forwarded-For: 1.1.1.1",
            "X-Forwarded-For: 2.2.2.2", "COOKIE: d=4", "x_a: 1", "x\u{5E}: 1", "x~: 2",
        ].joined(separator: "\r\n")
        let request = "GET \(Self.poll) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n"
        #expect(try fixture.exchange(request, on: fixture.connect()).hasPrefix("HTTP/1.1 200 "))
        let headers = try #require(fixture.sessions.first?.request)
        let expected = [
            ("host", "x"), ("cookie", "a=1; b=2; c=3; d=4"), ("x-list", "1, 2"), ("authorization", "Basic YQ=="),
            ("user-agent", "one"), ("referer", "r1"), ("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x_a", "1"),
            ("x^", "1"),
            ("x~", "2"),
        ]
        #expect(headers.headers.map(\.name) == expected.map(\.0))
        #expect(headers.headers.map(\.value) == expected.map(\.1))
        for (name, value) in expected {
            #expect(headers.header(name) == value)
            #expect(headers.header(name.uppercased()) == value)
        }
        #expect(headers.header("x") == nil)
    }

    /// Bytes beyond ASCII are one character each, wherever the request is cut, and a body in front of it is left alone.
    @Test func bytesBeyondASCIIAreLatin1() throws {
        let opener = self.fixture()
        let opened = try opener.exchange("GET \(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n", on: opener.connect())
        let id = try #require(opened.sessionID)
        for isChunked in [false, true] {
            let body = "4\u{E9}\n\u{1F600}\nx"
            let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
            let sent = isChunked ? "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n" : body
            var bytes = Array("POST \(Self.poll)&sid=\(id) HTTP/1.1\r\nHost: x\r\n\(length)\r\n\r\n\(sent)".utf8)
            bytes += Array("GET \(Self.poll) HTTP/1.1\r\nHost: x\r\nX-A: ".utf8)
            bytes += [0xE9, 0x20, 0xC3, 0xA9, 0xFF] + Array("\r\nX-B: b\r\nX-C: ".utf8) + [0x80]
            bytes += Array("\r\n\r\n".utf8)
            for cut in 0..<bytes.count {
                let channel = try opener.connect()
                try channel.writeInbound(ByteBuffer(bytes: bytes[..<cut]))
                opener.loop.run()
                try channel.writeInbound(ByteBuffer(bytes: bytes[cut...]))
                #expect(opener.text(of: channel).components(separatedBy: "HTTP/1.1 200 ").count == 3, "\(cut)")
                #expect(opener.delegate.messages.last == String(body.dropFirst()), "\(cut)")
                let request = try #require(opener.sessions.last?.request)
                #expect(request.header("x-a") == "\u{E9} \u{C3}\u{A9}\u{FF}", "\(cut)")
                #expect(request.header("x-b") == "b" && request.header("x-c") == "\u{80}", "\(cut)")
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func manyBytesBeyondASCIICostLinearTime() throws {
        let fixture = self.fixture()
        let value = [UInt8](repeating: 0xE9, count: 30_000)
        let channel = try fixture.connect()
        var request = Array("GET \(Self.poll) HTTP/1.1\r\nHost: x\r\nX: ".utf8)
        request += value + Array("\r\n\r\n".utf8)
        try channel.writeInbound(ByteBuffer(bytes: request))
        #expect(fixture.text(of: channel).hasPrefix("HTTP/1.1 200 "))
        #expect(fixture.sessions.first?.request.header("x") == String(repeating: "\u{E9}", count: 30_000))
    }

    @Test func fieldsAreWrittenInLatin1() {
        var buffer = ByteBuffer()
        buffer.writeHTTPField(HTTPField("A", "\u{E9}"))
        buffer.writeHTTPField(HTTPField("B", "\u{20AC}"))
        #expect(Array(buffer.readableBytesView) == Array("A: ".utf8) + [0xE9] + Array("\r\nB: \u{20AC}\r\n".utf8))
    }

    // MARK: Origins

    @Test(
        arguments: [
            (nil, true), ("https://a.example", true), ("https://x", true), ("http://x", true), ("http://X", true),
            ("https://b.example", false), ("https://a.example.evil", false), ("http://a.example", false),
            ("null", false), ("https://x:8443", false), ("https://x@evil", false), ("", false), ("x", false),
            ("https://A.example", false), ("capacitor://localhost", true), ("https://a.example, https://x", false),
            ("https://a.exampl\u{E9}", false), ("https://", false),
        ] as [(String?, Bool)]
    )
    func foreignOrigins(origin: String?, isAllowed: Bool) throws {
        let field = origin.map { "Origin: \($0)\r\n" } ?? ""
        func statuses(_ configure: (inout EngineConfiguration) -> Void) throws -> [Substring] {
            let fixture = self.fixture(configure)
            let poll = "GET \(Self.poll) HTTP/1.1\r\nHost: x\r\n\(field)\r\n"
            let upgrade =
                "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\(field)\(Self.webSocket)\r\n"
            return try [poll, upgrade].map { request in
                let before = fixture.sessions.count
                let status = try fixture.exchange(request, on: fixture.connect()).dropFirst(9).prefix(3)
                #expect((fixture.sessions.count > before) == (status != "403"))
                return status
            }
        }
        let list = CORSConfiguration(origin: .list(["https://a.example", "capacitor://localhost"]))
        let checked = try statuses {
            $0.cors = list
            $0.refusesForeignOrigins = true
        }
        #expect(checked == (isAllowed ? ["200", "101"] : ["403", "403"]))
        // As Node: nobody is refused.
        #expect(try statuses { $0.cors = list } == ["200", "101"])
        let any = try statuses {
            $0.cors = CORSConfiguration()
            $0.refusesForeignOrigins = true
        }
        #expect(any == ["200", "101"])
        // Without any allowed, only the server's own pages.
        let none = try statuses { $0.refusesForeignOrigins = true }
        #expect(
            none == (["http://x", "https://x", "http://X", nil].contains(origin) ? ["200", "101"] : ["403", "403"])
        )
    }

    @Test func ownOriginsHaveTheirPorts() {
        var configuration = EngineConfiguration()
        configuration.refusesForeignOrigins = true
        for (origin, host, isOwn) in [
            ("http://h:3000", "h:3000", true), ("http://h:3000", "h", false), ("https://h", "h:443", true),
            ("http://h", "h:80", true), ("http://h", "h:443", false), ("https://[::1]:8", "[::1]:8", true),
        ] {
            #expect(configuration.allowsPage(of: origin, host: host) == isOwn, "\(origin) \(host)")
        }
        #expect(!configuration.allowsPage(of: "http://h", host: nil))
        // Two lines are one that no browser sends.
        configuration.cors = CORSConfiguration(origin: .matching { $0 == "http://a" })
        #expect(!configuration.allowsPage(of: "http://a, http://a", host: "h"))
    }

    @Test func refusedPagesAreToldWhy() throws {
        let fixture = self.fixture { $0.refusesForeignOrigins = true }
        let answer = try fixture.request(
            "GET",
            "EIO=4&transport=polling",
            fields: "Origin: http://e\r\n",
            on: fixture.connect()
        )
        #expect(String(buffer: answer.body) == #"{"code":4,"message":"Pages of this origin may not connect"}"#)
    }

    // MARK: Browsers

    @Test func browsersSeeAPage() throws {
        let fixture = self.fixture { $0.page = .text("hello") }
        func get(_ query: String, _ accept: String) throws -> String {
            let answer = try fixture.request("GET", query, fields: "Accept: \(accept)\r\n", on: fixture.connect())
            return String(buffer: answer.body)
        }
        let html = "text/html,application/xhtml+xml,*/*;q=0.8"
        #expect(try get("", html) == "hello")
        #expect(try get("utm=1", html) == "hello")
        #expect(try get("", "*/*") == #"{"code":0,"message":"Transport unknown"}"#)
        #expect(try get("transport=x", html) == #"{"code":0,"message":"Transport unknown"}"#)
        #expect(try get("EIO=4", html) == #"{"code":0,"message":"Transport unknown"}"#)
        #expect(try get("EIO=4&transport=polling", html).hasPrefix("0{"))
    }
}
