import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct EnginePacketTests {
    @Test(arguments: [
        ("0{}", EnginePacketType.open, "{}"), ("1", .close, ""), ("2", .ping, ""), ("2probe", .ping, "probe"),
        ("3", .pong, ""), ("3probe", .pong, "probe"), ("4", .message, ""), ("4hello", .message, "hello"),
        ("4é€😀", .message, "é€😀"), ("4b", .message, "b"), ("5", .upgrade, ""), ("6", .noop, ""),
    ])
    func readsText(input: String, type: EnginePacketType, data: String) {
        let packet = EnginePacket(text: text(input))
        #expect(packet == EnginePacket(type, data: text(data)))
        #expect(packet?.isProbe == (input == "2probe"))
    }

    @Test(arguments: [("bAQIDBA==", "01020304"), ("bAQIDBA", "01020304"), ("b", ""), ("b\u{7}_w", "ff")])
    func readsBinary(input: String, bytes: String) {
        #expect(EnginePacket(text: text(input)) == EnginePacket(binary: hex(bytes)))
    }

    @Test(arguments: ["", "7", "9", "a", "B", " 4", "-1", "\0", "é", "\u{1E}"])
    func refusesTheRest(input: String) {
        #expect(EnginePacket(text: text(input)) == nil)
    }

    @Test func openPacketHasItsKeysInOrder() throws {
        let id = try #require(SessionID("O6xsits1Y62sFofuAAAA"))
        var handshake = EngineHandshake(
            id: id,
            upgrades: ["websocket"],
            pingIntervalMilliseconds: 25_000,
            pingTimeoutMilliseconds: 20_000,
            maximumPayloadBytes: 1_000_000
        )
        let json =
            #"0{"sid":"O6xsits1Y62sFofuAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"#
            + #""maxPayload":1000000}"#
        #expect(EncodedPacket(handshake).text.string == json)

        handshake.upgrades = []
        handshake.pingTimeoutMilliseconds = 0
        #expect(EncodedPacket(handshake).text.string.contains(#""upgrades":[],"pingInterval":25000,"pingTimeout":0,"#))
        handshake.upgrades = ["websocket", "webtransport"]
        #expect(EncodedPacket(handshake).text.string.contains(#""upgrades":["websocket","webtransport"],"#))
    }

    @Test func plainPacketsAreFramedOnce() {
        let ping = EncodedPacket(.ping)
        #expect(ping.frames == hex("81 01 32"))
        #expect(ping.text.string == "2")
        #expect(ping.attachments.isEmpty)
        #expect(EncodedPacket(.pong, data: text("probe")).frames == hex("81 06 33 70726f6265"))

        let binary = EncodedPacket(binary: hex("0102"))
        #expect(binary.frames == hex("82 02 0102"))
        #expect(binary.text.readableBytes == 0)
        #expect(binary.attachments == [hex("0102")])

        var base64 = ByteBuffer()
        binary.forEachMessage(as: .base64) { base64.writeWebSocketFrame($0, payload: $1) }
        ping.forEachMessage(as: .base64) { base64.writeWebSocketFrame($0, payload: $1) }
        #expect(base64 == hex("81 05 62 41514 93d 81 01 32"))
    }
}

@Suite(.timeLimit(.minutes(1)))
struct PollingPayloadTests {
    /// All packets, and the error that ends them if one does.
    private func read(
        _ body: ByteBuffer,
        maximumPackets: Int = 100_000
    ) -> (packets: [EnginePacket], error: PollingPayloadError?) {
        var reader = PollingPayloadReader(body, maximumPackets: maximumPackets)
        var packets: [EnginePacket] = []
        do throws(PollingPayloadError) {
            while let packet = try reader.next() { packets.append(packet) }
            return (packets, nil)
        } catch {
            #expect(throws: PollingPayloadError.self, "an error is final") { try reader.next() }
            return (packets, error)
        }
    }

    @Test func splits() {
        #expect(self.read(text("4hey")).packets == [EnginePacket(.message, data: text("hey"))])
        let (packets, error) = self.read(text("4first\u{1E}2\u{1E}bAQID\u{1E}4"))
        #expect(error == nil)
        #expect(
            packets == [
                EnginePacket(.message, data: text("first")), EnginePacket(.ping), EnginePacket(binary: hex("010203")),
                EnginePacket(.message),
            ]
        )
    }

    @Test(arguments: [
        ("", 0), ("\u{1E}", 0), ("\u{1E}4a", 0), ("4a\u{1E}", 1), ("4a\u{1E}\u{1E}4b", 1), ("4a\u{1E}x\u{1E}4b", 1),
        ("7", 0), ("4a\u{1E}4b\u{1E}9", 2),
    ])
    func packetsBeforeABadOneAreRead(body: String, count: Int) {
        let (packets, error) = self.read(text(body))
        #expect(packets.count == count)
        #expect(error == .undecodablePacket)
    }

    @Test func textMustBeUTF8() {
        let (packets, error) = self.read(hex("34 61 1e 34 c3 1e 34 62"))
        #expect(packets.count == 1)
        #expect(error == .invalidUTF8)
    }

    @Test func packetsAreCounted() {
        let body = text(Array(repeating: "2", count: 5).joined(separator: "\u{1E}"))
        #expect(self.read(body, maximumPackets: 5).error == nil)
        let (packets, error) = self.read(body, maximumPackets: 4)
        #expect(packets.count == 4)
        #expect(error == .tooManyPackets)
    }

    /// A megabyte of separators, and more empty messages than are allowed.
    @Test func hostileBodiesCostLinearTime() {
        let separators = ByteBuffer(repeating: 0x1E, count: 1_000_000)
        #expect(self.read(separators).error == .undecodablePacket)
        let messages = ByteBuffer(bytes: (0..<220_000).map { $0 % 2 == 0 ? UInt8(0x34) : 0x1E })
        let (packets, error) = self.read(messages)
        #expect(packets.count == 100_000)
        #expect(error == .tooManyPackets)
    }

    @Test func cutAndSpoiledBodiesNeverTrap() {
        let body = text("0{}\u{1E}4hé\u{1E}bAQID\u{1E}2probe\u{1E}4[1,2]")
        for input in body.prefixes + body.spoiled { _ = self.read(input) }
    }

    @Test func joins() {
        var payload = ByteBuffer()
        payload.writePollingPacket(EncodedPacket(.message, data: text("one")))
        payload.writePollingPacket(EncodedPacket(binary: hex("0102")))
        let event = PacketEncoder.event("e", arguments: [.binary(hex("ff")), .binary(hex(""))])
        payload.writePollingPacket(event)
        payload.writePollingPacket(EnginePacket(.noop))
        payload.writePollingPacket(EnginePacket(binary: hex("00")))
        let json = #"452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#
        #expect(payload.string == "4one\u{1E}bAQI=\u{1E}\(json)\u{1E}b/w==\u{1E}b\u{1E}6\u{1E}bAA==")
        #expect(EncodedPacket(.noop).pollingLength == 2)
        #expect(event.pollingLength == json.utf8.count + 1 + 6 + 2)
    }
}
