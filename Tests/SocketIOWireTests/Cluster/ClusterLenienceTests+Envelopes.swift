import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// What stands around a message's data, and messages other than broadcasts.
extension ClusterLenienceTests {
    @Test(arguments: Form.allCases)
    func keysInAnyOrderAndOthersBetween(_ form: Form) throws {
        let data: JSONValue = [
            "x": ["packet": 1], "opts": ["flags": [:], "y": nil, "except": ["b"], "rooms": ["a"]],
            "packet": ["nsp": "/other", "data": ["e", ["k": "v"]], "z": [1, [2]], "type": 2],
        ]
        let message: JSONObject = [
            "extra": [1, 2], "nsp": "/n", "data": data, "uid": "someone", "type": 3, "more": "text",
        ]
        guard case .broadcast(let broadcast) = try form.read(message) else {
            Issue.record("no broadcast")
            return
        }
        #expect(broadcast.options == BroadcastOptions(rooms: ["a"], except: ["b"]))
        #expect(try broadcast.payload.packet(for: "/n").text.string == #"42/n,["e",{"k":"v"}]"#)
    }

    @Test func laterOfEqualKeysCounts() throws {
        let message = #"""
            {"type":7,"data":{"opts":{}},"type":3,"data":{"opts":{"rooms":["r"]},"packet":{"type":2,"data":["a"]},
            "packet":{"type":2,"data":["b"]},"opts":{"rooms":["s"],"rooms":["t"]}},"uid":"u","uid":"v"}
            """#
        let envelope = try ClusterEnvelope(parsing: text(message))
        guard case .broadcast(let broadcast) = envelope.content else {
            Issue.record("no broadcast")
            return
        }
        #expect(envelope.uid == "v" && envelope.namespace == nil)
        #expect(broadcast.options == BroadcastOptions(rooms: ["t"]))
        #expect(try broadcast.payload.packet(for: "/").text.string == #"42["b"]"#)
    }

    /// White space, escapes in keys, lone surrogates, and bytes that are no UTF-8.
    @Test func textOfOtherWriters() throws {
        var message = text(
            #" { "t\u0079pe" : 3 , "data" : { "packet" : { "type" : 2 , "data" : [ "\ud800" , " \#u{e9}"#
        )
        message.moveReaderIndex(forwardBy: 1)
        message.writeBytes([0xFF])
        message.writeString(#"" , { "a" : 1 } ] } , "opts" : { "rooms" : [ "r" , "s" ] } } , "uid" : "u" } "#)
        guard case .broadcast(let broadcast) = try ClusterEnvelope(parsing: message).content else {
            Issue.record("no broadcast")
            return
        }
        #expect(broadcast.options == BroadcastOptions(rooms: ["r", "s"]))
        let packet = try broadcast.payload.packet(for: "/", offset: "5-0")
        #expect(packet.text.string == "42[ \"\\ud800\" , \" é\u{FFFD}\" , { \"a\" : 1 } ,\"5-0\"]")
        var textOfPacket = packet.text
        textOfPacket.moveReaderIndex(forwardBy: 1)
        var decoder = PacketDecoder()
        #expect(try decoder.decode(text: textOfPacket)?.payload != nil)
    }

    @Test(arguments: Form.allCases)
    func requestsThatAreNone(_ form: Form) throws {
        let messages: [(JSONObject, ClusterProtocolError.Reason)] = [
            (Self.message(0, [:]), .unknownType), (Self.message(14, [:]), .unknownType),
            (Self.message(-1, [:]), .unknownType), (Self.message(3, nil), .unexpectedShape),
            (Self.message(7, nil), .unexpectedShape), (Self.message(4, ["rooms": ["a"]]), .unexpectedShape),
            (Self.message(4, ["opts": [:]]), .unexpectedShape),
            (Self.message(4, ["opts": [:], "rooms": nil]), .unexpectedShape),
            (Self.message(4, ["opts": ["rooms": 5], "rooms": ["a"]]), .unexpectedShape),
            (Self.message(5, ["opts": [:], "rooms": 5]), .unexpectedShape),
            (Self.message(6, ["close": true]), .unexpectedShape), (Self.message(9, [:]), .unexpectedShape),
            (Self.message(9, ["packet": "e"]), .unexpectedShape), (Self.message(9, ["packet": []]), .unexpectedShape),
            (Self.message(9, ["packet": ["connection", 1]]), .unexpectedShape),
            (Self.message(9, ["packet": ["error"]]), .unexpectedShape),
            (Self.message(8, ["sockets": []]), .unexpectedShape),
            (Self.message(11, ["requestId": "q", "clientCount": [1]]), .unexpectedShape),
            (Self.message(12, ["requestId": 5]), .unexpectedShape),
        ]
        for (message, reason) in messages {
            let error = #expect(throws: ClusterProtocolError.self) { try form.read(message) }
            #expect(error?.reason == reason, "\(message)")
        }
    }

    /// A question that can be answered is: about nobody, if it does not say about whom.
    @Test(arguments: [nil, [:], ["rooms": 5], "all"] as [JSONValue?], Form.allCases)
    func questions(_ opts: JSONValue?, _ form: Form) throws {
        var data: JSONObject = ["requestId": ["any": "thing"]]
        data["opts"] = opts
        guard case .request(let request) = try form.read(Self.message(7, .object(data))),
            case .fetchSockets(let options) = request.body
        else {
            Issue.record("no question")
            return
        }
        #expect(options == (opts == [:] ? BroadcastOptions() : nil))
        #expect(request.requestID == ["any": "thing"])
    }

    @Test(arguments: Form.allCases)
    func answers(_ form: Form) throws {
        func answer(_ type: JSONValue, _ data: JSONObject) throws -> ClusterResponse {
            var data = data
            data["requestId"] = "q"
            guard case .response(let response) = try form.read(Self.message(type, .object(data))) else {
                throw ClusterProtocolError(.undecodable, "no response")
            }
            return response
        }
        guard case .nothing = try answer(8, [:]).answer(to: .sockets),
            case .nothing = try answer(8, ["sockets": nil]).answer(to: .sockets),
            case .sockets(let sockets) = try answer(
                8,
                ["sockets": [nil, 5, ["id": nil], ["id": "a"], ["id": "b", "handshake": 5, "rooms": 5, "data": 5]]]
            ).answer(to: .sockets),
            case .serverSide(nil) = try answer(10, [:]).answer(to: .serverSideEmit),
            case .acknowledgement(nil) = try answer(12, [:]).answer(to: .acknowledgements),
            case .clientCount(0) = try answer(11, [:]).answer(to: .acknowledgements),
            case .clientCount(3) = try answer(11, ["clientCount": "3"]).answer(to: .acknowledgements),
            case .clientCount(0) = try answer(11, ["clientCount": -5]).answer(to: .acknowledgements)
        else {
            Issue.record("another answer")
            return
        }
        #expect(sockets.map(\.id) == ["a", "b"])
        #expect(sockets.allSatisfy { $0.handshake == [:] && $0.rooms.isEmpty })
        #expect(throws: ClusterProtocolError.self) { try answer(8, [:]).answer(to: .acknowledgements) }
        #expect(throws: ClusterProtocolError.self) { try answer(11, [:]).answer(to: .sockets) }
    }

    /// To official nodes a refusal is an empty list.
    @Test func refusals() throws {
        let refusal = ClusterMessage.refusal(reason: "too \"much\"", requestID: "q")
        let encoder = ClusterEncoder(uid: "u", namespace: "/")
        #expect(
            encoder.sharded(refusal).string
                == #"{"type":8,"data":{"requestId":"q","sockets":[],"refused":"too \"much\""},"uid":"u","nsp":"/"}"#
        )
        for bytes in [encoder.sharded(refusal), encoder.published(refusal)] {
            guard case .response(let response) = try ClusterEnvelope(parsing: bytes).content,
                case .refusal(let reason) = try response.answer(to: .sockets)
            else {
                Issue.record("no refusal")
                continue
            }
            #expect(reason == "too \"much\"")
        }
    }

    /// Nodes of 0.2.x tell each other by the stream that they are there.
    @Test(arguments: [1, 2, 13])
    func heartbeats(_ type: Int) throws {
        let fields = ["uid", "u", "nsp", "/", "type", "\(type)"].map { text($0) }
        guard case .heartbeat(let read) = try StreamEntry(fields: fields).content() else {
            Issue.record("no heartbeat")
            return
        }
        #expect(read.rawValue == type)
    }

    @Test(
        arguments: [
            [], ["uid"], ["uid", "u"], ["nsp", "/"], ["nsp", "/", "type"], ["nsp", "/", "type", ""],
            ["nsp", "", "type", "3"], ["nsp", "/", "type", "x"], ["nsp", "/", "type", "99999999999999999999"],
            ["nsp", "/", "type", "3", "data"], ["nsp", "/", "type", "3", "data", ""],
            ["nsp", "/", "type", "3", "data", "{"], ["nsp", "/", "type", "3", "data", "####"],
            ["nsp", "/", "type", "3", "data", "wA=="], ["type", "3", "data", "{}"],
        ]
    )
    func entriesThatAreNone(_ fields: [String]) {
        #expect(throws: ClusterProtocolError.self) { try StreamEntry(fields: fields.map { text($0) }).content() }
    }

    @Test func namespaces() throws {
        func read(_ namespace: String) throws -> UTF8Text? {
            try ClusterEnvelope(parsing: text(#"{"type":2\#(namespace)}"#)).namespace
        }
        #expect(try read("") == nil)
        #expect(try read(#","nsp":null"#) == nil)
        #expect(try read(#","nsp":"/a""#) == "/a")
        let error = #expect(throws: ClusterProtocolError.self) { try read(#","nsp":5"#) }
        #expect(error?.reason == .wrongChannel)
    }

    /// Clients are told offsets of what they could have acknowledged to nobody, and of what was not volatile.
    @Test func offsets() throws {
        func takesOffset(_ data: String) throws -> Bool {
            let content = try ClusterEnvelope(parsing: text(data)).content
            guard case .broadcast(let broadcast) = content else { return false }
            return broadcast.takesOffset
        }
        let head = #"{"type":3,"data":{"packet":{"type":2,"data":["e"]"#
        #expect(try takesOffset(head + #"},"opts":{"rooms":["r"],"flags":{}}}}"#))
        #expect(try takesOffset(head + #","id":null},"opts":{"rooms":["r"]}}}"#))
        #expect(try !takesOffset(head + #","id":0},"opts":{"rooms":["r"]}}}"#))
        #expect(try !takesOffset(head + #"},"opts":{"flags":{"volatile":true}}}}"#))
        #expect(try !takesOffset(head + #"},"opts":{"flags":{"volatile":false}}}}"#))
    }
}
