import NIOCore
import Testing

@testable import RESP

struct RESPExample: CustomTestStringConvertible, Sendable {
    var bytes: String
    var value: RESPValue
    var testDescription: String { self.bytes.debugDescription }

    init(_ bytes: String, _ value: RESPValue) {
        self.bytes = bytes
        self.value = value
    }

    static let all: [RESPExample] = [
        RESPExample("+OK\r\n", .simpleString("OK")),
        RESPExample("+\r\n", .simpleString("")),
        RESPExample(
            "-ERR unknown command\r\n",
            .error(RESPError(code: .server, message: "ERR unknown command", serverCode: "ERR"))
        ),
        RESPExample(
            "-WRONGTYPE no\r\n",
            .error(RESPError(code: .server, message: "WRONGTYPE no", serverCode: "WRONGTYPE"))
        ),
        RESPExample("-no code here\r\n", .error(RESPError(code: .server, message: "no code here"))),
        RESPExample(":0\r\n", .integer(0)),
        RESPExample(":-42\r\n", .integer(-42)),
        RESPExample(":+7\r\n", .integer(7)),
        RESPExample(":9223372036854775807\r\n", .integer(.max)),
        RESPExample(":-9223372036854775808\r\n", .integer(.min)),
        RESPExample("$6\r\nfoobar\r\n", bulk("foobar")),
        RESPExample("$0\r\n\r\n", bulk("")),
        RESPExample("$4\r\na\r\nb\r\n", bulk("a\r\nb")),
        RESPExample("$-1\r\n", .null),
        RESPExample("*-1\r\n", .null),
        RESPExample("_\r\n", .null),
        RESPExample("*0\r\n", .array([])),
        RESPExample("*2\r\n$3\r\nfoo\r\n:1\r\n", .array([bulk("foo"), .integer(1)])),
        RESPExample(
            "*2\r\n*1\r\n+a\r\n*2\r\n*0\r\n_\r\n",
            .array([.array([.simpleString("a")]), .array([.array([]), .null])])
        ),
        RESPExample("*2\r\n-EXECABORT x\r\n$-1\r\n", .array([.error(RESPError(reply: "EXECABORT x")), .null])),
        RESPExample("#t\r\n", .boolean(true)),
        RESPExample("#f\r\n", .boolean(false)),
        RESPExample(",1.23\r\n", .double(1.23)),
        RESPExample(",-1e300\r\n", .double(-1e300)),
        RESPExample(",inf\r\n", .double(.infinity)),
        RESPExample(",-inf\r\n", .double(-.infinity)),
        RESPExample(
            "(3492890328409238509324850943850943825024385\r\n",
            .bigNumber("3492890328409238509324850943850943825024385")
        ),
        RESPExample("(-12\r\n", .bigNumber("-12")),
        RESPExample(
            "!21\r\nSYNTAX invalid syntax\r\n",
            .error(RESPError(code: .server, message: "SYNTAX invalid syntax", serverCode: "SYNTAX"))
        ),
        RESPExample("=15\r\ntxt:Some string\r\n", .verbatimString(ByteBuffer(string: "Some string"))),
        RESPExample(
            "%2\r\n+first\r\n:1\r\n+second\r\n*1\r\n:2\r\n",
            .map([
                RESPMapEntry(key: .simpleString("first"), value: .integer(1)),
                RESPMapEntry(key: .simpleString("second"), value: .array([.integer(2)])),
            ])
        ),
        RESPExample("%0\r\n", .map([])),
        RESPExample("~3\r\n+a\r\n:1\r\n#t\r\n", .set([.simpleString("a"), .integer(1), .boolean(true)])),
        RESPExample(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", .push([bulk("message"), bulk("c"), bulk("hi")])),
        RESPExample("|1\r\n+ttl\r\n:3600\r\n:5\r\n", .integer(5)),
        RESPExample(
            "*2\r\n:1\r\n|2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n:2\r\n:3\r\n",
            .array([.integer(1), .integer(3)])
        ),
        RESPExample("|0\r\n:5\r\n", .integer(5)),
    ]
}

extension RESPParser {
    fileprivate mutating func error() -> RESPError? {
        do throws(RESPError) {
            _ = try self.next()
            return nil
        } catch {
            return error
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct RESPParserTests {
    @Test(arguments: RESPExample.all)
    func valueAtOnce(_ example: RESPExample) throws {
        var parser = RESPParser()
        parser.append(ByteBuffer(string: example.bytes))
        let (value, more) = (try parser.next(), try parser.next())
        #expect(value == example.value)
        #expect(more == nil)
        #expect(parser.unreadBytes == 0)
    }

    @Test(arguments: RESPExample.all)
    func valueByteByByte(_ example: RESPExample) throws {
        var parser = RESPParser()
        var values: [RESPValue] = []
        for byte in example.bytes.utf8 {
            parser.append(ByteBuffer(bytes: [byte]))
            while let value = try parser.next() { values.append(value) }
        }
        #expect(values == [example.value])
    }

    @Test(arguments: RESPExample.all)
    func valueSplitAtEveryByte(_ example: RESPExample) throws {
        let bytes = ByteBuffer(string: example.bytes)
        for length in 0...bytes.readableBytes {
            var parser = RESPParser()
            parser.append(try #require(bytes.getSlice(at: 0, length: length)))
            let early = try parser.next()
            if length < bytes.readableBytes { #expect(early == nil) }
            parser.append(try #require(bytes.getSlice(at: length, length: bytes.readableBytes - length)))
            let value = try early ?? parser.next()
            #expect(value == example.value)
        }
    }

    @Test func allValuesInOneRow() throws {
        let text = RESPExample.all.map(\.bytes).joined()
        for size in [1, 2, 3, 7, 64, 100_000] {
            var parser = RESPParser()
            var values: [RESPValue] = []
            var rest = ByteBuffer(string: text)
            while rest.readableBytes > 0 {
                parser.append(rest.readSlice(length: min(size, rest.readableBytes)) ?? ByteBuffer())
                while let value = try parser.next() { values.append(value) }
            }
            #expect(values == RESPExample.all.map(\.value))
        }
    }

    @Test(arguments: [
        "?\r\n", "\r\n", "OK\r\n", ":\r\n", ":1a\r\n", ":-\r\n", ":9223372036854775808\r\n", "$-2\r\n", "$a\r\n",
        "$1\r\nab\r\n", "*-2\r\n", "*1x\r\n", "%-1\r\n", "~-1\r\n", "#x\r\n", "#\r\n", "#tt\r\n", ",x\r\n", "(1.5\r\n",
        "(\r\n",
        "_x\r\n", "+a\n", "\n", "=2\r\nab\r\n", "=5\r\ntxt-a\r\n", "$99999999999999\r\n", "*9999999999999\r\n",
        "%9223372036854775807\r\n", "$?\r\n", "*?\r\n", "$18446744073709551617\r\n",
    ])
    func malformed(_ text: String) {
        var parser = RESPParser()
        parser.append(ByteBuffer(string: text))
        #expect(parser.error()?.code == .protocolViolation)
    }

    @Test func stringIsASliceOfWhatWasRead() throws {
        var parser = RESPParser()
        let bytes = ByteBuffer(string: "$5\r\nhello\r\n")
        parser.append(bytes)
        let parsed = try parser.next()
        let value = try #require(parsed?.bytes)
        let addresses = (
            bytes.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) },
            value.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        )
        #expect(addresses.0 + 4 == addresses.1)
    }

    @Test func valuesAreSmall() {
        // A box for each string of each message would be most of what receiving one costs.
        #expect(MemoryLayout<RESPValue>.size <= 24)
    }

    @Test func longStringIsSkippedAndTheConnectionKept() throws {
        var limits = RESPLimits()
        limits.maximumStringLength = 4
        for size in [1, 3, 1000] {
            var parser = RESPParser(limits: limits)
            var rest = ByteBuffer(string: "*2\r\n$10\r\n0123456789\r\n$4\r\nkept\r\n+next\r\n")
            var values: [RESPValue] = []
            while rest.readableBytes > 0 {
                parser.append(rest.readSlice(length: min(size, rest.readableBytes)) ?? ByteBuffer())
                while let value = try parser.next() { values.append(value) }
            }
            try #require(values.count == 2)
            guard case .error(let error) = values[0].arrayValue?.first else {
                Issue.record("no error: \(values)")
                return
            }
            #expect(error.code == .tooLong)
            #expect(values[0].arrayValue?.last == bulk("kept"))
            #expect(values[1] == .simpleString("next"))
        }
    }

    @Test func limitsEndTheConnection() throws {
        var limits = RESPLimits()
        limits.maximumDepth = 3
        limits.maximumElements = 10
        limits.maximumLineLength = 20
        limits.maximumReplyLength = 10
        for text in [
            "*1\r\n*1\r\n*1\r\n*1\r\n", "*11\r\n", "%6\r\n", "*6\r\n*6\r\n", "+" + String(repeating: "x", count: 30),
            "*2\r\n$8\r\n12345678\r\n$8\r\n",
        ] {
            var parser = RESPParser(limits: limits)
            parser.append(ByteBuffer(string: text))
            #expect(parser.error()?.code == .protocolViolation)
        }
        // What is within the limits, again and again, is no violation.
        var parser = RESPParser(limits: limits)
        for _ in 0..<5 {
            parser.append(ByteBuffer(string: "*2\r\n$5\r\n12345\r\n$5\r\n12345\r\n"))
            let value = try parser.next()
            #expect(value?.arrayValue?.count == 2)
        }
    }

    @Test func theLongestLineMayComeInPieces() throws {
        var limits = RESPLimits()
        limits.maximumLineLength = 20
        let longest = "+" + String(repeating: "x", count: 19)
        for cut in 1..<22 {
            let bytes = ByteBuffer(string: longest + "\r\n")
            var parser = RESPParser(limits: limits)
            parser.append(ByteBuffer(bytes: bytes.readableBytesView.prefix(cut)))
            #expect(try parser.next() == nil)
            parser.append(ByteBuffer(bytes: bytes.readableBytesView.dropFirst(cut)))
            #expect(try parser.next() == .simpleString(String(longest.dropFirst())))
        }
        var parser = RESPParser(limits: limits)
        parser.append(ByteBuffer(string: longest + "x\r"))
        #expect(parser.error()?.code == .protocolViolation)
    }

    @Test func deepReplyInManyPiecesIsLinear() throws {
        // 20,000 elements that arrive one by one: parsing from the start each time would take minutes.
        var parser = RESPParser()
        parser.append(ByteBuffer(string: "*20000\r\n"))
        for index in 0..<20_000 {
            let early = try parser.next()
            #expect(early == nil)
            parser.append(ByteBuffer(string: "*2\r\n$3\r\nabc\r\n:\(index)\r\n"))
        }
        let reply = try parser.next()
        #expect(reply?.arrayValue?.count == 20_000)
    }

    @Test func commandsAreArraysOfBulkStrings() {
        var buffer = ByteBuffer()
        buffer.writeCommand(RESPCommand("SET", "ключ", .bytes(ByteBuffer(bytes: [0, 255])), .int(-5)))
        #expect(
            buffer
                == ByteBuffer(
                    bytes: Array("*4\r\n$3\r\nSET\r\n$8\r\nключ\r\n$2\r\n".utf8) + [0, 255]
                        + Array("\r\n$2\r\n-5\r\n".utf8)
                )
        )
        buffer.clear()
        buffer.writePublish(channel: "socket.io#/#", message: ByteBuffer(string: "0123456789"))
        #expect(String(buffer: buffer) == "*3\r\n$7\r\nPUBLISH\r\n$12\r\nsocket.io#/#\r\n$10\r\n0123456789\r\n")
    }
}
