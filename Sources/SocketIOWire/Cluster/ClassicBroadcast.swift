package import NIOCore

/// A broadcast as it came from Redis: its addressees are read, its event is still MessagePack.
///
/// Nodes and emitters of many languages write these. What can be read is read as they mean it; what would reach other
/// clients than they meant is an error.
package struct ClassicBroadcast: Sendable {
    /// Who sent it, if that is a text; emitters are called `emitter`.
    package let uid: UTF8Text?
    /// The namespace it is for; `nil` if that is no text.
    package let namespace: UTF8Text?
    /// Whom it addresses; `nil`: nobody who could be here.
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
                // Bytes that have slipped: then the options are not what they seem, either.
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
