import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct PacketEncoderTests {
    /// Recorded packets that this encoder cannot be given.
    ///
    /// By what the fixture says of them in its `js` field.
    static let deviations = [
        "data: ['e', '\\ud800'] (lone surrogate)": "Swift's strings hold no lone surrogates",
        "a BigInt": "64-bit integers are written as numbers; JavaScript has another type for them and refuses it",
        "{ toJSON() { return { x: Buffer.from([1]) } } }":
            "a quirk of toJSON; bytes become attachments wherever they stand",
    ]

    @Test(arguments: try PacketFixtures.shared.get().encode)
    func encodesAsTheReferenceDoes(fixture: JSONValue) throws {
        let packet = try #require(fixture["packet"])
        let type = try #require(packet["type"]?.intValue.flatMap { PacketType(rawValue: UInt8($0)) })
        let data = packet["data"].map(PacketFixtures.value)
        if case .foreign = data {
            #expect(Self.deviations[fixture["js"]?.stringValue ?? ""] != nil, "a deviation needs a reason")
            return
        }
        var payload: JSONValue?
        if case .value(let value) = data { payload = value }
        let encoded = PacketEncoder.packet(
            type,
            namespace: packet["nsp"]?.stringValue ?? "/",
            id: packet["id"]?.intValue,
            data: payload
        )
        let pieces = try #require(fixture["encoded"]?.arrayValue)
        let json = try #require(pieces[0]["text"]?.stringValue)
        #expect(encoded.text.string == "4" + json)
        #expect(encoded.attachments == pieces.dropFirst().compactMap { $0["hex"]?.stringValue.map(hex) })
        try Self.checkFrames(encoded)

        // The ways in which a server makes packets give the same bytes.
        let namespace = packet["nsp"]?.stringValue ?? "/"
        switch (type, payload) {
        case (.event, .array(let elements)):
            guard case .string(let name) = elements.first else { return }
            let other = PacketEncoder.event(
                name,
                arguments: Array(elements.dropFirst()),
                namespace: namespace,
                id: packet["id"]?.intValue
            )
            #expect(other.frames == encoded.frames)
        case (.acknowledgement, .array(let elements)):
            let id = try #require(packet["id"]?.intValue)
            let other = PacketEncoder.acknowledgement(id: id, arguments: elements, namespace: namespace)
            #expect(other.frames == encoded.frames)
        case (.connectError, .object(let members)):
            let message = try #require(members["message"]?.stringValue)
            let other = PacketEncoder.connectError(namespace: namespace, message: message, data: members["data"])
            #expect(other.frames == encoded.frames)
        case (.disconnect, nil):
            #expect(PacketEncoder.disconnect(namespace: namespace).frames == encoded.frames)
        case (.connect, _):
            #expect(PacketEncoder.connect(namespace: namespace, auth: payload).frames == encoded.frames)
        default:
            break
        }
    }

    @Test func everyDeviationIsRecorded() throws {
        let marks = Set(try PacketFixtures.shared.get().encode.compactMap { $0["js"]?.stringValue })
        for mark in Self.deviations.keys { #expect(marks.contains(mark)) }
    }

    /// The frames are the text and the attachments, nothing else, in one storage.
    static func checkFrames(_ packet: EncodedPacket) throws {
        var rules = WebSocketRules()
        rules.framesAreMasked = false
        let outcome = WebSocketDecoderTests.decode(packet.frames, rules: rules)
        #expect(outcome.error == nil)
        #expect(outcome.events == [.text(packet.text)] + packet.attachments.map { .binary($0) })
        let start = packet.frames.storageAddress
        let range = start..<(start + UInt(packet.frames.capacity))
        for slice in [packet.text] + packet.attachments where slice.readableBytes > 0 {
            #expect(range.contains(slice.storageAddress))
        }
    }

    /// The header in front of the text takes 2, 4 or 10 bytes.
    @Test(arguments: [0, 100, 117, 118, 119, 130, 65_520, 65_527, 65_528, 65_529, 70_000])
    func textsOfEveryLengthAreFramed(length: Int) throws {
        let argument = String(repeating: "x", count: length)
        let packet = PacketEncoder.event("e", arguments: [.string(argument)], namespace: "/n", id: 7)
        #expect(packet.text.string == "42/n,7[\"e\",\"\(argument)\"]")
        try Self.checkFrames(packet)
        let binary = PacketEncoder.event("e", arguments: [.string(argument), .binary(text(argument))])
        #expect(binary.text.string == "451-[\"e\",\"\(argument)\",{\"_placeholder\":true,\"num\":0}]")
        try Self.checkFrames(binary)
    }

    @Test func argumentsAreWrittenStraightIntoThePacket() throws {
        struct Point: Encodable {
            let x: Int
            let y: Double
            let tag: ByteBuffer
        }
        let packet = try PacketEncoder.event("all", namespace: "/a", id: 0) { writer in
            writer.write("text\n")
            try writer.write(-12)
            try writer.write(true)
            try writer.write(1.5)
            writer.write(hex("01"))
            writer.write([1, nil, ["k": "v"]] as JSONValue)
            try writer.write([1, 2])
            try writer.write(Int?.none)
            try writer.write(Point(x: 1, y: 2, tag: hex("02")))
            writer.writeRawJSON(text("{\"raw\":[]}"))
        }
        #expect(
            packet.text.string == "452-/a,0[\"all\",\"text\\n\",-12,true,1.5,{\"_placeholder\":true,\"num\":0},"
                + "[1,null,{\"k\":\"v\"}],[1,2],null,{\"x\":1,\"y\":2,\"tag\":{\"_placeholder\":true,\"num\":1}},"
                + "{\"raw\":[]}]"
        )
        #expect(packet.attachments == [hex("01"), hex("02")])
        try Self.checkFrames(packet)
    }

    @Test func anEmptyPayloadIsAnEmptyArray() {
        #expect(PacketEncoder.acknowledgement(id: 3) { _ in }.text.string == "433[]")
        #expect(PacketEncoder.event { _ in }.text.string == "42[]")
    }

    @Test func whatAServerAnswers() {
        #expect(PacketEncoder.connect(sid: "s", pid: "p").text.string == #"40{"sid":"s","pid":"p"}"#)
        #expect(PacketEncoder.connect(namespace: "/a", sid: "s").text.string == #"40/a,{"sid":"s"}"#)
        #expect(PacketEncoder.disconnect().text.string == "41")
        let error = PacketEncoder.connectError(namespace: "/a", message: "no", data: ["retry": false])
        #expect(error.text.string == #"44/a,{"message":"no","data":{"retry":false}}"#)
    }

    /// What other nodes send is MessagePack and becomes JSON text at once.
    @Test func packetsAreTranscoded() throws {
        let payload: JSONValue = ["e", 1, ["k": [.binary(hex("0102")), nil]], "é\n", .binary(hex("ff"))]
        var bytes = ByteBuffer()
        bytes.writeMessagePack(payload)
        var reader = MessagePackReader(bytes)
        let packet = try PacketEncoder.packet(.event, namespace: "/n", transcoding: &reader)
        #expect(reader.isAtEnd)
        #expect(packet?.frames == PacketEncoder.packet(.event, namespace: "/n", data: payload).frames)

        bytes.clear()
        bytes.writeMessagePack(["no": "array"] as JSONValue)
        reader = MessagePackReader(bytes)
        #expect(try PacketEncoder.packet(.event, namespace: "/", transcoding: &reader) == nil)
        reader = MessagePackReader(hex("93 a1 61 01"))
        #expect(throws: MessagePackError.self) {
            try PacketEncoder.packet(.event, namespace: "/", transcoding: &reader)
        }
    }

    /// Also behind nothing, which no client of ours sends but any node may publish.
    @Test func anArgumentIsAppended() {
        func appended(_ packet: EncodedPacket) -> String { packet.appendingArgument("o").text.string }
        #expect(appended(PacketEncoder.event("e", arguments: [1])) == #"42["e",1,"o"]"#)
        #expect(appended(PacketEncoder.event { _ in }) == #"42["o"]"#)
        let packet = PacketEncoder.event("e", arguments: [.binary(hex("ff"))]).appendingArgument("o")
        #expect(packet.text.string == #"451-["e",{"_placeholder":true,"num":0},"o"]"#)
        #expect(packet.attachments == [hex("ff")])
    }

    /// An element that turns out to be malformed is as if it had not been written.
    @Test func argumentsAreTranscoded() {
        let packet = PacketEncoder.event("e") { writer in
            var reader = MessagePackReader(hex("a1 78 c4 01 ff 92 c4 01 00"))
            #expect(throws: Never.self) { try writer.transcode(&reader) }
            #expect(throws: Never.self) { try writer.transcode(&reader) }
            #expect(throws: MessagePackError.self) { try writer.transcode(&reader) }
            writer.write("last")
        }
        #expect(packet.text.string == "451-[\"e\",\"x\",{\"_placeholder\":true,\"num\":0},\"last\"]")
        #expect(packet.attachments == [hex("ff")])
    }

    /// What throws leaves no packet behind.
    @Test func aWriterMayThrow() {
        struct Refusal: Error {}
        #expect(throws: Refusal.self) {
            try PacketEncoder.event("e") { (writer: inout PayloadWriter) throws(Refusal) in throw Refusal() }
        }
    }
}
