import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

@Suite(.timeLimit(.minutes(1))) struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    static func binary(_ command: UInt8, _ family: UInt8, _ rest: [UInt8]) -> [UInt8] {
        Self.signature + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 0xFF)] + rest
    }

    private static let ipv6: [UInt8] = [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]

    /// Headers, and what they say.
    static let headers: [([UInt8], ProxyHeader)] = [
        (Array("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n".utf8), .client(IPAddress("203.0.113.7")!, port: 4711)),
        (Array("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n".utf8), .client(IPAddress("2001:db8::7")!, port: 1)),
        (
            Array("PROXY TCP6 ffff:f...f:ffff ".utf8.prefix(11))
                + Array("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ".utf8)
                + Array("65535 65535\r\n".utf8),
            .client(IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")!, port: 65_535)
        ),
        (Array("PROXY UNKNOWN\r\n".utf8), .local), (Array("PROXY UNKNOWN a b c d\r\n".utf8), .local),
        (Self.binary(0x20, 0, []), .local), (Self.binary(0x20, 0x11, [UInt8](repeating: 1, count: 12)), .local),
        (Self.binary(0x21, 0, [1, 2, 3]), .local), (Self.binary(0x21, 0x31, [UInt8](repeating: 1, count: 216)), .local),
        (
            Self.binary(0x21, 0x11, [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80]),
            .client(IPAddress("203.0.113.7")!, port: 4711)
        ),
        (
            Self.binary(0x21, 0x11, [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80, 3, 0, 4, 1, 2, 3, 4]),
            .client(IPAddress("203.0.113.7")!, port: 4711)
        ),
        (
            Self.binary(0x21, 0x21, Self.ipv6 + Self.ipv6 + [0, 1, 0, 80]),
            .client(IPAddress("2001:db8::7")!, port: 1)
        ),
    ]

    /// However it arrives, and whatever stands behind it.
    @Test(arguments: Self.headers)
    func reads(bytes: [UInt8], header: ProxyHeader) throws {
        for rest in [[], Array("GET / HTTP/1.1\r\n".utf8), [13, 10]] as [[UInt8]] {
            var buffer = ByteBuffer(bytes: bytes + rest)
            #expect(try ProxyHeader.read(from: &buffer) == header)
            #expect(Array(buffer.readableBytesView) == rest)
        }
        for count in 0..<bytes.count {
            var buffer = ByteBuffer(bytes: bytes[..<count])
            #expect(try ProxyHeader.read(from: &buffer) == nil)
            #expect(buffer.readableBytes == count)
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
        "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", "proxy UNKNOWN\r\n",
        "PROXY  UNKNOWN\r\n",
        "PROXY TCP4 ::ffff:1.1.1.1 2.2.2.2 1 2\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", "PROXYTCP4", "P\r\n", "\n",
    ])
    func refuses(text: String) {
        var buffer = ByteBuffer(string: text)
        #expect(throws: ProxyHeader.Malformed()) { try ProxyHeader.read(from: &buffer) }
    }

    @Test func refusesWhatIsTooLongOrOfAnotherVersion() {
        for bytes in [
            Array(("PROXY UNKNOWN" + String(repeating: " ", count: 94)).utf8), Self.binary(0x11, 0x11, []),
            Self.binary(0x22, 0x11, []), Self.binary(0x21, 0x11, [1, 2]),
            Self.binary(0x21, 0x21, [UInt8](repeating: 0, count: 35)),
        ] {
            var buffer = ByteBuffer(bytes: bytes)
            #expect(throws: ProxyHeader.Malformed()) { try ProxyHeader.read(from: &buffer) }
        }
    }

    /// Headers with bytes changed, left out and added: read, awaited or refused, and never more than was there.
    @Test func spoiledHeaders() {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<20_000 {
            var bytes = Self.headers[Int.random(in: 0..<Self.headers.count, using: &generator)].0
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0...bytes.count, using: &generator)
                let byte = UInt8.random(in: 0...255, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0 where index < bytes.count: bytes[index] = byte
                case 1 where index < bytes.count: bytes.remove(at: index)
                default: bytes.insert(byte, at: index)
                }
            }
            var buffer = ByteBuffer(bytes: bytes)
            do {
                let header = try ProxyHeader.read(from: &buffer)
                #expect((header == nil) == (buffer.readableBytes == bytes.count), "\(bytes)")
            } catch {
                #expect(buffer.readableBytes == bytes.count, "\(bytes)")
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ProxyProtocolTests {
    private static let request = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"

    private func fixture(_ configure: (inout EngineConfiguration) -> Void = { _ in }) -> EmbeddedServer {
        EmbeddedServer { configuration in
            configuration.proxyProtocolSources = ["127.0.0.1"].compactMap { AddressRange($0) }
            configure(&configuration)
        }
    }

    @Test func sessionsHaveTheClientsAddress() throws {
        for (bytes, header) in ProxyHeaderTests.headers {
            let whole = bytes + Array(Self.request.utf8)
            for cut in [0, 1, 5, 6, 12, bytes.count - 1, bytes.count, bytes.count + 3] {
                let fixture = self.fixture()
                let channel = try fixture.connect()
                try channel.writeInbound(ByteBuffer(bytes: whole[..<cut]))
                fixture.loop.run()
                try channel.writeInbound(ByteBuffer(bytes: whole[cut...]))
                #expect(fixture.text(of: channel).hasPrefix("HTTP/1.1 200 "))
                var expected = "127.0.0.1"
                if case .client(let address, _) = header { expected = address.description }
                #expect(fixture.sessions.first?.request.remoteAddress == expected)
                // One header a connection.
                #expect(try fixture.exchange(Self.request, on: channel).hasPrefix("HTTP/1.1 200 "))
                #expect(try fixture.exchange("PROXY UNKNOWN\r\n", on: channel).hasPrefix("HTTP/1.1 400 "))
            }
        }
    }

    @Test func balancersMustSendIt() throws {
        let fixture = self.fixture()
        let channel = try fixture.connect()
        #expect(try fixture.exchange(Self.request, on: channel).isEmpty)
        #expect(!channel.isActive)
        // One that sends nothing is closed as any other silent connection.
        let silent = try fixture.connect()
        fixture.loop.advanceTime(by: .seconds(31))
        #expect(!silent.isActive)
    }

    @Test func nobodyElseMay() throws {
        let header = "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n"
        let off = EmbeddedServer()
        #expect(try off.exchange(header + Self.request, on: off.connect()).hasPrefix("HTTP/1.1 400 "))
        let elsewhere = self.fixture { $0.proxyProtocolSources = ["192.0.2.1"].compactMap { AddressRange($0) } }
        #expect(try elsewhere.exchange(header + Self.request, on: elsewhere.connect()).hasPrefix("HTTP/1.1 400 "))
        #expect(try elsewhere.exchange(Self.request, on: elsewhere.connect()).hasPrefix("HTTP/1.1 200 "))
    }

    @Test func webSocketsComeThroughAsWell() throws {
        let fixture = self.fixture()
        let channel = try fixture.connect()
        let request = """
            PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r
            GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            \r

            """
        #expect(try fixture.exchange(request, on: channel).hasPrefix("HTTP/1.1 101 "))
        fixture.send("4hello", to: channel)
        #expect(fixture.delegate.messages == ["hello"])
        #expect(fixture.sessions.first?.request.remoteAddress == "203.0.113.7")
    }

    /// The limits count clients, and not the balancer.
    @Test func limitsCountClients() throws {
        let fixture = self.fixture {
            $0.limits.maxConnectionsPerAddress = 1
            $0.limits.maxConnections = 4
        }
        func open(_ client: String) throws -> String {
            let header = "PROXY TCP4 \(client) 10.0.0.1 4711 80\r\n"
            return try String(fixture.exchange(header + Self.request, on: fixture.connect()).dropFirst(9).prefix(3))
        }
        #expect(try open("203.0.113.1") == "200")
        #expect(try open("203.0.113.2") == "200")
        #expect(try open("203.0.113.1") == "429")
        #expect(try open("203.0.113.3") == "200")
        // Connections of balancers that have not said yet whose they are count in total.
        _ = try fixture.connect()
        #expect(try open("203.0.113.4") == "503")
    }
}
