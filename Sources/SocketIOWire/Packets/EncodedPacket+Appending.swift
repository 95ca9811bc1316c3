import NIOCore

extension EncodedPacket {
    /// The same event with one more argument, a text that needs no escapes; attachments are kept.
    ///
    /// - Returns: The packet itself if it is no event with a payload.
    package func appendingArgument(_ argument: String) -> EncodedPacket {
        guard let last = self.text.readableBytesView.last, last == UInt8(ascii: "]") else { return self }
        var builder = FrameBuilder(capacity: self.text.readableBytes + argument.utf8.count + 3)
        builder.buffer.writeImmutableBuffer(self.text)
        builder.buffer.moveWriterIndex(to: builder.buffer.writerIndex - 1)
        builder.buffer.writeStaticString(",\"")
        builder.buffer.writeString(argument)
        builder.buffer.writeStaticString("\"]")
        let layout = builder.finish(prefixLength: 0, attachments: self.attachments) { _ in }
        return EncodedPacket(frames: builder.buffer, layout)
    }
}
