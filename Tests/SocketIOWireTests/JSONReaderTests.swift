import NIOCore
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JSONReaderTests {
    @Test func walksAnArrayElementByElement() throws {
        var reader = JSONReader(ByteBuffer(string: " [ \"ev\" , 1 , [2,3] , {\"a\":[4]} , null ] "))
        try reader.enterArray()
        #expect(try reader.nextElement())
        #expect(try reader.readString() == "ev")
        #expect(try reader.nextElement())
        #expect(try reader.readString() == nil)
        #expect(try reader.readValue() == 1)
        #expect(try reader.nextElement())
        try reader.enterArray()
        #expect(try reader.nextElement())
        try reader.skipValue()
        #expect(try reader.nextElement())
        try reader.skipValue()
        #expect(try !reader.nextElement())
        #expect(try reader.nextElement())
        #expect(try reader.peekKind() == .object)
        #expect(try String(buffer: reader.readRawValue()) == "{\"a\":[4]}")
        #expect(try reader.nextElement())
        #expect(try reader.peekKind() == .null)
        try reader.skipValue()
        #expect(try !reader.nextElement())
        try reader.expectEnd()
    }

    @Test func readsFromTheReaderIndexOn() throws {
        var text = ByteBuffer(string: "42[\"é\\n\",1]rest")
        text.moveReaderIndex(forwardBy: 2)
        text.moveWriterIndex(to: text.writerIndex - 4)
        var reader = JSONReader(text)
        try reader.enterArray()
        #expect(try reader.nextElement())
        #expect(try String(buffer: reader.readRawValue()) == "\"é\\n\"")
        #expect(try JSONValue(parsing: text) == ["é\n", 1])
    }

    @Test(arguments: ["[", "[1", "[1,", "[,", "[}", "[1 2", "[1}", "1", "{}", ""])
    func walkingReportsMalformedArrays(_ text: String) {
        var reader = JSONReader(ByteBuffer(string: text))
        #expect(throws: JSONError.self) {
            try reader.enterArray()
            while try reader.nextElement() { try reader.skipValue() }
        }
    }

    static let one = ByteBuffer(bytes: [1])

    static let placeholders: [(String, JSONValue?)] = [
        (#"{"_placeholder":true,"num":0}"#, .binary(one)), (#"{"num":0,"_placeholder":true}"#, .binary(one)),
        (#"{"_placeholder":true,"num":0.0,"x":1}"#, .binary(one)),
        (#"{"\u005fplaceholder":true,"\u006eum":0}"#, .binary(one)),
        (
            #"[{"a":{"_placeholder":true,"num":0}},[1]]"#,
            [["a": .binary(one)], [1]]
        ),
        (#"{"_placeholder":false,"num":7}"#, ["_placeholder": false, "num": 7]),
        (#"{"_placeholder":true,"_placeholder":1,"num":7}"#, ["_placeholder": 1, "num": 7]),
        (#"{"_placeholder":"true","num":7}"#, ["_placeholder": "true", "num": 7]),
        (#"{"_placeholder":true}"#, nil), (#"{"_placeholder":true,"num":1}"#, nil),
        (#"{"_placeholder":true,"num":-1}"#, nil),
        (#"{"_placeholder":true,"num":"0"}"#, nil), (#"{"_placeholder":true,"num":"splice"}"#, nil),
        (#"{"_placeholder":true,"num":null}"#, nil), (#"{"_placeholder":true,"num":[0]}"#, nil),
        (#"{"_placeholder":true,"num":0.5}"#, nil), (#"{"_placeholder":true,"num":1e400}"#, nil),
        (#"{"_placeholder":true,"num":99999999999999999999}"#, nil),
        (#"[1,{"a":[{"_placeholder":true,"num":9}]}]"#, nil),
        (#"{"_placeholder":true,"num":0,"num":3}"#, nil),
    ]

    @Test(arguments: placeholders) func placeholdersBecomeTheirAttachments(_ text: String, _ value: JSONValue?) throws {
        let bytes = ByteBuffer(string: text)
        func read() throws -> JSONValue {
            var reader = JSONReader(bytes, attachments: [Self.one])
            return try reader.readValue()
        }
        func scan() throws {
            try bytes.withUnsafeReadableBytes { bytes in
                var scanner = JSONScanner(bytes)
                try scanner.skipValue(attachmentCount: 1)
                try scanner.expectEnd()
            }
        }
        if let value {
            #expect(try read() == value)
            try scan()
        } else {
            #expect { try read() } throws: { ($0 as? JSONError)?.reason == .illegalAttachment }
            #expect { try scan() } throws: { ($0 as? JSONError)?.reason == .illegalAttachment }
        }
        // Without attachments to stand for, they are objects like any other.
        _ = try JSONValue(parsing: bytes)
    }

    @Test func checkingPlaceholdersKeepsTheLimitOfDepth() {
        let bytes = ByteBuffer(string: String(repeating: "[", count: 100_000))
        #expect(throws: JSONError(.tooDeep, at: 128)) {
            try bytes.withUnsafeReadableBytes { bytes in
                var scanner = JSONScanner(bytes)
                try scanner.skipValue(attachmentCount: 1)
            }
        }
    }

    @Test func errorsHoldNothingOfTheText() {
        #expect {
            try JSONValue(parsing: ByteBuffer(string: "{\"password\":secret}"))
        } throws: {
            "\($0)" == "invalid JSON: unexpected byte at offset 12"
        }
    }
}
