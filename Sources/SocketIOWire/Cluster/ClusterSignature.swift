package import NIOCore

/// The end that all of a node's own messages have.
///
/// Redis sends a node what it has published itself, too. The node recognises that by its end and does not read it.
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
    /// Another message has this end only if somebody forges it.
    package func isOn(_ message: ByteBuffer) -> Bool {
        let isJSON = message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
        let signature = isJSON ? self.json : self.messagePack
        guard message.readableBytes > signature.readableBytes else { return false }
        return message.withUnsafeReadableBytes { bytes in
            signature.withUnsafeReadableBytes { $0.elementsEqual(bytes.suffix($0.count)) }
        }
    }
}
