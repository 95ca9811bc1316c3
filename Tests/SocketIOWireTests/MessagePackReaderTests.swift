import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct MessagePackReaderTests {
    static func packed(_ value: JSONValue) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMessagePack(value)
        return bytes
    }

    // MARK: As a cursor

    @Test func takesAPacketApart() throws {
        let binary = ByteBuffer(bytes: [1, 2])
        let packet: JSONValue = [
            "Ab3-_9", ["type": 2, "data": ["ev", 1.5, .binary(binary), nil, true], "nsp": "/"],
            ["rooms": ["r"], "except": []],
        ]
        // Not at the start of its storage.
        var bytes = ByteBuffer(string: "prefix")
        bytes.writeMessagePack(packet)
        bytes.moveReaderIndex(forwardBy: 6)
        var reader = MessagePackReader(bytes)
        #expect(try reader.peekKind() == .array)
        #expect(try reader.readArrayHeader() == 3)
        #expect(try reader.readString() == "Ab3-_9")
        #expect(try reader.readMapHeader() == 3)
        #expect(try reader.readKey() == "type")
        #expect(try reader.readInt() == 2)
        #expect(try reader.readKey() == "data")
        #expect(try reader.readArrayHeader() == 5)
        #expect(try reader.readString() == "ev")
        #expect(try reader.peekKind() == .float)
        #expect(try reader.readDouble() == 1.5)
        #expect(try reader.peekKind() == .binary)
        #expect(try reader.readBinary() == binary)
        #expect(try reader.skipNothing())
        #expect(try !reader.skipNothing())
        #expect(try reader.readBool())
        #expect(try reader.readKey() == "nsp")
        #expect(try reader.readRawValue() == Self.packed("/"))
        #expect(!reader.isAtEnd)
        #expect(try reader.readJSONValue() == ["rooms": ["r"], "except": []])
        #expect(reader.isAtEnd)
        try reader.expectEnd()
        #expect(throws: MessagePackError.self) { try reader.peekKind() }
    }

    @Test func staysWhereItIsIfTheTypeIsAnother() throws {
        var reader = MessagePackReader(Self.packed(["a", 1]))
        #expect(throws: MessagePackError.self) { try reader.readMapHeader() }
        #expect(throws: MessagePackError.self) { try reader.readString() }
        #expect(try reader.readArrayHeader() == 2)
        #expect(throws: MessagePackError.self) { try reader.readInt() }
        #expect(throws: MessagePackError.self) { try reader.readBinary() }
        #expect(throws: MessagePackError.self) { try reader.readBool() }
        #expect(throws: MessagePackError.self) { try reader.expectEnd() }
        #expect(try reader.readString() == "a")
        #expect(try reader.readDouble() == 1)
        try reader.expectEnd()
    }

    @Test func integersOfEveryWidthAreRangeChecked() throws {
        func int(_ hex: String) throws -> Int {
            var reader = MessagePackReader(try MessagePackFixtureTests.bytes(hex: hex))
            return try reader.readInt()
        }
        #expect(try int("cf7fffffffffffffff") == .max)
        #expect(throws: MessagePackError.self) { try int("cf8000000000000000") }
        #expect(try int("d38000000000000000") == .min)
        #expect(try int("cb4008000000000000") == 3)
        #expect(throws: MessagePackError.self) { try int("cb400c000000000000") }
        #expect(throws: MessagePackError.self) { try int("cb7ff0000000000000") }
        #expect(try int("ca40400000") == 3)
    }

    @Test func keysAreWhatJavaScriptMakesOfThem() throws {
        let key = MessagePackValue.map([
            .init(key: .int(-1), value: .int(0)), .init(key: .double(1.5), value: .int(1)),
            .init(key: .null, value: .int(2)),
            .init(key: .bool(true), value: .int(3)), .init(key: .uint(.max), value: .int(4)),
            .init(key: .timestamp(MessagePackTimestamp(seconds: 0)), value: .int(5)),
            .init(key: .float(.nan), value: .int(6)),
            .init(key: .double(-.infinity), value: .int(7)), .init(key: .string("\n"), value: .int(8)),
        ])
        let expected: JSONValue = [
            "-1": 0, "1.5": 1, "null": 2, "true": 3, "18446744073709551615": 4, "1970-01-01T00:00:00.000Z": 5, "NaN": 6,
            "-Infinity": 7, "\n": 8,
        ]
        var bytes = ByteBuffer()
        bytes.writeMessagePack(key)
        #expect(JSONValue(key) == expected)
        #expect(try JSONValue(parsingMessagePack: bytes) == expected)
        #expect(try MessagePackFixtureTests.transcoded(bytes) == expected)
    }

    /// A key that is a list, a map or an extension is passed with its value, and bytes are their text.
    @Test(arguments: [
        ("819001", "{}"), ("8280012a02", #"{"42":2}"#), ("81c4016b01", #"{"k":1}"#), ("81d405aa01", "{}"),
        ("82c4016b01a16102", #"{"k":1,"a":2}"#), ("8291a1780193010203a16102", ""), ("8291a17801a16102", #"{"a":2}"#),
        ("8191", ""),
    ])
    func keysThatNameNothing(_ hex: String, _ expected: String) throws {
        let bytes = try MessagePackFixtureTests.bytes(hex: hex)
        let value = Result { try JSONValue(parsingMessagePack: bytes) }
        let transcoded = Result { try MessagePackFixtureTests.transcoded(bytes) }
        guard !expected.isEmpty else {
            #expect(throws: MessagePackError.self) { try value.get() }
            return
        }
        let wanted = try JSONValue(parsing: ByteBuffer(string: expected))
        #expect(try value.get() == wanted)
        #expect(try transcoded.get() == wanted)
        #expect(JSONValue(try MessagePackValue(parsing: bytes)) == wanted)
    }

    /// JavaScript leaves members out whose value is `undefined`, which notepack once wrote as an extension.
    @Test(arguments: [
        ("82a161d40000a16201", #"{"b":1}"#), ("81a161d40000", "{}"), ("92d4000001", "[null,1]"),
        ("82a16101a162d40000", #"{"a":1}"#),
    ])
    func undefinedMembers(_ hex: String, _ expected: String) throws {
        let bytes = try MessagePackFixtureTests.bytes(hex: hex)
        let wanted = try JSONValue(parsing: ByteBuffer(string: expected))
        #expect(try JSONValue(parsingMessagePack: bytes) == wanted)
        #expect(try MessagePackFixtureTests.transcoded(bytes) == wanted)
    }

    @Test func everyTypeSurvives() throws {
        let bytes = ByteBuffer(bytes: [1, 2, 3])
        let values: [MessagePackValue] =
            [
                .null, .bool(true), .int(.min), .uint(.max), .float(1.5), .double(0.1), .string("é"), .binary(bytes),
                .array([.null, .int(1)]), .map([.init(key: .int(1), value: .array([]))]),
                .timestamp(MessagePackTimestamp(milliseconds: -1)),
                .timestamp(MessagePackTimestamp(seconds: 5, nanoseconds: .max)), .ext(type: 5, bytes: bytes),
            ]
            + [0, 1, 2, 4, 8, 16, 17, 255, 256, 65_535, 65_536].map {
                .ext(type: -7, bytes: ByteBuffer(repeating: 9, count: $0))
            }
        for value in values {
            var packed = ByteBuffer()
            packed.writeMessagePack(value)
            #expect(try MessagePackValue(parsing: packed) == value)
        }
    }

    @Test func timestampsBeyondJavaScriptAreNull() throws {
        for hex in ["c70cff000000007fffffffffffffff", "c70cffffffffff8000000000000000", "d7007fffffffffffffff"] {
            let bytes = try MessagePackFixtureTests.bytes(hex: hex)
            #expect(try JSONValue(parsingMessagePack: bytes) == .null)
            #expect(try MessagePackFixtureTests.transcoded(bytes) == .null)
        }
    }

    // MARK: To JSON text

    @Test func transcodingIsReadingAndWriting() throws {
        var generator = JSONGenerator(seed: 11, makesBinary: true)
        for _ in 0..<1000 {
            let value = generator.value()
            var reader = MessagePackReader(Self.packed(value))
            var text = ByteBuffer(string: "42")
            var attachments = [ByteBuffer(string: "first")]
            try reader.transcodeToJSON(into: &text, attachments: &attachments)
            try reader.expectEnd()
            var expected = ByteBuffer(string: "42")
            var expectedAttachments = [ByteBuffer(string: "first")]
            expected.writeJSON(value, attachments: &expectedAttachments)
            #expect(text == expected)
            #expect(attachments == expectedAttachments)
            // The kinds of numbers differ where a double is whole.
            let copy = try JSONValue(parsingMessagePack: Self.packed(value))
            #expect(MessagePackFixtureTests.canonical(copy) == MessagePackFixtureTests.canonical(value))
        }
    }

    @Test func transcodingRepairsUTF8AndEscapes() throws {
        let bytes = try MessagePackFixtureTests.bytes(hex: "92a5c328220aff81a2ff22a4f09f9880")
        var reader = MessagePackReader(bytes)
        var text = ByteBuffer()
        var attachments: [ByteBuffer] = []
        try reader.transcodeToJSON(into: &text, attachments: &attachments)
        #expect(String(buffer: text) == "[\"\u{FFFD}(\\\"\\n\u{FFFD}\",{\"\u{FFFD}\\\"\":\"😀\"}]")
    }

    /// A megabyte of a few bytes each would become hundreds of megabytes of placeholders, buffers and frames.
    @Test func transcodingBoundsWhatItMakes() throws {
        func transcode(
            _ element: [UInt8],
            count: Int,
            behind length: Int = 0
        ) -> (outcome: MessagePackError.Reason?, bytes: Int, attachments: Int) {
            var bytes = ByteBuffer(bytes: [0xDD])
            bytes.writeInteger(UInt32(count))
            bytes.reserveCapacity(minimumWritableBytes: element.count * count)
            for _ in 0..<count { bytes.writeBytes(element) }
            var reader = MessagePackReader(bytes)
            var text = ByteBuffer(repeating: UInt8(ascii: " "), count: length)
            var attachments: [ByteBuffer] = []
            do throws(MessagePackError) {
                try reader.transcodeToJSON(into: &text, attachments: &attachments)
                return (nil, text.readableBytes - length, attachments.count)
            } catch {
                return (error.reason, text.readableBytes - length, attachments.count)
            }
        }
        let most = MessagePackReader.mostAttachments
        #expect(transcode([0xC4, 0], count: most).attachments == most)
        #expect(transcode([0xC4, 0], count: most + 1) == (.tooManyAttachments, 0, 0))
        #expect(transcode([0xC4, 0], count: 100_000) == (.tooManyAttachments, 0, 0))
        #expect(transcode([0xD4, 1, 2], count: most + 1) == (.tooManyAttachments, 0, 0))
        // A control character is one byte here, and six as JSON.
        let string = [0xDA, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 65_535)
        #expect(transcode(string, count: 10).bytes == 10 * (6 * 65_535 + 3) + 1)
        // Nothing begins behind the longest text; what it is full of makes no difference.
        let longest = MessagePackReader.longestText
        #expect(transcode(string, count: 1, behind: longest - 1).outcome == nil)
        #expect(transcode(string, count: 2, behind: longest - 1) == (.tooLong, 0, 0))
    }

    @Test func transcodingLeavesNothingBehindWhenItFails() throws {
        var bytes = Self.packed([.binary(ByteBuffer(bytes: [1])), "a"])
        bytes.moveWriterIndex(to: bytes.writerIndex - 1)
        var reader = MessagePackReader(bytes)
        var text = ByteBuffer(string: "42")
        var attachments = [ByteBuffer()]
        #expect(throws: MessagePackError.self) { try reader.transcodeToJSON(into: &text, attachments: &attachments) }
        #expect(String(buffer: text) == "42")
        #expect(attachments.count == 1)
        #expect(reader.offset == 0)
    }

    // MARK: Hostile

    /// Every way to read the bytes ends, and those that read all agree whether they can be read.
    static func check(_ bytes: ByteBuffer) -> Bool {
        var skipping = MessagePackReader(bytes)
        let skipped: Void? = try? skipping.skipValue()
        let value = try? MessagePackValue(parsing: bytes)
        let json = try? JSONValue(parsingMessagePack: bytes)
        let transcoded = try? MessagePackFixtureTests.transcoded(bytes)
        #expect((json == nil) == (transcoded == nil))
        if json != nil { #expect(value != nil) }
        if value != nil { #expect(skipped != nil && skipping.isAtEnd) }
        if let json, let transcoded {
            #expect(
                MessagePackFixtureTests.canonical(MessagePackFixtureTests.asText(json))
                    == MessagePackFixtureTests.canonical(MessagePackFixtureTests.asText(transcoded))
            )
        }
        return value != nil
    }

    @Test func everyCutIsAnError() {
        var generator = JSONGenerator(seed: 12, makesBinary: true)
        for _ in 0..<150 {
            let bytes = Self.packed(.array([generator.value(), generator.value()]))
            for length in 0..<min(bytes.readableBytes, 400) {
                guard let cut = bytes.getSlice(at: 0, length: length) else { continue }
                #expect(!Self.check(cut))
            }
            #expect(Self.check(bytes))
        }
    }

    @Test func everySpoiledByteIsAnErrorOrAValue() {
        var sample = ByteBuffer()
        sample.writeMessagePack(
            ["type": 2, "data": ["ev", 1.5, .binary(ByteBuffer(bytes: [1, 2])), nil, true, 70_000, -5], "é": [:]]
                as JSONValue
        )
        sample.writeBytes([0xD7, 0xFF, 0, 0, 0, 0, 1, 2, 3, 4, 0xC7, 3, 5, 1, 2, 3])
        var bytes = ByteBuffer(bytes: [0x93])
        bytes.writeBuffer(&sample)
        let original = Array(bytes.readableBytesView)
        #expect(Self.check(bytes))
        for index in original.indices {
            for byte in UInt8.min...UInt8.max {
                var spoiled = original
                spoiled[index] = byte
                _ = Self.check(ByteBuffer(bytes: spoiled))
            }
        }
    }

    @Test func randomBytesAreAnErrorOrAValue() {
        var generator = SeededGenerator(seed: 13)
        for _ in 0..<5000 {
            let length = Int.random(in: 0..<40, using: &generator)
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 20) }
            _ = Self.check(ByteBuffer(bytes: bytes))
        }
    }

    static let announcements = [
        "dd7fffffff", "ddffffffff", "df7fffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff05", "dcffff",
        "deffff", "c8ffff05", "c9ffffffff00", "c9ffffffffff", "92dd00000002dd00000003", "d8ff", "d6ff0000",
        "d700000000",
    ]

    @Test(arguments: announcements) func lengthsAreCheckedAgainstTheBytesThatAreThere(_ hex: String) throws {
        let bytes = try MessagePackFixtureTests.bytes(hex: hex)
        #expect(!Self.check(bytes))
        var reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError.self) { try reader.skipValue() }
    }

    /// Each level announces as many elements as there are bytes: nothing may be reserved for them.
    @Test func nestedAnnouncementsCostNothing() {
        var bytes = ByteBuffer()
        for _ in 0..<200_000 { bytes.writeBytes([0xDD, 0, 0, 0x40, 0]) }
        #expect(!Self.check(bytes))
    }

    @Test(arguments: [0x91, 0x81] as [UInt8]) func stopsAtTheLimitOfDepth(_ opening: UInt8) throws {
        func nested(_ depth: Int) -> ByteBuffer {
            var bytes = ByteBuffer()
            for _ in 0..<depth { bytes.writeBytes(opening == 0x91 ? [0x91] : [0x81, 0xA0]) }
            bytes.writeInteger(1 as UInt8)
            return bytes
        }
        let width = opening == 0x91 ? 1 : 2
        for limit in [0, 1, 100, 256, 512, 100_000] {
            let allowed = min(limit, 512)
            for depth in [allowed, allowed + 1, 100_000] {
                let bytes = nested(depth)
                let error = depth > allowed ? MessagePackError(.tooDeep, at: allowed * width) : nil
                func outcome(_ body: (inout MessagePackReader) throws(MessagePackError) -> Void) -> MessagePackError? {
                    var reader = MessagePackReader(bytes, maximumDepth: limit)
                    do throws(MessagePackError) { try body(&reader) } catch { return error }
                    return nil
                }
                #expect(outcome { reader throws(MessagePackError) in _ = try reader.readValue() } == error)
                #expect(outcome { reader throws(MessagePackError) in _ = try reader.readJSONValue() } == error)
                #expect(
                    outcome { reader throws(MessagePackError) in
                        var text = ByteBuffer()
                        var attachments: [ByteBuffer] = []
                        try reader.transcodeToJSON(into: &text, attachments: &attachments)
                    } == error
                )
                #expect(outcome { reader throws(MessagePackError) in try reader.skipValue() } == nil)
            }
        }
    }

    @Test func errorsHoldNothingOfTheBytes() throws {
        #expect {
            try JSONValue(parsingMessagePack: MessagePackFixtureTests.bytes(hex: "92a161c1"))
        } throws: {
            "\($0)" == "invalid MessagePack: the byte that MessagePack never uses at offset 3"
        }
    }
}
