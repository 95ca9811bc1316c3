public import NIOCore

/// Writes the elements of an event's or an acknowledgement's payload directly into the packet that will be sent.
///
/// It cannot be copied. If there were two holders of the packet's bytes, the next write would copy all of them.
public struct PayloadWriter: ~Copyable {
    var builder: FrameBuilder
    /// The attachments that the placeholders written so far stand for.
    private(set) var attachments: [ByteBuffer] = []
    private var isEmpty = true

    /// Writes what stands before the payload, then the payload.
    init(_ prefix: PacketPrefix, _ bytes: consuming ByteWriter) {
        self.builder = FrameBuilder(bytes)
        prefix.write(to: &self.builder.bytes)
    }

    /// Writes behind what is already written.
    ///
    /// The builder keeps that until it is finished.
    init(_ prefix: PacketPrefix, appendingTo bytes: inout ByteWriter?) {
        self.builder = FrameBuilder(appendingTo: &bytes)
        prefix.write(to: &self.builder.bytes)
    }

    /// Writes a value; bytes in it become attachments.
    public mutating func write(_ value: JSONValue) {
        self.beginElement()
        self.writeText(value)
    }

    /// Writes a string.
    public mutating func write(_ value: String) {
        self.beginElement()
        self.builder.bytes.writeJSONString(value)
    }

    /// Writes bytes, which become an attachment.
    public mutating func write(_ bytes: ByteBuffer) {
        self.beginElement()
        self.builder.bytes.writeJSONPlaceholder(number: self.attachments.count)
        self.attachments.append(bytes)
    }

    /// Writes values, each as an element.
    public mutating func write(contentsOf values: [JSONValue]) {
        for value in values { self.write(value) }
    }

    /// Writes anything that can be encoded.
    ///
    /// - Throws: What the value's own `encode(to:)` throws.
    @inlinable
    public mutating func write<T: Encodable>(_ value: T) throws {
        // The compiler decides this where it knows the caller's type. If the types are equal, the cast changes nothing.
        if T.self == String.self {
            self.write(unsafeBitCast(value, to: String.self))
        } else if T.self == JSONValue.self {
            self.write(unsafeBitCast(value, to: JSONValue.self))
        } else if T.self == Int.self {
            self.write(integer: unsafeBitCast(value, to: Int.self))
        } else if T.self == ByteBuffer.self {
            self.write(unsafeBitCast(value, to: ByteBuffer.self))
        } else {
            try self.encode(value)
        }
    }

    @usableFromInline
    mutating func write(integer: Int) {
        self.beginElement()
        self.builder.bytes.writeJSONInteger(integer)
    }

    @usableFromInline
    mutating func encode<T: Encodable>(_ value: T) throws {
        if let value = value as? Bool {
            self.beginElement()
            self.builder.bytes.writeJSONBool(value)
        } else if let value = value as? Double {
            self.beginElement()
            self.builder.bytes.writeJSONNumber(value)
        } else {
            self.write(try JSONValue(encoding: value))
        }
    }

    /// Writes an element that is JSON text already.
    ///
    /// It must be one complete, valid value without placeholders, and is not checked.
    public mutating func writeRawJSON(_ text: ByteBuffer) {
        self.beginElement()
        self.builder.bytes.writeImmutableBuffer(text)
    }

    /// Writes the next MessagePack value as an element, without a tree of values.
    ///
    /// Bytes become attachments.
    ///
    /// - Throws: ``MessagePackError``. Then nothing has been written.
    package mutating func transcode(_ reader: inout MessagePackReader) throws(MessagePackError) {
        let start = self.builder.bytes.count
        let wasEmpty = self.isEmpty
        self.beginElement()
        do throws(MessagePackError) {
            try reader.transcodeToJSON(into: &self.builder.bytes, attachments: &self.attachments)
        } catch {
            self.builder.bytes.truncate(to: start)
            self.isEmpty = wasEmpty
            throw error
        }
    }

    /// Writes the next MessagePack value as the whole payload.
    mutating func transcodeText(_ reader: inout MessagePackReader) throws(MessagePackError) {
        try reader.transcodeToJSON(into: &self.builder.bytes, attachments: &self.attachments)
    }

    /// The packet's prefix contains the opening bracket.
    private mutating func beginElement() {
        guard self.isEmpty else {
            self.builder.bytes.writeInteger(UInt8(ascii: ","))
            return
        }
        self.isEmpty = false
    }

    /// Writes a value that is not an element but the whole payload.
    mutating func writeText(_ value: JSONValue) {
        self.builder.bytes.writeJSON(value, attachments: &self.attachments)
    }

    /// Gives back the buffer that it was appended to.
    consuming func complete(to frames: inout ByteWriter?) { self.builder.complete(to: &frames) }

    /// Removes what was written, and gives the buffer back.
    consuming func abandon(to frames: inout ByteWriter?) { self.builder.abandon(to: &frames) }

    /// Completes the packet's frames.
    mutating func finish() -> FrameBuilder.Layout {
        if !self.attachments.isEmpty { self.builder.announce(self.attachments.count) }
        return self.builder.finish(attachments: self.attachments)
    }

    mutating func closeArray() {
        self.builder.bytes.writeInteger(UInt8(ascii: "]"))
    }
}
