/// A text for a log or an error's description, on one line and with at most so many bytes.
///
/// Clients choose the names of events and namespaces. A name of a megabyte must not fill the log, and a name with a
/// line break must not look like two entries.
///
/// - Parameters:
///   - text: Any text.
///   - limit: How many bytes of it are kept.
/// - Returns: The text. If it is longer, its beginning and its length.
package func boundedText(_ text: String, to limit: Int = 128) -> String {
    let bytes = text.utf8
    // The usual case, in which the text is not copied.
    if bytes.count <= limit, !text.unicodeScalars.contains(where: breaksLines) { return text }
    var bounded = ""
    var count = 0
    for scalar in text.unicodeScalars {
        count += UTF8.width(scalar)
        guard count <= limit else { return bounded + "… (\(bytes.count) bytes)" }
        if breaksLines(scalar) {
            bounded += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            bounded.unicodeScalars.append(scalar)
        }
    }
    return bounded
}

/// An error in words: its type and its own description, with a limit.
package func boundedDescription(of error: any Error) -> String {
    let type = String(describing: Swift.type(of: error))
    if let error = error as? DecodingError { return "\(type): \(DecodingProblem(error))" }
    return "\(type): \(boundedText(String(describing: error), to: 1024))"
}

/// Control characters, line and paragraph separators, and characters that change the direction of the text.
private func breaksLines(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}
