import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// Lists of rooms as anybody may write them: what is meant is read, and nothing becomes everybody that is not nobody.
struct ClassicLenienceTests {
    /// A generated room, and whether it is one here.
    private static func room(using generator: inout some RandomNumberGenerator) -> (MessagePackValue, String?) {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: (.null, nil)
        case 1: (.bool(.random(using: &generator)), nil)
        case 2: (.map([]), nil)
        case 3: (.array([.string("r")]), nil)
        case 4: (.binary(ByteBuffer(string: "r")), nil)
        case 5: (.int(42), "42")
        case 6: (.double(4.5), "4.5")
        case 7: (.double(1e300), "1e+300")
        case 8: (.string("e\u{301}"), "e\u{301}")
        default: (.string("r"), "r")
        }
    }

    private static func broadcast(rooms: MessagePackValue, except: MessagePackValue) throws -> ClassicBroadcast {
        func text(_ text: String) -> MessagePackValue { .string(text) }
        var message = ByteBuffer()
        message.writeMessagePack(
            MessagePackValue.array([
                text("x"),
                .map([
                    .init(key: text("type"), value: .int(2)), .init(key: text("data"), value: .array([text("e")])),
                ]),
                .map([.init(key: text("rooms"), value: rooms), .init(key: text("except"), value: except)]),
            ])
        )
        return try ClassicBroadcast(parsing: message)
    }

    private static func question(rooms: MessagePackValue, except: MessagePackValue) throws -> BroadcastOptions? {
        let options: JSONValue = ["rooms": JSONValue(rooms), "except": JSONValue(except)]
        let message: JSONValue = ["type": 5, "requestId": "q", "opts": options]
        let request = try ClusterRequest(parsingClassic: ByteBuffer(string: message.description), namespace: "/")
        guard case .fetchSockets(let options) = request.body else { return BroadcastOptions(rooms: ["no question"]) }
        return options
    }

    @Test func generatedLists() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            let rooms = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in Self.room(using: &generator) }
            let except = (0..<Int.random(in: 0..<3, using: &generator)).map { _ in Self.room(using: &generator) }
            let names = rooms.compactMap(\.1).map { Room($0) }
            var expected: BroadcastOptions? = BroadcastOptions(
                rooms: names,
                except: except.compactMap(\.1).map { Room($0) }
            )
            if !rooms.isEmpty && names.isEmpty { expected = nil }
            let lists = (MessagePackValue.array(rooms.map(\.0)), MessagePackValue.array(except.map(\.0)))
            #expect(try Self.broadcast(rooms: lists.0, except: lists.1).options == expected)
            // Bytes are text in JSON.
            let hasBytes = (rooms + except).contains { if case .binary = $0.0 { true } else { false } }
            if !hasBytes { #expect(try Self.question(rooms: lists.0, except: lists.1) == expected) }
        }
    }

    /// What is no list addresses nobody.
    @Test(arguments: [
        MessagePackValue.bool(true), .bool(false), .int(0), .int(42), .double(4.5),
        .map([.init(key: .string("r"), value: .string("r"))]),
        .map([.init(key: .int(0), value: .string("r")), .init(key: .string("x"), value: .string("r"))]),
        .timestamp(MessagePackTimestamp(seconds: 1)), .ext(type: 5, bytes: ByteBuffer(string: "x")),
    ])
    func noLists(_ value: MessagePackValue) throws {
        for (rooms, except) in [(value, .array([])), (MessagePackValue.array([.string("r")]), value)] {
            #expect(throws: ClusterProtocolError.self) { try Self.broadcast(rooms: rooms, except: except) }
            if case .timestamp = value { continue }
            if case .ext = value { continue }
            #expect(try Self.question(rooms: rooms, except: except) == nil)
        }
    }

    @Test(arguments: [
        ("socket.io#/#", "socket.io#/#"), ("a[1]#/#", #"a\[1\]#/#"#), (#"a\b"#, #"a\\b"#), ("*?[]", #"\*\?\[\]"#),
        ("é#*", #"é#\*"#), ("", ""),
    ])
    func patterns(_ text: String, _ pattern: String) {
        #expect(ClassicChannels.pattern(matching: text) == pattern)
    }

    @Test func longListsOfRoomsAreReadInLinearTime() {
        var rooms: [Room] = []
        rooms.appendNew((0..<100_000).map { Room("r\($0 % 50_000)") })
        #expect(rooms.count == 50_000)
        rooms.appendNew(["r1", "new", "new"])
        #expect(rooms.count == 50_001)
    }
}
