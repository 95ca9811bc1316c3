package import NIOCore

/// An entry of a stream (streams adapter): its fields have been read, its data has not.
///
/// A stream carries the messages of all nodes, and maybe of many namespaces. To know who has sent an entry, and for
/// which namespace, a node need not read the data.
package struct StreamEntry: Sendable {
    /// The namespace that it is for.
    package let namespace: UTF8Text
    /// What it is about.
    package let type: ClusterMessageType
    private let sender: ByteBuffer?
    /// Its data as it was added; `nil` if it has none.
    package let data: ByteBuffer?

    /// The uid of the node that has added it; that of an emitter is `emitter`.
    package var uid: UTF8Text? { self.sender.map { UTF8Text(decoding: $0.readableBytesView) } }

    /// Reads an entry.
    ///
    /// - Parameter fields: Fields and their values in turn; of equal fields the last one counts.
    /// - Throws: ``ClusterProtocolError`` if it has no namespace, as official nodes ignore it then, or no type.
    package init(fields: [ByteBuffer]) throws(ClusterProtocolError) {
        var (sender, namespace, type, data) = (ByteBuffer?.none, ByteBuffer?.none, ByteBuffer?.none, ByteBuffer?.none)
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            let (field, value) = (fields[index], fields[index + 1])
            if Self.isEqual(field, "uid") {
                sender = value
            } else if Self.isEqual(field, "nsp") {
                namespace = value
            } else if Self.isEqual(field, "type") {
                type = value
            } else if Self.isEqual(field, "data") {
                data = value
            }
        }
        guard let namespace, namespace.readableBytes > 0 else {
            throw ClusterProtocolError(.unexpectedShape, "an entry without a namespace")
        }
        guard let type, type.readableBytes < 8, let number = Int(String(buffer: type)) else {
            throw ClusterProtocolError(.unexpectedShape, "an entry without a type")
        }
        self.namespace = UTF8Text(decoding: namespace.readableBytesView)
        self.type = try ClusterMessageType(number)
        self.sender = sender
        self.data = data.flatMap { $0.readableBytes > 0 ? $0 : nil }
    }

    private static func isEqual(_ field: ByteBuffer, _ name: StaticString) -> Bool {
        field.withUnsafeReadableBytes {
            $0.elementsEqual(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        }
    }

    /// How many bytes its data has.
    package var byteCount: Int { self.data?.readableBytes ?? 0 }

    /// Whether the node of that uid added it.
    package func isFrom(_ uid: ByteBuffer) -> Bool { self.sender == uid }

    /// Reads what it is about: JSON text if its data starts with `{`, otherwise base64 of MessagePack.
    package func content() throws(ClusterProtocolError) -> ClusterEnvelope.Content {
        try ClusterEnvelope.Content(self.type, uid: self.uid, data: self.data.map(Self.decoded))
    }

    private static func decoded(_ data: ByteBuffer) -> ClusterData {
        guard data.getInteger(at: data.readerIndex, as: UInt8.self) != UInt8(ascii: "{") else { return .json(data) }
        var bytes = ByteBuffer()
        bytes.writeBase64Decoded(data)
        return .messagePack(bytes)
    }
}
