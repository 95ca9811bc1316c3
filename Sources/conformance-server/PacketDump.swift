import NIOCore
import SocketIOWire

/// Decodes packets from standard input and prints what they are, for `IntegrationTests/compare-packets`.
///
/// A line is what one connection receives: messages in hexadecimal, `t` before a text and `b` before bytes, with spaces
/// between. The answer is an array of JSON with an element for each message, up to the first that is refused: `null` if
/// attachments are to follow, `{"error": …}`, or the packet. `again` is what we send if we send the same.
enum PacketDump {
    static func run() {
        while let line = readLine() {
            print(JSONValue.array(self.outcomes(of: line)))
        }
    }

    private static func outcomes(of line: String) -> [JSONValue] {
        var decoder = PacketDecoder()
        var outcomes: [JSONValue] = []
        for message in line.split(separator: " ") {
            do throws(PacketError) {
                let bytes = self.bytes(message.dropFirst())
                let packet = try message.hasPrefix("t") ? decoder.decode(text: bytes) : decoder.decode(binary: bytes)
                outcomes.append(packet.map(self.description) ?? .null)
            } catch {
                var outcome: JSONValue = ["error": .string("\(error.reason)")]
                outcome["json"] = error.underlying.map { .string("\($0.reason)") }
                outcomes.append(outcome)
                break
            }
        }
        return outcomes
    }

    private static func description(_ packet: Packet) -> JSONValue {
        var description: JSONValue = ["type": .int(Int(packet.type.rawValue)), "nsp": .string(packet.namespace)]
        description["id"] = packet.id.map { .int($0) }
        do {
            description["data"] = try packet.payload.map { self.marked(try $0.value()) }
            if let (name, arguments) = packet.event() {
                let values = try arguments.values()
                description["name"] = .string(name)
                description["arguments"] = .array(values.map(self.marked))
                description["count"] = .int(arguments.count)
                description["again"] = self.messages(
                    PacketEncoder.event(name, arguments: values, namespace: packet.namespace, id: packet.id)
                )
            } else if packet.type == .acknowledgement {
                let values = try packet.acknowledgementArguments().values()
                description["arguments"] = .array(values.map(self.marked))
                guard let id = packet.id else { return description }
                description["again"] = self.messages(
                    PacketEncoder.acknowledgement(id: id, arguments: values, namespace: packet.namespace)
                )
            }
        } catch {
            description["unreadable"] = .string("\(error)")
        }
        return description
    }

    /// The value without anything that JSON text may write in two ways: numbers as their bits, bytes in hexadecimal,
    /// objects as their members in order.
    private static func marked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null, .bool, .string: value
        case .int(let number): self.marked(.double(Double(number)))
        case .double(let number): ["n": .string(String(number.bitPattern, radix: 16))]
        case .binary(let bytes): ["b": .string(self.hexadecimal(bytes))]
        case .array(let elements): .array(elements.map(self.marked))
        case .object(let members): ["o": .array(members.map { [.string($0.string), self.marked($1)] })]
        }
    }

    private static func messages(_ packet: EncodedPacket) -> JSONValue {
        var text = packet.text
        // Engine.IO's type.
        text.moveReaderIndex(forwardBy: 1)
        return .array(
            [.string("t" + self.hexadecimal(text))] + packet.attachments.map { .string("b" + self.hexadecimal($0)) }
        )
    }

    private static func hexadecimal(_ buffer: ByteBuffer) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = buffer.readableBytesView.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    private static func bytes(_ hexadecimal: Substring) -> ByteBuffer {
        let digits = hexadecimal.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
        return ByteBuffer(bytes: stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }
}
