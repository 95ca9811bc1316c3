import NIOHTTP1
import Testing

@testable import EngineIO

/// What peers write is taken apart by its bytes: a combining mark hides no separator, and what only looks the same
/// is not the same.
@Suite struct BytesTests {
    /// Marks that Swift takes together with the character before or behind them.
    static let marks = ["\u{301}", "\u{600}", "\u{200D}", "\u{FE0F}", "\u{1F3FD}"]

    @Test(arguments: Self.marks)
    func separatorsSeparateWhateverStandsBesideThem(mark: String) throws {
        let target = "/engine.io/?a=\(mark)&transport=polling&b\(mark)=1&EIO=4&c=\(mark)"
        let query = EngineQuery(target: target)
        #expect(query.transport == .known(.polling))
        #expect(query.isVersion4)
        #expect(RequestTarget.query(of: "?\(mark)=\(mark)&x=\(mark)#\(mark)").map(\.name) == [mark, "x"])
        #expect(ContentEncoding.preferred(by: "\(mark),gzip;q=0.5,\(mark)") == .gzip)
        #expect("\(mark),upgrade,\(mark)".withBytes { $0.names("upgrade") })
        #expect(IPAddress("10.0.0.1\(mark)") == nil)
        #expect(IPAddress("\(mark)::1") == nil)
        #expect(AddressRange("10.0.0.0/8\(mark)") == nil)
        let proxies = TrustedProxies([try #require(AddressRange("10.0.0.0/8"))])
        let peer = ClientAddress(peer: "10.0.0.1")
        let client = proxies.client(of: peer, forwardedFor: "\(mark),192.0.2.7", forwarded: nil)
        #expect(client.description == "192.0.2.7")
    }

    /// Each of them equals the text beside it as a `String`, or in lower case.
    @Test(arguments: [
        ("transport=poll\u{131}ng", false), ("transport=poll\u{69}ng", true), ("tr\u{61}nsport=polling", true),
        ("transport=p\u{6F}\u{308}lling", false), ("transport=POLLING", false),
    ])
    func onlyTheSameBytesAreATransport(query: String, isKnown: Bool) {
        #expect((EngineQuery(target: "/?\(query)").transport == .known(.polling)) == isKnown)
    }

    @Test func composedAndDecomposedNamesAreTwo() {
        let query = RequestTarget.query(of: "/?\u{E9}=1&e\u{301}=2&%C3%A9=3")
        #expect(query.map(\.value) == ["3", "2"])
        #expect(!"\u{E9}".hasSameBytes(as: "e\u{301}"))
        #expect("\u{E9}".hasSameBytes(as: "\u{E9}"))
    }

    @Test func theKelvinSignIsNoLetter() {
        #expect(!"websoc\u{212A}et".withBytes { $0.equalsIgnoringCase("websocket") })
        #expect("WebSocKet".withBytes { $0.equalsIgnoringCase("websocket") })
        #expect(RequestFields(HTTPHeaders([("connection", "Up\u{67}rade")])).connectionUpgrades)
        #expect(!RequestFields(HTTPHeaders([("connection", "Upgr\u{E4}de")])).connectionUpgrades)
    }

    /// The time for a name of many marks that Swift would put in order.
    @Test(.timeLimit(.minutes(1)))
    func reorderedMarksCostLinearTime() {
        let marks = String(repeating: "\u{301}", count: 20_000) + String(repeating: "\u{323}", count: 20_000)
        let query = RequestTarget.query(of: "/?" + (0..<8).map { "a\(marks)\($0)=\(marks)" }.joined(separator: "&"))
        #expect(query.count == 8)
        _ = EngineQuery(target: "/?sid=a\(marks)&transport=b\(marks)&a\(marks)=1")
        _ = ContentEncoding.preferred(by: "a\(marks),gzip")
        #expect(HTTPHeaders([("a\(marks)", "1"), ("origin", "x")]).field("origin") == "x")
    }

    @Test(arguments: [
        ("gzip;q=0.5, deflate;q=0.49", ContentEncoding.gzip), ("gzip;q=0.5, deflate;q=.51", .deflate),
        ("gzip;q=0.0005, deflate;q=0.001", .deflate), ("*;q=0.1, gzip;q=0", .deflate), ("gzip; q=1.000", .gzip),
        ("gzip;q=x, deflate;q=0.001", .deflate), ("GZIP", .gzip), ("gzip;q=7", .gzip), ("gzip;Q=0,*", .deflate),
    ])
    func weights(header: String, preferred: ContentEncoding) {
        #expect(ContentEncoding.preferred(by: header) == preferred)
    }
}

@Suite struct IPAddressTests {
    /// As RFC 5952 writes them.
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:201", "192.0.2.1"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::", "2001:db8::"),
        ("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("fe80::1%eth0", "fe80::1"), ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("0:0:0:0:0:0:0:0", "::"),
    ])
    func reads(text: String, written: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == written)
        #expect(IPAddress(written) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1.2.3.4 ", "1.2.3.+4", "1.2.3.0x4",
        "1.2.3.4%e",
        ":", ":::", "1:::2", "1::2::3", "::1:", ":1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "::12345", "::g", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "[::1]", "::-1",
    ])
    func refuses(text: String) {
        #expect(IPAddress(text) == nil)
    }
}
