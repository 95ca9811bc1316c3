import NIOCore
import SocketIOWire

extension MessagePackReader {
    /// The same behind what a buffer holds.
    mutating func transcodeToJSON(
        into text: inout ByteBuffer,
        attachments: inout [ByteBuffer]
    ) throws(MessagePackError) {
        var writer = ByteWriter()
        writer.writeImmutableBuffer(text)
        defer { text = writer.makeBuffer() }
        try self.transcodeToJSON(into: &writer, attachments: &attachments)
    }
}
