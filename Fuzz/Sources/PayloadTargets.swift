import NIOCore
import SocketIOWire

/// One Engine.IO packet: as text of protocol 4 and of protocol 3, and as bytes of protocol 3.
let enginePacketTarget = Target(name: "engine-packet") { input in
    let packets = measured(input.readableBytes) {
        [EnginePacket(text: input), EnginePacket(version3Text: input), EnginePacket(version3Binary: input)]
    }
    for packet in packets.compactMap({ $0 }) {
        var text = ByteBuffer()
        text.writePollingPacket(packet)
        // Only messages are bytes in protocol 4.
        require(EnginePacket(text: text) == packet, "another packet comes back")
    }
}

/// The body of a polling request.
let payloadTarget = Target(name: "payload") { input in
    measured(input.readableBytes) { _ = packets(PollingPayloadReader(input)) { _ in } }
    var first: [EnginePacket] = []
    _ = packets(PollingPayloadReader(input)) { first.append($0) }
    guard !first.isEmpty else { return }
    var body = ByteBuffer()
    for packet in first { body.writePollingPacket(packet) }
    var second: [EnginePacket] = []
    let error = packets(PollingPayloadReader(body)) { second.append($0) }
    require(error == nil, "what was written cannot be read: \(error.map { "\($0)" } ?? "")")
    require(first == second, "other packets come back")
}

/// The body of a polling request of protocol 3; the first byte says whether it is text or bytes.
///
/// Messages that came can be sent, and are the same to who receives them.
let version3Target = Target(name: "version3") { input in
    var input = input
    let isBinary = input.takeChoice() & 1 == 1
    // The connection checks that first.
    guard isBinary || input.isValidUTF8 else { return }
    func reader(_ body: ByteBuffer, isBinary: Bool) -> Version3PayloadReader {
        Version3PayloadReader(body, isBinary: isBinary)
    }
    measured(input.readableBytes) { _ = packets(reader(input, isBinary: isBinary)) { _ in } }
    var first: [EnginePacket] = []
    _ = packets(reader(input, isBinary: isBinary)) { packet in
        // Of other packets nobody looks at the data, which may have been base64.
        guard packet.type == .message else { return }
        require(packet.isBinary || packet.data.isValidUTF8, "text that is no UTF-8")
        first.append(packet)
    }
    let sent = first.map { $0.isBinary ? EncodedPacket(binary: $0.data) : EncodedPacket($0.type, data: $0.data) }
    for isTextOnly in [true, false] {
        var body = ByteBuffer()
        let isBinary = body.writeVersion3Payload(sent, isTextOnly: isTextOnly)
        guard body.readableBytes > 0 else { continue }
        var second: [EnginePacket] = []
        let error = packets(reader(body, isBinary: isBinary)) { second.append($0) }
        require(error == nil, "what was written cannot be read: \(error.map { "\($0)" } ?? "")")
        require(first == second, "other packets come back")
    }
}

/// Hands out a body's packets.
///
/// - Returns: Why there are no more, unless the body is at its end.
private func packets(_ reader: some PayloadReader, _ body: (EnginePacket) -> Void) -> PollingPayloadError? {
    var reader = reader
    do throws(PollingPayloadError) {
        while let packet = try reader.next() { body(packet) }
        return nil
    } catch {
        return error
    }
}
