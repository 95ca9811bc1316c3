import NIOCore
import SocketIOWire
import Testing

/// The payloads of protocol 3.
@Suite(.timeLimit(.minutes(1))) struct Version3PayloadTests {
    private static func packets(
        _ body: ByteBuffer,
        isBinary: Bool = false,
        maximumPackets: Int = 100
    ) throws(PollingPayloadError) -> [EnginePacket] {
        var reader = Version3PayloadReader(body, isBinary: isBinary, maximumPackets: maximumPackets)
        var packets: [EnginePacket] = []
        while let packet = try reader.next() { packets.append(packet) }
        return packets
    }

    @Test func readsText() throws {
        let packets = try Self.packets(text("6:4hello1:210:b4AQIDBAU=4:4é😀"))
        #expect(
            packets == [
                EnginePacket(.message, data: text("hello")), EnginePacket(.ping),
                EnginePacket(binary: hex("0102030405")), EnginePacket(.message, data: text("é😀")),
            ]
        )
    }

    @Test func readsBytes() throws {
        let packets = try Self.packets(
            hex("00 06 ff 3468656c6c6f 01 01 02 ff 04 0102030405060708090a0b 00 01 ff 32"),
            isBinary: true
        )
        #expect(
            packets == [
                EnginePacket(.message, data: text("hello")), EnginePacket(binary: hex("0102030405060708090a0b")),
                EnginePacket(.ping),
            ]
        )
    }

    @Test(arguments: [
        "", "x", ":", ":4", "4", "5:4abc", "1:7", "1:😀", "2:4", "-1:4", "1 :4", "99999999999:4", "9999999999:4",
        "18446744073709551617:4", "2:b7", "1:b",
    ])
    func refusesMalformedText(body: String) {
        #expect(throws: PollingPayloadError.undecodablePacket) { try Self.packets(text(body)) }
    }

    @Test(arguments: [
        "", "00", "00ff", "0005ff34", "02 01 ff 34", "00 0a ff 34", "00 01 34", "01 01 ff 07", "01 00 ff",
        "01 01 ff 34",
    ])
    func refusesMalformedBytes(body: String) {
        #expect(throws: PollingPayloadError.undecodablePacket) { try Self.packets(hex(body), isBinary: true) }
    }

    @Test func bytesThatSayTheyAreTextHaveToBe() {
        #expect(throws: PollingPayloadError.invalidUTF8) { try Self.packets(hex("00 02 ff 34 c3"), isBinary: true) }
    }

    @Test func packetsAreLimited() throws {
        #expect(try Self.packets(text(String(repeating: "1:4", count: 100))).count == 100)
        #expect(throws: PollingPayloadError.tooManyPackets) {
            try Self.packets(text(String(repeating: "1:4", count: 101)))
        }
        // Also those that are nothing.
        #expect(throws: PollingPayloadError.tooManyPackets) {
            try Self.packets(text(String(repeating: "0:", count: 101)))
        }
    }

    @Test func anErrorIsForEver() {
        var reader = Version3PayloadReader(text("1:41:x1:4"), isBinary: false)
        #expect((try? reader.next()) == EnginePacket(.message))
        for _ in 0..<3 { #expect(throws: PollingPayloadError.self) { try reader.next() } }
    }

    /// What is written is read again, whatever the characters.
    @Test(arguments: [false, true]) func survives(isTextOnly: Bool) throws {
        let messages = ["", "a", "é", "€", "😀", "é€😀 and so on", String(repeating: "😀", count: 1000)]
        let bytes = [hex(""), hex("00"), hex("ff00fe01"), ByteBuffer(repeating: 0xC3, count: 3000)]
        let packets =
            messages.map { EncodedPacket(.message, data: text($0)) } + bytes.map { EncodedPacket(binary: $0) }
        var body = ByteBuffer()
        let isBinary = body.writeVersion3Payload(packets, isTextOnly: isTextOnly)
        #expect(isBinary == !isTextOnly)
        #expect(
            try Self.packets(body, isBinary: isBinary)
                == messages.map { EnginePacket(.message, data: text($0)) } + bytes.map { EnginePacket(binary: $0) }
        )
    }

    @Test func spoiledBytesAreErrorsOrPackets() {
        let body = hex("00 06 ff 3468656c6c6f 01 04 ff 04 010203 00 01 ff 32")
        for spoiled in body.spoiled + body.prefixes { _ = try? Self.packets(spoiled, isBinary: true) }
        let plain = text("6:4hello6:b4AQID4:4é😀")
        for spoiled in plain.spoiled + plain.prefixes where spoiled.isValidUTF8 { _ = try? Self.packets(spoiled) }
    }
}
