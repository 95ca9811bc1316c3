package import NIOCore

/// Reads RESP2 and RESP3 values from bytes that arrive in pieces of any size.
///
/// It remembers what it knows of an unfinished value: the open arrays with their elements, the length of a
/// half-received string, how far it has searched a line. So it looks at every byte once. Strings are slices of the
/// appended bytes.
package struct RESPParser: Sendable {
    /// A value that still waits for elements.
    private struct Frame {
        enum Kind { case array, set, push, map, attribute }
        var kind: Kind
        /// How many elements are still missing.
        ///
        /// Each key and each value of a map counts as one.
        var missing: Int
        var elements: [RESPValue]
    }

    private enum StringKind { case bulk, error, verbatim }

    private enum Step {
        /// The marker of a value comes next.
        case value
        /// A string of known length is arriving.
        case string(StringKind, length: Int)
        /// A string that is too long to be kept is arriving.
        case skipping(remaining: Int, length: Int)
    }

    /// No Redis has longer strings, in any configuration.
    private static let longestSkippableString = 4 * 1024 * 1024 * 1024

    private let limits: RESPLimits
    private var buffer = ByteBuffer()
    private var step = Step.value
    private var frames: [Frame] = []
    /// How many bytes of the current line have been searched and hold no line feed.
    private var searched = 0
    /// How many elements the arrays of the current reply have announced so far.
    private var elementsOfReply = 0
    private var bytesOfReply = 0

    package init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
    }

    /// The received bytes that are not yet part of a value.
    package var unreadBytes: Int { self.buffer.readableBytes }

    /// Takes what was read from the socket.
    package mutating func append(_ bytes: ByteBuffer) {
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else {
            // Memory that has been read, and that no slice refers to, is used again.
            if self.buffer.readerIndex > self.buffer.readableBytes { self.buffer.discardReadBytes() }
            if case .string(_, let length) = self.step {
                let missing = length + 2 - self.buffer.readableBytes
                // Memory is reserved only for a string of which a part has arrived, because a hostile length must not
                // reserve any.
                self.buffer.reserveCapacity(minimumWritableBytes: min(missing, bytes.readableBytes * 2))
            }
            self.buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next complete value; `nil` if more bytes are needed.
    ///
    /// - Throws: ``RESPError`` (`protocolViolation`) if this cannot become RESP, whatever follows. Do not continue
    ///   after that.
    package mutating func next() throws(RESPError) -> RESPValue? {
        while true {
            guard let value = try self.readScalarOrOpen() else { return nil }
            guard case .value(let scalar) = value else { continue }
            if let reply = self.close(with: scalar) {
                self.elementsOfReply = 0
                self.bytesOfReply = 0
                return reply
            }
        }
    }

    /// Gives a complete value to the innermost open one, and completes the open ones that now have all elements.
    ///
    /// - Returns: The reply, if nothing is open any more.
    private mutating func close(with value: RESPValue) -> RESPValue? {
        guard !self.frames.isEmpty else { return value }
        var value = value
        while let last = self.frames.indices.last {
            self.frames[last].elements.append(value)
            self.frames[last].missing -= 1
            guard self.frames[last].missing == 0 else { return nil }
            let frame = self.frames.removeLast()
            switch frame.kind {
            case .array: value = .array(frame.elements)
            case .set: value = .set(frame.elements)
            case .push: value = .push(frame.elements)
            case .map: value = .map(Self.entries(frame.elements))
            case .attribute: return nil  // The value it belongs to follows.
            }
        }
        return value
    }

    private static func entries(_ elements: [RESPValue]) -> [RESPMapEntry] {
        stride(from: 0, to: elements.count - 1, by: 2).map { RESPMapEntry(key: elements[$0], value: elements[$0 + 1]) }
    }

    private enum Progress {
        case value(RESPValue)
        /// Something was opened, skipped or announced. The caller must read on.
        case further
    }

    private mutating func readScalarOrOpen() throws(RESPError) -> Progress? {
        switch self.step {
        case .value: return try self.readLineValue()
        case .string(let kind, let length): return try self.readString(kind, length: length).map { .value($0) }
        case .skipping(let remaining, let length): return try self.skip(remaining, length: length).map { .value($0) }
        }
    }

    // MARK: Lines

    private mutating func readLineValue() throws(RESPError) -> Progress? {
        guard let end = try self.findLine() else {
            // Not a line at all: who speaks TLS refuses in TLS what is not, with an alert.
            if self.buffer.readableBytes > 1, self.buffer.readableBytesUInt8Span[0] == 0x15 {
                throw RESPError(code: .tls, message: "what answers speaks TLS")
            }
            return nil
        }
        // The line is buffer[readerIndex ..< readerIndex + end], without CR LF; its first byte is the marker.
        guard end > 0 else { throw .violation("an empty line where a value was expected") }
        let start = self.buffer.readerIndex
        let marker = self.buffer.readableBytesUInt8Span[0]
        switch marker {
        case UInt8(ascii: "+"):
            return .value(.simpleString(self.takeText(end)))
        case UInt8(ascii: "-"):
            return .value(.error(RESPError(reply: self.takeText(end))))
        case UInt8(ascii: ":"):
            let number = try self.number(end)
            self.buffer.moveReaderIndex(to: start + end + 2)
            return .value(.integer(number))
        case UInt8(ascii: "$"):
            return try self.openString(.bulk, end)
        case UInt8(ascii: "!"):
            return try self.openString(.error, end)
        case UInt8(ascii: "="):
            return try self.openString(.verbatim, end)
        case UInt8(ascii: "*"):
            return try self.open(.array, end)
        case UInt8(ascii: "~"):
            return try self.open(.set, end)
        case UInt8(ascii: ">"):
            return try self.open(.push, end)
        case UInt8(ascii: "%"):
            return try self.open(.map, end)
        case UInt8(ascii: "|"):
            return try self.open(.attribute, end)
        case UInt8(ascii: "_"):
            guard end == 1 else { throw .violation("a null with a value") }
            self.buffer.moveReaderIndex(to: start + end + 2)
            return .value(.null)
        case UInt8(ascii: "#"):
            let letter = end == 2 ? self.buffer.readableBytesUInt8Span[1] : 0
            guard letter == UInt8(ascii: "t") || letter == UInt8(ascii: "f") else {
                throw .violation("a boolean that is neither t nor f")
            }
            self.buffer.moveReaderIndex(to: start + end + 2)
            return .value(.boolean(letter == UInt8(ascii: "t")))
        case UInt8(ascii: ","):
            guard let number = Double(self.takeText(end)) else { throw .violation("a double that is no number") }
            return .value(.double(number))
        case UInt8(ascii: "("):
            let text = self.takeText(end)
            let isSigned = text.utf8.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") } ?? false
            let digits = text.utf8.dropFirst(isSigned ? 1 : 0)
            guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else {
                throw .violation("a big number that is no number")
            }
            return .value(.bigNumber(text))
        default:
            throw .violation("a value that starts with byte \(marker)")
        }
    }

    /// The offset of the CR at the end of the line that begins at the reader index; `nil` while the end has not
    /// arrived.
    private mutating func findLine() throws(RESPError) -> Int? {
        guard let lineFeed = self.searchLineFeed() else {
            // This is the longest line and its carriage return.
            guard self.buffer.readableBytes <= self.limits.maximumLineLength + 1 else {
                throw .violation("a line of more than \(self.limits.maximumLineLength) bytes")
            }
            self.searched = self.buffer.readableBytes
            return nil
        }
        self.searched = 0
        guard lineFeed > 0, self.buffer.readableBytesUInt8Span[lineFeed - 1] == UInt8(ascii: "\r") else {
            throw .violation("a line feed without carriage return")
        }
        return lineFeed - 1
    }

    /// The offset of the first line feed, within the length of the longest line.
    private func searchLineFeed() -> Int? {
        let bytes = self.buffer.readableBytesUInt8Span
        let end = min(bytes.count, self.limits.maximumLineLength + 2)
        var offset = self.searched
        while offset < end {
            if bytes[offset] == UInt8(ascii: "\n") { return offset }
            offset += 1
        }
        return nil
    }

    /// The text after the marker of a line.
    ///
    /// The reader index moves behind the line.
    private mutating func takeText(_ end: Int) -> String {
        let text = self.buffer.getString(at: self.buffer.readerIndex + 1, length: end - 1) ?? ""
        self.buffer.moveReaderIndex(forwardBy: end + 2)
        return text
    }

    /// The number after the marker of a line.
    ///
    /// The reader index does not move.
    private func number(_ end: Int) throws(RESPError) -> Int {
        let bytes = self.buffer.readableBytesUInt8Span
        var offset = 1
        var isNegative = false
        if offset < end, bytes[offset] == UInt8(ascii: "-") || bytes[offset] == UInt8(ascii: "+") {
            isNegative = bytes[offset] == UInt8(ascii: "-")
            offset += 1
        }
        guard offset < end else { throw .violation("a number without digits") }
        var value = 0
        while offset < end {
            let digit = bytes[offset] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .violation("a number that holds something else than digits") }
            let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) =
                isNegative
                ? product.subtractingReportingOverflow(Int(digit)) : product.addingReportingOverflow(Int(digit))
            guard !tooBig, !overflow else { throw .violation("a number of more than 64 bits") }
            value = sum
            offset += 1
        }
        return value
    }

    // MARK: Containers

    private mutating func open(_ kind: Frame.Kind, _ end: Int) throws(RESPError) -> Progress {
        let count = try self.number(end)
        guard count >= 0 else {
            guard kind == .array, count == -1 else { throw .violation("a negative number of elements") }
            self.buffer.moveReaderIndex(forwardBy: end + 2)
            return .value(.null)
        }
        let (missing, overflow) =
            kind == .map || kind == .attribute
            ? count.multipliedReportingOverflow(by: 2) : (count, false)
        guard !overflow, missing <= self.limits.maximumElements - self.elementsOfReply else {
            throw .violation("a reply of more than \(self.limits.maximumElements) elements")
        }
        self.elementsOfReply += missing
        self.buffer.moveReaderIndex(forwardBy: end + 2)
        guard missing > 0 else {
            switch kind {
            case .array: return .value(.array([]))
            case .set: return .value(.set([]))
            case .push: return .value(.push([]))
            case .map: return .value(.map([]))
            case .attribute: return .further
            }
        }
        guard self.frames.count < self.limits.maximumDepth else {
            throw .violation("a reply that nests deeper than \(self.limits.maximumDepth)")
        }
        var elements: [RESPValue] = []
        elements.reserveCapacity(min(missing, 64))
        self.frames.append(Frame(kind: kind, missing: missing, elements: elements))
        return .further
    }

    // MARK: Strings

    private mutating func openString(_ kind: StringKind, _ end: Int) throws(RESPError) -> Progress {
        let length = try self.number(end)
        guard length >= 0 else {
            guard kind == .bulk, length == -1 else { throw .violation("a string of negative length") }
            self.buffer.moveReaderIndex(forwardBy: end + 2)
            return .value(.null)
        }
        guard length <= Self.longestSkippableString else { throw .violation("a string of \(length) bytes") }
        self.buffer.moveReaderIndex(forwardBy: end + 2)
        guard length <= self.limits.maximumStringLength else {
            self.step = .skipping(remaining: length, length: length)
            return .further
        }
        self.bytesOfReply += length
        guard self.bytesOfReply <= self.limits.maximumReplyLength else {
            throw .violation("a reply of more than \(self.limits.maximumReplyLength) bytes")
        }
        self.step = .string(kind, length: length)
        return .further
    }

    private mutating func readString(_ kind: StringKind, length: Int) throws(RESPError) -> RESPValue? {
        guard self.buffer.readableBytes >= length + 2 else { return nil }
        guard
            let terminator = self.buffer.getInteger(at: self.buffer.readerIndex + length, as: UInt16.self),
            terminator == 0x0D0A
        else { throw .violation("a string that is longer than announced") }
        guard let bytes = self.buffer.readSlice(length: length) else { return nil }
        self.buffer.moveReaderIndex(forwardBy: 2)
        self.step = .value
        switch kind {
        case .bulk:
            return .bulkString(bytes)
        case .error:
            return .error(RESPError(reply: String(buffer: bytes)))
        case .verbatim:
            guard bytes.getInteger(at: bytes.readerIndex + 3, as: UInt8.self) == UInt8(ascii: ":") else {
                throw .violation("a verbatim string without a format")
            }
            var text = bytes
            text.moveReaderIndex(forwardBy: 4)
            return .verbatimString(text)
        }
    }

    /// Drops what has arrived of a string that is too long.
    private mutating func skip(_ remaining: Int, length: Int) throws(RESPError) -> RESPValue? {
        let here = min(remaining, self.buffer.readableBytes)
        self.buffer.moveReaderIndex(forwardBy: here)
        let remaining = remaining - here
        self.step = .skipping(remaining: remaining, length: length)
        guard remaining == 0, let terminator = self.buffer.getInteger(at: self.buffer.readerIndex, as: UInt16.self)
        else { return nil }
        guard terminator == 0x0D0A else { throw .violation("a string that is longer than announced") }
        self.buffer.moveReaderIndex(forwardBy: 2)
        self.step = .value
        return .error(
            RESPError(
                code: .tooLong,
                message: "skipped a string of \(length) bytes; the limit is \(self.limits.maximumStringLength)"
            )
        )
    }
}
