import NIOCore
package import SocketIOWire

extension TestClient {
    /// A packet of text, whatever its namespace.
    package enum Packet: Equatable {
        case connected(id: String)
        case refused(JSONValue)
        case event(String, [JSONValue])
        case acknowledgement(Int, [JSONValue])
        case disconnected
        /// The connection ended.
        case end

        var answersConnect: Bool {
            switch self {
            case .connected, .refused, .end: true
            case .event, .acknowledgement, .disconnected: false
            }
        }

        fileprivate init?(_ frame: String) {
            guard frame.hasPrefix("4") else { return nil }
            var rest = frame.dropFirst()
            guard let type = rest.popFirst() else { return nil }
            if rest.hasPrefix("/") { rest = rest.drop { $0 != "," }.dropFirst() }
            let id = rest.prefix { $0.isNumber }
            let json = rest.dropFirst(id.count)
            let value = (try? JSONValue(parsing: ByteBuffer(substring: json))) ?? .null
            switch type {
            case "0": self = .connected(id: value["sid"]?.stringValue ?? "")
            case "1": self = .disconnected
            case "2": self = .event(value[0]?.stringValue ?? "", Array((value.arrayValue ?? []).dropFirst()))
            case "3": self = .acknowledgement(Int(id) ?? -1, value.arrayValue ?? [])
            case "4": self = .refused(value)
            default: return nil
            }
        }
    }

    /// Sends an event of the main namespace.
    package func emit(_ event: String, _ arguments: JSONValue...) async throws {
        try await self.send("42" + JSONValue.array([.string(event)] + arguments).description)
    }

    /// Sends an event of the main namespace and waits for its acknowledgement.
    ///
    /// - Returns: The acknowledgement's first argument.
    package func call(_ event: String, _ arguments: JSONValue...) async throws -> JSONValue {
        self.lastAcknowledgementID += 1
        let id = self.lastAcknowledgementID
        try await self.send("42\(id)" + JSONValue.array([.string(event)] + arguments).description)
        let answer = await self.firstPacket { packet in
            if case .acknowledgement(id, _) = packet { true } else { packet == .end }
        }
        guard case .acknowledgement(_, let values) = answer else { throw Unexpected(text: "\(answer)") }
        return values.first ?? .null
    }

    /// The arguments of the next event of that name; packets before it are kept.
    package func event(_ name: String) async throws -> [JSONValue] {
        let packet = await self.firstPacket { packet in
            if case .event(name, _) = packet { true } else { packet == .end }
        }
        guard case .event(_, let arguments) = packet else { throw Unexpected(text: "\(packet)") }
        return arguments
    }

    /// All packets up to the next event of that name, which is left out.
    package func packets(until name: String) async throws -> [Packet] {
        var packets: [Packet] = []
        while true {
            let packet = await self.packet()
            switch packet {
            case .event(name, _): return packets
            case .end: throw Unexpected(text: "\(packet)")
            default: packets.append(packet)
            }
        }
    }

    /// The next packet.
    package func packet() async -> Packet {
        self.pending.isEmpty ? await self.receivePacket() : self.pending.removeFirst()
    }

    /// The first packet that is so; those before it are kept.
    func firstPacket(where matches: (Packet) -> Bool) async -> Packet {
        if let index = self.pending.firstIndex(where: matches) { return self.pending.remove(at: index) }
        while true {
            let packet = await self.receivePacket()
            if matches(packet) { return packet }
            self.pending.append(packet)
        }
    }

    private func receivePacket() async -> Packet {
        while true {
            switch await self.next() {
            case .text(let text): if let packet = Packet(text) { return packet }
            case .binary, .close: continue
            case .end: return .end
            }
        }
    }
}
