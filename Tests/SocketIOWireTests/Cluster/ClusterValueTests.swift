import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// Offsets, sessions, signatures, and what JavaScript's libraries write differently.
struct ClusterValueTests {
    @Test func offsets() {
        #expect(StreamOffset("1795237280866-0") == StreamOffset(milliseconds: 1_795_237_280_866, sequence: 0))
        #expect(StreamOffset("18446744073709551615-18446744073709551615")?.next == nil)
        #expect(StreamOffset("5-18446744073709551615")?.next == StreamOffset(milliseconds: 6, sequence: 0))
        #expect(StreamOffset("5-7")?.next?.description == "5-8")
        #expect(StreamOffset("007-01")?.description == "7-1")
        let others = [
            "", "-", "1", "1-", "-1", "1--1", "1-1-1", "+1-1", "1-1 ", " 1-1", "a-1", "1-a", "1.0-1", "$", "+", "0x1-1",
            "18446744073709551616-0", "0-18446744073709551616", "99999999999999999999-1", "１-1", "1-1\u{0}",
            String(repeating: "0", count: 30) + "-1", "not-an-offset",
        ]
        for text in others { #expect(StreamOffset(text) == nil, "\(text)") }
        let ordered = ["0-0", "0-1", "1-0", "1-9", "1-10", "2-0", "10-0"].compactMap { StreamOffset($0) }
        #expect(ordered.count == 7 && ordered.shuffled().sorted() == ordered)
    }

    @Test func sessionsThatAreNone() {
        func kept(_ value: JSONValue) -> ByteBuffer {
            var (bytes, text) = (ByteBuffer(), ByteBuffer())
            bytes.writeMessagePack(value)
            text.writeBase64Encoded(bytes)
            return text
        }
        let good: JSONValue = ["sid": "s", "pid": "p", "rooms": ["r", 42], "data": nil]
        #expect((try? StreamSession(parsing: kept(good)))?.rooms == ["r", "42"])
        let bad: [JSONValue] = [
            nil, [], [:], "x", ["sid": "s", "pid": "p"], ["sid": "s", "rooms": []], ["pid": "p", "rooms": []],
            ["sid": 1, "pid": "p", "rooms": []], ["sid": "s", "pid": "p", "rooms": "r"],
            ["sid": "s", "pid": "p", "rooms": ["0": "r"]],
        ]
        for value in bad { #expect(throws: ClusterProtocolError.self) { try StreamSession(parsing: kept(value)) } }
        let long = ByteBuffer(repeating: UInt8(ascii: "A"), count: StreamSession.greatestLength + 1)
        #expect(throws: ClusterProtocolError.self) { try StreamSession(parsing: long) }
    }

    /// A node's own messages are told by their end, others' are not.
    @Test func signatures() {
        let own = ClusterEncoder(uid: "1b1ca3d212556529", namespace: "/é\"")
        let others = [
            ClusterEncoder(uid: "1b1ca3d212556528", namespace: "/é\""),
            ClusterEncoder(uid: "1b1ca3d212556529", namespace: "/é"), ClusterEncoder(emitterFor: "/é\""),
        ]
        let values: [JSONValue] = ["text", .binary(hex("00"))]
        for value in values {
            let message = ClusterMessage.broadcast(["e", value], BroadcastOptions(), requestID: nil)
            #expect(own.signature.isOn(own.sharded(message)))
            #expect(own.signature.isOn(own.published(message)))
            for other in others {
                #expect(!own.signature.isOn(other.sharded(message)))
                #expect(!own.signature.isOn(other.published(message)))
            }
        }
        #expect(!own.signature.isOn(ByteBuffer()))
        #expect(!own.signature.isOn(text("{")))
        // What clients say can't end like that.
        let forged = text(#"","uid":"1b1ca3d212556529","nsp":"/é\""}"#)
        for value in [JSONValue.string(forged.string), .binary(forged)] {
            let message = ClusterMessage.acknowledgement(value, requestID: "q")
            #expect(others.allSatisfy { !own.signature.isOn($0.sharded(message)) })
        }
    }

    /// Numbers as the two libraries of JavaScript write them.
    @Test(
        arguments: [
            (.int(9_007_199_254_740_991), "cf001fffffffffffff", "cf001fffffffffffff"),
            (.int(9_007_199_254_740_992), "cf0020000000000000", "cb4340000000000000"),
            (.int(-9_007_199_254_740_992), "d3ffe0000000000000", "cbc340000000000000"),
            (.int(9_007_199_254_740_993), "cf0020000000000001", "cf0020000000000001"),
            (.double(1e300), "cb7e37e43c8800759c", "cb7e37e43c8800759c"),
            (.double(1e18), "cf0de0b6b3a7640000", "cb43abc16d674ec800"), (.double(3), "03", "03"),
            (.double(-0.0), "00", "00"), (.double(0.5), "cb3fe0000000000000", "cb3fe0000000000000"),
            (.array([.double(1e18)]), "91cf0de0b6b3a7640000", "91cb43abc16d674ec800"),
            (.object(["a": .double(1e18)]), "81a161cf0de0b6b3a7640000", "81a161cb43abc16d674ec800"),
        ] as [(JSONValue, String, String)]
    )
    func dialects(_ value: JSONValue, _ notepack: String, _ msgpack: String) {
        var buffer = ByteBuffer()
        buffer.writeMessagePack(value, as: .notepack)
        #expect(buffer == hex(notepack))
        buffer.clear()
        buffer.writeMessagePack(value, as: .msgpack)
        #expect(buffer == hex(msgpack))
    }

    /// What has no value is left out, or nil.
    @Test func undefined() {
        let encoder = ClusterEncoder(uid: "u", namespace: "/")
        let message = ClusterMessage.acknowledgement(nil, requestID: "q")
        #expect(encoder.sharded(message).string == #"{"type":12,"data":{"requestId":"q"},"uid":"u","nsp":"/"}"#)
        #expect(
            encoder.published(message)
                == hex("84a4747970650ca46461746182a9726571756573744964a171a67061636b6574c0a3756964a175a36e7370a12f")
        )
        let unasked = ClusterMessage.sockets([], requestID: nil)
        #expect(encoder.sharded(unasked).string == #"{"type":8,"data":{"sockets":[]},"uid":"u","nsp":"/"}"#)
        for (id, text) in [(nil, "null"), (.int(7), "7"), (.string("\""), #""\"""#)] as [(JSONValue?, String)] {
            let reply = encoder.shardedReply(unasked).message(requestID: id)
            #expect(
                reply.string == #"{"type":8,"data":{"requestId":\#(text),"sockets":[]},"uid":"u","nsp":"/"}"#
            )
        }
    }
}
