/// Text in a log line: what a peer chose must not look like anything but text.
///
/// A name with a line break would begin a line of its own, one with an escape sequence would change what a terminal shows,
/// and one with a bidirectional control would show letters in another order.
enum LogText {
    /// The longest text that is logged whole, in bytes.
    static let longest = 4096

    /// Appends a text with everything escaped that a reader would not see as it is: `\n`, `\r`, `\t`, `\\`, `\u{1B}`.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - line: What it is appended to.
    ///   - escapesQuotes: Whether quotation marks are escaped as well.
    static func append(_ text: String, to line: inout String, escapesQuotes: Bool = false) {
        for scalar in self.clipped(text).unicodeScalars {
            switch scalar {
            case "\n": line += #"\n"#
            case "\r": line += #"\r"#
            case "\t": line += #"\t"#
            case "\\": line += #"\\"#
            case "\"" where escapesQuotes: line += #"\""#
            case _ where self.mustBeEscaped(scalar):
                line += #"\u{"# + String(scalar.value, radix: 16, uppercase: true) + "}"
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    /// Appends a value of `key=value`, in quotation marks unless it is one word: it can't pass for several pairs.
    static func append(value text: String, to line: inout String) {
        let isWord = !text.isEmpty && !text.utf8.contains { self.endsWord($0) }
        guard !isWord else { return self.append(text, to: &line) }
        line += "\""
        self.append(text, to: &line, escapesQuotes: true)
        line += "\""
    }

    /// The beginning of a text that is too long, with its length.
    static func clipped(_ text: String) -> String {
        let count = text.utf8.count
        guard count > self.longest else { return text }
        return String(decoding: text.utf8.prefix(self.longest), as: UTF8.self) + "… (\(count) bytes)"
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "="), UInt8(ascii: "["), UInt8(ascii: "]"): true
        default: false
        }
    }

    /// Whether a character ends a line, moves the cursor, changes the order of others, or can't be seen.
    private static func mustBeEscaped(_ scalar: Unicode.Scalar) -> Bool {
        // Most text is ASCII.
        if scalar.value < 0x7F { return scalar.value < 0x20 }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: false
        }
    }
}
