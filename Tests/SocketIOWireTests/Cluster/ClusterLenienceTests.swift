import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// Messages as anybody may write them: what can be read is read as it is meant, and nothing unreadable reaches everybody.
struct ClusterLenienceTests {
    /// The forms in which the same message may arrive.
    enum Form: CaseIterable {
        case json, messagePack, entry, binaryEntry

        func read(_ message: JSONObject) throws -> ClusterEnvelope.Content {
            var bytes = ByteBuffer()
            switch self {
            case .json:
                bytes.writeJSON(.object(message))
                return try ClusterEnvelope(parsing: bytes).content
            case .messagePack:
                bytes.writeMessagePack(JSONValue.object(message), as: .msgpack)
                return try ClusterEnvelope(parsing: bytes).content
            case .entry, .binaryEntry:
                var fields: [ByteBuffer] = []
                for (key, value) in message {
                    fields.append(text(key.string))
                    fields.append(key == "data" ? self.data(value) : text(value.stringValue ?? "\(value)"))
                }
                return try StreamEntry(fields: fields).content()
            }
        }

        private func data(_ value: JSONValue) -> ByteBuffer {
            guard self == .binaryEntry else { return text("\(value)") }
            var (bytes, base64) = (ByteBuffer(), ByteBuffer())
            bytes.writeMessagePack(value, as: .msgpack)
            base64.writeBase64Encoded(bytes)
            return base64
        }
    }

    static func message(_ type: JSONValue, _ data: JSONValue?) -> JSONObject {
        var message: JSONObject = ["type": type]
        message["data"] = data
        message["uid"] = "b00495363ad9482f"
        message["nsp"] = "/"
        return message
    }

    static func broadcast(packet: JSONValue, opts: JSONValue?, requestID: JSONValue? = nil) -> JSONObject {
        var data: JSONObject = ["packet": packet]
        data["requestId"] = requestID
        data["opts"] = opts
        return self.message(3, .object(data))
    }

    private static let event: JSONValue = ["type": 2, "data": ["e", 1]]

    // MARK: Packets

    @Test(arguments: [2, 5, "2", "5", 2.0] as [JSONValue], Form.allCases)
    func typesOfEvents(_ type: JSONValue, _ form: Form) throws {
        let message = Self.broadcast(packet: ["type": type, "data": ["e"]], opts: ["rooms": ["r"]])
        guard case .broadcast(let broadcast) = try form.read(message) else {
            Issue.record("no broadcast")
            return
        }
        #expect(broadcast.options == BroadcastOptions(rooms: ["r"]))
        #expect(try broadcast.payload.packet(for: "/").text.string == #"42["e"]"#)
    }

    /// Packets that clients would take for something else, or drop their connection for.
    @Test(
        arguments: [
            ["type": 0, "data": ["e"]], ["type": 1, "data": ["e"]], ["type": 3, "data": ["e"]],
            ["type": 4, "data": ["e"]], ["type": 6, "data": ["e"]], ["type": "x", "data": ["e"]],
            ["type": nil, "data": ["e"]], ["data": ["e"]], ["type": 2], ["type": 2, "data": nil],
            ["type": 2, "data": []], ["type": 2, "data": "e"], ["type": 2, "data": 5], ["type": 2, "data": [nil]],
            ["type": 2, "data": [["e"]]], ["type": 2, "data": [true]], ["type": 2, "data": [["e": 1]]],
            ["type": 2, "data": ["connect"]], ["type": 2, "data": ["disconnect", 1]],
            ["type": 2, "data": ["connect_error"]], ["type": 2, "data": ["newListener"]],
            ["type": 2, "data": ["removeListener"]], ["type": 2, "data": ["disconnecting"]],
            ["type": 2, "data": ["e": 1]], ["type": 2, "data": ["1": "e"]], [], nil, "packet", 2,
        ] as [JSONValue],
        Form.allCases
    )
    func noEvents(_ packet: JSONValue, _ form: Form) throws {
        #expect(throws: ClusterProtocolError.self) {
            guard case .broadcast(let broadcast) = try form.read(Self.broadcast(packet: packet, opts: [:])) else {
                return
            }
            _ = try broadcast.payload.packet(for: "/")
        }
        // Whoever waits for acknowledgements is told that nobody got it.
        let question = Self.broadcast(packet: packet, opts: [:], requestID: "q")
        guard case .request(let request) = try form.read(question), case .broadcast(let arguments, _) = request.body
        else {
            Issue.record("no question")
            return
        }
        #expect(arguments.isEmpty && request.requestID == "q")
    }

    /// PHP's lists that have become maps.
    @Test(arguments: [Form.json, .entry])
    func numberedLists(_ form: Form) throws {
        let message = Self.broadcast(
            packet: ["type": 2, "data": ["0": "e", "1": ["a"]]],
            opts: ["rooms": ["0": "r", "2": "s"], "except": [], "flags": []]
        )
        guard case .broadcast(let broadcast) = try form.read(message) else {
            Issue.record("no broadcast")
            return
        }
        #expect(broadcast.options == BroadcastOptions(rooms: ["r", "s"]))
        #expect(try broadcast.payload.packet(for: "/", offset: "1-0").text.string == #"42["e",["a"],"1-0"]"#)
    }

    // MARK: Options

    @Test(arguments: Form.allCases)
    func options(_ form: Form) throws {
        func read(_ opts: JSONValue?) throws -> BroadcastOptions? {
            guard case .broadcast(let broadcast) = try form.read(Self.broadcast(packet: Self.event, opts: opts)) else {
                return BroadcastOptions(rooms: ["no broadcast"])
            }
            return broadcast.options
        }
        // Everybody, because that is what is written.
        for opts in [["rooms": [], "except": []], [:], [], ["rooms": nil], ["rooms": ""]] as [JSONValue] {
            #expect(try read(opts) == BroadcastOptions())
        }
        #expect(try read(["rooms": "r1"]) == BroadcastOptions(rooms: ["r1"]))
        #expect(try read(["rooms": [42, 4.5, "r"]]) == BroadcastOptions(rooms: ["42", "4.5", "r"]))
        #expect(try read(["except": [nil, "x"], "more": [1]]) == BroadcastOptions(except: ["x"]))
        // Nobody, because nobody can be in such a room.
        for rooms in [[nil], [true], [[:]], [["r"]]] as [JSONValue] { #expect(try read(["rooms": rooms]) == nil) }
        // Nobody can tell: an error, and never everybody.
        let unreadable: [JSONValue?] = [
            nil, .null, "r1", 1, true, ["r1"], ["rooms": 42], ["rooms": true], ["rooms": ["r": "r"]], ["rooms": [:]],
            ["rooms": ["r"], "except": 1], ["rooms": ["r"], "except": ["x": 1]],
        ]
        for opts in unreadable {
            if form == .messagePack || form == .binaryEntry, opts?["rooms"] == [:] { continue }
            #expect(throws: ClusterProtocolError.self) { try read(opts) }
            // A question is about nobody then.
            let question = Self.broadcast(packet: Self.event, opts: opts, requestID: 7)
            guard case .request(let request) = try form.read(question), case .broadcast(_, nil) = request.body else {
                Issue.record("no question about nobody: \(String(describing: opts))")
                continue
            }
            #expect(request.requestID == 7)
        }
        var flags = BroadcastFlags()
        flags.set(.volatile(true))
        flags.set(.compress(false))
        flags.set(.timeout(milliseconds: 86_400_000))
        let opts: JSONValue = [
            "flags": ["volatile": 1, "compress": false, "timeout": 1e12, "other": [1], "local": nil]
        ]
        flags.set(.local(false))
        if form == .json || form == .entry { #expect(try read(opts)?.flags == flags) }
        for flags in ["volatile", 5, [1], nil] as [JSONValue] {
            #expect(try read(["flags": flags]) == BroadcastOptions())
        }
    }
}
