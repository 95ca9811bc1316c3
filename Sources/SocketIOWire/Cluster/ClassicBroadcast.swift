package import NIOCore

/// A broadcast as it came from Redis: its addressees have been read, its event is still MessagePack.
///
/// Nodes and emitters of many languages write broadcasts. Odd forms are accepted if it is clear what the sender meant.
/// A broadcast that could reach clients whom the sender did not mean is an error.
package struct ClassicBroadcast: Sendable {
    /// The sender's uid, if it is a text; that of an emitter is `emitter`.
    package let uid: UTF8Text?
    /// The namespace that it is for; `nil` if that is no text.
    package let namespace: UTF8Text?
    /// The sockets that it addresses; `nil` if no socket of this node can be among them.
    package let options: BroadcastOptions?
    /// `[event, argument...]` in MessagePack: a slice of the message.
    package let data: ByteBuffer

    /// Reads `[uid, {type, data, nsp}, {rooms, except, flags}]`.
    ///
    /// Keys may come in any order, and unknown ones are ignored.
    package init(parsing message: ByteBuffer) throws(ClusterProtocolError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(message)
            let count = try reader.readArrayHeader()
            guard count >= 3 else { throw MessagePackError(.unexpectedType, at: 0) }
            self.uid = try Self.text(&reader)
            var data: ByteBuffer?
            var isEvent = false
            var namespace: UTF8Text? = "/"
            for _ in 0..<(try reader.readMapHeader()) {
                switch try reader.readKey() {
                case "data"?: data = try reader.readRawValue()
                case "nsp"?: namespace = try reader.skipUndefined() ? "/" : try Self.text(&reader)
                case "type"?: isEvent = ClusterProtocol.isEvent(try reader.readJSONValue())
                // A key that is no text: the bytes are out of step, so nothing behind it can be believed.
                case nil: throw MessagePackError(.unexpectedType, at: reader.offset)
                default: try reader.skipValue()
                }
            }
            guard let data, isEvent else { throw MessagePackError(.unexpectedType, at: reader.offset) }
            self.data = data
            self.namespace = namespace
            self.options = try ClusterOptions.parse(&reader)
            for _ in 3..<count { try reader.skipValue() }
            try reader.expectEnd()
        } catch {
            throw ClusterProtocolError(error)
        }
    }

    private static func text(_ reader: inout MessagePackReader) throws(MessagePackError) -> UTF8Text? {
        if try reader.peekKind() == .string { return UTF8Text(try reader.readString()) }
        try reader.skipValue()
        return nil
    }

    /// The packet for this node's clients: MessagePack becomes JSON text directly.
    package func packet(for namespace: String = "/") throws(ClusterProtocolError) -> EncodedPacket {
        try EventPayload.messagePack(self.data).packet(for: namespace)
    }
}
