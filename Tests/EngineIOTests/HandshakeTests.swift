import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// What applications decide about handshakes: ids, cookies, origins.
@Suite(.timeLimit(.minutes(1))) struct HandshakeTests {
    private static let poll = "EIO=4&transport=polling"

    // MARK: Ids

    @Test func idsMayBeTheApplications() throws {
        let server = EmbeddedServer { configuration in
            configuration.generateID = { request in
                SessionID(request.header("x-id") ?? "") ?? SessionID(high: 0, low: 0)
            }
        }
        let id = "AAAAAAAAAAAAAAAAAAA1"
        let first = try server.connect()
        let opened = try server.request("GET", Self.poll, fields: "X-Id: \(id)\r\n", on: first)
        #expect(String(buffer: opened.body).sessionID == id)
        #expect(server.sessions.map(\.id.secret) == [id])
        // Nobody else gets it while it is in use, over whichever transport.
        let refused = try server.request("GET", Self.poll, fields: "X-Id: \(id)\r\n", on: first)
        #expect(refused.head.hasPrefix("HTTP/1.1 400 "))
        #expect(String(buffer: refused.body) == #"{"code":3,"message":"Bad request"}"#)
        let second = try server.connect()
        let upgrade = EchoServer.upgrade().replacing("Host: x\r\n", with: "Host: x\r\nX-Id: \(id)\r\n")
        #expect(try server.exchange(upgrade, on: second).hasPrefix("HTTP/1.1 400 "))
        #expect(server.sessions.count == 1)
        try #require(server.sessions.first).close(discardingQueue: true)
        let third = try server.connect()
        #expect(try server.exchange(upgrade, on: third).sessionID == id)
        for channel in [first, second, third] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    /// A refused handshake leaves no place taken.
    @Test func refusedIdsCountForNothing() throws {
        let server = EmbeddedServer { configuration in
            configuration.limits.maxSessions = 2
            configuration.generateID = { SessionID($0.header("x-id") ?? "") ?? SessionID(high: 0, low: 0) }
        }
        let channel = try server.connect()
        for _ in 0..<5 { _ = try server.request("GET", Self.poll, on: channel) }
        #expect(server.server.sessionCount == 1)
        let fields = "X-Id: AAAAAAAAAAAAAAAAAAA1\r\n"
        #expect(try server.request("GET", Self.poll, fields: fields, on: channel).head.hasPrefix("HTTP/1.1 200 "))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    // MARK: Cookies

    private static func cookie(_ change: (inout CookieConfiguration) -> Void) -> CookieConfiguration {
        var cookie = CookieConfiguration()
        change(&cookie)
        return cookie
    }

    /// What would end an attribute and begin another (CVE-2024-47764).
    @Test(arguments: [
        ("name", cookie { $0.name = "" }), ("name", cookie { $0.name = "io=1; Domain=evil.example; x" }),
        ("name", cookie { $0.name = "io\r\nX: 1" }), ("name", cookie { $0.name = "ïo" }),
        ("name", cookie { $0.name = "<script>" }), ("path", cookie { $0.path = "/; Domain=evil.example" }),
        ("path", cookie { $0.path = "/\r\nSet-Cookie: a=b" }), ("path", cookie { $0.path = "/é" }),
        ("domain", cookie { $0.domain = "example.com; Secure" }), ("domain", cookie { $0.domain = "example.com\n" }),
        ("domain", cookie { $0.domain = "-example.com" }), ("domain", cookie { $0.domain = "example..com" }),
        ("expires", cookie { $0.expires = .max }), ("expires", cookie { $0.expires = .min }),
        ("partitioned", cookie { $0.partitioned = true }), ("domain", cookie { $0.domain = "" }),
        ("domain", cookie { $0.domain = String(repeating: "a", count: 64) }),
    ])
    func cookiesThatSayMoreAreRefused(attribute: String, cookie: CookieConfiguration) async throws {
        let error = #expect(throws: CookieError.self) { try cookie.validate() }
        #expect(error?.attribute == attribute)
        var configuration = EngineConfiguration()
        configuration.cookie = cookie
        await #expect(throws: CookieError.self) { _ = try await EchoServer(configuration) }
    }

    @Test func ordinaryCookiesAreTaken() throws {
        for cookie in [
            CookieConfiguration(), Self.cookie { $0.path = nil }, Self.cookie { $0.path = "/a b/<c>,d=e" },
            Self.cookie { $0.name = "__Host-io.1" }, Self.cookie { $0.domain = ".Example-1.com" },
            Self.cookie { $0.domain = "localhost" },
        ] {
            try cookie.validate()
        }
    }

    /// In the order of the `cookie` package, 0.7.2: what it writes for the same options.
    @Test func attributesHaveTheirOrder() throws {
        let id = try #require(SessionID("AAAAAAAAAAAAAAAAAAA1"))
        let everything = Self.cookie { cookie in
            cookie.maxAge = 3
            cookie.domain = "a.example"
            cookie.expires = 1_445_412_480
            cookie.secure = true
            cookie.partitioned = true
            cookie.priority = .high
            cookie.sameSite = CookieConfiguration.SameSite.none
        }
        try everything.validate()
        #expect(
            everything.headerValue(for: id)
                == "io=AAAAAAAAAAAAAAAAAAA1; Max-Age=3; Domain=a.example; Path=/; "
                + "Expires=Wed, 21 Oct 2015 07:28:00 GMT; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None"
        )
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (-11_644_473_600, "Mon, 01 Jan 1601 00:00:00 GMT"),
    ])
    func datesAreWrittenAsHTTPDoes(seconds: Int, text: String) {
        #expect(HTTPDate.range.contains(seconds))
        #expect(HTTPDate.string(fromSeconds: seconds) == text)
    }

    // MARK: Origins

    enum Asked: CaseIterable {
        case handshake
        case refusal
        case poll
        case post
        case preflight
        case webSocket
    }

    struct Case: Sendable {
        var origins: CORSConfiguration.Origin
        /// The answer for `https://a.example`, `https://a.example.evil`, `null`, and none.
        var allowed: [String?]
    }

    private static let origins: [String?] = ["https://a.example", "https://a.example.evil", "null", nil]

    static let cases = [
        Case(origins: .any, allowed: ["*", "*", "*", "*"]),
        Case(origins: .fixed("https://a.example"), allowed: Array(repeating: "https://a.example", count: 4)),
        Case(
            origins: .list(["https://a.example", "https://b.example"]),
            allowed: ["https://a.example", nil, nil, nil]
        ),
        Case(origins: .matching { $0.hasSuffix("a.example") }, allowed: ["https://a.example", nil, nil, nil]),
        Case(origins: .list([]), allowed: [nil, nil, nil, nil]),
    ]

    /// The same fields on every answer, whatever it is.
    @Test(arguments: 0..<cases.count, [true, false])
    func crossOriginFields(index: Int, credentials: Bool) throws {
        let expected = Self.cases[index]
        let server = EmbeddedServer { configuration in
            configuration.cors = CORSConfiguration(origin: expected.origins)
            configuration.cors?.credentials = credentials
        }
        for (origin, allowed) in zip(Self.origins, expected.allowed) {
            for asked in Asked.allCases {
                let head = try self.ask(asked, origin: origin, server).lowercased()
                let label = "\(asked), \(origin ?? "-")"
                let values = head.split(separator: "\r\n").filter { $0.hasPrefix("access-control-allow-origin: ") }
                #expect(values.map { String($0.dropFirst(29)) } == (allowed.map { [$0] } ?? []), "\(label)")
                #expect(head.contains("access-control-allow-credentials: true") == credentials, "\(label)")
                let varies = head.contains("\r\nvary: origin")
                if case .any = expected.origins { #expect(!varies, "\(label)") } else { #expect(varies, "\(label)") }
            }
        }
    }

    /// Another node may have the session, and who knows its id can take it over.
    @Test func errorsDoNotShowIds() {
        let id = "O6xsits1Y62sFofuAAAA"
        let error = HandshakeError(.sessionUnknown, context: ["sid": id])
        #expect("\(error)" == "Session ID unknown (code: 1)")
        #expect(error.context["sid"] == id)
        let other = HandshakeError(.badRequest, context: ["b": "2", "a": "1"])
        #expect("\(other)" == "Bad request (code: 3, a: 1, b: 2)")
    }

    /// Nothing without configuration (CVE-2020-28481).
    @Test func noOriginIsAllowedByDefault() throws {
        let server = EmbeddedServer()
        for asked in Asked.allCases {
            #expect(try !self.ask(asked, origin: "https://a.example", server).lowercased().contains("access-control"))
        }
    }

    private func ask(_ asked: Asked, origin: String?, _ server: EmbeddedServer) throws -> String {
        let channel = try server.connect()
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        let fields = origin.map { "Origin: \($0)\r\n" } ?? ""
        switch asked {
        case .handshake:
            return try server.request("GET", Self.poll, fields: fields, on: channel).head
        case .refusal:
            return try server.request("GET", "EIO=4&transport=x", fields: fields, on: channel).head
        case .preflight:
            let requested = "Access-Control-Request-Method: POST\r\n"
            return try server.request("OPTIONS", Self.poll, fields: fields + requested, on: channel).head
        case .poll, .post:
            _ = try server.request("GET", Self.poll, on: channel)
            let session = try #require(server.sessions.last)
            let query = "\(Self.poll)&sid=\(session.id.secret)"
            if asked == .post {
                return try server.request("POST", query, body: Array("4a".utf8), fields: fields, on: channel).head
            }
            session.send(text: ByteBuffer(string: "b"))
            return try server.request("GET", query, fields: fields, on: channel).head
        case .webSocket:
            let upgrade = EchoServer.upgrade().replacing("Host: x\r\n", with: "Host: x\r\n\(fields)")
            return try server.exchange(upgrade, on: channel)
        }
    }
}
