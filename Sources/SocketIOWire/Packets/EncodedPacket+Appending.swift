import NIOCore

extension EncodedPacket {
    /// The same event with one more argument, a text that needs no escapes; attachments are kept.
    ///
    /// - Returns: The packet itself if it is no event with a payload.
    package func appendingArgument(_ argument: String) -> EncodedPacket {
        guard let last = self.text.readableBytesView.last, last == UInt8(ascii: "]") else { return self }
        let text = self.text
        let attachments = self.attachments
        var builder = FrameBuilder(ByteWriter(capacity: self.frames.readableBytes + argument.utf8.count + 32))
        builder.bytes.writeImmutableBuffer(text.getSlice(at: text.readerIndex, length: text.readableBytes - 1) ?? text)
        // An event without a name is none, but what other nodes publish may be anything.
        let isEmpty = text.readableBytesView.dropLast().last == UInt8(ascii: "[")
        builder.bytes.writeStaticString(isEmpty ? "\"" : ",\"")
        builder.bytes.writeString(argument)
        builder.bytes.writeStaticString("\"]")
        let layout = builder.finish(attachments: attachments)
        return EncodedPacket(builder.bytes, layout)
    }
}
