import NIOCore

extension EncodedPacket {
    /// The same event with one more argument, a text that needs no escapes.
    ///
    /// It keeps its attachments.
    ///
    /// - Returns: The new packet. If this is no event with a payload, it is returned unchanged.
    package func appendingArgument(_ argument: String) -> EncodedPacket {
        guard let last = self.text.readableBytesView.last, last == UInt8(ascii: "]") else { return self }
        let text = self.text
        let attachments = self.attachments
        var builder = FrameBuilder(ByteWriter(capacity: self.frames.readableBytes + argument.utf8.count + 32))
        builder.bytes.writeImmutableBuffer(text.getSlice(at: text.readerIndex, length: text.readableBytes - 1) ?? text)
        // An event without a name is not valid, but other nodes may publish anything.
        let isEmpty = text.readableBytesView.dropLast().last == UInt8(ascii: "[")
        builder.bytes.writeStaticString(isEmpty ? "\"" : ",\"")
        builder.bytes.writeString(argument)
        builder.bytes.writeStaticString("\"]")
        let layout = builder.finish(attachments: attachments)
        return EncodedPacket(builder.bytes, layout)
    }
}
