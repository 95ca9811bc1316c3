import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// What is JSON text and what is not, for the scanner and for the reader, which must always agree.
@Suite(.timeLimit(.minutes(1)))
struct JSONGrammarTests {
    static let accepted: [(String, JSONValue)] = [
        ("null", .null), (" true ", true), ("\t\n\r false", false), ("0", 0), ("-0", .double(-0.0)), ("-1", -1),
        ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
        ("9223372036854775808", .double(9_223_372_036_854_775_808)),
        ("-9223372036854775809", .double(-9_223_372_036_854_775_808)),
        ("123456789012345678", 123_456_789_012_345_678), ("18446744073709551615", .double(18_446_744_073_709_551_616)),
        ("99999999999999999999", .double(1e20)), ("1.0", 1.0), ("1e2", .double(100)), ("1E+2", .double(100)),
        ("1e-2", 0.01), ("0.1", 0.1), ("-0.0", .double(-0.0)), ("1e999", .double(.infinity)),
        ("-1e999", .double(-.infinity)),
        ("1e-999", .double(0)), ("5e-324", .double(.leastNonzeroMagnitude)),
        ("2.2250738585072011e-308", .double(Double.leastNormalMagnitude.nextDown)),
        ("1.7976931348623157e308", .double(1.7976931348623157e308)),
        ("0.000000000000000000000000000000000000000000001", .double(1e-45)),
        ("1e99999999999999999999999999999", .double(.infinity)), ("0e99999999999999999999999999", .double(0)),
        ("1e-99999999999999999999999999999", .double(0)),
        ("\"\"", ""), ("\"a\"", "a"), ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"),
        ("\"\\u0041\\u00e9\\u20AC\\u0000\"", "A\u{E9}\u{20AC}\u{0}"), ("\"\\ud83d\\ude00\"", "😀"),
        ("\"\\uDBFF\\uDFFF\"", "\u{10FFFF}"),
        ("\"é€😀\u{10FFFF}\u{7F}\u{80}\u{FFFF}\"", "é€😀\u{10FFFF}\u{7F}\u{80}\u{FFFF}"),
        ("\"\\ud800\"", "\u{FFFD}"), ("\"\\udc00x\"", "\u{FFFD}x"), ("\"\\ud800\\ud800\\udc00\"", "\u{FFFD}\u{10000}"),
        ("\"\\ud800\\u0041\"", "\u{FFFD}A"), ("\"\\ud800\\n\"", "\u{FFFD}\n"), ("\"\\ud800abcdef\"", "\u{FFFD}abcdef"),
        ("\"\u{2028}\u{2029}\"", "\u{2028}\u{2029}"),
        ("[]", []), ("[ ]", []), ("[1]", [1]), ("[1,2 , 3]", [1, 2, 3]), ("[[],[[]]]", [[], [[]]]),
        ("{}", [:]), ("{ }", [:]), ("{\"a\":1}", ["a": 1]),
        (" { \"a\" : 1 , \"b\" : [ { } ] } ", ["a": 1, "b": [[:]]]),
        ("{\"a\":1,\"b\":2,\"a\":3}", ["a": 3, "b": 2]), ("{\"\":null}", ["": nil]), ("{\"\\u0061\":1}", ["a": 1]),
        ("{\"__proto__\":1}", ["__proto__": 1]), ("\"12345678\\n12345678\"", "12345678\n12345678"),
        ("\"1234567é12345678\"", "1234567é12345678"),
    ]

    @Test(arguments: accepted) func accepts(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONValue(parsing: ByteBuffer(string: text)) == value)
        try Self.scan(ByteBuffer(string: text))
    }

    @Test func firstOfEqualKeysKeepsItsPlace() throws {
        let value = try JSONValue(parsing: ByteBuffer(string: #"{"a":1,"b":2,"a":3}"#))
        #expect(value.objectValue.map { Array($0.keys) } == ["a", "b"])
    }

    @Test func negativeZeroKeepsItsSign() throws {
        let value = try JSONValue(parsing: ByteBuffer(string: "-0"))
        #expect(value.doubleValue?.sign == .minus)
    }

    static let rejected: [(String, JSONError.Reason, Int)] = [
        ("", .unexpectedEnd, 0), ("  ", .unexpectedEnd, 2), ("\u{FEFF}1", .unexpectedByte, 0),
        ("x", .unexpectedByte, 0),
        ("nul", .unexpectedEnd, 3), ("nulL", .invalidLiteral, 0), ("NaN", .unexpectedByte, 0),
        ("nan", .invalidLiteral, 0),
        ("Infinity", .unexpectedByte, 0), ("-Infinity", .invalidNumber, 1), ("tru", .unexpectedEnd, 3),
        ("truex", .trailingBytes, 4), ("fals e", .invalidLiteral, 0), ("undefined", .unexpectedByte, 0),
        ("01", .invalidNumber, 0), ("-01", .invalidNumber, 1), ("00", .invalidNumber, 0), ("1.", .unexpectedEnd, 2),
        (".1", .unexpectedByte, 0), ("+1", .unexpectedByte, 0), ("-", .unexpectedEnd, 1), ("--1", .invalidNumber, 1),
        ("1e", .unexpectedEnd, 2), ("1e+", .unexpectedEnd, 3), ("1.e1", .invalidNumber, 2), ("1ex", .invalidNumber, 2),
        ("0x10", .trailingBytes, 1), ("1 2", .trailingBytes, 2), ("1_000", .trailingBytes, 1),
        ("1n", .trailingBytes, 1),
        ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3),
        ("[", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3), ("]", .unexpectedByte, 0),
        ("[1}", .unexpectedByte, 2), ("[[1]", .unexpectedEnd, 4), ("[1]]", .trailingBytes, 3),
        ("{", .unexpectedEnd, 1), ("{\"a\"", .unexpectedEnd, 4), ("{\"a\":", .unexpectedEnd, 5),
        ("{\"a\":1", .unexpectedEnd, 6), ("{\"a\":1,", .unexpectedEnd, 7), ("{\"a\":1,}", .unexpectedByte, 7),
        ("{a:1}", .unexpectedByte, 1), ("{'a':1}", .unexpectedByte, 1), ("{1:1}", .unexpectedByte, 1),
        ("{\"a\" 1}", .unexpectedByte, 5), ("{\"a\":}", .unexpectedByte, 5), ("{\"a\":1]", .unexpectedByte, 6),
        ("{\"a\":1 \"b\":2}", .unexpectedByte, 7), ("{,}", .unexpectedByte, 1), ("{null:1}", .unexpectedByte, 1),
        ("{[]:1}", .unexpectedByte, 1), ("\"", .unexpectedEnd, 1), ("\"abc", .unexpectedEnd, 4),
        ("'a'", .unexpectedByte, 0), ("\"\n\"", .controlCharacter, 1), ("\"\u{0}\"", .controlCharacter, 1),
        ("\"12345678\u{1F}\"", .controlCharacter, 9), ("\"\\x\"", .invalidEscape, 1), ("\"\\", .unexpectedEnd, 2),
        ("\"\\u12\"", .invalidEscape, 1), ("\"\\u12g4\"", .invalidEscape, 1), ("\"\\u+123\"", .invalidEscape, 1),
        ("\"\\U0041\"", .invalidEscape, 1), ("\"\\u", .invalidEscape, 1), ("\"\\'\"", .invalidEscape, 1),
        ("//x\n1", .unexpectedByte, 0), ("/**/1", .unexpectedByte, 0), ("1//", .trailingBytes, 1),
        ("\u{A0}1", .unexpectedByte, 0), ("\u{C}1", .unexpectedByte, 0), ("1\u{0}", .trailingBytes, 1),
    ]

    @Test(arguments: rejected) func rejects(_ text: String, _ reason: JSONError.Reason, _ offset: Int) {
        let bytes = ByteBuffer(string: text)
        #expect(throws: JSONError(reason, at: offset)) { try JSONValue(parsing: bytes) }
        #expect(throws: JSONError(reason, at: offset)) { try Self.scan(bytes) }
    }

    static let malformedUTF8: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
        [0xE2, 0x82], [0xE2, 0x41, 0x41], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80],
        [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF0, 0x9F, 0x98, 0x41], [0xF4, 0x90, 0x80, 0x80],
        [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
    ]

    @Test(arguments: malformedUTF8, [0, 1, 7, 8, 9]) func rejectsMalformedUTF8(_ sequence: [UInt8], _ before: Int) {
        let prefix = [UInt8](repeating: UInt8(ascii: "x"), count: before)
        for suffix in [0, 1, 8] {
            let body = prefix + sequence + [UInt8](repeating: UInt8(ascii: "y"), count: suffix)
            let bytes = ByteBuffer(bytes: [UInt8(ascii: "\"")] + body + [UInt8(ascii: "\"")])
            let error = JSONError(.invalidUTF8, at: 1 + before)
            #expect(throws: error) { try JSONValue(parsing: bytes) }
            #expect(throws: error) { try Self.scan(bytes) }
        }
    }

    @Test(arguments: ["[", "{\"a\":"]) func stopsAtTheLimitOfDepth(_ opening: String) throws {
        let closing = opening == "[" ? "]" : "}"
        func nested(_ depth: Int) -> ByteBuffer {
            ByteBuffer(
                string: String(repeating: opening, count: depth) + "1" + String(repeating: closing, count: depth)
            )
        }
        for limit in [1, 63, 64, 65, 127, 128, 129, 200, 512, 100_000] {
            var limits = JSONLimits()
            limits.maximumDepth = limit
            let allowed = min(limit, 512)
            try Self.scan(nested(allowed), limits: limits)
            _ = try JSONValue(parsing: nested(allowed), limits: limits)
            let error = JSONError(.tooDeep, at: opening.utf8.count * allowed)
            #expect(throws: error) { try Self.scan(nested(allowed + 1), limits: limits) }
            #expect(throws: error) { try JSONValue(parsing: nested(allowed + 1), limits: limits) }
            #expect(throws: error) { try Self.scan(nested(200_000), limits: limits) }
            #expect(throws: error) { try JSONValue(parsing: nested(200_000), limits: limits) }
        }
        var none = JSONLimits()
        none.maximumDepth = -1
        #expect(try JSONValue(parsing: ByteBuffer(string: "1"), limits: none) == 1)
        #expect(throws: JSONError(.tooDeep, at: 0)) { try JSONValue(parsing: ByteBuffer(string: "[]"), limits: none) }
    }

    /// Mixed brackets across the words that the scanner keeps its levels in.
    @Test func bracketsMatchAtEveryDepth() throws {
        var limits = JSONLimits()
        limits.maximumDepth = 512
        for depth in 1...300 {
            let kinds = (0..<depth).map { $0 * 7 % 3 == 0 }
            let opening = kinds.map { $0 ? "{\"a\":" : "[" }.joined()
            let closing = kinds.reversed().map { $0 ? "}" : "]" }
            try Self.scan(ByteBuffer(string: opening + "1" + closing.joined()), limits: limits)
            var twice = closing
            twice.insert(contentsOf: [",", kinds[depth - 1] ? "\"b\":[]" : "[]"], at: 0)
            try Self.scan(ByteBuffer(string: opening + "1" + twice.joined()), limits: limits)
            var wrong = closing
            wrong[depth / 2] = wrong[depth / 2] == "]" ? "}" : "]"
            #expect(throws: JSONError.self) {
                try Self.scan(ByteBuffer(string: opening + "1" + wrong.joined()), limits: limits)
            }
        }
    }

    /// Checks a whole text without making values of it.
    static func scan(_ text: ByteBuffer, limits: JSONLimits = .standard) throws {
        _ = try text.withUnsafeReadableBytes { try JSONScanner.validate($0, limits: limits) }
    }
}
