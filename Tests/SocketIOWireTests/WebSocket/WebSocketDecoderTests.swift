import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct WebSocketDecoderTests {
    /// What a stream of bytes came to.
    struct Outcome: Hashable {
        var events: [ReceivedMessage] = []
        var error: WebSocketError?
    }

    /// Feeds the bytes in pieces of a length.
    static func decode(
        _ bytes: ByteBuffer,
        pieceLength: Int = .max,
        rules: WebSocketRules = WebSocketRules()
    ) -> Outcome {
        var decoder = WebSocketDecoder()
        var scratch = ByteBuffer()
        var bytes = bytes
        var outcome = Outcome()
        do throws(WebSocketError) {
            while var piece = bytes.readSlice(length: min(pieceLength, bytes.readableBytes)), piece.readableBytes > 0 {
                while let event = try decoder.next(from: &piece, scratch: &scratch, rules: rules) {
                    outcome.events.append(event)
                }
                #expect(piece.readableBytes == 0, "all input is taken")
            }
        } catch {
            outcome.error = error
            var more = hex("8180 00000000")
            let event = try? decoder.next(from: &more, scratch: &scratch, rules: rules)
            #expect(event == nil, "nothing is read after an error")
            #expect(more.readableBytes == 0)
        }
        return outcome
    }

    /// A masked frame as a client sends it.
    static func frame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, isFinal: Bool = true) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMaskedWebSocketFrame(opcode, payload: payload, mask: WebSocketMask(0x9A0B_7CFD), isFinal: isFinal)
        return buffer
    }

    static func stream(_ frames: ByteBuffer...) -> ByteBuffer {
        var buffer = ByteBuffer()
        for frame in frames { buffer.writeImmutableBuffer(frame) }
        return buffer
    }

    /// A frame of a message that its sender compressed.
    static func compressed(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, isFinal: Bool = true) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMaskedWebSocketFrame(
            opcode,
            payload: payload,
            mask: WebSocketMask(0x9A0B_7CFD),
            isFinal: isFinal,
            isCompressed: true
        )
        return buffer
    }

    static let long = ByteBuffer(string: String(repeating: "0123456789é", count: 6000))

    /// Streams that are as they should be, and the events in them.
    static let valid: [(ByteBuffer, [ReceivedMessage])] = [
        (Self.frame(.text, text("")), [.text(text(""))]),
        (Self.frame(.text, text("2probe")), [.text(text("2probe"))]),
        (Self.frame(.text, text("42[\"é€😀\"]")), [.text(text("42[\"é€😀\"]"))]),
        (Self.frame(.binary, hex("00ff80c0")), [.binary(hex("00ff80c0"))]),
        (Self.frame(.binary, hex("")), [.binary(hex(""))]),
        (
            Self.stream(Self.frame(.text, text("a")), Self.frame(.binary, hex("01")), Self.frame(.text, text("b"))),
            [.text(text("a")), .binary(hex("01")), .text(text("b"))]
        ),
        (Self.frame(.ping, text("")), [.ping(text(""))]),
        (Self.frame(.ping, hex("00fffefdfcfb00ff")), [.ping(hex("00fffefdfcfb00ff"))]),
        (Self.frame(.pong, text("unsolicited")), [.pong(text("unsolicited"))]),
        (
            Self.frame(.ping, ByteBuffer(repeating: 0xFE, count: 125)),
            [.ping(ByteBuffer(repeating: 0xFE, count: 125))]
        ),
        // Fragments, also empty ones, also within a character.
        (
            Self.stream(Self.frame(.text, text("frag"), isFinal: false), Self.frame(.continuation, text("ment"))),
            [.text(text("fragment"))]
        ),
        (
            Self.stream(
                Self.frame(.text, hex("e2"), isFinal: false),
                Self.frame(.continuation, hex("82"), isFinal: false),
                Self.frame(.continuation, hex(""), isFinal: false),
                Self.frame(.continuation, hex("ac"))
            ),
            [.text(text("€"))]
        ),
        (
            Self.stream(
                Self.frame(.text, hex(""), isFinal: false),
                Self.frame(.continuation, hex(""), isFinal: false),
                Self.frame(.continuation, hex(""))
            ),
            [.text(text(""))]
        ),
        // Control frames between fragments.
        (
            Self.stream(
                Self.frame(.binary, hex("ff"), isFinal: false),
                Self.frame(.ping, text("p1")),
                Self.frame(.continuation, hex("fe"), isFinal: false),
                Self.frame(.pong, text("p2")),
                Self.frame(.continuation, hex("fd")),
                Self.frame(.text, text("next"))
            ),
            [.ping(text("p1")), .pong(text("p2")), .binary(hex("fffefd")), .text(text("next"))]
        ),
        (
            Self.stream(Self.frame(.text, text("half"), isFinal: false), Self.frame(.close, hex("03e8"))),
            [.close(code: .normal, reason: "")]
        ),
        // Nothing is read after a close frame.
        (
            Self.stream(Self.frame(.close, hex("")), Self.frame(.text, text("late"))),
            [.close(code: nil, reason: "")]
        ),
        (
            Self.stream(Self.frame(.close, hex("0bb8 627965c3a9")), hex("ffffffff")),
            [.close(code: WebSocketCloseCode(rawValue: 3000), reason: "byeé")]
        ),
        // Lengths of 16 and 64 bits.
        (Self.frame(.binary, ByteBuffer(repeating: 7, count: 126)), [.binary(ByteBuffer(repeating: 7, count: 126))]),
        (Self.stream(Self.frame(.text, Self.long), Self.frame(.ping, hex(""))), [.text(Self.long), .ping(hex(""))]),
    ]

    @Test(arguments: Self.valid.indices)
    func readsValidStreams(index: Int) {
        let (bytes, events) = Self.valid[index]
        #expect(Self.decode(bytes) == Outcome(events: events))
        for length in [1, 2, 3, 5, 7, 64, 1000, 65_536] {
            #expect(Self.decode(bytes, pieceLength: length) == Outcome(events: events))
        }
    }

    /// A beginning of a valid stream holds a beginning of its events, and never an error.
    @Test(arguments: Self.valid.indices)
    func waitsForTheRestOfCutStreams(index: Int) {
        let (bytes, events) = Self.valid[index]
        for prefix in bytes.readableBytes < 200 ? bytes.prefixes : [] {
            let outcome = Self.decode(prefix)
            #expect(outcome.error == nil)
            #expect(outcome.events.elementsEqual(events.prefix(outcome.events.count)))
            #expect(Self.decode(prefix, pieceLength: 1) == outcome)
        }
    }

    /// Whatever a byte is changed into, it matters not how the bytes are cut into pieces.
    @Test(arguments: Self.valid.indices)
    func spoiledStreamsAreTheSameInPieces(index: Int) {
        let (bytes, _) = Self.valid[index]
        for spoiled in bytes.readableBytes < 200 ? bytes.spoiled : [] {
            #expect(Self.decode(spoiled, pieceLength: 1) == Self.decode(spoiled))
        }
    }

    @Test func theTwoHalvesOfACutStreamAreTheWhole() throws {
        for (bytes, events) in Self.valid where bytes.readableBytes < 200 {
            for cut in 0...bytes.readableBytes {
                var decoder = WebSocketDecoder()
                var scratch = ByteBuffer()
                var rest = bytes
                var first = rest.readSlice(length: cut) ?? ByteBuffer()
                var seen: [ReceivedMessage] = []
                while let event = try decoder.next(from: &first, scratch: &scratch, rules: WebSocketRules()) {
                    seen.append(event)
                }
                while let event = try decoder.next(from: &rest, scratch: &scratch, rules: WebSocketRules()) {
                    seen.append(event)
                }
                #expect(seen == events)
            }
        }
    }

    static let invalid: [(ByteBuffer, [ReceivedMessage], WebSocketError, UInt16)] = [
        // An unmasked frame of a client.
        (hex("8101 34"), [], .maskMissing, 1002),
        (hex("8900"), [], .maskMissing, 1002),
        // Reserved bits and opcodes (Autobahn 3 and 4), at once and after a message.
        (hex("c185 00000000"), [], .reservedBitSet, 1002),
        (Self.stream(Self.frame(.text, text("a")), hex("9180")), [.text(text("a"))], .reservedBitSet, 1002),
        (hex("8380 00000000"), [], .unknownOpcode, 1002),
        (hex("8b80 00000000"), [], .unknownOpcode, 1002),
        // Fragmented and overlong control frames (Autobahn 2 and 5).
        (hex("0980 00000000"), [], .controlFrameFragmented, 1002),
        (hex("89fe 007e 00000000"), [], .controlFrameTooLong, 1002),
        // Continuations (Autobahn 5).
        (Self.frame(.continuation, text("x")), [], .unexpectedContinuation, 1002),
        (Self.frame(.continuation, text("x"), isFinal: false), [], .unexpectedContinuation, 1002),
        (
            Self.stream(
                Self.frame(.text, text("a"), isFinal: false),
                Self.frame(.continuation, text("b")),
                Self.frame(.continuation, text("c"))
            ),
            [.text(text("ab"))], .unexpectedContinuation, 1002
        ),
        (
            Self.stream(Self.frame(.text, text("a"), isFinal: false), Self.frame(.text, text("b"))), [],
            .continuationMissing, 1002
        ),
        (
            Self.stream(
                Self.frame(.text, text("a"), isFinal: false),
                Self.frame(.ping, text("p")),
                Self.frame(.binary, text("b"), isFinal: false)
            ),
            [.ping(text("p"))], .continuationMissing, 1002
        ),
        (hex("82ff 8000000000000000"), [], .invalidLength, 1002),
        // Text that is no UTF-8, whole, in fragments, cut short.
        (Self.frame(.text, hex("c3")), [], .invalidUTF8, 1007),
        (Self.frame(.text, hex("61eda080")), [], .invalidUTF8, 1007),
        (
            Self.stream(
                Self.frame(.text, hex("cebae1bdb9"), isFinal: false),
                Self.frame(.continuation, hex("f4908080"))
            ),
            [], .invalidUTF8, 1007
        ),
        (
            Self.stream(Self.frame(.text, hex("61c3"), isFinal: false), Self.frame(.continuation, hex(""))), [],
            .invalidUTF8, 1007
        ),
        (
            Self.stream(Self.frame(.text, hex("61c3"), isFinal: false), Self.frame(.continuation, hex("61"))), [],
            .invalidUTF8, 1007
        ),
        // Close frames (Autobahn 7).
        (Self.frame(.close, hex("03")), [], .invalidClosePayload, 1002),
        (Self.frame(.close, hex("03e8 ff")), [], .invalidUTF8, 1007),
        (Self.frame(.close, hex("03e8 cebae1bdb9cf83cebcceb5eda080")), [], .invalidUTF8, 1007),
    ]

    @Test(arguments: Self.invalid.indices)
    func failsInvalidStreams(index: Int) {
        let (bytes, events, error, code) = Self.invalid[index]
        let outcome = Outcome(events: events, error: error)
        #expect(Self.decode(bytes) == outcome)
        for length in 1...9 { #expect(Self.decode(bytes, pieceLength: length) == outcome) }
        #expect(error.closeCode.rawValue == code)
    }

    /// Autobahn 7.7 and 7.9, and the reserved codes of RFC 6455, section 7.4.1.
    @Test(arguments: [
        (0, false), (999, false), (1000, true), (1001, true), (1002, true), (1003, true), (1004, false), (1005, false),
        (1006, false), (1007, true), (1008, true), (1009, true), (1010, true), (1011, true), (1012, true), (1013, true),
        (1014, true), (1015, false), (1016, false), (1100, false), (1999, false), (2000, false), (2999, false),
        (3000, true), (3999, true), (4000, true), (4999, true), (5000, false), (32_768, false), (65_535, false),
    ])
    func closeCodes(code: Int, isValid: Bool) {
        var payload = ByteBuffer(integer: UInt16(code))
        payload.writeString("bye")
        let outcome = Self.decode(Self.frame(.close, payload))
        if isValid {
            let event = ReceivedMessage.close(code: WebSocketCloseCode(rawValue: UInt16(code)), reason: "bye")
            #expect(outcome == Outcome(events: [event]))
        } else {
            #expect(outcome == Outcome(error: .invalidCloseCode))
        }
    }

    @Test func anErrorInTextIsFoundBeforeItsFrameIsWhole() {
        let frame = Self.frame(.text, hex("61 ff 6161616161616161"))
        let start = frame.getSlice(at: 0, length: 2 + 4 + 2) ?? ByteBuffer()
        #expect(Self.decode(start) == Outcome(error: .invalidUTF8))
    }

    @Test func messagesAreLimitedInBytes() {
        var rules = WebSocketRules()
        rules.maximumMessageBytes = 10
        #expect(Self.decode(Self.frame(.text, text("0123456789")), rules: rules).events.count == 1)
        #expect(Self.decode(Self.frame(.text, text("0123456789a")), rules: rules) == Outcome(error: .messageTooBig))
        // The header says enough: no payload has come.
        #expect(Self.decode(hex("828b 00000000"), rules: rules) == Outcome(error: .messageTooBig))
        #expect(Self.decode(hex("82ff 7fffffffffffffff 00000000"), rules: rules) == Outcome(error: .messageTooBig))
        let fragments = Self.stream(
            Self.frame(.text, text("01234"), isFinal: false),
            Self.frame(.continuation, text("56789"), isFinal: false)
        )
        #expect(
            Self.decode(Self.stream(fragments, Self.frame(.continuation, text(""))), rules: rules).events.count == 1
        )
        #expect(
            Self.decode(Self.stream(fragments, Self.frame(.continuation, text("a"))), rules: rules)
                == Outcome(error: .messageTooBig)
        )
        #expect(
            Self.decode(Self.stream(fragments, hex("80ff 7fffffffffffffff 00000000")), rules: rules)
                == Outcome(error: .messageTooBig)
        )
        // The limit is a message's: control frames have their own.
        #expect(Self.decode(Self.frame(.ping, text("0123456789abc")), rules: rules).events.count == 1)
        #expect(WebSocketError.messageTooBig.closeCode.rawValue == 1009)
        #expect(WebSocketError.messageTooBig.description == "Max payload size exceeded")
    }

    @Test func messagesAreLimitedInFragments() {
        var rules = WebSocketRules()
        rules.maximumFragments = 3
        var stream = Self.frame(.text, text("a"), isFinal: false)
        stream.writeImmutableBuffer(Self.frame(.continuation, text("b"), isFinal: false))
        let accepted = Self.stream(stream, Self.frame(.continuation, text("c")))
        #expect(Self.decode(Self.stream(accepted, accepted), rules: rules).events.count == 2)
        let refused = Self.stream(
            stream,
            Self.frame(.continuation, text("c"), isFinal: false),
            Self.frame(.continuation, text("d"))
        )
        #expect(Self.decode(refused, rules: rules) == Outcome(error: .tooManyFragments))
        #expect(WebSocketError.tooManyFragments.closeCode.rawValue == 1008)
    }

    @Test func aMillionEmptyFragmentsAreRefusedInLinearTime() {
        var stream = Self.frame(.binary, hex(""), isFinal: false)
        let fragment = Self.frame(.continuation, hex(""), isFinal: false)
        for _ in 0..<200_000 { stream.writeImmutableBuffer(fragment) }
        #expect(Self.decode(stream) == Outcome(error: .tooManyFragments))
    }

    @Test func aClientReadsUnmaskedFrames() {
        var rules = WebSocketRules()
        rules.framesAreMasked = false
        #expect(Self.decode(hex("8102 3432"), rules: rules) == Outcome(events: [.text(text("42"))]))
        #expect(Self.decode(hex("8102 3432"), pieceLength: 1, rules: rules).events == [.text(text("42"))])
        #expect(Self.decode(Self.frame(.text, text("42")), rules: rules) == Outcome(error: .maskPresent))
    }

    /// What is announced but not sent takes no memory, and a decoder between messages is one word.
    @Test func costsNothingWhileNothingComes() throws {
        #expect(MemoryLayout<WebSocketDecoder>.size == 8)
        var rules = WebSocketRules()
        rules.maximumMessageBytes = .max
        var decoder = WebSocketDecoder()
        var scratch = ByteBuffer()
        var input = hex("82ff 7fffffffffffffff 00000000 0102")
        let event = try decoder.next(from: &input, scratch: &scratch, rules: rules)
        #expect(event == nil)
        #expect(scratch.capacity == 0)
    }

    /// What a timer has to watch: a header, a payload, a message that has begun and does not end.
    @Test func knowsWhatIsIncomplete() throws {
        var decoder = WebSocketDecoder()
        var scratch = ByteBuffer()
        func feed(_ bytes: ByteBuffer) throws -> Bool {
            var bytes = bytes
            while try decoder.next(from: &bytes, scratch: &scratch, rules: WebSocketRules()) != nil {}
            return decoder.isWithinMessage
        }
        #expect(try !feed(Self.frame(.text, text("a"))))
        #expect(try feed(hex("81")))
        #expect(try feed(hex("81 01020304")))
        #expect(try !feed(hex("41")))
        #expect(try feed(Self.frame(.text, text("a"), isFinal: false)))
        #expect(try feed(Self.frame(.ping, text("p"))))
        #expect(try !feed(Self.frame(.continuation, text("b"))))
        #expect(try !feed(Self.frame(.close, hex(""))))
    }

    // MARK: Compressed messages

    static let compressing: WebSocketRules = {
        var rules = WebSocketRules()
        rules.allowsCompression = true
        rules.maximumMessageBytes = 1000
        return rules
    }()

    @Test(arguments: [1, 2, 3, 7, Int.max]) func compressedMessagesAreMarked(pieceLength: Int) {
        let stream = Self.stream(
            Self.compressed(.text, hex("f248cdc9c90700")),
            Self.frame(.text, text("plain")),
            Self.compressed(.binary, hex("ff"), isFinal: false),
            Self.frame(.ping, text("p")),
            Self.frame(.continuation, hex("fe"), isFinal: false),
            Self.frame(.continuation, hex("fd")),
            Self.frame(.text, text("a"), isFinal: false),
            Self.frame(.continuation, text("b"))
        )
        // What is compressed text is no UTF-8 yet.
        #expect(
            Self.decode(stream, pieceLength: pieceLength, rules: Self.compressing)
                == Outcome(events: [
                    .compressed(hex("f248cdc9c90700"), isText: true), .text(text("plain")), .ping(text("p")),
                    .compressed(hex("fffefd"), isText: false), .text(text("ab")),
                ])
        )
    }

    @Test(arguments: [1, Int.max]) func theMarkStandsOnFirstFramesOnly(pieceLength: Int) {
        let begun = Self.compressed(.text, hex("f2"), isFinal: false)
        let plain = Self.frame(.text, text("a"), isFinal: false)
        for frame in [
            Self.compressed(.ping, text("p")), Self.compressed(.pong, hex("")), Self.compressed(.close, hex("03e8")),
            Self.stream(begun, Self.compressed(.continuation, hex("48"))),
            Self.stream(plain, Self.compressed(.continuation, hex("48"))), hex("a180 00000000"), hex("9180 00000000"),
        ] {
            #expect(
                Self.decode(frame, pieceLength: pieceLength, rules: Self.compressing).error == .reservedBitSet
            )
        }
        #expect(Self.decode(Self.compressed(.text, hex("00")), pieceLength: pieceLength).error == .reservedBitSet)
    }

    /// What cannot be compressed grows a little, so that a message of the allowed length may be somewhat longer.
    @Test func compressedMessagesHaveALimit() {
        let longest = Self.compressing.maximumMessageBytes + 79
        let allowed = Self.compressed(.binary, ByteBuffer(repeating: 1, count: longest))
        #expect(Self.decode(allowed, rules: Self.compressing).error == nil)
        let tooLong = Self.compressed(.binary, ByteBuffer(repeating: 1, count: longest + 1))
        #expect(Self.decode(tooLong, rules: Self.compressing).error == .messageTooBig)
        let inPieces = Self.stream(
            Self.compressed(.binary, ByteBuffer(repeating: 1, count: longest), isFinal: false),
            Self.frame(.continuation, hex("00"))
        )
        #expect(Self.decode(inPieces, rules: Self.compressing).error == .messageTooBig)
        let plain = Self.frame(.binary, ByteBuffer(repeating: 1, count: 1001))
        #expect(Self.decode(plain, rules: Self.compressing).error == .messageTooBig)
    }

    /// A frame that lies in the input as a whole goes through the scratch buffer, again and again the same one.
    @Test func wholeFramesUseTheScratchBuffer() throws {
        var decoder = WebSocketDecoder()
        var scratch = ByteBufferAllocator().buffer(capacity: 64)
        let address = scratch.storageAddress
        for _ in 0..<3 {
            var input = Self.frame(.text, text("hello"))
            guard case .text(let message) = try decoder.next(from: &input, scratch: &scratch, rules: WebSocketRules())
            else {
                Issue.record("no text")
                return
            }
            #expect(message.storageAddress == address)
        }
    }
}

extension ByteBuffer {
    /// Where the bytes lie.
    var storageAddress: UInt {
        self.withVeryUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }
}

/// An event and what it carries.
enum ReceivedMessage: Hashable {
    case text(ByteBuffer)
    case binary(ByteBuffer)
    case compressed(ByteBuffer, isText: Bool)
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    case close(code: WebSocketCloseCode?, reason: String)
}

extension WebSocketDecoder {
    fileprivate mutating func next(
        from input: inout ByteBuffer,
        scratch: inout ByteBuffer,
        rules: WebSocketRules
    ) throws(WebSocketError) -> ReceivedMessage? {
        switch try self.next(from: &input, payload: &scratch, rules: rules) {
        case nil: nil
        case .text: .text(scratch)
        case .binary: .binary(scratch)
        case .compressed(let isText): .compressed(scratch, isText: isText)
        case .ping: .ping(scratch)
        case .pong: .pong(scratch)
        case .close(let code): .close(code: code, reason: String(buffer: scratch))
        }
    }
}
