package import NIOCore

/// What a node's own published messages end with: they come back, and need not be read.
package struct ClusterSignature: Sendable {
    private let json: ByteBuffer
    private let messagePack: ByteBuffer

    init(uid: String, namespace: String) {
        var json = ClusterJSONWriter()
        json.beginObject(count: 2)
        var messagePack = ClusterMessagePackWriter(as: .notepack)
        json.key("uid")
        messagePack.key("uid")
        json.write(uid)
        messagePack.write(uid)
        json.key("nsp")
        messagePack.key("nsp")
        json.write(namespace)
        messagePack.write(namespace)
        json.endObject()
        var text = json.bytes.makeBuffer()
        text.moveReaderIndex(forwardBy: 1)
        self.json = text
        self.messagePack = messagePack.bytes
    }

    /// Whether the message is one of the node's own.
    ///
    /// One that isn't can only end like that if somebody wants it to.
    package func isOn(_ message: ByteBuffer) -> Bool {
        let isJSON = message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
        let signature = isJSON ? self.json : self.messagePack
        guard message.readableBytes > signature.readableBytes else { return false }
        return message.withUnsafeReadableBytes { bytes in
            signature.withUnsafeReadableBytes { $0.elementsEqual(bytes.suffix($0.count)) }
        }
    }
}
