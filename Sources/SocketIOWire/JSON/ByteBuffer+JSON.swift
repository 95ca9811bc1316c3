public import NIOCore

extension ByteBuffer {
    /// Writes a value as `JSON.stringify` would.
    ///
    /// Members keep their order, strings are raw UTF-8, and numbers that JSON cannot express are `null`. Bytes become
    /// what Node makes of a `Buffer`, `{"type":"Buffer","data":[1,2]}`, because a channel that carries only JSON has no
    /// attachments.
    public mutating func writeJSON(_ value: JSONValue) {
        self.write { $0.writeJSON(value) }
    }

    /// Writes a value with placeholders; see ``ByteWriter/writeJSON(_:attachments:)``.
    package mutating func writeJSON(_ value: JSONValue, attachments: inout [ByteBuffer]) {
        self.write { $0.writeJSON(value, attachments: &attachments) }
    }

    package mutating func writeJSONBool(_ value: Bool) {
        self.writeStaticString(value ? "true" : "false")
    }

    /// Writes a string in quotes, and escapes only what has to be escaped.
    package mutating func writeJSONString(_ string: String) {
        self.write { $0.writeJSONString(string) }
    }

    /// Writes an integer in decimal digits.
    package mutating func writeJSONInteger(_ value: some FixedWidthInteger) {
        self.write { $0.writeJSONInteger(value) }
    }

    /// Writes a number as JavaScript does.
    package mutating func writeJSONNumber(_ value: Double) {
        self.write { $0.writeJSONNumber(value) }
    }

    private mutating func write(_ body: (inout ByteWriter) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { scratch in
            var writer = ByteWriter(lent: scratch)
            body(&writer)
            writer.withUnsafeBytes { _ = self.writeBytes($0) }
        }
    }
}
