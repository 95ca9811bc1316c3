import NIOCore

/// Reads the payload from a JSON-P client's form.
enum FormField {
    /// The value of the field `d`, with the line ends that the client has escaped.
    static func payload(of form: ByteBuffer) -> ByteBuffer {
        let field = form.withUnsafeReadableBytes { bytes in
            RequestTarget.value(of: "d", in: bytes.assumingMemoryBound(to: UInt8.self))
        }
        guard let field else { return ByteBuffer() }
        // Bytes that are not UTF-8 are repaired, as everywhere else.
        return ByteBuffer(string: String(decoding: field, as: UTF8.self).withBytes(Self.restoringLineEnds))
    }

    /// Forms carry line ends as CR LF.
    ///
    /// So the client writes a line feed as `\n`, and `\n` as `\\n`.
    private static func restoringLineEnds(_ bytes: Bytes) -> String {
        String(unsafeUninitializedCapacity: bytes.count) { result in
            var count = 0
            var index = 0
            while index < bytes.count {
                let rest = bytes.part(index..<bytes.count)
                if rest.begins(with: #"\n"#) {
                    result[count] = UInt8(ascii: "\n")
                    index += 2
                } else if rest.begins(with: #"\\n"#) {
                    result[count] = UInt8(ascii: "\\")
                    count += 1
                    result[count] = UInt8(ascii: "n")
                    index += 3
                } else {
                    result[count] = bytes[index]
                    index += 1
                }
                count += 1
            }
            return count
        }
    }
}
