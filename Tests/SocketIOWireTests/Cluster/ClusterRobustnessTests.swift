import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// Whatever is on a channel, in a stream or under a key: it is read or it is an error, and nothing else happens.
struct ClusterRobustnessTests {
    /// Reads bytes as everything that they may be, and uses what comes of it.
    private static func readAll(
        _ bytes: ByteBuffer,
        asTypes types: [String] = ["3", "4", "7", "8", "9", "10", "11", "12"]
    ) {
        if let envelope = try? ClusterEnvelope(parsing: bytes) { self.use(envelope.content) }
        for type in types {
            let fields = [text("nsp"), text("/"), text("type"), text(type), text("data"), bytes]
            if let content = try? StreamEntry(fields: fields).content() { self.use(content) }
        }
        _ = try? StreamEntry(fields: [bytes, bytes, text("nsp"), bytes, text("type"), bytes])
        if let session = try? StreamSession(parsing: bytes) {
            #expect((try? StreamSession(parsing: session.text)) != nil)
        }
        if let offset = StreamOffset(utf8: bytes.readableBytesView) {
            #expect(StreamOffset(offset.description) == offset)
        }
    }

    private static func use(_ content: ClusterEnvelope.Content) {
        switch content {
        case .broadcast(let broadcast):
            guard let packet = try? broadcast.payload.packet(for: "/", offset: "1-0") else { return }
            var text = packet.text
            text.moveReaderIndex(forwardBy: 1)
            var limits = PacketLimits()
            limits.json.maximumDepth = JSONLimits.greatestDepth
            limits.maximumAttachments = .max
            var decoder = PacketDecoder()
            do throws(PacketError) {
                _ = try decoder.decode(text: text, limits: limits)
            } catch {
                #expect(error.underlying == nil, "a packet for clients that is no JSON: \(text.string)")
            }
            #expect((try? broadcast.payload.arguments()) != nil)
        case .request, .heartbeat: break
        case .response(let response):
            for question in [ClusterResponse.Question.sockets, .rooms, .serverSideEmit, .acknowledgements] {
                _ = try? response.answer(to: question)
            }
        }
    }

    /// One message of each kind and form.
    private static let samples: [ByteBuffer] = {
        var samples: [ByteBuffer] = []
        var seen: Set<String> = []
        let published = ClusterRecord.shardedMessages + ClusterRecord.publishedMessages
        for record in published where record.payload.readableBytes < 400 {
            let first = record.payload.getInteger(at: record.payload.readerIndex, as: UInt8.self) ?? 0
            if seen.insert("\(record.type) \(first)").inserted { samples.append(record.payload) }
        }
        for record in ClusterRecord.entries + ClusterRecord.emitted where record.fields[7].readableBytes < 400 {
            let first = record.fields[7].getInteger(at: record.fields[7].readerIndex, as: UInt8.self) ?? 0
            if seen.insert("entry \(record.type) \(first)").inserted { samples.append(record.fields[7]) }
        }
        return samples
    }()

    @Test func truncatedEverywhere() {
        #expect(Self.samples.count > 15)
        for sample in Self.samples {
            for prefix in sample.prefixes {
                #expect(throws: ClusterProtocolError.self) { try ClusterEnvelope(parsing: prefix) }
                Self.readAll(prefix)
            }
        }
    }

    @Test func spoiledEverywhere() {
        var generator = SeededGenerator(seed: 1)
        for sample in Self.samples {
            for spoiled in sample.spoiled where Int.random(in: 0..<16, using: &generator) == 0 { Self.readAll(spoiled) }
        }
    }

    @Test func randomBytes() {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<4_000 {
            let count = Int.random(in: 0..<64, using: &generator)
            var bytes = ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
            if Bool.random(using: &generator), bytes.readableBytes > 0 {
                bytes.setInteger([0x7B, 0x84, 0x81, 0x67].randomElement(using: &generator) ?? 0, at: 0, as: UInt8.self)
            }
            Self.readAll(bytes)
        }
    }

    /// Values where others are expected, in every place of a message.
    @Test func wrongTypes() throws {
        let values: [JSONValue] = [
            nil, true, 0, -1, 1e300, "", "x", [], [1], [:], ["a": 1], .binary(hex("00FF")), "\u{0}",
        ]
        func spoil(_ value: JSONValue, _ body: (JSONValue) -> Void) {
            for other in values { body(other) }
            switch value {
            case .array(let elements):
                for index in elements.indices {
                    spoil(elements[index]) { other in
                        var elements = elements
                        elements[index] = other
                        body(.array(elements))
                    }
                }
            case .object(let members):
                for key in members.keys {
                    spoil(members[key] ?? nil) { other in
                        var members = members
                        members[key] = other
                        body(.object(members))
                    }
                }
            default: break
            }
        }
        let messages: [JSONValue] = [
            [
                "type": 3, "uid": "u", "nsp": "/",
                "data": [
                    "packet": ["type": 2, "data": ["e", 1]], "requestId": "q",
                    "opts": ["rooms": ["r"], "except": ["x"], "flags": ["timeout": 5]],
                ],
            ],
            ["type": 3, "data": ["packet": ["type": 2, "data": ["e"], "id": 1], "opts": ["rooms": ["r"]]]],
            ["type": 4, "data": ["opts": ["rooms": []], "rooms": ["a"]]],
            ["type": 8, "data": ["requestId": "q", "sockets": [["id": "i", "rooms": ["r"], "handshake": [:]]]]],
            ["type": 9, "data": ["packet": ["e", 1], "requestId": "q"]],
        ]
        var count = 0
        for message in messages {
            spoil(message) { spoiled in
                count += 1
                for isJSON in [true, false] {
                    var bytes = ByteBuffer()
                    if isJSON { bytes.writeJSON(spoiled) } else { bytes.writeMessagePack(spoiled, as: .msgpack) }
                    Self.readAll(bytes)
                }
            }
        }
        #expect(count > 300)
    }

    @Test func depth() {
        let depth = 100_000
        let heads = [
            "", #"{"type":3,"data":"#, #"{"type":3,"data":{"packet":"#,
            #"{"type":3,"data":{"packet":{"type":2,"data":"#, #"{"type":3,"data":{"opts":"#,
            #"{"type":3,"data":{"opts":{"rooms":"#, #"{"type":3,"data":{"opts":{"flags":"#,
            #"{"type":3,"data":{"requestId":"#, #"{"type":7,"data":"#, #"{"type":"#, #"{"uid":"#, #"{"x":"#,
        ]
        for head in heads {
            for bracket in ["[", #"{"a":"#, #"["e",["#] {
                let bytes = text(head + String(repeating: bracket, count: depth))
                #expect(throws: ClusterProtocolError.self) { try ClusterEnvelope(parsing: bytes) }
                Self.readAll(bytes, asTypes: ["3", "7"])
            }
        }
        for header: UInt8 in [0x91, 0x81] {
            let data = "82a47479706503a464617461"
            for head in [data, data + "81a67061636b657482a47479706502a464617461"] {
                var bytes = hex(head)
                bytes.writeRepeatingByte(header, count: depth)
                bytes.writeInteger(0xC0 as UInt8)
                Self.readAll(bytes, asTypes: ["3", "7"])
                var base64 = ByteBuffer()
                base64.writeBase64Encoded(bytes)
                Self.readAll(base64, asTypes: ["3", "7"])
            }
        }
    }

    /// Many members of the same name, and lists that are only announced.
    @Test func muchOfTheSame() {
        let packet = #""packet":{"type":2,"data":["e"]}"#
        let data = #"{"type":3,"data":{\#(Array(repeating: packet, count: 2_000).joined(separator: ","))}}"#
        Self.readAll(text(data))
        let rooms = String(repeating: "\"r\",", count: 50_000)
        Self.readAll(text(#"{"type":3,"data":{\#(packet),"opts":{"rooms":[\#(rooms)"r"]}}}"#))
        for announced in ["DDFFFFFFFF", "DFFFFFFFFF", "C6FFFFFFFF", "DBFFFFFFFF", "C9FFFFFFFF00"] {
            Self.readAll(hex("82a47479706503a464617461\(announced)"))
            Self.readAll(hex("82a47479706503a46461746181a46f70747381a5726f6f6d73\(announced)"))
        }
    }
}
