import NIOCore
import SocketIOWire

/// MessagePack: as a tree, as JSON values, and straight into JSON text; the three agree.
let messagePackTarget = Target(name: "messagepack") { input in
    let values = measured(input.readableBytes, bytesForEach: Memory.values) {
        Result { try JSONValue(parsingMessagePack: input) }
    }
    var output = ByteWriter()
    var attachments: [ByteBuffer] = []
    let transcoded = measured(input.readableBytes, bytesForEach: Memory.transcoding) {
        Result {
            var reader = MessagePackReader(input)
            try reader.transcodeToJSON(into: &output, attachments: &attachments)
            try reader.expectEnd()
        }
    }
    let text = output.makeBuffer()
    switch (values, transcoded) {
    case (.failure, .failure): break
    case (.success(let value), .success):
        // Text that looks like a placeholder is one for the reader, in Node as here.
        guard occurrences(of: "_placeholder", in: input) == 0 else { break }
        var limits = JSONLimits()
        limits.maximumDepth = JSONLimits.greatestDepth
        var reader = JSONReader(text, attachments: attachments, limits: limits)
        guard let read = try? reader.readValue(), (try? reader.expectEnd()) != nil else {
            fatalError("what was transcoded is no JSON: \(String(buffer: text))")
        }
        let expected = PacketEncoder.event("e", arguments: [value])
        let actual = PacketEncoder.event("e", arguments: [read])
        require(
            expected.text == actual.text && expected.attachments == actual.attachments,
            "transcoded: \(String(buffer: actual.text)), as values: \(String(buffer: expected.text))"
        )
    case (.success, .failure(let error as MessagePackError)) where error.reason == .tooManyAttachments: break
    default:
        fatalError("values: \(values), transcoded: \(transcoded)")
    }
    guard let tree = try? MessagePackValue(parsing: input) else { return }
    var written = ByteBuffer()
    written.writeMessagePack(tree)
    guard let again = try? MessagePackValue(parsing: written) else { fatalError("what was written cannot be read") }
    var second = ByteBuffer()
    second.writeMessagePack(again)
    require(second == written, "another value comes back")
}

/// The cluster's messages as they come from Redis.
let clusterTarget = Target(name: "cluster") { input in
    let encoded = measured(input.readableBytes, bytesForEach: Memory.transcoding) { () -> EncodedPacket? in
        guard let broadcast = try? ClassicBroadcast(parsing: input) else { return nil }
        // An adapter passes on what is for its own namespace, which has a name that clients can be told.
        guard let namespace = broadcast.namespace, namespace.hasPrefix("/"),
            !namespace.utf8.contains(UInt8(ascii: ","))
        else { return nil }
        return try? broadcast.packet(for: namespace.string)
    }
    if let encoded { checkReadable(encoded) }
    measured(input.readableBytes, bytesForEach: Memory.values) {
        _ = try? ClusterRequest(parsingClassic: input, namespace: "/")
    }
    let response = measured(input.readableBytes, bytesForEach: Memory.values) {
        let response = try? ClusterResponse(parsingClassic: input)
        for question in [ClusterResponse.Question.sockets, .rooms, .serverSideEmit, .acknowledgements] {
            _ = try? response?.answer(to: question)
        }
        return response
    }
    guard let response else { return }
    // Where a key is repeated, the last one counts, and the first one is seen.
    guard occurrences(of: "requestId", in: input) == 1, let id = ClusterResponse.peekClassicRequestID(input)
    else { return }
    require(id == response.requestID, "seen at a glance: \(id), read: \(response.requestID)")
}

/// The messages of the sharded and streams adapters.
let envelopeTarget = Target(name: "envelope") { input in
    let encoded = measured(input.readableBytes, bytesForEach: Memory.values) { () -> EncodedPacket? in
        guard let envelope = try? ClusterEnvelope(parsing: input) else { return nil }
        return packet(of: envelope.content)
    }
    if let encoded { checkReadable(encoded) }
}

/// What stands in a stream, and under the key of a session.
///
/// The first byte chooses the type of the entry.
let streamTarget = Target(name: "stream") { input in
    var data = input
    let types = ClusterMessageType.allCases
    let type = types[Int(data.readInteger(as: UInt8.self) ?? 0) % types.count].rawValue
    let fields = ["uid", "u", "nsp", "/", "type", "\(type)", "data"].map { ByteBuffer(string: $0) } + [data]
    let encoded = measured(input.readableBytes, bytesForEach: Memory.values) { () -> EncodedPacket? in
        guard let content = try? StreamEntry(fields: fields).content() else { return nil }
        return packet(of: content)
    }
    if let encoded { checkReadable(encoded) }
    _ = try? StreamEntry(fields: [data, data, fields[2], data, fields[4], data])
    let session = measured(input.readableBytes, bytesForEach: Memory.values) { try? StreamSession(parsing: data) }
    if let session { require((try? StreamSession(parsing: session.text)) != nil, "a session that can't be read again") }
    if let offset = StreamOffset(utf8: data.readableBytesView) {
        require(StreamOffset(offset.description) == offset, "another offset comes back")
        require(offset.next.map { $0 > offset } ?? true, "the next offset is not greater")
    }
}

/// What clients get of a message.
private func packet(of content: ClusterEnvelope.Content) -> EncodedPacket? {
    switch content {
    case .broadcast(let broadcast): return try? broadcast.payload.packet(for: "/", offset: "1-0")
    case .response(let response):
        for question in [ClusterResponse.Question.sockets, .rooms, .serverSideEmit, .acknowledgements] {
            _ = try? response.answer(to: question)
        }
        return nil
    case .request, .heartbeat: return nil
    }
}

/// A packet for clients is one that can be read.
private func checkReadable(_ packet: EncodedPacket) {
    var text = packet.text
    text.moveReaderIndex(forwardBy: 1)
    var limits = PacketLimits()
    limits.json.maximumDepth = JSONLimits.greatestDepth
    limits.maximumNamespaceLength = .max
    limits.maximumAttachments = .max
    var decoder = PacketDecoder()
    do throws(PacketError) {
        _ = try decoder.decode(text: text, limits: limits)
    } catch {
        // Reserved names are what another node sent; the text is JSON all the same.
        require(error.underlying == nil, "a packet for clients that is no JSON: \(String(buffer: text))")
    }
}

private func occurrences(of text: String, in bytes: ByteBuffer) -> Int {
    let (bytes, text) = (Array(bytes.readableBytesView), Array(text.utf8))
    guard bytes.count >= text.count else { return 0 }
    return (0...(bytes.count - text.count)).count { bytes[$0..<($0 + text.count)].elementsEqual(text) }
}
