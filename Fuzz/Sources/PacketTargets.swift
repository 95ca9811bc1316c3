import NIOCore
import SocketIOWire

/// Socket.IO packets: text, then attachments behind separators.
///
/// A payload that the decoder let pass can be read as values, and is sent on as the same.
let packetTarget = Target(name: "packet") { input in
    var decoder = PacketDecoder()
    var rest = input.readableBytesView[...]
    var isFirst = true
    while !rest.isEmpty || isFirst {
        let end = rest.firstIndex(of: 0x1E) ?? rest.endIndex
        let part = ByteBuffer(bytes: rest[..<end])
        rest = end < rest.endIndex ? rest[rest.index(after: end)...] : rest[end...]
        let isText = isFirst || !decoder.isWaitingForAttachments
        isFirst = false
        let result = measured(part.readableBytes) {
            Result { isText ? try decoder.decode(text: part) : try decoder.decode(binary: part) }
        }
        switch result {
        case .success(let packet?): check(packet, input.readableBytes)
        case .success(nil): continue
        case .failure: return
        }
    }
}

private func check(_ packet: Packet, _ length: Int) {
    if let payload = packet.payload {
        let value = measured(length, bytesForEach: Memory.values) { Result { try payload.value() } }
        if case .failure(let error) = value { fatalError("a payload that was checked cannot be read: \(error)") }
    }
    switch packet.type {
    case .event:
        guard let (name, arguments) = packet.event() else { return }
        guard let values = try? arguments.values() else { fatalError("arguments that were checked cannot be read") }
        require(arguments.count == values.count, "the arguments are \(values.count) and count as \(arguments.count)")
        let encoded = PacketEncoder.event(name, arguments: values, namespace: packet.namespace, id: packet.id)
        checkRoundTrip(encoded) { packet in
            guard let (name, arguments) = packet.event(), let values = try? arguments.values() else { return nil }
            return PacketEncoder.event(name, arguments: values, namespace: packet.namespace, id: packet.id)
        }
    case .acknowledgement:
        guard let values = try? packet.acknowledgementArguments().values() else {
            fatalError("arguments that were checked cannot be read")
        }
        guard let id = packet.id else { return }
        let encoded = PacketEncoder.acknowledgement(id: id, arguments: values, namespace: packet.namespace)
        checkRoundTrip(encoded) { packet in
            guard let values = try? packet.acknowledgementArguments().values(), let id = packet.id else { return nil }
            return PacketEncoder.acknowledgement(id: id, arguments: values, namespace: packet.namespace)
        }
    case .connect, .disconnect, .connectError, .binaryEvent, .binaryAcknowledgement:
        break
    }
}

/// What we send can be received, and sent again is the same.
private func checkRoundTrip(_ encoded: EncodedPacket, again: (Packet) -> EncodedPacket?) {
    var limits = PacketLimits()
    limits.json.maximumDepth = JSONLimits.greatestDepth
    var text = encoded.text
    text.moveReaderIndex(forwardBy: 1)
    var decoder = PacketDecoder()
    do throws(PacketError) {
        var packet = try decoder.decode(text: text, limits: limits)
        for attachment in encoded.attachments { packet = try decoder.decode(binary: attachment, limits: limits) }
        guard let packet, let second = again(packet) else { fatalError("a packet that was sent is incomplete") }
        require(second.text == encoded.text, "sent again: \(String(buffer: second.text)) for \(String(buffer: text))")
        require(second.attachments == encoded.attachments, "other attachments")
    } catch {
        // Names that clients may not send; numbers as names become strings.
        require(error.reason == .invalidPayload, "what was sent cannot be received: \(error)")
    }
}
