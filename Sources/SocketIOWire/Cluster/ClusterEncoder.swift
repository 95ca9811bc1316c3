package import NIOCore

/// Writes the messages of the official ClusterAdapter, byte for byte as official nodes and emitters write them.
///
/// A node's messages differ from an emitter's: the packet does not name the namespace, and the options have another
/// order.
package struct ClusterEncoder: Sendable {
    private let uid: String
    private let namespace: String
    private let layout: ClusterDataLayout

    /// Makes the encoder of a node's adapter.
    ///
    /// - Parameters:
    ///   - uid: The adapter's own id, 16 hexadecimal digits.
    ///   - namespace: Its name, with the slash.
    ///   - writesNumericRooms: Whether a room whose name is a decimal integer is written as a number. Node's
    ///     `socket.join(42)` makes another room than `socket.join("42")`; a Swift server has only the latter.
    package init(uid: String, namespace: String, writesNumericRooms: Bool = false) {
        self.uid = uid
        self.namespace = namespace
        self.layout = ClusterDataLayout(emitterNamespace: nil, writesNumericRooms: writesNumericRooms)
    }

    /// Makes the encoder of an emitter, a process without clients.
    package init(emitterFor namespace: String) {
        self.uid = ClusterProtocol.emitterUID
        self.namespace = namespace
        self.layout = ClusterDataLayout(emitterNamespace: namespace, writesNumericRooms: false)
    }

    /// The message as it is published by the sharded adapter: JSON text, or MessagePack if it carries bytes.
    package func sharded(_ message: ClusterMessage) -> ByteBuffer {
        if message.type.mayCarryBytes, message.hasBytes {
            var writer = ClusterMessagePackWriter(as: .notepack)
            self.write(message, to: &writer)
            return writer.bytes
        }
        var writer = ClusterJSONWriter()
        self.write(message, to: &writer)
        return writer.bytes.makeBuffer()
    }

    /// The message as it is published by the streams adapter: always MessagePack.
    package func published(_ message: ClusterMessage) -> ByteBuffer {
        var writer = ClusterMessagePackWriter(as: .msgpack)
        self.write(message, to: &writer)
        return writer.bytes
    }

    /// The message as it is added to a stream.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - onlyPlaintext: Whether bytes are written as JSON, too, as Node's `Buffer` shows itself there.
    /// - Returns: Fields and their values in turn, as `XADD` takes them.
    package func entry(_ message: ClusterMessage, onlyPlaintext: Bool = false) -> [ByteBuffer] {
        [
            Self.uidField, ByteBuffer(string: self.uid),
            Self.namespaceField, ByteBuffer(string: self.namespace),
            Self.typeField, ByteBuffer(string: String(message.type.rawValue)),
            Self.dataField, self.entryData(message, onlyPlaintext: onlyPlaintext),
        ]
    }

    private static let uidField = ByteBuffer(string: "uid")
    private static let namespaceField = ByteBuffer(string: "nsp")
    private static let typeField = ByteBuffer(string: "type")
    private static let dataField = ByteBuffer(string: "data")

    private func entryData(_ message: ClusterMessage, onlyPlaintext: Bool) -> ByteBuffer {
        if !onlyPlaintext, message.type.mayCarryBytes, message.hasBytes {
            var writer = ClusterMessagePackWriter(as: .msgpack)
            self.layout.write(message, to: &writer)
            var text = ByteBuffer()
            text.reserveCapacity(ByteBuffer.base64Length(of: writer.bytes.readableBytes))
            text.writeBase64Encoded(writer.bytes)
            return text
        }
        var writer = ClusterJSONWriter()
        self.layout.write(message, to: &writer)
        return writer.bytes.makeBuffer()
    }

    private func write<Writer: ClusterDataWriter & ~Copyable>(_ message: ClusterMessage, to writer: inout Writer) {
        writer.beginObject(count: 4)
        writer.key("type")
        writer.write(message.type.rawValue)
        writer.key("data")
        self.layout.write(message, to: &writer)
        writer.key("uid")
        writer.write(self.uid)
        writer.key("nsp")
        writer.write(self.namespace)
        writer.endObject()
    }

    /// Recognises this encoder's own messages without reading them.
    package var signature: ClusterSignature { ClusterSignature(uid: self.uid, namespace: self.namespace) }
}
