import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// JSON of every kind, sound and spoiled, against itself and against Foundation's coders.
@Suite(.timeLimit(.minutes(1)))
struct JSONRobustnessTests {
    /// Numbers are one kind, as in JavaScript, and what is no number is `null`; members are in alphabetical order.
    static func asJavaScript(_ value: JSONValue) -> JSONValue {
        switch value {
        case .double(let number): number.isFinite ? .double(number == 0 ? 0 : number) : .null
        case .int(let number): .double(Double(number))
        case .array(let elements): .array(elements.map(self.asJavaScript))
        case .object(let members):
            .object(
                JSONObject(
                    uniqueKeysWithValues: members.map { ($0.key, self.asJavaScript($0.value)) }.sorted { $0.0 < $1.0 }
                )
            )
        default: value
        }
    }

    static func text(of value: JSONValue) -> ByteBuffer {
        var text = ByteBuffer()
        text.writeJSON(value)
        return text
    }

    static func scan(_ text: ByteBuffer) throws {
        _ = try text.withUnsafeReadableBytes { try JSONScanner.validate($0) }
    }

    // MARK: Sound

    @Test func valuesSurviveTheirText() throws {
        var generator = JSONGenerator(seed: 1)
        for _ in 0..<1000 {
            let value = generator.value()
            let text = Self.text(of: value)
            let copy = try JSONValue(parsing: text)
            #expect(Self.asJavaScript(copy) == Self.asJavaScript(value))
            #expect(Self.text(of: copy) == text)
            try Self.scan(text)
        }
    }

    @Test func valuesWithBytesSurviveTheirTextAndAttachments() throws {
        var generator = JSONGenerator(seed: 2, makesBinary: true)
        for _ in 0..<1000 {
            let value = generator.value()
            var text = ByteBuffer()
            var attachments: [ByteBuffer] = []
            text.writeJSON(value, attachments: &attachments)
            var reader = JSONReader(text, attachments: attachments)
            #expect(try Self.asJavaScript(reader.readValue()) == Self.asJavaScript(value))
            try reader.expectEnd()
            try text.withUnsafeReadableBytes { bytes in
                var scanner = JSONScanner(bytes)
                try scanner.skipValue(attachmentCount: attachments.count)
                try scanner.expectEnd()
            }
        }
    }

    @Test func doublesSurviveExactly() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<5000 {
            let number = Double(bitPattern: generator.next())
            guard number.isFinite else { continue }
            let text = Self.text(of: .double(number))
            #expect(try JSONValue(parsing: text).doubleValue == number, "\(number)")
        }
    }

    /// Text with more digits than a double has, against the standard library.
    @Test func longNumbersAreRoundedCorrectly() throws {
        var generator = SeededGenerator(seed: 4)
        for round in 0..<1000 {
            let digits = Int.random(in: 1...(round % 50 == 0 ? 1200 : 40), using: &generator)
            var text = (0..<digits).map { _ in "\(Int.random(in: 0...9, using: &generator))" }.joined()
            text = "\(Int.random(in: 1...9, using: &generator))\(text)"
            if Bool.random(using: &generator) { text.insert(".", at: text.index(text.startIndex, offsetBy: 1)) }
            if Bool.random(using: &generator) { text += "e\(Int.random(in: -340...340, using: &generator))" }
            let value = try JSONValue(parsing: ByteBuffer(string: text))
            #expect(value.doubleValue == Double(text), "\(text)")
        }
        // Half way between two doubles, and a little more after as many digits as are looked at and more.
        let half = "9007199254740993"
        for zeros in [0, 700, 783, 784, 785, 786, 900, 5000] {
            let tie = half + "." + String(repeating: "0", count: zeros + 1)
            #expect(try JSONValue(parsing: ByteBuffer(string: tie)) == .double(9_007_199_254_740_992))
            #expect(try JSONValue(parsing: ByteBuffer(string: tie + "1")) == .double(9_007_199_254_740_994))
        }
    }

    @Test func foundationReadsWhatWeWrite() throws {
        var generator = JSONGenerator(seed: 5)
        for _ in 0..<500 {
            let value = JSONValue.array([generator.value()])
            let text = Data(Self.text(of: value).readableBytesView)
            let decoded = try JSONDecoder().decode(JSONValue.self, from: text)
            #expect(Self.asJavaScript(decoded) == Self.asJavaScript(value))
            let object = try JSONSerialization.jsonObject(with: text)
            let again = try JSONSerialization.data(withJSONObject: object)
            #expect(try Self.asJavaScript(JSONValue(parsing: ByteBuffer(bytes: again))) == Self.asJavaScript(value))
        }
    }

    @Test func weReadWhatFoundationWrites() throws {
        var generator = JSONGenerator(seed: 6)
        let pretty = JSONEncoder()
        pretty.outputFormatting = [.prettyPrinted, .sortedKeys]
        for _ in 0..<500 {
            let value = generator.value()
            for encoder in [JSONEncoder(), pretty] {
                let text = ByteBuffer(bytes: try encoder.encode(value))
                #expect(try Self.asJavaScript(JSONValue(parsing: text)) == Self.asJavaScript(value))
                try Self.scan(text)
            }
        }
    }

    // MARK: Spoiled

    static let samples = [
        #" {"a" : [1, -2.5e+3, true ,false,null , "é€😀\n\u00e9\ud83d\ude00\/x"],"b":{"":{}, "c":[[ ]]}} "#,
        #"["chat message",{"_placeholder":true,"num":0},"0123456789abcdef0123456789abcdef",12345678901234567890]"#,
        #""\ud800\udc00\ud800 \udc00 plain ascii text that is longer than a word \" \\ ""#,
        "[0,-0,0.0,1e5,1E-5,-1.25,9223372036854775807,-9223372036854775808,1e400]",
    ]

    /// The scanner and the reader, with and without attachments, agree about everything.
    static func check(_ text: ByteBuffer) -> JSONValue? {
        var reason: JSONError?
        var value: JSONValue?
        do { value = try JSONValue(parsing: text) } catch { reason = error }
        do {
            try Self.scan(text)
            #expect(reason == nil)
        } catch {
            #expect(error as? JSONError == reason)
        }
        if let reason { #expect((0...text.readableBytes).contains(reason.offset)) }
        var reader = JSONReader(text, attachments: [ByteBuffer()])
        let read = Result { try reader.readValue() }
        let scanned = Result {
            try text.withUnsafeReadableBytes { bytes in
                var scanner = JSONScanner(bytes)
                try scanner.skipValue(attachmentCount: 1)
            }
        }
        switch (read, scanned) {
        case (.success, .success): break
        case (.failure(let one), .failure(let other)): #expect(one as? JSONError == other as? JSONError)
        default: Issue.record("the reader and the scanner disagree about \(String(buffer: text))")
        }
        if let value { #expect((try? JSONValue(parsing: Self.text(of: value))) != nil) }
        return value
    }

    @Test(arguments: samples) func everyCutIsAnError(_ sample: String) {
        let bytes = ByteBuffer(string: sample)
        let end = sample.utf8.count - (sample.hasSuffix(" ") ? 1 : 0)
        for length in 0..<end {
            guard let cut = bytes.getSlice(at: 0, length: length) else { continue }
            #expect(Self.check(cut) == nil)
        }
        #expect(Self.check(bytes) != nil)
    }

    @Test(arguments: samples) func everySpoiledByteIsAnErrorOrAValue(_ sample: String) {
        let bytes = Array(sample.utf8)
        for index in bytes.indices {
            for byte in [0, 0x1F, 0x20, 0x22, 0x2C, 0x30, 0x39, 0x3A, 0x5B, 0x5C, 0x5D, 0x65, 0x75, 0x7B, 0x7D, 0x7F]
                as [UInt8]
                + [0x80, 0xBF, 0xC0, 0xC3, 0xE0, 0xED, 0xF0, 0xF4, 0xFF, bytes[index] ^ 1, bytes[index] ^ 0x20]
            {
                var spoiled = bytes
                spoiled[index] = byte
                _ = Self.check(ByteBuffer(bytes: spoiled))
            }
            var shorter = bytes
            shorter.remove(at: index)
            _ = Self.check(ByteBuffer(bytes: shorter))
            var longer = bytes
            longer.insert(bytes[index], at: index)
            _ = Self.check(ByteBuffer(bytes: longer))
        }
    }

    /// Foundation calls the same texts JSON (where it is as strict; escaped surrogates and infinite numbers are not).
    @Test func foundationAgreesAboutSpoiledText() {
        let sample = Array(#" {"a" : [1, -2.5e+3, true ,false,null , "x\n\u00e9\/x"],"b":{"":{}, "c":[[ ]]}} "#.utf8)
        for index in sample.indices {
            for byte in [
                0x09, 0x20, 0x22, 0x2B, 0x2C, 0x2D, 0x2E, 0x30, 0x3A, 0x45, 0x5B, 0x5C, 0x5D, 0x61, 0x7B, 0x7D,
            ] as [UInt8] {
                var spoiled = sample
                spoiled[index] = byte
                let ours = Self.check(ByteBuffer(bytes: spoiled))
                let theirs = try? JSONDecoder().decode(JSONValue.self, from: Data(spoiled))
                let text = String(decoding: spoiled, as: UTF8.self)
                #expect((ours == nil) == (theirs == nil), "\(text)")
                // Of equal keys, Foundation's decoder takes the first one.
                if let ours, let theirs, !text.contains("\"a\":{") {
                    #expect(Self.asJavaScript(ours) == Self.asJavaScript(theirs), "\(text)")
                }
            }
        }
    }

    @Test func randomBytesAreAnErrorOrAValue() {
        var generator = SeededGenerator(seed: 8)
        let alphabet = Array("{}[]\",:\\u0123456789eE+-. truefalsn\n\u{0}é".utf8)
        for _ in 0..<5000 {
            let length = Int.random(in: 0..<24, using: &generator)
            let bytes = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
            _ = Self.check(ByteBuffer(bytes: bytes))
        }
    }

    // MARK: Hostile

    static let length = 250_000

    static let hostile: [(name: String, text: @Sendable () -> String)] = [
        ("digits", { String(repeating: "9", count: length) }),
        ("fraction", { "0." + String(repeating: "0", count: length) + "1" }),
        ("exponent", { "1e" + String(repeating: "9", count: length) }),
        ("digits and exponent", { "1" + String(repeating: "0", count: length) + "e-1000000" }),
        ("escapes", { "\"" + String(repeating: "\\u00e9", count: length / 6) + "\"" }),
        ("surrogates", { "\"" + String(repeating: "\\ud800", count: length / 6) + "\"" }),
        ("open string", { "\"" + String(repeating: "x", count: length) }),
        ("escaped quotes", { String(repeating: "\\\"", count: length / 2) }),
        ("brackets", { String(repeating: "[", count: length) }),
        ("braces", { String(repeating: "{\"a\":", count: length / 5) }),
        ("pairs of brackets", { "[" + String(repeating: "[],", count: length / 3) + "1]" }),
        ("white space", { String(repeating: " ", count: length) + "1" }),
        ("equal keys", { "{" + String(repeating: "\"a\":1,", count: length / 6) + "\"a\":2}" }),
        ("keys", { "{" + (0..<length / 12).map { "\"k\($0)\":0," }.joined() + "\"z\":2}" }),
        ("numbers", { "[" + String(repeating: "1,", count: length / 2) + "1]" }),
        (
            "placeholders",
            { "[" + String(repeating: "{\"_placeholder\":true,\"num\":0},", count: length / 29) + "1]" }
        ),
    ]

    /// A quadratic reader would need minutes for each of them; unoptimised code needs a second.
    @Test(arguments: hostile.indices) func timeIsLinear(_ index: Int) {
        let text = ByteBuffer(string: Self.hostile[index].text())
        let elapsed = ContinuousClock().measure {
            _ = try? JSONValue(parsing: text)
            _ = try? Self.scan(text)
            _ = try? text.withUnsafeReadableBytes { bytes in
                var scanner = JSONScanner(bytes)
                try scanner.skipValue(attachmentCount: 1)
            }
        }
        #expect(elapsed < .seconds(20), "\(Self.hostile[index].name): \(elapsed)")
    }
}
