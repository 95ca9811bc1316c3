/// What stands before a packet's payload: `type [count "-"] [namespace ","] [id]`.
struct PacketHeader {
    /// The largest number up to which JavaScript's integers are exact.
    private static let maximumID = (1 << 53) - 1

    let type: PacketType
    /// How many attachments are announced; `nil` if the type has none.
    private(set) var attachmentCount: Int?
    /// Where the namespace stands, if it is not `/`.
    ///
    /// The bytes there are UTF-8.
    private(set) var namespace: Range<Int>?
    private(set) var id: Int?
    /// Where the payload begins.
    private(set) var length = 1

    /// Reads the start of a packet's text.
    init(_ bytes: UnsafeRawBufferPointer, limits: PacketLimits) throws(PacketError) {
        guard let first = bytes.first, let type = PacketType(rawValue: first &- UInt8(ascii: "0")) else {
            throw PacketError(.unknownType)
        }
        self.type = type
        if type == .binaryEvent || type == .binaryAcknowledgement {
            try self.readAttachmentCount(bytes, limits: limits)
        }
        guard self.length < bytes.count else { return }
        if bytes[self.length] == UInt8(ascii: "/") {
            try self.readNamespace(bytes, limits: limits)
            guard self.length < bytes.count else { return }
        }
        try self.readID(bytes)
    }

    private mutating func readAttachmentCount(
        _ bytes: UnsafeRawBufferPointer,
        limits: PacketLimits
    ) throws(PacketError) {
        var count = 0
        var isTooLarge = false
        while self.length < bytes.count {
            let byte = bytes[self.length]
            self.length += 1
            if byte == UInt8(ascii: "-") {
                guard !isTooLarge else { throw PacketError(.tooManyAttachments) }
                self.attachmentCount = count
                return
            }
            guard let digit = Self.digit(byte) else { break }
            if !isTooLarge {
                count = count * 10 + digit
                isTooLarge = count > limits.maximumAttachments
            }
        }
        throw PacketError(.illegalAttachments)
    }

    private mutating func readNamespace(_ bytes: UnsafeRawBufferPointer, limits: PacketLimits) throws(PacketError) {
        let start = self.length
        var end = start + 1
        while end < bytes.count, bytes[end] != UInt8(ascii: ",") { end += 1 }
        self.length = min(end + 1, bytes.count)
        guard end - start > 1 else { return }
        guard end - start <= limits.maximumNamespaceLength,
            UnsafeRawBufferPointer(rebasing: bytes[start..<end]).isUTF8
        else { throw PacketError(.invalidNamespace) }
        self.namespace = start..<end
    }

    private mutating func readID(_ bytes: UnsafeRawBufferPointer) throws(PacketError) {
        guard let first = Self.digit(bytes[self.length]) else { return }
        var value = first
        self.length += 1
        while self.length < bytes.count, let digit = Self.digit(bytes[self.length]) {
            value = value * 10 + digit
            guard value <= Self.maximumID else { throw PacketError(.invalidID) }
            self.length += 1
        }
        self.id = value
    }

    private static func digit(_ byte: UInt8) -> Int? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 10 ? Int(digit) : nil
    }
}
