extension JSONScanner {
    /// Skips one value.
    ///
    /// It checks that every placeholder in it (`{"_placeholder":true,"num":0}`) stands for one of the attachments.
    ///
    /// There may be as many placeholders as attachments. No encoder writes more. If a few bytes could stand for the
    /// same megabyte again and again, a small packet could become many gigabytes when it is written. Nested values use
    /// stack, up to the limit of depth.
    package mutating func skipValue(attachmentCount: Int) throws(JSONError) {
        var unused = attachmentCount
        try self.skipValue(attachmentCount: attachmentCount, unused: &unused, depth: 0)
    }

    private mutating func skipValue(attachmentCount: Int, unused: inout Int, depth: Int) throws(JSONError) {
        let kind = try self.peekKind()
        let start = self.offset
        guard kind == .array || kind == .object else { return try self.skipValue() }
        try self.checkDepth(depth)
        self.advance()
        guard kind == .object else {
            if try self.skipIfNext(UInt8(ascii: "]")) { return }
            repeat {
                try self.skipValue(attachmentCount: attachmentCount, unused: &unused, depth: depth &+ 1)
            } while try self.skipSeparator(orEnd: UInt8(ascii: "]"))
            return
        }
        if try self.skipIfNext(UInt8(ascii: "}")) { return }
        var isPlaceholder = false
        var number: Int?
        repeat {
            switch try self.readMemberName() {
            case .placeholder:
                isPlaceholder = try self.skipIfTrue(
                    attachmentCount: attachmentCount,
                    unused: &unused,
                    depth: depth &+ 1
                )
            case .number:
                number = try self.skipNumber(attachmentCount: attachmentCount, unused: &unused, depth: depth &+ 1)
            case .other:
                try self.skipValue(attachmentCount: attachmentCount, unused: &unused, depth: depth &+ 1)
            }
        } while try self.skipSeparator(orEnd: UInt8(ascii: "}"))
        guard isPlaceholder else { return }
        guard let number, number >= 0, number < attachmentCount, unused > 0 else {
            throw JSONError(.illegalAttachment, at: start)
        }
        unused -= 1
    }

    private enum MemberName { case placeholder, number, other }

    /// Skips a key and its colon.
    private mutating func readMemberName() throws(JSONError) -> MemberName {
        guard try self.peekKind() == .string else { throw JSONError(.unexpectedByte, at: self.offset) }
        self.advance()
        let start = self.offset
        let hasEscapes = try self.skipStringBody()
        let body = self.text(from: start, to: self.offset &- 1)
        try self.skipColon()
        if JSONText.isEqual(body, hasEscapes: hasEscapes, to: "_placeholder") { return .placeholder }
        if JSONText.isEqual(body, hasEscapes: hasEscapes, to: "num") { return .number }
        return .other
    }

    private mutating func skipIfTrue(
        attachmentCount: Int,
        unused: inout Int,
        depth: Int
    ) throws(JSONError) -> Bool {
        let kind = try self.peekKind()
        let start = self.offset
        try self.skipValue(attachmentCount: attachmentCount, unused: &unused, depth: depth)
        return kind == .bool && self.offset &- start == 4
    }

    private mutating func skipNumber(
        attachmentCount: Int,
        unused: inout Int,
        depth: Int
    ) throws(JSONError) -> Int? {
        let kind = try self.peekKind()
        let start = self.offset
        guard kind == .number else {
            try self.skipValue(attachmentCount: attachmentCount, unused: &unused, depth: depth)
            return nil
        }
        let isInteger = try self.skipNumber()
        return JSONNumber.value(of: self.text(from: start, to: self.offset), isInteger: isInteger).intValue
    }
}
