import NIOCore
import NIOHTTP1
import Testing

@testable import EngineIO

@Suite struct TrustedProxiesTests {
    private func client(
        of peer: String = "10.0.0.1",
        _ headers: [(String, String)],
        trusted: [String] = ["10.0.0.0/8", "fd00::/8"]
    ) throws -> String {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        head.headers = HTTPHeaders(headers)
        let address = try SocketAddress(ipAddress: peer, port: 1)
        let request = HandshakeRequest(head: head, remoteAddress: address, issued: 0)
        return TrustedProxies(trusted.compactMap { AddressRange($0) }).client(of: request).description
    }

    @Test(
        arguments: [
            ("10.0.0.1", nil, "10.0.0.1"), ("9.9.9.9", "1.1.1.1", "9.9.9.9"), ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"), ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"), ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", " , ,", "10.0.0.1"), ("::ffff:10.0.0.1", "::1", "::1"), ("10.0.0.1", "1.1.1.1,", "1.1.1.1"),
            ("::ffff:192.0.2.1", "1.1.1.1", "192.0.2.1"), ("fd00::1", "\t1.1.1.1\t", "1.1.1.1"),
        ] as [(String, String?, String)]
    )
    func clientsBehindProxies(_ peer: String, _ forwarded: String?, _ client: String) throws {
        let headers = forwarded.map { [("X-Forwarded-For", $0)] } ?? []
        #expect(try self.client(of: peer, headers) == client)
        let own = try #require(IPAddress(peer)).description
        #expect(try self.client(of: peer, headers, trusted: []) == own)
    }

    /// What proxies write for a client at 203.0.113.7 or 2001:db8::7, in either header.
    @Test(arguments: [
        ("203.0.113.7", "203.0.113.7"), ("203.0.113.7:4711", "203.0.113.7"), ("\"203.0.113.7\"", "203.0.113.7"),
        ("\"203.0.113.7:4711\"", "203.0.113.7"), ("2001:db8::7", "2001:db8::7"), ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"), ("\"[2001:db8::7]:4711\"", "2001:db8::7"),
        ("[2001:DB8:0:0::7%eth0]:1", "2001:db8::7"), ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:cb00:7107]:80", "203.0.113.7"), ("203.0.113.7:_port", "203.0.113.7"),
    ])
    func spellings(item: String, client: String) throws {
        for rest in ["", ", 10.0.0.2", ", 10.0.0.2:1, [fd00::1]:2"] {
            #expect(try self.client([("x-forwarded-for", "6.6.6.6, \(item)\(rest)")]) == client)
        }
        for rest in ["", ";by=10.0.0.2", "; proto=https ;by=\"a,b;c\"", ", for=10.0.0.2", ",For=\"[fd00::1]\";x=y"] {
            #expect(try self.client([("Forwarded", "for=6.6.6.6, proto=http;FOR=\(item)\(rest)")]) == client)
        }
        #expect(try self.client([("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-FOR", item)]) == client)
        #expect(try self.client([("Forwarded", "for=6.6.6.6"), ("forwarded", "for=\(item)")]) == client)
        #expect(try self.client([("Forwarded", "for=\(item)"), ("X-Forwarded-For", item)]) == client)
    }

    /// What nobody can read is never the proxy's own address.
    @Test(arguments: [
        "nonsense", "unknown", "_hidden", "203.0.113", "203.0.113.7:", "203.0.113.7:x", "203.0.113.7:123456",
        "203.0.113.7:1:2", "[203.0.113.7]", "[2001:db8::7", "2001:db8::7]", "[2001:db8::7]x", "[2001:db8::7]:",
        "\"203.0.113.7", "\"\"", "\"", "'203.0.113.7'", "203.0.113.7 10.0.0.9", "[]", "[]:1", ":1", "203.0.113.7:_",
        "203.0.113.7\u{301}", "\u{600}", "203.0.113.7%eth0", "0x7f.1.1.1",
    ])
    func unreadable(item: String) throws {
        for rest in ["", ", 10.0.0.2"] {
            #expect(try self.client([("X-Forwarded-For", item + rest)]) == "unreadable")
            #expect(try self.client([("X-Forwarded-For", "1.1.1.1, " + item + rest)]) == "unreadable")
        }
        #expect(try self.client([("Forwarded", "for=\(item)")]) == "unreadable")
        #expect(try self.client([("Forwarded", "for=1.1.1.1, for=\(item), for=10.0.0.9")]) == "unreadable")
    }

    @Test(arguments: ["by=1.1.1.1", "proto=https", "for", "for=", "for=1.1.1.1;for=1.1.1.1", "1.1.1.1", "xfor=1.1.1.1"])
    func elementsWithoutOneClient(element: String) throws {
        #expect(try self.client([("Forwarded", "for=2.2.2.2, \(element)")]) == "unreadable")
    }

    /// A proxy writes one of the two, the other one may come from the client.
    @Test func contradictionsSayNothing() throws {
        let forwardedFor = ("X-Forwarded-For", "1.1.1.1")
        #expect(try self.client([forwardedFor, ("Forwarded", "for=2.2.2.2")]) == "unreadable")
        #expect(try self.client([forwardedFor, ("Forwarded", "for=unknown")]) == "unreadable")
        #expect(try self.client([forwardedFor, ("Forwarded", "for=1.1.1.1;proto=http")]) == "1.1.1.1")
        #expect(try self.client([forwardedFor, ("Forwarded", "")]) == "1.1.1.1")
    }

    @Test func longListsCostLinearTimeAndEnd() throws {
        #expect(try self.client([("X-Forwarded-For", String(repeating: "10.0.0.1,", count: 7000))]) == "unreadable")
        #expect(try self.client([("X-Forwarded-For", String(repeating: ",", count: 60_000))]) == "10.0.0.1")
        #expect(try self.client([("Forwarded", String(repeating: "\"", count: 60_001))]) == "unreadable")
    }
}
