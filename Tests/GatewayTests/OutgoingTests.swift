import EngineIO
import NIOCore
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct AddressPolicyTests {
    private func permits(_ address: String, allowing: [String] = []) throws -> Bool {
        AddressPolicy(allowing: allowing).permits(try #require(IPAddress(address)))
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
        "11.0.0.0", "9.255.255.255", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2600::1",
        "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    ]) func publicAddressesAreReached(_ address: String) throws {
        #expect(try self.permits(address))
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254",
        "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::127.0.0.1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
        "2001:db8::1", "2001::1", "100::1", "3fff::1", "64:ff9b:1::1",
        // The same in other words: IPv4 within IPv6, translated, tunnelled.
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1",
        "2002:a00:1::1",
        // Where clouds give out credentials.
        "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "fd00:ec2::254", "100.100.100.200",
        "168.63.129.16", "192.0.0.192",
    ]) func otherAddressesAreNot(_ address: String) throws {
        #expect(try !self.permits(address))
    }

    @Test func whatIsAllowedIsReachedInAllItsForms() throws {
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "2002:a01:203::1"] {
            #expect(try self.permits(address, allowing: ["10.0.0.0/8"]), "\(address)")
        }
        #expect(try !self.permits("192.168.0.1", allowing: ["10.0.0.0/8"]))
        #expect(try self.permits("fd00::1", allowing: ["fd00::/8"]))
        #expect(try self.permits("127.0.0.1", allowing: ["nonsense", "127.0.0.1"]))
        #expect(try !self.permits("127.0.0.2", allowing: ["127.0.0.1"]))
    }

    @Test func credentialsOfCloudsAreOnlyReachedByTheirVeryAddress() throws {
        for network in ["0.0.0.0/0", "169.254.0.0/16", "169.254.169.254/31"] {
            #expect(try !self.permits("169.254.169.254", allowing: [network]), "\(network)")
        }
        #expect(try self.permits("169.254.169.254", allowing: ["169.254.169.254"]))
        #expect(try !self.permits("fd00:ec2::254", allowing: ["fd00::/8"]))
        #expect(try !self.permits("168.63.129.16", allowing: ["::/0"]))
    }
}

@Suite(.timeLimit(.minutes(1))) struct OutgoingURLTests {
    @Test(arguments: [
        ("https://keys.example.com/jwks.json", "https://keys.example.com/jwks.json"),
        ("HTTP://Example.com", "http://Example.com/"), ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:8443?x=1", "https://example.com:8443/?x=1"),
        ("http://127.0.0.1:9/a?b=c&d", "http://127.0.0.1:9/a?b=c&d"), ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("http://[::ffff:1.2.3.4]/", "http://[::ffff:1.2.3.4]/"), ("http://a_b.internal/", "http://a_b.internal/"),
    ]) func readsURLs(_ text: String, _ expected: String) throws {
        #expect(try #require(OutgoingURL(text)).description == expected)
    }

    @Test(arguments: [
        "", "/", "example.com", "ftp://example.com/", "https:/example.com", "https://", "https:///x", "http://:80/",
        "http://user@example.com/", "http://user:word@example.com/", "http://example.com/#part", "http://a b/",
        "http://example.com/\u{E9}", "http://\u{E9}.com/", "http://example.com:0/", "http://example.com:65536/",
        "http://example.com:/", "http://example.com:8x/", "http://[::1/", "http://[::1]x/", "http://::1/",
        "http://[127.0.0.1]/", "http://example.com\\@other/", "unix:///tmp/x", "http+unix://x/", "http://e\r\nHost: x/",
        "http://%31/", "http://" + String(repeating: "a", count: 5000),
    ]) func refusesOtherTexts(_ text: String) {
        #expect(OutgoingURL(text) == nil)
    }

    @Test(
        arguments: [
            ("https://b.example/x", "https://b.example/x"), ("//b.example/x", "https://b.example/x"),
            ("/x?y", "https://a.example:444/x?y"), ("x", "https://a.example:444/p/x"),
            ("x#frag", "https://a.example:444/p/x"), ("", nil), ("javascript:alert", nil), ("http://u@b/", nil),
        ] as [(String, String?)]
    ) func locations(_ location: String, _ expected: String?) throws {
        let url = try #require(OutgoingURL("https://a.example:444/p/q?r=/s"))
        #expect(url.following(location)?.description == expected)
    }

    private func redirected(
        _ from: String,
        to location: String,
        status: Int = 302,
        method: OutgoingRequest.Method = .get,
        after count: Int = 0
    ) throws -> OutgoingRequest? {
        var request = OutgoingRequest(method, try #require(OutgoingURL(from)))
        request.headers = [.init("Authorization", "secret"), .init("COOKIE", "secret"), .init("Accept", "x")]
        request.maximumRedirects = 2
        let response = OutgoingResponse(status: status, headers: [.init("LOCATION", location)])
        return try request.redirected(by: response, after: count)
    }

    @Test func credentialsStayWithTheirOrigin() throws {
        let same = try #require(try self.redirected("https://a.example/x", to: "https://A.example:443/y"))
        #expect(same.headers.count == 3)
        for target in ["https://b.example/", "https://a.example:444/", "//b.example/"] {
            let other = try #require(try self.redirected("https://a.example/x", to: target))
            #expect(other.headers == [.init("Accept", "x")], "\(target)")
        }
    }

    @Test func redirectsThatAreNotFollowed() throws {
        #expect(try self.redirected("https://a.example/", to: "/y", method: .post) == nil)
        #expect(try self.redirected("https://a.example/", to: "/y", status: 200) == nil)
        #expect(try self.redirected("https://a.example/", to: "/y", status: 304) == nil)
        #expect(throws: OutgoingError.self) { try self.redirected("https://a.example/", to: "http://a.example/") }
        #expect(throws: OutgoingError.self) { try self.redirected("https://a.example/", to: "file:///etc/passwd") }
        #expect(throws: OutgoingError.self) { try self.redirected("https://a.example/", to: "/y", after: 2) }
        #expect(try self.redirected("https://a.example/", to: "/y", after: 1) != nil)
    }
}
