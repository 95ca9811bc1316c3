import NIOCore
import RESP
import SocketIOWire

/// A value as applications send it: 250 bytes of JSON with nesting, text that needs escapes, and all kinds of numbers.
let sampleText = """
    {"id":"d1a5f3c2","title":"Caf\u{e9} \\"Zentral\\"","tags":["news","sport"],"views":1234,"score":4.75,\
    "author":{"name":"Ada","age":36,"admin":false},"text":"Lorem ipsum dolor sit amet, consetetur sadipscing",\
    "parent":null,"related":[17,18,19]}
    """

struct Article: Codable, Sendable {
    struct Author: Codable, Sendable {
        var name: String
        var age: Int
        var admin: Bool
    }

    var id: String
    var title: String
    var tags: [String]
    var views: Int
    var score: Double
    var author: Author
    var text: String
    var parent: String?
    var related: [Int]
}

func sampleValue() throws -> JSONValue {
    var reader = JSONReader(ByteBuffer(string: sampleText))
    return try reader.readValue()
}

/// The codecs by themselves.
let wireBenchmarks: [Benchmark] = [
    Benchmark(name: "json.validate") {
        let text = ByteBuffer(string: sampleText)
        return repeated {
            text.withUnsafeReadableBytes { use(try? JSONScanner.validate($0)) }
        }
    },
    Benchmark(name: "json.parse") {
        let text = ByteBuffer(string: sampleText)
        return repeated {
            var reader = JSONReader(text)
            use(try? reader.readValue())
        }
    },
    Benchmark(name: "json.write") {
        let value = try sampleValue()
        var buffer = ByteBuffer()
        return repeated {
            buffer.clear()
            buffer.writeJSON(value)
        }
    },
    Benchmark(name: "packet.decode-event") {
        let text = ByteBuffer(string: "2[\"article\",\(sampleText)]")
        var decoder = PacketDecoder()
        return repeated { use(try? decoder.decode(text: text)) }
    },
    Benchmark(name: "packet.decode-struct") {
        let arguments = try arguments(of: "2[\"article\",\(sampleText)]")
        return repeated {
            var reader = arguments.makeReader()
            use(try? reader.next(Article.self))
        }
    },
    Benchmark(name: "packet.decode-value") {
        let arguments = try arguments(of: "2[\"article\",\(sampleText)]")
        return repeated {
            var reader = arguments.makeReader()
            use(try? reader.next(JSONValue.self))
        }
    },
    Benchmark(name: "packet.decode-string") {
        let arguments = try arguments(of: "2[\"say\",\"hello, everybody\"]")
        return repeated {
            var reader = arguments.makeReader()
            use(try? reader.next(String.self))
        }
    },
    Benchmark(name: "packet.encode-struct") {
        var reader = try arguments(of: "2[\"article\",\(sampleText)]").makeReader()
        let article = try reader.next(Article.self)
        return repeated { use(try? PacketEncoder.event("article") { try $0.write(article) }) }
    },
    Benchmark(name: "packet.encode-value") {
        let value = try sampleValue()
        return repeated { use(PacketEncoder.event("article") { $0.write(value) }) }
    },
    Benchmark(name: "packet.encode-string") {
        repeated { use(PacketEncoder.event("say") { $0.write("hello, everybody") }) }
    },
    Benchmark(name: "messagepack.broadcast-to-frame") {
        let message = ClassicEncoder(namespace: "/").broadcast(
            uid: "abcdef",
            arguments: ["article", try sampleValue()],
            options: BroadcastOptions(rooms: ["room"])
        )
        return repeated { use(try? ClassicBroadcast(parsing: message).packet()) }
    },
    Benchmark(name: "websocket.decode-frame") {
        var frame = ByteBuffer()
        frame.writeMaskedWebSocketFrame(
            .text,
            payload: ByteBuffer(string: "42[\"article\",\(sampleText)]"),
            mask: WebSocketMask(0x1234_5678)
        )
        var decoder = WebSocketDecoder()
        var scratch = ByteBuffer()
        let rules = WebSocketRules()
        return repeated {
            var input = frame
            use(try? decoder.next(from: &input, payload: &scratch, rules: rules))
        }
    },
    Benchmark(name: "polling.read-payload") {
        let body = ByteBuffer(string: repeatElement("42[\"say\",\"hello\"]", count: 10).joined(separator: "\u{1E}"))
        return repeated {
            var reader = PollingPayloadReader(body)
            while let packet = try? reader.next() { use(packet) }
        }
    },
    Benchmark(name: "polling.write-payload") {
        let packet = PacketEncoder.event("say", arguments: ["hello"])
        var body = ByteBuffer()
        return repeated {
            body.clear()
            for _ in 0..<10 { body.writePollingPacket(packet) }
        }
    },
    Benchmark(name: "resp.parse-message") {
        var message = ByteBuffer()
        message.writeString(">4\r\n$8\r\npmessage\r\n$13\r\nsocket.io#/#*\r\n$18\r\nsocket.io#/#room-1\r\n")
        message.writeString("$\(sampleText.utf8.count)\r\n\(sampleText)\r\n")
        var parser = RESPParser()
        return repeated {
            parser.append(message)
            use(try? parser.next())
        }
    },
]

/// Runs an operation so many times.
private func repeated(_ body: @escaping () -> Void) -> (Int) -> Void {
    { count in for _ in 0..<count { body() } }
}

private func arguments(of text: String) throws -> Arguments {
    var decoder = PacketDecoder()
    guard let (_, arguments) = try decoder.decode(text: ByteBuffer(string: text))?.event() else {
        throw BenchmarkError(description: "no event: \(text)")
    }
    return arguments
}
