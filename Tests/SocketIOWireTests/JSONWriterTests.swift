import NIOCore
import SocketIOWire
import Testing

/// Values as `JSON.stringify` writes them (ECMA-262, Number::toString and QuoteJSONString).
@Suite(.timeLimit(.minutes(1)))
struct JSONWriterTests {
    static let numbers: [(Double, String)] = [
        (0, "0"), (-0.0, "0"), (1, "1"), (-1, "-1"), (100, "100"), (1e15, "1000000000000000"),
        (9_007_199_254_740_991, "9007199254740991"), (9_007_199_254_740_992, "9007199254740992"),
        (1e16, "10000000000000000"), (123_456_789_012_345_683_968, "123456789012345680000"),
        (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.5e21, "1.5e+21"), (-1e21, "-1e+21"), (1e22, "1e+22"),
        (123e18, "123000000000000000000"), (999_999_999_999_999_868_928, "999999999999999900000"), (1e100, "1e+100"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (.leastNonzeroMagnitude, "5e-324"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"), (0.1, "0.1"), (0.5, "0.5"), (-0.5, "-0.5"), (1.5, "1.5"),
        (0.01, "0.01"), (0.001, "0.001"), (0.0001, "0.0001"), (0.00001, "0.00001"), (0.000001, "0.000001"),
        (0.0000001, "1e-7"), (1.5e-7, "1.5e-7"), (-1.5e-7, "-1.5e-7"), (0.00000123, "0.00000123"),
        (0.1 + 0.2, "0.30000000000000004"), (123.456, "123.456"), (-123456.789, "-123456.789"),
        (1.0 / 3, "0.3333333333333333"),
        (4.35, "4.35"), (100.25, "100.25"), (3.141592653589793, "3.141592653589793"), (1e-10, "1e-10"), (5e-7, "5e-7"),
        (12_345_678_901_234_567_168, "12345678901234567000"), (2251799813685248.5, "2251799813685248.5"),
        (.nan, "null"), (.infinity, "null"), (-.infinity, "null"),
    ]

    @Test(arguments: numbers) func writesNumbersAsJavaScript(_ number: Double, _ text: String) {
        #expect(Self.text(of: .double(number)) == text)
    }

    static let integers: [Int] = [
        0, 1, 9, 10, 11, 99, 100, 101, 12345, 1_000_000_000, 999_999_999_999_999_999, .max, .min, .min + 1, -1, -9, -10,
        -99,
    ]

    @Test(arguments: integers) func writesIntegers(_ integer: Int) {
        #expect(Self.text(of: .int(integer)) == "\(integer)")
    }

    static let values: [(JSONValue, String)] = [
        (nil, "null"), (true, "true"), (false, "false"), ("", "\"\""), ([], "[]"), ([:], "{}"), ([1], "[1]"),
        ([1, "a", nil, [[]], [:]], "[1,\"a\",null,[[]],{}]"), (["b": 1, "a": [2]], "{\"b\":1,\"a\":[2]}"),
        ("\"\\/\u{8}\u{C}\n\r\t", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""),
        ("\u{0}\u{1}\u{F}\u{10}\u{1F}", "\"\\u0000\\u0001\\u000f\\u0010\\u001f\""),
        ("\u{7F}\u{80}é€😀\u{2028}\u{2029}\u{FFFF}", "\"\u{7F}\u{80}é€😀\u{2028}\u{2029}\u{FFFF}\""),
        ("12345678\"12345678\n", "\"12345678\\\"12345678\\n\""), ("1234567\n", "\"1234567\\n\""),
        (["\n": 1], "{\"\\n\":1}"),
        ([1.5, .double(.nan)], "[1.5,null]"),
        (.binary(ByteBuffer()), "{\"type\":\"Buffer\",\"data\":[]}"),
        (
            .binary(ByteBuffer(bytes: [0, 9, 10, 99, 100, 101, 255])),
            "{\"type\":\"Buffer\",\"data\":[0,9,10,99,100,101,255]}"
        ),
    ]

    @Test(arguments: values) func writesValues(_ value: JSONValue, _ text: String) {
        #expect(Self.text(of: value) == text)
    }

    @Test func replacesBytesByPlaceholdersDepthFirst() throws {
        let one = ByteBuffer(bytes: [1])
        let two = ByteBuffer(bytes: [2])
        let value: JSONValue = ["ev", ["b": .binary(two), "a": [.binary(one)]], .binary(one)]
        var attachments = [ByteBuffer()]
        var text = ByteBuffer()
        text.writeJSON(value, attachments: &attachments)
        #expect(
            String(buffer: text)
                == #"["ev",{"b":{"_placeholder":true,"num":1},"a":[{"_placeholder":true,"num":2}]},{"_placeholder":true,"num":3}]"#
        )
        #expect(attachments == [ByteBuffer(), two, one, one])
        var reader = JSONReader(text, attachments: attachments)
        #expect(try reader.readValue() == value)
    }

    @Test func leavesWhatIsAlreadyInTheBuffer() {
        var buffer = ByteBuffer(string: "42")
        buffer.writeJSON(["a"])
        #expect(String(buffer: buffer) == "42[\"a\"]")
    }

    static func text(of value: JSONValue) -> String {
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        return String(buffer: buffer)
    }
}
