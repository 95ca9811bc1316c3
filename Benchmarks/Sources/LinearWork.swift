import NIOCore
import RESP
import SocketIOWire

/// Input that made other implementations work in the square of its length (CVE-2020-36049 and its like).
let linearWork: [LinearWork] = [
    .packet("long-acknowledgement-id") { "2" + String(repeating: "1", count: $0) + "[\"a\"]" },
    .packet("long-namespace") { "2/" + String(repeating: "n", count: $0) + ",[\"a\"]" },
    .packet("long-attachment-count") { "5" + String(repeating: "9", count: $0) + "-[\"a\"]" },
    .packet("nested-arrays") { "2[\"a\"," + repeated("[[[[", "1", "]]]]", $0) + "]" },
    .packet("many-elements") { "2[\"a\"" + String(repeating: ",1", count: $0 / 2) + "]" },
    .packet("many-members") { size in "2[\"a\",{" + (0..<size / 10).map { "\"\($0)\":1" }.joined(separator: ",") + "}]"
    },
    .packet("equal-members") { "2[\"a\",{\"b\":0" + String(repeating: ",\"b\":1", count: $0 / 6) + "}]" },
    .packet("escapes") { "2[\"a\",\"" + String(repeating: "\\u00e9", count: $0 / 6) + "\"]" },
    .packet("long-number") {
        "2[\"a\",1" + String(repeating: "2", count: $0) + ".5e-" + String(repeating: "0", count: $0) + "1]"
    },
    .packet("accents-in-event-name") { "2[\"\(accents($0))\",1]" },
    .packet("accents-in-member-names") { "2[\"a\",{\"\(accents($0))\":1,\"\(accents($0))b\":2}]" },
    .packet("accents-in-namespace") { "2/\(accents($0)),[\"a\"]" },
    LinearWork(name: "linear.accents-in-rooms") { size in
        let first = Room(accents(size))
        let second = Room(accents(size) + "b")
        return { use(Set([first, second]).contains(Room("lobby"))) }
    },
    LinearWork(name: "linear.accents-in-auth") { size in
        let text = ByteBuffer(string: "0{\"\(accents(size))\":1,\"token\":\"\(accents(size))\"}")
        return {
            var decoder = PacketDecoder()
            guard let auth = try? decoder.decode(text: text)?.payload?.value() else { return }
            use(auth["token"] == "secret" || auth["\(accents(size))b"] != nil)
        }
    },
    // What a table of handlers, a middleware and a directory of namespaces do with a name.
    LinearWork(name: "linear.accents-in-looked-up-names") { size in
        let table = Dictionary(uniqueKeysWithValues: (0..<20).map { (UTF8Text("a\u{301}\($0)"), $0) })
        let names = [UTF8Text(accents(size)), UTF8Text(accents(size) + "b")]
        return {
            for name in names { use(table[name] != nil || name == "forbidden" || name.hasPrefix("game:")) }
            use(names.sorted())
        }
    },
    .packet("white-space") { "2[\"a\"," + String(repeating: " ", count: $0) + "1]" },
    .packet("unclosed") { "2[\"a\"," + String(repeating: "[1,", count: $0 / 3) },
    LinearWork(name: "linear.placeholders") { size in
        let count = size / 40
        let text = (0..<count).map { "{\"_placeholder\":true,\"num\":\($0)}" }.joined(separator: ",")
        let packet = ByteBuffer(string: "5\(count)-[\"a\",\(text)]")
        var limits = PacketLimits()
        limits.maximumAttachments = .max
        return {
            var decoder = PacketDecoder()
            use(try? decoder.decode(text: packet, limits: limits))
            for _ in 0..<count { use(try? decoder.decode(binary: ByteBuffer(), limits: limits)) }
        }
    },
    LinearWork(name: "linear.payload-of-many-packets") { size in
        let body = ByteBuffer(string: repeatElement("4a", count: size / 3).joined(separator: "\u{1E}"))
        return {
            var reader = PollingPayloadReader(body)
            while let packet = try? reader.next() { use(packet) }
        }
    },
    LinearWork(name: "linear.base64") { size in
        let text = ByteBuffer(string: "b" + String(repeating: "QUJD-", count: size / 5))
        return { use(EnginePacket(text: text)) }
    },
    LinearWork(name: "linear.websocket-frame-byte-by-byte") { size in
        let bytes = frame(String(repeating: "\u{e9}", count: size / 8))
        return {
            var (decoder, scratch) = (WebSocketDecoder(), ByteBuffer())
            for byte in bytes.readableBytesView {
                var input = ByteBuffer(integer: byte)
                use(try? decoder.next(from: &input, payload: &scratch, rules: WebSocketRules()))
            }
        }
    },
    LinearWork(name: "linear.websocket-fragments") { size in
        var frames = ByteBuffer()
        let mask = WebSocketMask(7)
        frames.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: "a"), mask: mask, isFinal: false)
        for _ in 0..<size / 7 {
            frames.writeMaskedWebSocketFrame(
                .continuation,
                payload: ByteBuffer(string: "a"),
                mask: mask,
                isFinal: false
            )
        }
        return { use(events(of: frames)) }
    },
    LinearWork(name: "linear.messagepack-to-json") { size in
        var message = ByteBuffer()
        message.writeMessagePack(JSONValue.array(["a", .array(Array(repeating: ["b": "c"], count: size / 5))]))
        return {
            var reader = MessagePackReader(message)
            var text = ByteWriter()
            var attachments: [ByteBuffer] = []
            use(try? reader.transcodeToJSON(into: &text, attachments: &attachments))
        }
    },
    LinearWork(name: "linear.resp-array-byte-by-byte") { size in
        let text = "*\(size / 4)\r\n" + String(repeating: ":1\r\n", count: size / 4)
        return {
            var parser = RESPParser()
            for byte in text.utf8 {
                parser.append(ByteBuffer(integer: byte))
                use(try? parser.next())
            }
        }
    },
    LinearWork(name: "linear.resp-subscriptions") { size in
        let names = (0..<size / 16).map { "socket.io#/tenant-\($0)#" }
        return {
            // As many namespaces come, are confirmed, and go.
            var table = SubscriptionTable<Int>()
            for (id, name) in names.enumerated() {
                use(table.add(id, patterns: [name + "*"], channels: [name], handler: id, isConnected: true).count)
                for (kind, channel) in [("psubscribe", name + "*"), ("subscribe", name)] {
                    let push = [kind, channel].map { RESPValue.bulkString(ByteBuffer(string: $0)) }
                    _ = table.received(.push(push + [.integer(1)]))
                }
            }
            for id in names.indices { use(table.remove(id, isConnected: true).count) }
        }
    },
    LinearWork(name: "linear.resp-string-byte-by-byte") { size in
        let text = "$\(size)\r\n" + String(repeating: "x", count: size) + "\r\n"
        return {
            var parser = RESPParser()
            for byte in text.utf8 {
                parser.append(ByteBuffer(integer: byte))
                use(try? parser.next())
            }
        }
    },
]

extension LinearWork {
    /// Decodes a packet's text and makes values of its arguments.
    fileprivate static func packet(_ name: String, _ text: @escaping @Sendable (Int) -> String) -> LinearWork {
        LinearWork(name: "linear.\(name)") { size in
            let text = ByteBuffer(string: text(size))
            return {
                var decoder = PacketDecoder()
                guard let packet = try? decoder.decode(text: text) else { return }
                use(try? packet.event()?.arguments.values())
            }
        }
    }
}

/// Marks in an order that normalising has to change, which takes it the square of their number.
private func accents(_ size: Int) -> String {
    "a" + String(repeating: "\u{301}", count: size / 4) + String(repeating: "\u{323}", count: size / 4)
}

/// As deep as a packet may be, again and again.
private func repeated(_ open: String, _ middle: String, _ close: String, _ size: Int) -> String {
    let nest = String(repeating: open, count: 30) + middle + String(repeating: close, count: 30)
    return repeatElement(nest, count: max(1, size / nest.utf8.count)).joined(separator: ",")
}

private func frame(_ text: String) -> ByteBuffer {
    var frame = ByteBuffer()
    frame.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(7))
    return frame
}

private func events(of bytes: ByteBuffer) -> Int {
    var (bytes, scratch, decoder, count) = (bytes, ByteBuffer(), WebSocketDecoder(), 0)
    while (try? decoder.next(from: &bytes, payload: &scratch, rules: WebSocketRules())) != nil { count += 1 }
    return count
}
