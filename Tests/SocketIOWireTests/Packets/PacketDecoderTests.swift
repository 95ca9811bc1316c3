import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct PacketDecoderTests {
    enum Outcome: Equatable, CustomStringConvertible {
        case packet(type: Int, namespace: String, id: Int?, data: JSONValue?)
        case error(PacketError.Reason)
        case nothing

        var description: String {
            switch self {
            case .packet(let type, let namespace, let id, let data):
                "packet \(type) \(namespace) \(id.map(String.init) ?? "-") \(data.map { "\($0)" } ?? "-")"
            case .error(let reason): "error: \(reason)"
            case .nothing: "nothing"
            }
        }

        static func == (left: Outcome, right: Outcome) -> Bool {
            switch (left, right) {
            case (.packet(let type, let namespace, let id, let data), .packet(let a, let b, let c, let d)):
                guard type == a, namespace == b, id == c else { return false }
                guard let data, let d else { return data == nil && d == nil }
                return data.isSameInJavaScript(as: d)
            case (.error(let left), .error(let right)): return left == right
            case (.nothing, .nothing): return true
            default: return false
            }
        }
    }

    struct Deviation {
        let reason: String
        let outcomes: [Outcome]
    }

    private static let huge = "2" + String(repeating: "9", count: 400)
    private static let a: JSONValue = ["a"]
    private static let countIsDigits = "a count is digits; JavaScript's idea of a number is wider"
    private static let idIsDigits = "an id is digits; JavaScript takes white space for the number 0"
    private static let empty = "there is no type; JavaScript takes the empty string and white space for the number 0"

    /// Where this decoder answers differently from the reference, by the inputs, and what it answers.
    static let deviations: [String: Deviation] = [
        "": Deviation(reason: Self.empty, outcomes: [.error(.unknownType)]),
        " ": Deviation(reason: Self.empty, outcomes: [.error(.unknownType)]),
        "\n": Deviation(reason: Self.empty, outcomes: [.error(.unknownType)]),
        "2 [\"a\"]": Deviation(
            reason: Self.idIsDigits,
            outcomes: [.packet(type: 2, namespace: "/", id: nil, data: Self.a)]
        ),
        "2\n[\"a\"]": Deviation(
            reason: Self.idIsDigits,
            outcomes: [.packet(type: 2, namespace: "/", id: nil, data: Self.a)]
        ),
        "2\t1[\"a\"]": Deviation(reason: Self.idIsDigits, outcomes: [.error(.invalidPayload)]),
        "21 2[\"a\"]": Deviation(reason: Self.idIsDigits, outcomes: [.error(.invalidPayload)]),
        "29007199254740993[\"a\"]": Deviation(
            reason: "an id that JavaScript cannot count to would be answered under another one",
            outcomes: [.error(.invalidID)]
        ),
        "5 1-[\"a\"]": Deviation(reason: Self.countIsDigits, outcomes: [.error(.illegalAttachments)]),
        "51 -[\"a\"]": Deviation(reason: Self.countIsDigits, outcomes: [.error(.illegalAttachments)]),
        "51e0-[\"a\"]": Deviation(reason: Self.countIsDigits, outcomes: [.error(.illegalAttachments)]),
        "50x1-[\"a\",{\"_placeholder\":true,\"num\":0}]": Deviation(
            reason: Self.countIsDigits,
            outcomes: [.error(.illegalAttachments)]
        ),
        "51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]|<01>": Deviation(
            reason: "half an index is no attachment; the reference hands on undefined",
            outcomes: [.nothing, .error(.illegalAttachments)]
        ),
        "50-[\"a\"]|2[\"b\"]": Deviation(
            reason: "no attachments were announced, so none are due",
            outcomes: [
                .packet(type: 2, namespace: "/", id: nil, data: Self.a),
                .packet(type: 2, namespace: "/", id: nil, data: ["b"]),
            ]
        ),
        "50-[\"a\"]|<01>": Deviation(
            reason: "no attachments were announced, so none are due",
            outcomes: [.packet(type: 2, namespace: "/", id: nil, data: Self.a), .error(.unexpectedBinary)]
        ),
        "<$js>": Deviation(reason: "messages are text or bytes; the types admit nothing else", outcomes: []),
    ]

    /// The deviation for inputs, some of which are too long to write down.
    static func deviation(for inputs: String) -> Deviation? {
        if inputs.hasPrefix("29999999999999999999999999") {
            return Deviation(reason: "as for 2^53+1", outcomes: [.error(.invalidID)])
        }
        return self.deviations[inputs]
    }

    static func key(_ fixture: JSONValue) -> String {
        (fixture["steps"]?.arrayValue ?? []).map { step in
            let input = step["input"]
            return input?["text"]?.stringValue ?? input?["hex"]?.stringValue.map { "<\($0)>" } ?? "<$js>"
        }.joined(separator: "|")
    }

    @Test(arguments: try PacketFixtures.shared.get().decode)
    func decodesAsTheReferenceDoes(fixture: JSONValue) throws {
        let steps = try #require(fixture["steps"]?.arrayValue)
        let recorded = try steps.map(Self.recordedOutcome)
        var limits = PacketLimits()
        if let maximum = fixture["options"]?["maxAttachments"]?.intValue { limits.maximumAttachments = maximum }
        var decoder = PacketDecoder()
        var outcomes: [Outcome] = []
        for step in steps {
            let input = try #require(step["input"])
            if let string = input["text"]?.stringValue {
                outcomes.append(
                    try Self.outcome { () throws(PacketError) in
                        try decoder.decode(text: text(string), limits: limits)
                    }
                )
            } else if let bytes = input["hex"]?.stringValue {
                outcomes.append(
                    try Self.outcome { () throws(PacketError) in
                        try decoder.decode(binary: hex(bytes), limits: limits)
                    }
                )
            }
        }
        if let deviation = Self.deviation(for: Self.key(fixture)) {
            #expect(outcomes == deviation.outcomes)
            #expect(deviation.outcomes != recorded, "no deviation any more")
        } else {
            #expect(outcomes == recorded)
        }
    }

    @Test func everyDeviationIsRecorded() throws {
        let keys = Set(try PacketFixtures.shared.get().decode.map(Self.key))
        for key in Self.deviations.keys { #expect(keys.contains(key), "no fixture for \(key)") }
    }

    private static func outcome(_ decode: () throws(PacketError) -> Packet?) throws -> Outcome {
        let packet: Packet?
        do throws(PacketError) {
            packet = try decode()
        } catch {
            return .error(error.reason)
        }
        guard let packet else { return .nothing }
        return .packet(
            type: Int(packet.type.rawValue),
            namespace: packet.namespace,
            id: packet.id,
            data: try packet.payload?.value()
        )
    }

    private static func recordedOutcome(_ step: JSONValue) throws -> Outcome {
        if let message = step["error"]?.stringValue {
            switch message.lowercased() {
            case let text where text.hasPrefix("unknown packet type"): return .error(.unknownType)
            case "illegal attachments": return .error(.illegalAttachments)
            case "too many attachments": return .error(.tooManyAttachments)
            case "invalid payload": return .error(.invalidPayload)
            case "got plaintext data when reconstructing a packet": return .error(.unexpectedText)
            case "got binary data when not reconstructing a packet": return .error(.unexpectedBinary)
            case let text where text.hasPrefix("unknown type"): return .nothing
            default: throw TestError(description: "no reason for \(message)")
            }
        }
        guard let packet = step["decoded"] else { return .nothing }
        var data: JSONValue?
        if let fixture = packet["data"], case .value(let value) = PacketFixtures.value(fixture) { data = value }
        return .packet(
            type: packet["type"]?.intValue ?? -1,
            namespace: packet["nsp"]?.stringValue ?? "",
            id: packet["id"]?.intValue,
            data: data
        )
    }

    struct TestError: Error, CustomStringConvertible {
        let description: String
    }

    @Test(arguments: try PacketFixtures.shared.get().isPacketValid)
    func judgesPacketsOfOtherParsers(fixture: JSONValue) throws {
        let packet = try #require(fixture["packet"])
        #expect(Packet.isValid(packet) == fixture["valid"]?.boolValue)
    }

    // MARK: - Beyond the fixtures

    static let samples = [
        "0", "0/admin,{\"token\":\"é\"}", "1/admin,", "2[\"hello\",1,\"two\",{\"three\":[true,null]}]",
        "2/admin,456[\"h\\u00e9\\n\",-1.5e3,\"\\ud83d\\ude00\"]", "3/admin,1[{}]", "4{\"message\":\"x\"}",
        "52-/a,7[\"b\",{\"_placeholder\":true,\"num\":0},[{\"_placeholder\":true,\"num\":1}]]",
        "61-1[{\"a\":{\"_placeholder\":true,\"num\":0}}]",
    ]

    /// Cut short or spoiled, a packet is an error or another packet, all of which can be read.
    @Test(arguments: Self.samples)
    func cutAndSpoiledPacketsAreReadOrRefused(sample: String) throws {
        for input in text(sample).prefixes + text(sample).spoiled {
            var decoder = PacketDecoder()
            do {
                var packet = try decoder.decode(text: input)
                while packet == nil { packet = try decoder.decode(binary: hex("ff")) }
                if let packet { try Self.readAll(packet) }
            } catch let error as PacketError {
                #expect(!error.description.isEmpty)
            }
        }
    }

    private static func readAll(_ packet: Packet) throws {
        let value = try packet.payload?.value()
        guard let (name, arguments) = packet.event() else {
            guard packet.type == .acknowledgement else { return }
            #expect(try packet.acknowledgementArguments().values() == value?.arrayValue ?? [])
            return
        }
        #expect(!reservedEventNames.contains(UTF8Text(name)))
        let values = try arguments.values()
        let elements = try #require(value?.arrayValue)
        #expect(values == Array(elements.dropFirst()))
        #expect(arguments.count == values.count)
    }

    /// What is decoded was encoded the same way.
    @Test(arguments: Self.samples.dropFirst(3).prefix(4))
    func encodesWhatItDecoded(sample: String) throws {
        var decoder = PacketDecoder()
        let packet = try #require(try decoder.decode(text: text(sample)))
        let again = PacketEncoder.packet(
            packet.type,
            namespace: packet.namespace,
            id: packet.id,
            data: try packet.payload?.value()
        )
        var written = again.text
        written.moveReaderIndex(forwardBy: 1)
        let once = try #require(try decoder.decode(text: written))
        let value = try #require(try packet.payload?.value())
        #expect(try once.payload?.value().isSameInJavaScript(as: value) == true)
        #expect(once.id == packet.id)
        #expect(once.namespace == packet.namespace)
        #expect(once.eventName == packet.eventName)
    }

    @Test(arguments: [
        ("2[\"hi\"]", "hi"), ("2[ \"hi\" , 1 ]", "hi"), ("2[\"\"]", ""), ("2[\"\\u0063onnec\\u0074ed\"]", "connected"),
        ("2[42]", "42"), ("2[-0]", "0"), ("2[1.50]", "1.5"), ("2[1e21]", "1e+21"), ("2[1e-7,2]", "1e-7"),
        ("2[9007199254740993]", "9007199254740992"), ("2[-9223372036854775808]", "-9223372036854776000"),
        ("2[1e999]", "Infinity"), ("2[-1e309,1]", "-Infinity"), ("2[-0.0]", "0"), ("2[1e-400]", "0"),
        ("2[\"é€😀\"]", "é€😀"), ("2[\"__proto__\"]", "__proto__"), ("2[\"connection\"]", "connection"),
        ("2[\"fifteen bytes..\"]", "fifteen bytes.."), ("2[\"more than fifteen bytes\"]", "more than fifteen bytes"),
    ])
    func namesOfEvents(input: String, name: String) throws {
        var decoder = PacketDecoder()
        #expect(try decoder.decode(text: text(input))?.event()?.name == name)
    }

    /// Reserved names are reserved however they are written.
    @Test(arguments: [
        "2[\"\\u0063onnect\"]", "2[\"disconn\\u0065ct\",1]", "2[ \"newListener\"]", "20[\"remove\\u004cistener\"]",
    ])
    func escapedReservedNames(input: String) {
        var decoder = PacketDecoder()
        #expect(throws: PacketError.self) { try decoder.decode(text: text(input)) }
    }

    @Test(arguments: [
        ("2[\"a\",\u{1}]", PacketError.Reason.invalidPayload), ("2[\"a\"]]", .invalidPayload),
        ("2[\"a\"][\"b\"]", .invalidPayload), ("2[\"a\",01]", .invalidPayload), ("2[\"\\x\"]", .invalidPayload),
        ("2\u{FEFF}[\"a\"]", .invalidPayload), ("29007199254740992[\"a\"]", .invalidID),
        ("299999999999999999999[\"a\"]", .invalidID), ("5", .illegalAttachments), ("51", .illegalAttachments),
        ("511-", .tooManyAttachments), ("599999999999999999999999999999-", .tooManyAttachments),
        ("5999999999999999999999999999x-", .illegalAttachments), ("5-1-[\"a\"]", .invalidPayload),
        ("7[\"a\"]", .unknownType), ("é", .unknownType), ("/", .unknownType), (":", .unknownType),
    ])
    func refuses(input: String, reason: PacketError.Reason) throws {
        var decoder = PacketDecoder()
        let error = try #require(throws: PacketError.self) { try decoder.decode(text: text(input)) }
        #expect(error.reason == reason)
    }

    @Test func bytesMustBeUTF8() throws {
        var decoder = PacketDecoder()
        var error = try #require(throws: PacketError.self) { try decoder.decode(text: hex("32 5b 22 ff 22 5d")) }
        #expect(error.reason == .invalidPayload)
        #expect(error.underlying?.reason == .invalidUTF8)
        error = try #require(throws: PacketError.self) { try decoder.decode(text: hex("30 2f ff 2c")) }
        #expect(error.reason == .invalidNamespace)
    }

    @Test func theLargestIDIsExact() throws {
        var decoder = PacketDecoder()
        #expect(try decoder.decode(text: text("29007199254740991[\"a\"]"))?.id == 9_007_199_254_740_991)
        #expect(try decoder.decode(text: text("2000000000000000000000000000000[\"a\"]"))?.id == 0)
    }

    @Test func namespacesAreLimited() throws {
        var decoder = PacketDecoder()
        var limits = PacketLimits()
        limits.maximumNamespaceLength = 4
        #expect(try decoder.decode(text: text("0/abc,"), limits: limits)?.namespace == "/abc")
        #expect(throws: PacketError.self) { try decoder.decode(text: text("0/abcd,"), limits: limits) }
        #expect(throws: PacketError.self) { try decoder.decode(text: text("0/abcd"), limits: limits) }
    }

    @Test func nestingIsLimited() throws {
        var limits = PacketLimits()
        limits.json.maximumDepth = 200
        let deep = "2[\"a\"," + String(repeating: "[", count: 199) + String(repeating: "]", count: 199) + "]"
        var decoder = PacketDecoder()
        let error = try #require(throws: PacketError.self) { try decoder.decode(text: text(deep)) }
        #expect(error.underlying?.reason == .tooDeep)
        // What was let in can be read, whatever the limit was.
        let packet = try #require(try decoder.decode(text: text(deep), limits: limits))
        #expect(try packet.event()?.arguments.values().count == 1)
        #expect(throws: PacketError.self) {
            try decoder.decode(text: text("2[\"a\"," + String(repeating: "[", count: 1_000_000)))
        }
    }

    /// Or a short packet would be gigabytes long once somebody writes it out.
    @Test func anAttachmentDoesNotStandInManyPlaces() throws {
        let placeholder = "{\"_placeholder\":true,\"num\":0}"
        for arguments in ["\(placeholder),\(placeholder)", "[\(placeholder)],{\"a\":[\(placeholder)]}"] {
            var decoder = PacketDecoder()
            #expect(try decoder.decode(text: text("51-[\"a\",\(arguments)]")) == nil)
            let error = try #require(throws: PacketError.self) { try decoder.decode(binary: hex("01")) }
            #expect(error.reason == .illegalAttachments)
        }
    }

    @Test func attachmentsAreLimitedInBytes() throws {
        var limits = PacketLimits()
        limits.maximumAttachmentBytes = 3
        let header = text("52-[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]")
        var decoder = PacketDecoder()
        #expect(try decoder.decode(text: header, limits: limits) == nil)
        #expect(decoder.isWaitingForAttachments)
        #expect(try decoder.decode(binary: hex("0102"), limits: limits) == nil)
        let packet = try #require(try decoder.decode(binary: hex("03"), limits: limits))
        #expect(try packet.event()?.arguments.values() == [.binary(hex("0102")), .binary(hex("03"))])

        #expect(try decoder.decode(text: header, limits: limits) == nil)
        #expect(try decoder.decode(binary: hex("0102"), limits: limits) == nil)
        let error = try #require(throws: PacketError.self) { try decoder.decode(binary: hex("0304"), limits: limits) }
        #expect(error.reason == .tooManyAttachmentBytes)
        #expect(!decoder.isWaitingForAttachments)
    }

    @Test func anIdleDecoderIsOneWord() {
        #expect(MemoryLayout<PacketDecoder>.size == 8)
    }

    @Test func errorsNeverHoldThePacket() {
        var decoder = PacketDecoder()
        for input in ["9secret", "2[\"secret", "2/secret,x", "51-[\"secret\"]x"] {
            do throws(PacketError) {
                _ = try decoder.decode(text: text(input))
                Issue.record("\(input) was accepted")
            } catch {
                #expect(!"\(error) \(String(reflecting: error))".contains("secret"))
            }
        }
    }
}
