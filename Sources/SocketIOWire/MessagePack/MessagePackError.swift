/// Why bytes are not a MessagePack value, and where.
///
/// It never holds any of the bytes: they may be secrets, and errors end up in logs.
package struct MessagePackError: Error, Hashable, CustomStringConvertible {
    package enum Reason: String, Sendable {
        case unexpectedEnd = "the bytes end too early"
        case unusedByte = "the byte that MessagePack never uses"
        case unexpectedType = "a value of another type"
        case tooDeep = "nested too deeply"
        case tooManyAttachments = "too many byte strings for one packet"
        case tooLong = "more text than any client gets"
        case trailingBytes = "bytes after the value"
    }

    package let reason: Reason
    /// Where, in bytes from the start.
    package let offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String { "invalid MessagePack: \(self.reason.rawValue) at offset \(self.offset)" }
}
