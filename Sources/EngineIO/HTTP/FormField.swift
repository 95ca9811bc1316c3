import NIOCore

/// Takes the payload out of a JSON-P client's form.
enum FormField {
    /// The value of the field `d`, its line ends as the client escaped them restored.
    static func payload(of form: ByteBuffer) -> ByteBuffer {
        guard let field = RequestTarget.value(of: "d", in: String(buffer: form)) else { return ByteBuffer() }
        // Forms carry line ends as CR LF: the client writes a line feed as `\n`, and `\n` as `\\n`.
        var result = ByteBuffer()
        let bytes = Array(field.utf8)
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: #"\\n"#.utf8) {
                result.writeStaticString(#"\n"#)
                index += 3
            } else if bytes[index...].starts(with: #"\n"#.utf8) {
                result.writeStaticString("\n")
                index += 2
            } else {
                result.writeInteger(bytes[index])
                index += 1
            }
        }
        return result
    }
}
